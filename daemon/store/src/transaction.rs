//! Reading and writing in one transaction, and what stops it half way. Nothing outlives the closure it was opened for:
//! a closure that fails leaves the file as it was.

use crate::{Refusal, Store, StoreError};
use redb::{
    Key, ReadTransaction, ReadableDatabase as _, ReadableTable, TableDefinition, Value, WriteTransaction,
};
use std::path::Path;

/// Why a transaction was given up; becomes a [`StoreError`] where the file's name is known.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Between redb and the card.
    Redb(redb::Error),
    /// A rule of the site.
    Refused(Refusal),
    /// The file holds what this code cannot have written.
    Damaged(String),
    /// A record of a later Perch.
    NewerRecord { record: &'static str, found: u8, known: u8 },
    /// No numbers left.
    Exhausted { counter: &'static str },
    /// The kernel gives no random bytes.
    Randomness(String),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}
from_redb!(redb::StorageError, redb::TableError, redb::TransactionError, redb::CommitError);

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failure {
    pub(crate) fn at(self, path: &Path, action: &'static str) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Redb(error) => StoreError::io(&path, action, error),
            Self::Refused(refusal) => StoreError::Refused(refusal),
            Self::Damaged(what) => StoreError::Damaged { path, what },
            Self::NewerRecord { record, found, known } => {
                StoreError::NewerRecord { path, record, found, known }
            }
            Self::Exhausted { counter } => StoreError::Exhausted { counter },
            Self::Randomness(what) => StoreError::Randomness { what },
        }
    }
}

/// What can be read from in the same words: a snapshot, or a transaction that also writes.
pub(crate) trait Reads {
    fn reading<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Outcome<impl ReadableTable<K, V>>;
}

impl Reads for ReadTransaction {
    fn reading<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Outcome<impl ReadableTable<K, V>> {
        Ok(self.open_table(table)?)
    }
}

impl Reads for WriteTransaction {
    fn reading<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Outcome<impl ReadableTable<K, V>> {
        Ok(self.open_table(table)?)
    }
}

impl Store {
    /// Runs `work` on a snapshot; writers go on meanwhile.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Outcome<T>) -> Result<T, StoreError> {
        let run = || work(&self.database.begin_read()?);
        run().map_err(|failure| failure.at(&self.path, "read"))
    }

    /// Runs `work` alone among writers; on return what it did is on the card.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        let run = || {
            let transaction = self.database.begin_write()?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|failure: Failure| failure.at(&self.path, "write"))
    }
}
