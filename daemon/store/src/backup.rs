//! Backup and restore. A backup is a store file of its own: one consistent snapshot, taken while the daemon runs and writes,
//! compact, and opened (and migrated) by the same code as any store.

use crate::tables::{self, COUNTERS, META, USERS};
use crate::transaction::{Failure, Outcome};
use crate::{Refusal, Store, StoreError, file, media_sequence, schema, sessions};
use redb::{ReadTransaction, ReadableDatabase as _, ReadableTableMetadata as _};
use std::path::Path;

impl Store {
    /// Writes a backup into the file `to`, which must not exist; it appears there only once it is whole. Writers are not held up.
    pub fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        self.read(|from| Ok(copy(from, to)))?
    }

    /// Writes a backup of the store at `path`, which another process (the running daemon) may have open.
    pub fn back_up_file(path: &Path, to: &Path) -> Result<(), StoreError> {
        // Opening would make one where there is none.
        std::fs::metadata(path).map_err(|error| StoreError::file_system(path, "read", error))?;
        match Self::open(path) {
            Err(StoreError::InUse { .. }) => {}
            opened => return opened?.back_up(to),
        }
        let database = file::open_beside(path)?;
        let known = schema::VERSION;
        match schema::version(&database, path)? {
            Some(found) if found == known => {}
            Some(found) if found > known => {
                return Err(StoreError::Newer { path: path.to_owned(), found, known });
            }
            // The daemon that has it open is an older one.
            _ => return Err(StoreError::InUse { path: path.to_owned() }),
        }
        let snapshot = database.begin_read().map_err(|error| StoreError::io(path, "read", error.into()))?;
        copy(&snapshot, to)
    }

    /// Puts a backup in the place of the store at `path`, which has no accounts yet or does not exist, and is not open. The backup is
    /// checked first and not written to. All logins are closed: some were used after the backup was made.
    pub fn restore(backup: &Path, path: &Path) -> Result<Self, StoreError> {
        let replaced = if path.exists() { Self::open(path)?.next_if_empty()? } else { 0 };
        file::replace(path, |unfinished| {
            std::fs::copy(backup, unfinished)
                .map_err(|error| StoreError::file_system(backup, "read", error))?;
            // The copy is what is opened, since opening writes; what is wrong with it is wrong with the backup.
            let database = file::open_existing(unfinished).map_err(|error| error.of(backup))?;
            if schema::version(&database, backup)?.is_none() {
                return Err(StoreError::Damaged { path: backup.to_owned(), what: "it is empty".to_owned() });
            }
            schema::bring_up_to_date(&database, backup)?;
            let again = unfinished.to_owned();
            let restored =
                Self::of(database, backup.to_owned(), Box::new(move || file::open_existing(&again)));
            if let Some(what) = restored.verify()?.into_iter().next() {
                return Err(StoreError::Damaged { path: backup.to_owned(), what });
            }
            restored.write(|tx| {
                media_sequence::skip_after_restore(tx, replaced)?;
                sessions::forget_all(tx)
            })
        })?;
        Self::open(path)
    }

    /// The next media sequence number of a store without accounts.
    fn next_if_empty(&self) -> Result<u64, StoreError> {
        self.read(|tx| {
            if !tx.open_table(USERS)?.is_empty()? {
                return Err(Failure::Refused(Refusal::NotEmpty));
            }
            let counters = tx.open_table(COUNTERS)?;
            Ok(counters.get(media_sequence::MEDIA_SEQUENCE)?.map_or(0, |next| next.value()))
        })
    }
}

fn copy(from: &ReadTransaction, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    file::make(to, |database| {
        // Whatever goes wrong here is told of the file that is written; the other is open and sound.
        let run = || -> Outcome<()> {
            let into = database.begin_write()?;
            tables::copy(from, &into, META)?;
            tables::copy(from, &into, COUNTERS)?;
            tables::copy_all(from, &into)?;
            into.commit()?;
            Ok(())
        };
        run().map_err(|failure| failure.at(to, "write"))
    })
}
