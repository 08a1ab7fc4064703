//! TLS for those who connect to this machine, by HTTPS and by RTMPS: the certificate that is shown to them ([`x509`]), the rules of the
//! [`handshake`], and certificates in [`files`] that other programs renew.
//!
//! Not here: TLS to servers of others (`relay/tls`), and the authority of our own (`perch_site::certificates`).

mod files;
mod handshake;
mod x509;

#[cfg(test)]
pub(crate) use x509::tests;

pub use files::{CertificateFiles, PART};
pub use handshake::{Acceptor, Handshake};
pub use x509::{Certificate, Certificates, Unusable, day};
