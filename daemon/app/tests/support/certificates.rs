//! Certificates for tests, good and bad ones.

use super::relaying::free_port;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::path::{Path, PathBuf};

/// One that signs certificates.
pub struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// Its own certificate is in `folder`.
    pub fn new(folder: &Path, name: &str) -> (Self, PathBuf) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // OpenSSL takes a certificate for self-signed if its name is its issuer's.
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = folder.join(format!("{name}.pem"));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        (Self(Issuer::new(params, key)), file)
    }

    /// Files of a certificate for `host` that is valid up to this year, and of its key.
    pub fn issue(&self, folder: &Path, host: &str, until: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let name = format!("{host}-{until}-{}", free_port());
        let (certificate, key_file) =
            (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, params.signed_by(&key, &self.0).unwrap().pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (certificate, key_file)
    }
}
