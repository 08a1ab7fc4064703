//! The open store: what every call of it shares. The calls themselves are in the files named for what they are about.

use crate::StoreError;
use crate::reserve::Reserve;
use redb::Database;
use std::path::PathBuf;
use std::sync::RwLock;

pub(crate) type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// The open store. One process writes to it at a time; share it by reference.
pub struct Store {
    /// `None` after the card failed, until the next call opens it anew.
    pub(crate) database: RwLock<Option<Database>>,
    pub(crate) open: Opener,
    pub(crate) path: PathBuf,
    /// `None` for one that is no site's: a backup, a test's.
    pub(crate) reserve: Option<Reserve>,
}

impl Store {
    pub(crate) fn of(database: Database, path: PathBuf, open: Opener) -> Self {
        Self { database: RwLock::new(Some(database)), open, path, reserve: None }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}
