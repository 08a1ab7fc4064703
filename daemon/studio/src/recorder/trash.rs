//! Recordings that were deleted a moment ago: hidden at once, their files kept for a while, so that whoever pressed the wrong button can undo
//! it. A value: no store, no file.
//!
//! It is not kept over a restart of the daemon: what the store knows as deleted is then removed.

use perch_store::StreamId;
use std::collections::BTreeMap;
use std::time::Duration;

/// So long the files stay, unless their room is needed.
pub(super) const KEPT: Duration = Duration::from_mins(10);

/// What may come back, and when it was deleted, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Trash(BTreeMap<StreamId, Duration>);

impl Trash {
    pub(super) fn put(&mut self, stream: StreamId, now: Duration) {
        self.0.insert(stream, now);
    }

    /// Whether it may come back.
    pub(super) fn keeps(&self, stream: StreamId, now: Duration) -> bool {
        self.0.get(&stream).is_some_and(|since| now.saturating_sub(*since) < KEPT)
    }

    /// Everything that may come back.
    pub(super) fn kept(&self, now: Duration) -> Vec<StreamId> {
        self.0.keys().copied().filter(|stream| self.keeps(*stream, now)).collect()
    }

    /// It came back, or is gone.
    pub(super) fn forget(&mut self, stream: StreamId) {
        self.0.remove(&stream);
    }

    /// Its room is needed: nothing comes back. Says whether there was anything.
    pub(super) fn empty(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_can_come_back_for_a_while() {
        let mut trash = Trash::default();
        let [one, two] = [1, 2].map(StreamId::from_number);
        trash.put(one, Duration::ZERO);
        trash.put(two, KEPT / 2);
        assert_eq!(trash.kept(KEPT / 2), [one, two]);
        assert_eq!(trash.kept(KEPT), [two]);
        trash.forget(two);
        assert!(!trash.keeps(two, KEPT / 2));
        assert!(trash.empty() && !trash.empty());
    }
}
