//! TLS to a server: whom to trust, and what is wrong with a certificate, in words.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

/// Bytes that TLS keeps of what the kernel does not take: one record.
const KEPT: usize = 16 << 10;
/// Characters of names in a stranger's certificate that people are shown.
const NAMES_MOST: usize = 200;

/// Shakes hands with `host`, whose certificate must be signed by one of those in `ca_file`, or else by an authority that the system trusts. The error is in words.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    tcp: S,
    host: &str,
    ca_file: Option<&Path>,
) -> Result<TlsStream<S>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no name of a server"))?;
    let ca_file = ca_file.map(Path::to_owned);
    // Read for each connection: authorities come and go, and nothing of them is kept in memory while nothing is encrypted.
    let read = tokio::task::spawn_blocking(move || configuration(ca_file)).await;
    let configuration = read.map_err(|error| error.to_string()).flatten()?;
    let connecting = TlsConnector::from(Arc::new(configuration)).connect_with(name, tcp, |connection| {
        connection.set_buffer_limit(Some(KEPT));
    });
    connecting.await.map_err(|error| words(&error, host))
}

/// TLS 1.2 and 1.3.
fn configuration(ca_file: Option<PathBuf>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        let shown = file.display();
        let words = |error: &dyn Display| format!("the file of certificates {shown} cannot be read: {error}");
        for certificate in CertificateDer::pem_file_iter(&file).map_err(|error| words(&error))? {
            let certificate = certificate.map_err(|error| words(&error))?;
            roots.add(certificate).map_err(|error| words(&error))?;
        }
        if roots.is_empty() {
            return Err(format!(
                "there is no certificate in {shown}: it has to be in PEM (BEGIN CERTIFICATE)"
            ));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("this system trusts no authority: install ca-certificates, or set ca_file".to_owned());
        }
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut configuration = builder.with_root_certificates(roots).with_no_client_auth();
    // Each connection has its own configuration.
    configuration.resumption = Resumption::disabled();
    Ok(configuration)
}

/// Why there is no TLS, in words that follow "the stream is not sent on".
fn words(error: &io::Error, host: &str) -> String {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(Error::InvalidCertificate(error)) => certificate_words(error, host),
        Some(Error::InvalidMessage(_)) => {
            format!(
                "{host} does not speak TLS there: is it rtmp:// or http://, without an s, or another port?"
            )
        }
        Some(Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_)) => {
            format!("{host} offers only versions of TLS that are not safe any more; it takes 1.2 or 1.3")
        }
        Some(Error::AlertReceived(alert)) => format!("{host} broke the TLS handshake off: {alert:?}"),
        Some(error) => format!("no TLS with {host}: {error}"),
        None => format!("{host} closed the connection within the TLS handshake: does it speak TLS there?"),
    }
}

fn certificate_words(error: &CertificateError, host: &str) -> String {
    match error {
        CertificateError::Expired => format!("the certificate of {host} has expired"),
        CertificateError::ExpiredContext { time, not_after } => {
            format!(
                "the certificate of {host} has expired: it was good until {}, and this board's clock says {}",
                date(*not_after),
                date(*time)
            )
        }
        CertificateError::NotValidYet => format!("the certificate of {host} is not valid yet"),
        CertificateError::NotValidYetContext { time, not_before } => {
            format!(
                "the certificate of {host} is not valid yet: it is good from {}, and this board's clock says {}",
                date(*not_before),
                date(*time)
            )
        }
        CertificateError::NotValidForName => format!("the certificate is not for {host}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("the certificate is not for {host}, but for {}", names(presented))
        }
        // A bad signature: another authority has the name of a trusted one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the certificate of {host} is signed by an authority that is not trusted here: if it is your own, name the file of its certificate in ca_file"
        ),
        CertificateError::Revoked => format!("the certificate of {host} was revoked"),
        other => format!("the certificate of {host} is not good: {other}"),
    }
}

/// `DnsName("a.example.org")` and the like, as people read it.
fn names(presented: &[String]) -> String {
    let names = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name));
    let all = names.collect::<Vec<_>>().join(", ");
    if all.is_empty() {
        return "nobody".to_owned();
    }
    all.chars().filter(|letter| !letter.is_control()).take(NAMES_MOST).collect()
}

fn date(time: UnixTime) -> String {
    let time = OffsetDateTime::from_unix_timestamp(time.as_secs().cast_signed());
    time.map_or_else(|_| "a year far away".to_owned(), |time| time.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let said = |error: Error| words(&io::Error::new(io::ErrorKind::InvalidData, error), "a.example.org");
        let at = |days: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(days * 86_400));
        let expired = CertificateError::ExpiredContext { time: at(20_000), not_after: at(19_000) };
        assert_eq!(
            said(expired.into()),
            "the certificate of a.example.org has expired: it was good until 2022-01-08, and this board's clock says 2024-10-04"
        );
        let early = CertificateError::NotValidYetContext { time: at(0), not_before: at(19_000) };
        assert!(
            said(early.into())
                .ends_with("it is good from 2022-01-08, and this board's clock says 1970-01-01")
        );
        let expected = ServerName::try_from("a.example.org").unwrap().to_owned();
        let presented = vec!["DnsName(\"b.example.org\")".to_owned(), "x\n".repeat(500)];
        let other = said(CertificateError::NotValidForNameContext { expected, presented }.into());
        assert!(
            other.starts_with("the certificate is not for a.example.org, but for b.example.org, xx"),
            "{other}"
        );
        assert!(other.len() < 300 && !other.contains('\n'), "{other}");
        let closed = words(&io::ErrorKind::ConnectionReset.into(), "a.example.org");
        assert!(
            closed.starts_with("a.example.org closed the connection within the TLS handshake"),
            "{closed}"
        );
    }

    #[test]
    fn a_file_of_certificates_is_read_or_what_is_wrong_with_it_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let wrong = |text: &str| {
            std::fs::write(&file, text).unwrap();
            configuration(Some(file.clone())).unwrap_err()
        };
        assert!(wrong("").starts_with("there is no certificate in "));
        assert!(
            wrong("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                .contains("cannot be read")
        );
        assert!(configuration(Some(dir.path().join("none"))).unwrap_err().contains("cannot be read"));
    }
}
