//! Whether other programs may publish streams to this site: as configured, until the owner decides.

use perch_store::{Store, StoreError};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Whether programs may publish, and where; clones are the same.
#[derive(Debug, Clone)]
pub struct IngestSwitch {
    configured: bool,
    configured_port: u16,
    /// The addresses that the listener has bound.
    addresses: Arc<OnceLock<watch::Receiver<Vec<SocketAddr>>>>,
    /// Those for RTMPS; none without a certificate.
    encrypted: Arc<OnceLock<watch::Receiver<Vec<SocketAddr>>>>,
    is_on: watch::Sender<bool>,
}

impl IngestSwitch {
    /// As configured.
    pub fn new(configured: bool, configured_port: u16) -> Self {
        let (addresses, encrypted) = (Arc::default(), Arc::default());
        Self { configured, configured_port, addresses, encrypted, is_on: watch::Sender::new(configured) }
    }

    /// Learns the listener's addresses, which may differ from the configuration's (port 0 is any), and those for RTMPS.
    pub fn listens_at(
        &self,
        addresses: watch::Receiver<Vec<SocketAddr>>,
        encrypted: watch::Receiver<Vec<SocketAddr>>,
    ) {
        // There is one listener.
        let _ = (self.addresses.set(addresses), self.encrypted.set(encrypted));
    }

    /// The port of RTMPS; `None` while there is none.
    pub fn encrypted_port(&self) -> Option<u16> {
        self.encrypted.get().and_then(|addresses| addresses.borrow().first().map(SocketAddr::port))
    }

    /// The port of RTMP.
    pub fn port(&self) -> u16 {
        let bound =
            self.addresses.get().and_then(|addresses| addresses.borrow().first().map(SocketAddr::port));
        bound.unwrap_or(self.configured_port)
    }

    /// Whether programs may publish.
    pub fn is_on(&self) -> bool {
        *self.is_on.borrow()
    }

    /// Tells when the owner switches it on or off.
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.is_on.subscribe()
    }

    /// Takes the owner's decision out of the store. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn load(&self, store: &Store) -> Result<(), StoreError> {
        let wanted = store.settings()?.ingest.unwrap_or(self.configured);
        self.is_on.send_if_modified(|is_on| std::mem::replace(is_on, wanted) != wanted);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_listeners() {
        let ingest = IngestSwitch::new(true, 1935);
        let (bound, addresses) = watch::channel(Vec::new());
        let (encrypted, with_tls) = watch::channel(Vec::new());
        ingest.clone().listens_at(addresses, with_tls);
        assert_eq!(ingest.port(), 1935);
        bound.send_replace(vec![SocketAddr::from(([127, 0, 0, 1], 4000))]);
        assert_eq!((ingest.port(), ingest.encrypted_port()), (4000, None));
        encrypted.send_replace(vec![SocketAddr::from(([127, 0, 0, 1], 4001))]);
        assert_eq!(ingest.encrypted_port(), Some(4001));
    }
}
