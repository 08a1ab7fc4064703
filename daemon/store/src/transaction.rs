//! Reads and writes in one transaction. Nothing outlives the closure it was opened for; a closure that fails leaves the file
//! unchanged.

use crate::failure::{Failure, Outcome};
use crate::file;
use crate::store::Opened;
use crate::{Store, StoreError};
use redb::{ReadTransaction, ReadableDatabase as _, WriteTransaction};
use std::sync::{PoisonError, RwLockReadGuard};

impl Store {
    /// Runs `work` on a snapshot; writers continue meanwhile.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Outcome<T>) -> Result<T, StoreError> {
        self.on_database("read", |opened| {
            let (Opened::Writable(database) | Opened::ReadOnly(database)) = opened;
            work(&database.begin_read()?)
        })
    }

    /// Runs `work` as the only writer; on return its changes are synced to the card.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if let Some(reserve) = &self.reserve {
            reserve.suit_the_card();
        }
        let written = self.writable().and_then(|()| {
            self.on_database("write", |opened| {
                let Opened::Writable(database) = opened else {
                    return Err(Failure::Redb(redb::Error::PreviousIo));
                };
                let transaction = database.begin_write()?;
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            })
        });
        self.note(written.as_ref().err());
        written
    }

    fn on_database<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Opened) -> Outcome<T>,
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
                // Closed here, reopened by the next caller: a card that was full for a while does not end the site.
                self.database.write().unwrap_or_else(PoisonError::into_inner).take();
            }
            failure.at(&self.path, action)
        })
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
