//! Perch's own authority: a certificate that phones and laptops trust once, and that signs the site's own certificates. It can sign nothing but names
//! of this machine and addresses of its networks (name constraints, RFC 5280 §4.2.1.10), so that whoever steals its key cannot pose as a bank.
//!
//! Values only: no files, no clock.

use super::names::{Names, Network};
use perch_studio::certificate::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::Pem;

const DAY: Duration = Duration::from_hours(24);
/// A certificate is valid from this long before it is made, for devices whose clock is behind, …
const BACK: Duration = DAY.saturating_mul(90);
/// … until this long afterwards. Apple takes at most 825 days in all, and 398 of the authorities that it ships (support.apple.com/103769,
/// /102028).
const AHEAD: Duration = DAY.saturating_mul(307);
/// It is made anew once less than this is left: a board that was switched off for half a year still has a good one.
const LEFT_LEAST: Duration = DAY.saturating_mul(207);
/// It is made anew if less than this has passed of it: the clock was set back since.
const PASSED_LEAST: Duration = DAY.saturating_mul(45);
/// 2026-01-01: a clock that shows an earlier time was never set.
const CLOCK_IS_SET: Duration = Duration::from_hours(490_896);

/// The kept text is not an authority's.
#[derive(Debug, thiserror::Error)]
#[error("the file of the authority is damaged: {0}")]
pub struct Damaged(String);

/// The authority, with its key.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    certificate: Vec<u8>,
    name: String,
    /// A certificate for these and what is below them can be signed.
    hosts: Vec<String>,
    networks: Vec<Network>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.name)
    }
}

impl Authority {
    /// A new one for these names and networks.
    ///
    /// # Errors
    ///
    /// Those of the kernel's random numbers.
    pub(super) fn new(names: &Names) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mark = hex(&Sha256::digest(key.public_key_raw())[..2], "");
        let host = names.hosts.first().map_or("perch", String::as_str);
        let mut params = CertificateParams::default();
        // Two boards may have the same name, and one may have two authorities in its life.
        params.distinguished_name = named(&format!("Perch {host} {mark}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Not by the board's clock, which may be wrong: it is not asked for the time of the devices that trust this.
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2049, 12, 31);
        let hosts = names.hosts.iter().map(|host| GeneralSubtree::DnsName(host.clone()));
        let networks = names.addresses.iter().map(|network| {
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(first_of(*network), network.prefix))
        });
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: hosts.chain(networks).collect(),
            excluded_subtrees: Vec::new(),
        });
        let certificate_pem = params.self_signed(&key)?.pem();
        Self::read(certificate_pem, key)
    }

    /// The one that [`Self::to_pem`] wrote.
    ///
    /// # Errors
    ///
    /// [`Damaged`].
    pub(super) fn from_pem(text: &str) -> Result<Self, Damaged> {
        let at =
            text.find("-----BEGIN PRIVATE KEY-----").ok_or_else(|| Damaged("it has no key".to_owned()))?;
        let (certificate, key) = text.split_at(at);
        let key = KeyPair::from_pem(key).map_err(|error| Damaged(error.to_string()))?;
        Self::read(certificate.to_owned(), key).map_err(|error| Damaged(error.to_string()))
    }

    fn read(certificate_pem: String, key: KeyPair) -> Result<Self, rcgen::Error> {
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key)?;
        let broken = || rcgen::Error::CouldNotParseCertificate;
        let certificate = Pem::iter_from_buffer(certificate_pem.as_bytes())
            .next()
            .ok_or_else(broken)?
            .map_err(|_| broken())?;
        let certificate = certificate.contents;
        let (_, parsed) = parse_x509_certificate(&certificate).map_err(|_| broken())?;
        if parsed.public_key().subject_public_key.data != issuer.key().public_key_raw() {
            return Err(broken());
        }
        let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let name = name.unwrap_or("Perch").to_owned();
        let constraints = parsed.name_constraints().map_err(|_| broken())?.ok_or_else(broken)?;
        let (mut hosts, mut networks) = (Vec::new(), Vec::new());
        for subtree in constraints.value.permitted_subtrees.iter().flatten() {
            match &subtree.base {
                GeneralName::DNSName(host) => hosts.push((*host).to_owned()),
                GeneralName::IPAddress(bytes) => networks.extend(network(bytes)),
                _ => {}
            }
        }
        Ok(Self { issuer, certificate_pem, certificate, name, hosts, networks })
    }

    /// Certificate and key. Whoever has this text can pose as this machine.
    pub(super) fn to_pem(&self) -> String {
        self.certificate_pem.clone() + &self.issuer.key().serialize_pem()
    }

    /// The name that devices show.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What devices trust, in DER.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What devices trust, in PEM.
    pub(super) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// SHA-256 of the certificate, as devices show it.
    pub(super) fn fingerprint(&self) -> String {
        hex(&self.digest(), ":")
    }

    /// SHA-256 of the certificate.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// Those of `names` that it can sign.
    pub(super) fn covered(&self, names: &Names) -> Names {
        let hosts = names.hosts.iter().filter(|host| self.covers_host(host)).cloned().collect();
        let covers = |address: IpAddr| self.networks.iter().any(|network| contains(*network, address));
        let addresses = names.addresses.iter().filter(|network| covers(network.address)).copied().collect();
        Names { hosts, addresses }
    }

    fn covers_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| {
            host.strip_suffix(known.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// A certificate for those of `names` that it can sign, with its key, both in PEM.
    ///
    /// # Errors
    ///
    /// Those of the kernel's random numbers.
    pub(super) fn issue(&self, names: &Names, validity: Validity) -> Result<String, rcgen::Error> {
        let names = self.covered(names);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(names.hosts.first().map_or("perch", String::as_str));
        for host in &names.hosts {
            params.subject_alt_names.push(SanType::DnsName(host.as_str().try_into()?));
        }
        let addresses = names.addresses.iter().map(|network| SanType::IpAddress(network.address));
        params.subject_alt_names.extend(addresses);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = validity.not_before.into();
        params.not_after = validity.not_after.into();
        Ok(params.signed_by(&key, &self.issuer)?.pem() + &key.serialize_pem())
    }
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// Not before.
    pub(super) not_before: SystemTime,
    /// Not after.
    pub(super) not_after: SystemTime,
}

/// The validity of a certificate that is made now in place of `present`. A clock that was never set decides nothing: the present dates stay.
pub(super) fn validity(present: Option<&Certificate>, now: SystemTime) -> Validity {
    let is_set = is_clock_set(now);
    if let Some(present) = present.filter(|_| !is_set) {
        return Validity { not_before: present.not_before, not_after: present.not_after };
    }
    let now = if is_set { now } else { UNIX_EPOCH + CLOCK_IS_SET };
    Validity { not_before: now - BACK, not_after: now + AHEAD }
}

/// Why a certificate is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This machine has a name or an address that the certificate lacks.
    Names,
    /// It will expire, or the clock was set since it was made.
    Time,
}

/// Whether `present` has to be made anew. Names that are gone are no reason: a network may come back.
pub(super) fn is_due(present: &Certificate, wanted: &Names, now: SystemTime) -> Option<Due> {
    let lacks = |name: &String| !present.names.contains(name);
    let mut addresses = wanted.addresses.iter().map(|network| network.address.to_string());
    if wanted.hosts.iter().any(lacks) || addresses.any(|address| lacks(&address)) {
        return Some(Due::Names);
    }
    let is_early = now < present.not_before + PASSED_LEAST;
    let is_late = now + LEFT_LEAST > present.not_after;
    (is_clock_set(now) && (is_early || is_late)).then_some(Due::Time)
}

fn is_clock_set(now: SystemTime) -> bool {
    now >= UNIX_EPOCH + CLOCK_IS_SET
}

fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    // RFC 5280, upper bounds: 64 characters.
    all.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    all
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
        // Writing into memory does not fail.
        let _ = write!(text, "{}{byte:02X}", if index > 0 { between } else { "" });
        text
    })
}

/// The bits of an address in front, and how many there are.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)
}

/// The first address of a network, whose other bits are zero.
fn first_of(network: Network) -> IpAddr {
    match network.address {
        IpAddr::V4(v4) => IpAddr::V4(std::net::Ipv4Addr::from_bits(
            v4.to_bits() & (mask(network.prefix.min(32)) >> 96) as u32,
        )),
        IpAddr::V6(v6) => IpAddr::V6(std::net::Ipv6Addr::from_bits(v6.to_bits() & mask(network.prefix))),
    }
}

fn contains(network: Network, address: IpAddr) -> bool {
    let ((ours, width), (its, its_width)) = (bits(network.address), bits(address));
    width == its_width && (ours ^ its) & mask(network.prefix) == 0
}

/// An address and its mask, as name constraints have them.
fn network(bytes: &[u8]) -> Option<Network> {
    let (address, mask) = bytes.split_at_checked(bytes.len() / 2)?;
    let address = match address.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    Some(Network { address, prefix: mask.iter().map(|byte| byte.count_ones() as u8).sum() })
}

#[cfg(test)]
mod tests;
