//! Reading and writing in one transaction, and what stops it half way. Nothing outlives the closure it was opened for:
//! a closure that fails leaves the file as it was.

use crate::{Refusal, Store, StoreError};
use redb::{
    Database, Key, ReadTransaction, ReadableDatabase as _, ReadableTable, TableDefinition, Value,
    WriteTransaction,
};
use std::path::Path;
use std::sync::{PoisonError, RwLockReadGuard};

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

impl Failure {
    /// After one failed call to the card redb refuses all others; only opening the file anew helps.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::Redb(redb::Error::Io(_) | redb::Error::PreviousIo))
    }
}

impl Store {
    /// Runs `work` on a snapshot; writers go on meanwhile.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Outcome<T>) -> Result<T, StoreError> {
        self.on_database("read", |database| work(&database.begin_read()?))
    }

    /// Runs `work` alone among writers; on return what it did is on the card.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if let Some(reserve) = &self.reserve {
            reserve.suit_the_card();
        }
        self.on_database("write", |database| {
            let transaction = database.begin_write()?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    fn on_database<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Database) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        let opened = self.opened()?;
        let done = match &*opened {
            Some(database) => work(database),
            // Another caller met the failing card in between.
            None => Err(Failure::Redb(redb::Error::PreviousIo)),
        };
        drop(opened);
        done.map_err(|failure| {
            if failure.is_lasting() {
                // Closed here, opened by the next caller: a card that was full for a while does not end the site.
                self.database.write().unwrap_or_else(PoisonError::into_inner).take();
            }
            failure.at(&self.path, action)
        })
    }

    fn opened(&self) -> Result<RwLockReadGuard<'_, Option<Database>>, StoreError> {
        let opened = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if opened.is_some() {
            return Ok(opened);
        }
        drop(opened);
        let mut closed = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if closed.is_none() {
            *closed = Some((self.open)()?);
        }
        drop(closed);
        Ok(self.database.read().unwrap_or_else(PoisonError::into_inner))
    }
}
