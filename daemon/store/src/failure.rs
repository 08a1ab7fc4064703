//! What aborts a transaction, without the file's name.

use crate::{Refusal, StoreError};
use std::path::Path;

/// Why a transaction was aborted; becomes a [`StoreError`] where the file's name is known.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error from redb or the card.
    Redb(redb::Error),
    /// The file could not be opened again.
    Unopened(StoreError),
    /// Another call's error from the card closed the file under this one, before anything of this one was written.
    Overtaken,
    /// A rule of the site.
    Refused(Refusal),
    /// The file holds something that this code cannot have written.
    Damaged(String),
    /// A record of a newer Perch.
    NewerRecord { record: &'static str, found: u8, known: u8 },
    /// A counter has no numbers left.
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
            Self::Unopened(error) => error,
            Self::Overtaken => StoreError::io(&path, action, redb::Error::PreviousIo),
            Self::Refused(refusal) => StoreError::Refused(refusal),
            Self::Damaged(what) => StoreError::Damaged { path, what },
            Self::NewerRecord { record, found, known } => {
                StoreError::NewerRecord { path, record, found, known }
            }
            Self::Exhausted { counter } => StoreError::Exhausted { counter },
            Self::Randomness(what) => StoreError::Randomness { what },
        }
    }

    /// The failure of a call that has written nothing yet: [`Failure::Overtaken`] where redb refused it for the error of another.
    pub(crate) fn before_the_commit(self) -> Self {
        match self {
            Self::Redb(redb::Error::PreviousIo) => Self::Overtaken,
            failure => failure,
        }
    }

    /// After one failed call to the card redb refuses all others until the file is opened again.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, Self::Overtaken | Self::Redb(redb::Error::Io(_) | redb::Error::PreviousIo))
    }
}
