//! HTTPS beside HTTP: with files that another program renews, and with an authority of Perch's own. Asked by curl, which checks the certificate.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::certificates::Authority;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::relaying::wait_for_segments;
use support::{Answer, Daemon, TEST_PATTERN};

const TLS: &str = "[tls]\nlisten = [\"127.0.0.1:0\"]\n";

/// The port of the line that the daemon logs.
fn https_port(daemon: &Daemon) -> u16 {
    let line = daemon.logged("listening on https://");
    line.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// What curl, which trusts `authority` alone, gets from `https://{host}{path}`; its complaint if it gets nothing.
fn curl(authority: &Path, host: &str, port: u16, path: &str, options: &[&str]) -> Result<Answer, String> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "30", "--noproxy", "*", "--cacert"])
        .arg(authority)
        .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
        .args(options)
        .arg(format!("https://{host}:{port}{path}"))
        .output()
        .expect("curl is installed; `make test` installs what the tests need");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(Answer::parse(&output.stdout)) } else { Err(said) }
}

#[test]
fn files_that_are_renewed_are_taken_up_and_bad_ones_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, trusted) = Authority::new(dir.path(), "ours");
    let (chain, key) = (dir.path().join("fullchain.pem"), dir.path().join("key.pem"));
    let install = |(new_chain, new_key): (PathBuf, PathBuf)| {
        std::fs::rename(new_key, &key).unwrap();
        std::fs::rename(new_chain, &chain).unwrap();
    };
    let config = format!(
        "{TEST_PATTERN}{NO_LIMITS}{TLS}certificate_file = {:?}\nkey_file = {:?}\n",
        chain.display(),
        key.display()
    );
    let daemon = Daemon::start_in(dir.path(), &config);
    let said = daemon.logged("TLS does not work");
    assert!(
        said.contains("fullchain.pem cannot be read") && said.contains("check tls.certificate_file"),
        "{said}"
    );
    install(ours.issue(dir.path(), "perch.example.org", 4000));
    let port = https_port(&daemon);
    let ask = |path: &str, options: &[&str]| curl(&trusted, "perch.example.org", port, path, options);

    let names = ["--header", "Host: localhost"];
    for (option, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let answer = ask("/", &[&[option][..], &names].concat()).unwrap();
        assert_eq!(answer.status, 200, "{version}");
        assert!(answer.text().contains("<title>Perch</title>"));
        let spoken = ["--output", "/dev/null", "--write-out", "HTTP/1.1 200\r\n\r\n%{http_version}"];
        assert_eq!(ask("/healthz", &[&[option][..], &spoken, &names].concat()).unwrap().text(), version);
    }
    wait_for_segments(&daemon, 3);
    let segment = m3u8_rs::parse_media_playlist_res(&daemon.get("/media/live/index.m3u8").body).unwrap();
    let path = format!("/media/live/{}", segment.segments[0].uri);
    let plain = daemon.get(&path).body;
    assert!(plain.len() > 1000);
    for option in ["--http2", "--http1.1"] {
        assert!(ask(&path, &[&[option][..], &names].concat()).unwrap().body == plain, "{option}");
        let middle = ask(&path, &[&[option, "--range", "100-299"][..], &names].concat()).unwrap();
        assert_eq!((middle.status, &middle.body[..]), (206, &plain[100..300]));
        let head = ask(&path, &[&[option, "--head"][..], &names].concat()).unwrap();
        assert_eq!(head.header("content-length"), Some(plain.len().to_string().as_str()), "{option}");
    }

    // Without TLS nobody is answered there, and others are not held up.
    let mut plain = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.set_read_timeout(Some(support::PATIENCE)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");

    install(ours.issue(dir.path(), "other.example.org", 4000));
    daemon.logged("the certificate of other.example.org is good until 4000-01-01");
    let refused = ask("/healthz", &[]).unwrap_err();
    assert!(refused.contains("other.example.org") || refused.contains("subject name"), "{refused}");
    assert_eq!(curl(&trusted, "other.example.org", port, "/healthz", &names).unwrap().status, 200);

    let (_, of_another) = ours.issue(dir.path(), "other.example.org", 4000);
    std::fs::rename(of_another, &key).unwrap();
    daemon.logged("the key belongs to another certificate");
    assert_eq!(
        curl(&trusted, "other.example.org", port, "/healthz", &names).unwrap().status,
        200,
        "the one before"
    );
    install(ours.issue(dir.path(), "other.example.org", 2020));
    daemon.logged("The certificate expired on 2020-01-01, so browsers refuse it: renew it");
    assert_eq!(daemon.get("/healthz").status, 200);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_owner_switches_https_on_and_devices_get_what_they_need() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("{NO_LIMITS}{TLS}");
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olga");
    assert_eq!(daemon.get("/api/v1/https/authority.crt").status, 404);
    let off = daemon.get("/api/v1/https").json();
    assert_eq!(
        (&off["source"], &off["address"], &off["authority"]),
        (&json!("off"), &json!(null), &json!(null))
    );
    let on = owner.patch("/api/v1/https", &json!({"enabled": true})).json();
    assert_eq!(on["source"], "own", "{on}");
    let port = https_port(&daemon);
    let trusted = dir.path().join("trusted.pem");
    let authority = daemon.get("/api/v1/https/authority.pem");
    assert_eq!(authority.status, 200);
    std::fs::write(&trusted, &authority.body).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(curl(&trusted, host, port, "/healthz", &[]).unwrap().status, 200, "{host}");
    }
    let refused = curl(&trusted, "bank.example", port, "/healthz", &[]).unwrap_err();
    assert!(refused.contains("bank.example") || refused.contains("subject name"), "{refused}");

    // What devices get says the same in three forms.
    let openssl = |form: &str, file: &Path| {
        let output = Command::new("openssl")
            .args(["x509", "-inform", form, "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(file)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().rsplit_once('=').unwrap().1.to_owned()
    };
    let seen = daemon.get("/api/v1/https").json();
    let fingerprint = seen["authority"]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(openssl("PEM", &trusted), fingerprint);
    let der = dir.path().join("perch.crt");
    let answer = daemon.get("/api/v1/https/authority.crt");
    assert_eq!(answer.header("content-type"), Some("application/x-x509-ca-cert"));
    std::fs::write(&der, answer.body).unwrap();
    assert_eq!(openssl("DER", &der), fingerprint);
    let profile = daemon.get("/api/v1/https/perch.mobileconfig");
    assert_eq!(profile.header("content-type"), Some("application/x-apple-aspen-config"));
    let (file, out) = (dir.path().join("perch.mobileconfig"), dir.path().join("of-profile.crt"));
    std::fs::write(&file, profile.body).unwrap();
    let script = "import plistlib, sys; p = plistlib.load(open(sys.argv[1], 'rb')); c, = p['PayloadContent']; \
                  assert c['PayloadType'] == 'com.apple.security.root' and p['PayloadUUID'] != c['PayloadUUID']; \
                  open(sys.argv[2], 'wb').write(c['PayloadContent'])";
    support::run("python3", &["-c", script, file.to_str().unwrap(), out.to_str().unwrap()], dir.path());
    assert_eq!(openssl("DER", &out), fingerprint);
    assert!(daemon.get("/api/v1/https/code.svg").text().contains("<svg"));

    // Browsers are led there only if the owner wants that.
    assert_eq!(daemon.get("/").status, 200);
    let led = owner.patch("/api/v1/https", &json!({"redirect": true}));
    assert_eq!(led.json()["redirect"], true, "{}", led.text());
    let answer = daemon.get("/watch/1?t=5");
    let there = answer.header("location").unwrap_or_default();
    assert!(answer.status == 307 && there.starts_with("https://"), "{there}");
    assert!(there.ends_with(&format!(":{port}/watch/1?t=5")), "{there}");
    for path in ["/trust", "/healthz", "/api/v1/settings", "/api/v1/https/authority.crt"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
    assert_eq!(curl(&trusted, "localhost", port, "/", &[]).unwrap().status, 200);

    // Keys are perchd's alone, and the same after a restart.
    for (name, mode) in [("tls", 0o700), ("tls/authority.pem", 0o600), ("tls/certificate.pem", 0o600)] {
        let permissions = std::fs::metadata(daemon.data_dir.join(name)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{name}");
    }
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start_in(dir.path(), &config);
    let port = https_port(&daemon);
    assert_eq!(curl(&trusted, "localhost", port, "/healthz", &[]).unwrap().status, 200);
    let owner = Person::login(&daemon, "olga");
    let off = owner.patch("/api/v1/https", &json!({"enabled": false})).json();
    assert_eq!(off["source"], "off");
    daemon.logged("HTTPS is switched off");
    assert!(curl(&trusted, "localhost", port, "/healthz", &[]).is_err());
    assert_eq!(daemon.get("/").status, 200, "there is nothing to lead to");
    // A backup holds neither key nor certificate.
    let backup = owner.post("/api/v1/backup", &json!({"password": PASSWORD})).body;
    assert!(backup.len() > 1000 && !backup.windows(11).any(|part| part == b"PRIVATE KEY"));
}

#[test]
fn a_stream_is_sent_on_to_another_perch_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let ingest = "[ingest]\nenabled = true\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\n";
    let far = Daemon::start(&format!("{NO_LIMITS}{TLS}{ingest}"));
    let owner = Person::owner(&far, "olga");
    owner.patch("/api/v1/https", &json!({"enabled": true}));
    let line = far.logged("programs can send streams to rtmps://");
    let address = line.split_whitespace().find(|word| word.starts_with("rtmps://")).unwrap().to_owned();
    let shown = owner.post("/api/v1/me/ingest/key", &json!({})).json();
    let key = shown["key"].as_str().unwrap();
    let trusted = dir.path().join("trusted.pem");
    std::fs::write(&trusted, far.get("/api/v1/https/authority.pem").body).unwrap();
    let relay = format!(
        "relays = [\"far\"]\n[[relay]]\nname = \"far\"\nurl = {address:?}\nkey = {key:?}\nca_file = {:?}\n",
        trusted.display()
    );
    let near = Daemon::start(&format!("{NO_LIMITS}{TEST_PATTERN}{relay}"));
    near.logged("takes the stream");
    wait_for_segments(&far, 2);
    let port = address.split(['/', ':']).nth(4).unwrap();
    let told = shown["tls_address"].as_str().unwrap();
    assert!(told.starts_with("rtmps://") && told.ends_with(&format!(":{port}/live")), "{shown}");
}
