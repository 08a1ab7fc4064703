//! RTMPS: RTMP over TLS, with the certificate of HTTPS. Its addresses are bound while there is one.

use super::door::{Door, bind};
use crate::certificate::{Acceptor, Certificates};
use crate::faults::Faults;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The part named when its addresses cannot be bound.
const PART: &str = "ingest with TLS";
/// Pause before an address is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Where programs connect with TLS.
pub(super) struct Encrypted {
    pub(super) listen: Vec<SocketAddr>,
    pub(super) certificates: Certificates,
    /// The addresses that are bound now.
    pub(super) addresses: watch::Sender<Vec<SocketAddr>>,
    pub(super) faults: Faults,
}

impl Encrypted {
    /// Lets programs in while there is a certificate. Runs until it is dropped, which closes the addresses.
    pub(super) async fn listen(&self, door: Door) {
        let acceptor = Acceptor::new(&self.certificates, &[]);
        let mut certificates = self.certificates.changes();
        while certificates.wait_for(Option::is_some).await.is_ok() {
            tokio::select! {
                () = self.accept(&door, &acceptor) => {}
                ended = certificates.wait_for(Option::is_none) => if ended.is_err() {
                    break;
                },
            }
            self.closed();
        }
        std::future::pending::<()>().await;
    }

    /// Its addresses are not bound any more.
    pub(super) fn closed(&self) {
        self.addresses.send_replace(Vec::new());
        self.faults.clear(PART);
    }

    async fn accept(&self, door: &Door, acceptor: &Acceptor) {
        let listeners = loop {
            match bind(&self.listen).await {
                Ok(listeners) => break listeners,
                Err(words) => self.faults.tell(PART, &words),
            }
            sleep(AGAIN).await;
        };
        self.faults.clear(PART);
        let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        for address in &addresses {
            tracing::info!("programs can send streams to rtmps://{address}/{}", super::session::APPLICATION);
        }
        self.addresses.send_replace(addresses);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(door.clone().accept(listener, Some(acceptor.clone())));
        }
        while accepting.join_next().await.is_some() {}
    }
}
