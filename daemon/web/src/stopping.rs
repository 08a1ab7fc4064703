//! Tells the connections that the site stops, and waits until they are closed.

use tokio::sync::watch;

/// The end of all connections.
#[derive(Debug)]
pub(super) struct Stopping(watch::Sender<bool>);

/// A connection's receiver, kept as long as the connection lasts.
#[derive(Debug)]
pub(super) struct Watcher(watch::Receiver<bool>);

impl Stopping {
    pub(super) fn new() -> Self {
        Self(watch::channel(false).0)
    }

    pub(super) fn watcher(&self) -> Watcher {
        Watcher(self.0.subscribe())
    }

    /// Tells all connections to stop; returns when they are closed.
    pub(super) async fn shutdown(&self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Watcher {
    /// Returns when the site stops.
    pub(super) async fn told(&mut self) {
        // A dropped sender means the end, too.
        let _ = self.0.wait_for(|is_stopping| *is_stopping).await;
    }
}
