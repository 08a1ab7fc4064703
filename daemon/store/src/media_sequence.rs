//! Media sequence numbers of HLS, unique for ever: a segment's name is never given to another.

use crate::failure::{Failure, Outcome};
use crate::reads::Reads;
use crate::tables::{COUNTERS, take_number};
use crate::{Store, StoreError};
use redb::{ReadableTable as _, WriteTransaction};

/// The first media sequence number that nobody has been given yet. Named as in version 1.
pub(crate) const MEDIA_SEQUENCE: &str = "media_sequence";

/// Numbers that were given after a backup was made are not in it. Restoring skips this many: half a year of segments of
/// 2 s, after which no cache holds one.
const RESTORE_SKIP: u64 = 10_000_000;

impl Store {
    /// Sets `count` media sequence numbers aside and returns the first. On return they are on the card: no later call,
    /// in this run or any other, gives one of them again. Numbers left over when the daemon ends are skipped.
    pub fn reserve_media_sequence(&self, count: u64) -> Result<u64, StoreError> {
        self.write(|tx| take_number(tx, MEDIA_SEQUENCE, count))
    }
}

/// Goes past what was given by the store a backup was made of, and by the one that it replaces, whose next is `others`.
pub(crate) fn skip_after_restore(tx: &WriteTransaction, others: u64) -> Outcome<()> {
    let next = next(tx)?.max(others).checked_add(RESTORE_SKIP);
    let next = next.ok_or(Failure::Exhausted { counter: MEDIA_SEQUENCE })?;
    tx.open_table(COUNTERS)?.insert(MEDIA_SEQUENCE, next)?;
    Ok(())
}

/// What will be given next.
pub(crate) fn next(tx: &impl Reads) -> Outcome<u64> {
    Ok(tx.reading(COUNTERS)?.get(MEDIA_SEQUENCE)?.map_or(0, |next| next.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_sequence_blocks_follow_each_other_over_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("perch.redb");
        {
            let store = Store::open(&path).unwrap();
            assert_eq!(store.reserve_media_sequence(1000).unwrap(), 0);
            assert_eq!(store.reserve_media_sequence(10).unwrap(), 1000);
        }
        let store = Store::open(&path).unwrap();
        assert_eq!(store.reserve_media_sequence(1).unwrap(), 1010);
        assert_eq!(store.reserve_media_sequence(0).unwrap(), 1011);
    }

    #[test]
    fn a_counter_at_its_end_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        store.reserve_media_sequence(u64::MAX).unwrap();
        assert!(matches!(store.reserve_media_sequence(1), Err(StoreError::Exhausted { .. })));
        assert_eq!(store.reserve_media_sequence(0).unwrap(), u64::MAX);
    }
}
