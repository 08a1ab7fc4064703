//! What the authority signs, judged by OpenSSL; and by what clock.

use super::*;
use std::path::Path;
use std::process::Command;

fn names(hosts: &[&str], addresses: &[(&str, u8)]) -> Names {
    let network =
        |(address, prefix): &(&str, u8)| Network { address: address.parse().unwrap(), prefix: *prefix };
    Names {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        addresses: addresses.iter().map(network).collect(),
    }
}

fn ours() -> Names {
    names(
        &["nest.local", "nest", "localhost"],
        &[("192.168.1.20", 24), ("2001:db8::20", 64), ("127.0.0.1", 8)],
    )
}

/// 2026-11-28.
fn today() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(498_840)
}

fn certificate(text: &str) -> Certificate {
    Certificate::from_pem(text.as_bytes(), text.as_bytes()).unwrap()
}

/// What OpenSSL thinks of a certificate under this authority.
fn verified(authority: &Authority, issued: &str, for_name: &str, dir: &Path) -> Result<(), String> {
    let (above, below) = (dir.join("authority.pem"), dir.join("issued.pem"));
    std::fs::write(&above, authority.certificate_pem()).unwrap();
    std::fs::write(&below, issued).unwrap();
    let kind = if for_name.parse::<IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
    let output = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver", kind, for_name, "-attime", "1795824000"])
        .arg("-CAfile")
        .arg(&above)
        .arg(&below)
        .output()
        .expect("openssl is installed; `make test` installs what the tests need");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn openssl_takes_it_for_all_our_names_and_for_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(&ours()).unwrap();
    let issued = authority.issue(&ours(), validity(None, today())).unwrap();
    for name in ["nest.local", "nest", "localhost", "192.168.1.20", "2001:db8::20", "127.0.0.1"] {
        assert_eq!(verified(&authority, &issued, name, dir.path()), Ok(()), "{name}");
    }
    // Another address of the same network: after a renewal by DHCP.
    let moved = names(&["nest.local"], &[("192.168.1.77", 24)]);
    let issued = authority.issue(&moved, validity(None, today())).unwrap();
    assert_eq!(verified(&authority, &issued, "192.168.1.77", dir.path()), Ok(()));
}

#[test]
fn whoever_has_the_key_cannot_pose_as_others() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(&ours()).unwrap();
    for (other, is_ip) in [
        ("bank.example", false),
        ("otherlocal", false),
        ("evilnest.local", false),
        ("local", false),
        ("192.168.2.20", true),
        ("10.0.0.1", true),
        ("2001:db8:1::20", true),
    ] {
        // Not by `issue`, which leaves such names out.
        let forged = if is_ip {
            SanType::IpAddress(other.parse().unwrap())
        } else {
            SanType::DnsName(other.try_into().unwrap())
        };
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![forged];
        params.distinguished_name = named("forged");
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2026, 11, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        let key = KeyPair::generate().unwrap();
        let forged = params.signed_by(&key, &authority.issuer).unwrap().pem();
        let refused = verified(&authority, &forged, other, dir.path()).unwrap_err();
        assert!(refused.contains("permitted subtree violation"), "{other}: {refused}");
    }
    // Nor can it make another authority.
    let mut below = CertificateParams::default();
    below.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    below.distinguished_name = named("below");
    below.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    below.use_authority_key_identifier_extension = true;
    let below_key = KeyPair::generate().unwrap();
    let below_pem = below.signed_by(&below_key, &authority.issuer).unwrap().pem();
    let middle = dir.path().join("below.pem");
    std::fs::write(&middle, below_pem).unwrap();
    let mut leaf = CertificateParams::new(vec!["nest.local".to_owned()]).unwrap();
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(below, below_key)).unwrap().pem();
    let (above, file) = (dir.path().join("authority.pem"), dir.path().join("leaf.pem"));
    std::fs::write(&file, leaf).unwrap();
    let output = Command::new("openssl")
        .args(["verify", "-CAfile"])
        .arg(above)
        .arg("-untrusted")
        .args([&middle, &file])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("path length"), "{said}");
}

#[test]
fn names_that_came_later_are_left_out() {
    let authority = Authority::new(&ours()).unwrap();
    let now = names(&["nest.local", "owl.local", "cam.nest.local"], &[("10.0.0.5", 24), ("192.168.1.9", 24)]);
    let issued = certificate(&authority.issue(&now, validity(None, today())).unwrap());
    assert_eq!(issued.names, ["nest.local", "cam.nest.local", "192.168.1.9"]);
}

#[test]
fn what_was_kept_is_the_same_authority() {
    let authority = Authority::new(&ours()).unwrap();
    let again = Authority::from_pem(&authority.to_pem()).unwrap();
    assert_eq!(again.fingerprint(), authority.fingerprint());
    assert_eq!(again.covered(&ours()), ours());
    assert!(authority.name().starts_with("Perch nest.local "), "{}", authority.name());
    assert!(!format!("{authority:?}").contains("PRIVATE"));
    let dir = tempfile::tempdir().unwrap();
    let issued = again.issue(&ours(), validity(None, today())).unwrap();
    assert_eq!(verified(&authority, &issued, "nest.local", dir.path()), Ok(()));
    let other = Authority::new(&ours()).unwrap().to_pem();
    let key_at = |text: &str| text.find("-----BEGIN PRIVATE").unwrap();
    let mixed = authority.to_pem()[..key_at(&authority.to_pem())].to_owned() + &other[key_at(&other)..];
    for damaged in ["", "no", &authority.to_pem()[..300], authority.certificate_pem(), &mixed] {
        assert!(Authority::from_pem(damaged).is_err(), "{damaged}");
    }
}

#[test]
fn a_certificate_lasts_as_long_as_apple_allows_and_is_renewed_long_before() {
    let authority = Authority::new(&ours()).unwrap();
    let issued = |now| certificate(&authority.issue(&ours(), validity(None, now)).unwrap());
    let first = issued(today());
    let lasts = first.not_after.duration_since(first.not_before).unwrap();
    assert!(lasts < DAY * 398, "{lasts:?}");
    let due = |days: u32| is_due(&first, &ours(), today() + DAY * days);
    assert_eq!((due(0), due(99), due(101), due(400)), (None, None, Some(Due::Time), Some(Due::Time)));
}

#[test]
fn a_clock_that_is_not_set_decides_nothing() {
    let authority = Authority::new(&ours()).unwrap();
    let issue = |present: Option<&Certificate>, now| {
        certificate(&authority.issue(&ours(), validity(present, now)).unwrap())
    };
    // Without a real-time clock a board begins in 1970.
    let at_boot = UNIX_EPOCH + DAY;
    let first = issue(None, at_boot);
    assert!(
        first.not_before < UNIX_EPOCH + CLOCK_IS_SET
            && first.not_after > UNIX_EPOCH + CLOCK_IS_SET + DAY * 300
    );
    assert_eq!(is_due(&first, &ours(), at_boot), None);
    // NTP has answered.
    assert_eq!(is_due(&first, &ours(), today()), Some(Due::Time));
    let second = issue(Some(&first), today());
    assert_eq!(is_due(&second, &ours(), today()), None);
    // After a power cut the clock is in 1970 again: the certificate stays, and keeps its dates where a name is added.
    assert_eq!(is_due(&second, &ours(), at_boot), None);
    let more = names(&["nest.local", "owl.local"], &[]);
    assert_eq!(is_due(&second, &more, at_boot), Some(Due::Names));
    assert_eq!(issue(Some(&second), at_boot).not_after, second.not_after);
    // Set wrongly to 2036, and put right: made anew both times.
    let wrong = today() + DAY * 3653;
    assert_eq!(is_due(&second, &ours(), wrong), Some(Due::Time));
    let third = issue(Some(&second), wrong);
    assert_eq!(is_due(&third, &ours(), today()), Some(Due::Time));
    // A phone whose clock is a month behind takes it all the same.
    assert!(second.not_before + DAY * 30 < today());
}
