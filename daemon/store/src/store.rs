//! The open store: what all calls share. The calls themselves are in the files named after their subject.

use crate::reserve::Reserve;
use crate::{StoreError, file};
use redb::Database;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};

pub(crate) type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// The store's file while it is open.
pub(crate) enum Opened {
    /// For reading and writing: the normal state.
    Writable(Database),
    /// For reading only: the card refused a write, and has taken none since.
    ReadOnly(Database),
}

/// The open store. One process writes to it at a time; share it by reference.
pub struct Store {
    /// `None` after the card failed, until the next call opens it again.
    pub(crate) database: RwLock<Option<Opened>>,
    pub(crate) open: Opener,
    /// `None` for a store in tests.
    pub(crate) open_read_only: Option<Opener>,
    pub(crate) path: PathBuf,
    /// `None` for a backup, and for a store in tests.
    pub(crate) reserve: Option<Reserve>,
    /// Why the last write failed, if the card was the cause.
    pub(crate) fault: Mutex<Option<String>>,
}

impl Store {
    pub(crate) fn of(database: Database, path: PathBuf, open: Opener) -> Self {
        Self {
            database: RwLock::new(Some(Opened::Writable(database))),
            open,
            open_read_only: None,
            path,
            reserve: None,
            fault: Mutex::default(),
        }
    }

    /// An error, in words, while the card takes no writes. Costs one system call; after a failed write each call tries
    /// a small write, until one succeeds.
    pub fn check_card(&self) -> Result<(), String> {
        let known = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = match known {
            None => file::may_write(&self.path),
            // The smallest write that reaches the card: a commit without a change.
            Some(_) => self.write(|tx| {
                tx.commit_anyway();
                Ok(())
            }),
        };
        self.note(found.as_ref().err());
        found.map_err(|error| error.to_string())
    }

    /// Records how a write ended. A refusal by the site's rules says nothing about the card.
    pub(crate) fn note(&self, error: Option<&StoreError>) {
        let fault = match error {
            None => None,
            Some(error) if error.is_of_the_card() => Some(error.to_string()),
            Some(_) => return,
        };
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}
