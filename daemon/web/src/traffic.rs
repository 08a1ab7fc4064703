//! Counters of connections and bytes since the start, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of the server.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Connections accepted.
    pub(super) accepted: Counter,
    /// TLS handshakes that came to an end.
    pub(super) handshakes: Counter,
    /// Connections refused because all others were being answered.
    pub(super) refused: Counter,
    /// Idle connections closed in favour of new ones.
    pub(super) sent_away: Counter,
    /// Connections closed over malformed HTTP, a deadline, or a reader that took nothing.
    pub(super) failed: Counter,
    /// Responses cut because slow viewers held too much memory.
    pub(super) cut: Counter,
    /// `accept` calls that failed for lack of descriptors or memory.
    pub(super) accept_errors: Counter,
    /// Requests answered.
    pub(super) requests: Counter,
    /// Bytes passed to the kernel.
    pub(super) bytes_sent: Counter,
}
