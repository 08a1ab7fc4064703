//! The server's side of the TLS handshake: TLS 1.2 and 1.3 with the suites of *ring*, all of which have forward secrecy.

use super::x509::Certificates;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CipherSuite, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Longest handshake. It takes two round trips; a phone may be out of reach of its access point for some seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that TLS takes and the kernel does not: four records. The kernel takes as many (`send_pages::UNSENT`).
const KEPT: usize = 64 << 10;

/// Shakes hands with those who connect, with the certificate of the moment. Clones share everything.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

/// How a handshake ended without a connection.
#[derive(Debug, thiserror::Error)]
pub enum Handshake {
    /// The peer broke the rules, offered nothing that is safe, or does not trust the certificate.
    #[error("no TLS: {0}")]
    Failed(#[from] io::Error),
    /// The peer said too little.
    #[error("the TLS handshake took more than 10 s")]
    TooSlow,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Whatever name is asked for: a browser says better than we can what is wrong with the one it gets.
        self.now().map(|certificate| certificate.key.clone())
    }
}

impl Acceptor {
    /// An acceptor that shows the certificate of `certificates`. `protocols`: what is spoken over TLS (ALPN, RFC 7301), best first; empty: whatever
    /// the peer likes.
    pub fn new(certificates: &Certificates, protocols: &[&[u8]]) -> Self {
        let builder = ServerConfig::builder_with_provider(Arc::new(suites(has_aes())))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3");
        let mut rules = builder.with_no_client_auth().with_cert_resolver(Arc::new(certificates.clone()));
        rules.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        rules.ignore_client_order = !has_aes();
        // Who comes again brings a ticket, sealed with a key that changes every six hours and is never stored; nothing is remembered here.
        rules.session_storage = Arc::new(NoServerSessionStorage {});
        if let Ok(ticketer) = ring::Ticketer::new() {
            rules.ticketer = ticketer;
        }
        rules.send_tls13_tickets = 1;
        Self(TlsAcceptor::from(Arc::new(rules)))
    }

    /// Shakes hands with a peer that has just connected.
    pub async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, Handshake>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shaking = self.0.accept_with(stream, |connection| connection.set_buffer_limit(Some(KEPT)));
        Ok(timeout(PATIENCE, shaking).await.map_err(|_| Handshake::TooSlow)??)
    }
}

/// `ChaCha20` first where the processor has no instructions for AES: on a Raspberry Pi up to the 4 it is several times as fast, and browsers
/// of large machines ask for AES.
fn suites(has_aes: bool) -> CryptoProvider {
    let mut provider = ring::default_provider();
    let is_chacha = |suite: CipherSuite| {
        matches!(
            suite,
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        )
    };
    if !has_aes {
        provider.cipher_suites.sort_by_key(|suite| !is_chacha(suite.suite()));
    }
    provider
}

fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

#[cfg(test)]
mod tests {
    use super::super::x509::Certificate;
    use super::super::x509::tests::made;
    use super::*;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    #[test]
    fn a_board_without_aes_prefers_chacha_and_offers_the_rest() {
        let (with, without) = (suites(true).cipher_suites, suites(false).cipher_suites);
        assert_eq!(with.len(), without.len());
        assert_eq!(with[0].suite(), CipherSuite::TLS13_AES_256_GCM_SHA384);
        assert_eq!(without[0].suite(), CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
        assert_eq!(without[3].suite(), CipherSuite::TLS13_AES_256_GCM_SHA384);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_not_waited_for() {
        let (_silent, ours) = tokio::io::duplex(1024);
        let acceptor = Acceptor::new(&Certificates::default(), &[]);
        assert!(matches!(acceptor.accept(ours).await, Err(Handshake::TooSlow)));
    }

    /// `openssl s_client` with these options; whether a handshake came about, and what it printed.
    async fn asked_by_openssl(acceptor: &Acceptor, options: &[&str], dir: &Path) -> (bool, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap().to_string();
        // What this machine allows OpenSSL to offer does not count: it has to offer what is refused.
        let anything = dir.join("openssl.cnf");
        std::fs::write(&anything, "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n").unwrap();
        let client = Command::new("openssl")
            .args(["s_client", "-connect", &to])
            .args(options)
            .env("OPENSSL_CONF", &anything)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed; `make test` installs what the tests need");
        let (stream, _) = listener.accept().await.unwrap();
        let shaken = match acceptor.accept(stream).await {
            Ok(mut stream) => {
                // Until the client closes it.
                let _ = stream.read(&mut [0; 16]).await;
                true
            }
            Err(_) => false,
        };
        let output = tokio::task::spawn_blocking(|| client.wait_with_output()).await.unwrap().unwrap();
        (
            shaken,
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    }

    #[tokio::test]
    async fn old_versions_and_weak_ciphers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = made(&["localhost"], [2020, 2040]);
        let certificates = Certificates::default();
        certificates.show(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
        let acceptor = Acceptor::new(&certificates, &[b"h2", b"http/1.1"]);
        for (options, is_good) in [
            (&["-tls1_3"][..], true),
            (&["-tls1_2"], true),
            (&["-tls1_1"], false),
            (&["-tls1"], false),
            // Without forward secrecy; CBC; no encryption; no certificate; 3DES.
            (&["-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-SHA"], false),
            (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"], false),
            (&["-tls1_2", "-cipher", "eNULL:aNULL@SECLEVEL=0"], false),
            (&["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], false),
            (&["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], true),
            (&["-tls1_3", "-groups", "X25519"], true),
            (&["-tls1_3", "-groups", "P-521"], false),
        ] {
            let (shaken, said) = asked_by_openssl(&acceptor, options, dir.path()).await;
            assert_eq!(shaken, is_good, "{options:?}: {said}");
        }
        let (_, said) = asked_by_openssl(&acceptor, &["-tls1_2"], dir.path()).await;
        assert!(
            said.contains("Compression: NONE") && said.contains("Secure Renegotiation IS supported"),
            "{said}"
        );
        for (offered, spoken) in [("h2,http/1.1", "h2"), ("http/1.1", "http/1.1")] {
            let (_, said) = asked_by_openssl(&acceptor, &["-alpn", offered], dir.path()).await;
            assert!(said.contains(&format!("ALPN protocol: {spoken}")), "{said}");
        }
        assert!(!asked_by_openssl(&acceptor, &["-alpn", "spdy/3"], dir.path()).await.0);
    }

    #[tokio::test]
    async fn who_connects_next_gets_the_next_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let certificates = Certificates::default();
        let acceptor = Acceptor::new(&certificates, &[]);
        assert!(!asked_by_openssl(&acceptor, &[], dir.path()).await.0, "there is none yet");
        for name in ["a.example.org", "b.example.org"] {
            let (chain, key) = made(&[name], [2020, 2040]);
            certificates.show(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
            let (shaken, said) = asked_by_openssl(&acceptor, &["-verify_hostname", name], dir.path()).await;
            assert!(shaken && !said.to_lowercase().contains("hostname mismatch"), "{said}");
        }
    }
}
