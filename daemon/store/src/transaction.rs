//! Reads and writes in one transaction. Nothing outlives the closure it was opened for; a closure that fails leaves the file
//! unchanged.

use crate::failure::{Failure, Outcome};
use crate::file;
use crate::store::Opened;
use crate::writing::WriteTransaction;
use crate::{Store, StoreError};
use redb::{ReadTransaction, ReadableDatabase as _};
use std::sync::{PoisonError, RwLockReadGuard};

/// How often a call is tried. Only the error of another call makes it try again, and after such an error the file is open for
/// reading alone while the card takes no writes.
const TRIES: usize = 3;

impl Store {
    /// Runs `work` on a snapshot; writers continue meanwhile. `work` runs again where another call's error from the card ended
    /// the snapshot.
    pub(crate) fn read<T>(&self, work: impl Fn(&ReadTransaction) -> Outcome<T>) -> Result<T, StoreError> {
        let read = tried(|| {
            self.on_database(|opened| {
                let (Opened::Writable(database) | Opened::ReadOnly(database)) = opened;
                let transaction = database.begin_read().map_err(Failure::from);
                transaction.and_then(|transaction| work(&transaction)).map_err(Failure::before_the_commit)
            })
        });
        read.map_err(|failure| failure.at(&self.path, "read"))
    }

    /// Runs `work` as the only writer; on return its changes are synced to the card, with one sync. Without changes nothing is
    /// written. `work` runs again where another call's error from the card ended the transaction before its commit.
    pub(crate) fn write<T>(&self, work: impl Fn(&WriteTransaction) -> Outcome<T>) -> Result<T, StoreError> {
        if let Some(reserve) = &self.reserve {
            reserve.suit_the_card();
        }
        let written = tried(|| {
            self.writable().map_err(Failure::Unopened)?;
            self.on_database(|opened| {
                let Opened::Writable(database) = opened else { return Err(Failure::Overtaken) };
                let transaction = WriteTransaction::begin(database).map_err(Failure::from);
                let worked = transaction.and_then(|transaction| {
                    let value = work(&transaction)?;
                    Ok((transaction, value))
                });
                let (transaction, value) = worked.map_err(Failure::before_the_commit)?;
                // Never tried again: the card may hold it.
                let has_changes = transaction.finish()?;
                Ok((value, has_changes))
            })
        });
        let written = written.map_err(|failure| failure.at(&self.path, "write"));
        match written {
            // The card was not asked, so a known fault remains.
            Ok((value, false)) => Ok(value),
            Ok((value, true)) => {
                self.note(None);
                Ok(value)
            }
            Err(error) => {
                self.note(Some(&error));
                Err(error)
            }
        }
    }

    fn on_database<T>(&self, work: impl FnOnce(&Opened) -> Outcome<T>) -> Outcome<T> {
        let opened = self.opened().map_err(Failure::Unopened)?;
        let done = opened.as_ref().map_or(Err(Failure::Overtaken), work);
        drop(opened);
        if done.as_ref().is_err_and(Failure::is_lasting) {
            // Closed here, reopened by the next caller: a card that was full for a while does not end the site.
            self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        }
        done
    }

    fn opened(&self) -> Result<RwLockReadGuard<'_, Option<Opened>>, StoreError> {
        let opened = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if opened.is_some() {
            return Ok(opened);
        }
        drop(opened);
        let mut closed = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if closed.is_none() {
            *closed = Some(self.open_anew()?);
        }
        drop(closed);
        Ok(self.database.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the file for writing, or only for reading if the card takes no writes.
    fn open_anew(&self) -> Result<Opened, StoreError> {
        match (self.open)() {
            Ok(database) => Ok(Opened::Writable(database)),
            Err(error) if error.is_of_the_card() => match &self.open_read_only {
                Some(open) => open().map(Opened::ReadOnly).map_err(|_| error),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Reopens a read-only store for writing. An error if the card still takes no writes; reading continues.
    fn writable(&self) -> Result<(), StoreError> {
        let is_read_only = {
            let opened = self.database.read().unwrap_or_else(PoisonError::into_inner);
            matches!(*opened, Some(Opened::ReadOnly(_)))
        };
        if !is_read_only {
            return Ok(());
        }
        // One system call; opening the database would read the whole file.
        file::may_write(&self.path)?;
        let mut opened = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*opened, Some(Opened::ReadOnly(_))) {
            return Ok(());
        }
        // A process can have only one handle at a time.
        *opened = None;
        match (self.open)() {
            Ok(database) => {
                *opened = Some(Opened::Writable(database));
                Ok(())
            }
            Err(error) => {
                *opened = self.open_anew().ok();
                Err(error)
            }
        }
    }
}

/// Calls `once` until the error of another call is not the reason that it failed, at most [`TRIES`] times.
fn tried<T>(mut once: impl FnMut() -> Outcome<T>) -> Outcome<T> {
    for _ in 1..TRIES {
        match once() {
            Err(Failure::Overtaken) => {}
            done => return done,
        }
    }
    once()
}
