//! A certificate with its private key, and the one that is shown now.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// Why a certificate cannot be used. The words follow "the certificate of /etc/…: ".
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Another kind of file, or an empty one.
    #[error("there is no certificate in it; it has to be in PEM, with a line BEGIN CERTIFICATE")]
    NoCertificate,
    /// Likewise, or a key with a password.
    #[error(
        "there is no private key in it; it has to be in PEM, with a line BEGIN PRIVATE KEY, and without a password"
    )]
    NoKey,
    /// Broken PEM, or broken DER in it.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Certificate and key do not fit together.
    #[error("the key belongs to another certificate; both files have to come from the same renewal")]
    Mismatch,
    /// A kind of key that browsers do not take, or that *ring* lacks.
    #[error(
        "this kind of key cannot be used; take ECDSA (P-256 or P-384), Ed25519, or RSA of 2048 to 8192 bits"
    )]
    Key,
}

/// A certificate with its chain and private key.
pub struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// Not valid before.
    pub not_before: SystemTime,
    /// Not valid after.
    pub not_after: SystemTime,
}

/// Without the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the chain (the server's certificate first) and its key, both in PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let damaged = |error: &dyn fmt::Display| Unusable::Damaged(error.to_string());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(&error))?;
        let first = chain.first().ok_or(Unusable::NoCertificate)?.clone();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => Unusable::NoKey,
            other => damaged(&other),
        })?;
        let key =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Unusable::Mismatch,
                Error::InvalidCertificate(error) => damaged(&error),
                _ => Unusable::Key,
            })?;
        let (_, parsed) = X509Certificate::from_der(&first).map_err(|error| damaged(&error))?;
        Ok(Self {
            key: Arc::new(key),
            names: names(&parsed),
            not_before: time_of(parsed.validity().not_before.timestamp()),
            not_after: time_of(parsed.validity().not_after.timestamp()),
        })
    }
}

/// The names of the server, in their order.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    alternative.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

fn time_of(seconds: i64) -> SystemTime {
    let off = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH.checked_sub(off) } else { UNIX_EPOCH.checked_add(off) };
    time.unwrap_or(UNIX_EPOCH)
}

/// A day, as people read it.
pub fn day(time: SystemTime) -> String {
    OffsetDateTime::from(time).date().to_string()
}

/// The certificate that is shown to those who connect now; `None`: there is no TLS. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Certificates(watch::Sender<Option<Arc<Certificate>>>);

impl Certificates {
    /// Shows this certificate from now on. Open connections keep theirs.
    pub fn show(&self, certificate: Certificate) {
        self.show_shared(Arc::new(certificate));
    }

    /// The same for one that may be shown already, which is no news.
    pub fn show_shared(&self, certificate: Arc<Certificate>) {
        self.0.send_if_modified(|shown| {
            let is_shown = shown.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, &certificate));
            if !is_shown {
                *shown = Some(certificate);
            }
            !is_shown
        });
    }

    /// Shows none: nobody can connect with TLS from now on.
    pub fn withdraw(&self) {
        self.0.send_replace(None);
    }

    /// The certificate that is shown now.
    pub fn now(&self) -> Option<Arc<Certificate>> {
        self.0.borrow().clone()
    }

    /// For waiting until there is one, or none.
    pub fn changes(&self) -> watch::Receiver<Option<Arc<Certificate>>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    /// A certificate for these names that is valid in these years, and its key, both in PEM.
    pub(crate) fn made(names: &[&str], years: [i32; 2]) -> (String, String) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(years[0], 1, 1);
        params.not_after = date_time_ymd(years[1], 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn a_certificate_says_whom_it_is_for_and_how_long() {
        let (chain, key) = made(&["perch.example.org", "192.0.2.7", "2001:db8::1"], [2020, 2030]);
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(certificate.names, ["perch.example.org", "192.0.2.7", "2001:db8::1"]);
        assert_eq!(day(certificate.not_before), "2020-01-01");
        assert_eq!(day(certificate.not_after), "2030-01-01");
        assert!(!format!("{certificate:?}").contains("key"));
    }

    #[test]
    fn both_may_be_in_one_file_with_the_authoritys_certificate() {
        let (chain, key) = made(&["a.example.org"], [2020, 2030]);
        let (above, _) = made(&["authority.example.org"], [2020, 2030]);
        let all = format!("{chain}{key}{above}");
        assert_eq!(Certificate::from_pem(all.as_bytes(), all.as_bytes()).unwrap().names, ["a.example.org"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        let (chain, key) = made(&["a.example.org"], [2020, 2030]);
        let (_, other_key) = made(&["a.example.org"], [2020, 2030]);
        let said = |chain: &str, key: &str| {
            Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err().to_string()
        };
        assert!(said("", &key).starts_with("there is no certificate in it"));
        assert!(said(&key, &key).starts_with("there is no certificate in it"));
        assert!(said(&chain, "").starts_with("there is no private key in it"));
        assert!(said(&chain, &chain).starts_with("there is no private key in it"));
        assert!(said(&chain, &other_key).starts_with("the key belongs to another certificate"));
        let broken = chain.replace("\nMII", "\n%II");
        assert!(said(&broken, &key).starts_with("it is damaged"), "{}", said(&broken, &key));
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(said(no_der, &key).starts_with("it is damaged"), "{}", said(no_der, &key));
        let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(said(&chain, no_key).starts_with("this kind of key"), "{}", said(&chain, no_key));
    }

    #[test]
    fn who_waits_is_told_of_the_next_certificate() {
        let certificates = Certificates::default();
        let mut changes = certificates.clone().changes();
        assert!(certificates.now().is_none());
        let (chain, key) = made(&["a.example.org"], [2020, 2030]);
        certificates.show(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
        assert!(changes.has_changed().unwrap());
        assert_eq!(changes.borrow_and_update().as_ref().unwrap().names, ["a.example.org"]);
        certificates.withdraw();
        assert!(changes.has_changed().unwrap() && certificates.now().is_none());
    }
}
