//! How the site's connections are told that it ends, and how it knows when they have gone.

use tokio::sync::watch;

/// The end of all connections.
#[derive(Debug)]
pub(super) struct Stopping(watch::Sender<bool>);

/// A connection's view of it, which it keeps as long as it lasts.
#[derive(Debug)]
pub(super) struct Watcher(watch::Receiver<bool>);

impl Stopping {
    pub(super) fn new() -> Self {
        Self(watch::channel(false).0)
    }

    pub(super) fn watcher(&self) -> Watcher {
        Watcher(self.0.subscribe())
    }

    /// Tells all connections; comes back when they are gone.
    pub(super) async fn shutdown(&self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Watcher {
    /// Comes back once the site ends.
    pub(super) async fn told(&mut self) {
        // Nobody there to tell any more is the end too.
        let _ = self.0.wait_for(|is_stopping| *is_stopping).await;
    }
}
