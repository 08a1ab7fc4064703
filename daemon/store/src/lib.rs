//! What Perch remembers, in one redb file. No tokio: the daemon calls it through `spawn_blocking`, and no transaction
//! outlives a call. Every commit is one fdatasync of the card, so callers reserve in blocks and write in groups.
#![forbid(unsafe_code)]

#[cfg(test)]
mod crash_tests;
mod error;
mod file;
mod schema;

pub use error::StoreError;

use redb::{Database, ReadableTable as _, TableDefinition};
use std::path::{Path, PathBuf};

/// Numbers that only ever grow.
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
/// The first media sequence number that nobody has been given yet.
const MEDIA_SEQUENCE: &str = "media_sequence";

/// The open store. One process has it at a time; share it by reference.
#[derive(Debug)]
pub struct Store {
    database: Database,
    path: PathBuf,
}

impl Store {
    /// Opens the store, or makes it where there is none. A file that is damaged, foreign or of a newer Perch is an error
    /// and stays as it is. After a power cut this repairs, which reads the whole file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = file::open(path)?;
        let store = Self { database, path: path.to_owned() };
        schema::bring_up_to_date(&store.database, path)?;
        Ok(store)
    }

    /// Sets `count` media sequence numbers aside and returns the first. On return they are on the card: no later call,
    /// in this run or any other, gives one of them again. Numbers left over when the daemon ends are skipped.
    pub fn reserve_media_sequence(&self, count: u64) -> Result<u64, StoreError> {
        let failed = |error: redb::Error| StoreError::io(&self.path, "write", error);
        let transaction = self.database.begin_write().map_err(|e| failed(e.into()))?;
        let first = {
            let mut counters = transaction.open_table(COUNTERS).map_err(|e| failed(e.into()))?;
            let first =
                counters.get(MEDIA_SEQUENCE).map_err(|e| failed(e.into()))?.map_or(0, |next| next.value());
            let next = first.checked_add(count).ok_or(StoreError::Exhausted { counter: MEDIA_SEQUENCE })?;
            counters.insert(MEDIA_SEQUENCE, next).map_err(|e| failed(e.into()))?;
            first
        };
        transaction.commit().map_err(|e| failed(e.into()))?;
        Ok(first)
    }
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
