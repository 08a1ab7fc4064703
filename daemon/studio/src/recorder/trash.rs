//! Recordings that were deleted a moment ago: they are hidden at once, but their files are kept for a while, so that deletion can be undone.
//! A value: no store, no file.
//!
//! It does not survive a restart of the daemon, which removes the files of all recordings that are marked as deleted in the store.

use perch_store::StreamId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Files are kept for this long, unless their space is needed.
pub(super) const KEPT: Duration = Duration::from_mins(10);

/// Recordings that can be restored, with the monotonic times of their deletion.
#[derive(Debug, Default)]
pub(super) struct Trash(BTreeMap<StreamId, Duration>);

impl Trash {
    pub(super) fn put(&mut self, stream: StreamId, now: Duration) {
        self.0.insert(stream, now);
    }

    /// True if it can be restored.
    pub(super) fn keeps(&self, stream: StreamId, now: Duration) -> bool {
        self.0.get(&stream).is_some_and(|since| now.saturating_sub(*since) < KEPT)
    }

    /// All recordings that can be restored.
    pub(super) fn kept(&self, now: Duration) -> Vec<StreamId> {
        self.0.keys().copied().filter(|stream| self.keeps(*stream, now)).collect()
    }

    /// Forgets a recording that was restored, or whose files are gone.
    pub(super) fn forget(&mut self, stream: StreamId) {
        self.0.remove(&stream);
    }

    /// Forgets all, because their space is needed. Returns whether there were any.
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
