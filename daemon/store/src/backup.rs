//! Backup and restore. A backup is a store file of its own: one consistent snapshot, taken while the daemon runs and writes,
//! compact, and opened (and migrated) by the same code as any store. It holds the site at rest: everything that is remembered,
//! but no logins, not the key that tokens are signed with, and nothing that is on the air. So whoever finds one is not logged in by
//! it, and whoever restores one does not go live by it.

use crate::failure::{Failure, Outcome};
use crate::store::Opened;
use crate::tables::{self, CAMERA_CLAIMS, COUNTERS, META, STREAM_FACTS, USERS};
use crate::{Refusal, SigningKey, Store, StoreError, StreamId, Timestamp};
use crate::{file, schema, sessions, settings, streams};
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

impl Store {
    /// Writes a backup into the file `to`, which must not exist; it appears there only once it is whole. Writers are not held up. What is
    /// on the air breaks off in it `now`.
    pub fn back_up(&self, to: &Path, now: Timestamp) -> Result<(), StoreError> {
        self.read(|from| Ok(copy(from, to, now)))?
    }

    /// Writes a backup of the store at `path`, which another process (the running daemon) may have open.
    pub fn back_up_file(path: &Path, to: &Path, now: Timestamp) -> Result<(), StoreError> {
        // Opening would make one where there is none.
        std::fs::metadata(path).map_err(|error| StoreError::file_system(path, "read", error))?;
        match Self::open(path) {
            Err(StoreError::InUse { .. }) => {}
            opened => return opened?.back_up(to, now),
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
        copy(&snapshot, to, now)
    }

    /// Puts a backup in the place of the store at `path`, which has no accounts yet or does not exist, and is not open. The backup is
    /// checked first and not written to.
    pub fn restore(backup: &Path, path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        if path.exists() {
            Self::open(path)?.must_be_empty()?;
        }
        file::replace(path, |unfinished| {
            std::fs::copy(backup, unfinished)
                .map_err(|error| StoreError::file_system(backup, "read", error))?;
            // The copy is what is opened, since opening writes; what is wrong with it is wrong with the backup.
            Backup::check(unfinished, now).map(drop).map_err(|error| error.of(backup))
        })?;
        Self::open(path)
    }

    fn must_be_empty(&self) -> Result<(), StoreError> {
        self.read(|tx| {
            if tx.open_table(USERS)?.is_empty()? { Ok(()) } else { Err(Failure::Refused(Refusal::NotEmpty)) }
        })
    }

    /// Puts a backup in the place of this store, which goes on with it; all logins are closed. Refused while a stream has not ended,
    /// and where nobody could look after the site then. What was there lies at `kept` afterwards, as a store file of its own. After a power
    /// cut either the one or the other is there, whole.
    pub fn replace_with(&self, backup: Backup, kept: &Path) -> Result<(), StoreError> {
        if !backup.store.has_owner()? {
            return Err(Refusal::NoOwner.into());
        }
        // Nobody else is in the store from here on, so that nothing is written into what is put away.
        let mut opened = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let present = match opened.take() {
            Some(Opened::Writable(present)) => present,
            Some(Opened::ReadOnly(_)) | None => (self.open)()?,
        };
        let signing_key = signing_key_at_rest(&present).map_err(|failure| failure.at(&self.path, "read"));
        *opened = Some(Opened::Writable(present));
        // The daemon that runs has it in use.
        let signing_key = signing_key?;
        backup.store.write(|tx| settings::put_signing_key(tx, &signing_key))?;
        file::put_in_place(&backup.path, &self.path, kept)?;
        // `None`: the next caller opens it.
        *opened = backup.store.database.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(())
    }
}

/// The signing key of a store in which every stream has ended.
fn signing_key_at_rest(database: &Database) -> Outcome<SigningKey> {
    let tx = database.begin_write()?;
    if let Some(claim) = tx.open_table(CAMERA_CLAIMS)?.first()? {
        return Err(Refusal::NotEnded { stream: StreamId::from_number(claim.1.value()) }.into());
    }
    let signing_key = settings::signing_key(&tx)?;
    tx.commit()?;
    Ok(signing_key)
}

/// A backup that is whole, sound, of the present schema and at rest.
pub struct Backup {
    pub(crate) store: Store,
    path: PathBuf,
}

/// What is in a backup, for people to know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupContents {
    /// What the site calls itself.
    pub site_name: String,
    /// Whether somebody could look after the site.
    pub has_owner: bool,
    /// How many accounts.
    pub users: u64,
    /// How many streams.
    pub streams: u64,
    /// How many messages in chats.
    pub messages: u64,
}

impl Backup {
    /// Looks at the file at `path` as a whole. It is the caller's own copy: it is written to, since it is migrated, and what was on
    /// the air in it broke off `now`, at the latest.
    pub fn check(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        file::sync(path)?;
        let store = file::without_panic(path, || {
            let database = file::open_existing(path)?;
            if schema::version(&database, path)?.is_none() {
                return Err(StoreError::Damaged { path: path.to_owned(), what: "it is empty".to_owned() });
            }
            schema::bring_up_to_date(&database, path)?;
            let again = path.to_owned();
            let store = Store::of(database, path.to_owned(), Box::new(move || file::open_existing(&again)));
            if let Some(what) = store.verify()?.into_iter().next() {
                return Err(StoreError::Damaged { path: path.to_owned(), what });
            }
            // A store that was copied by hand is a backup, too.
            store.write(|tx| {
                sessions::forget_all(tx)?;
                settings::forget_signing_key(tx)?;
                streams::break_off_all(tx, now)
            })?;
            Ok(store)
        })?;
        Ok(Self { store, path: path.to_owned() })
    }

    /// What is in it.
    pub fn contents(&self) -> Result<BackupContents, StoreError> {
        self.store.read(|tx| {
            Ok(BackupContents {
                site_name: settings::read(tx)?.site_name,
                has_owner: crate::users::owners(tx)? > 0,
                users: tx.open_table(USERS)?.len()?,
                streams: tx.open_table(STREAM_FACTS)?.len()?,
                messages: tx.open_table(tables::MESSAGES)?.len()?,
            })
        })
    }
}

fn copy(from: &ReadTransaction, to: &Path, now: Timestamp) -> Result<(), StoreError> {
    if to.exists() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    file::make(to, |database| {
        // Whatever goes wrong here is told of the file that is written; the other is open and sound.
        let run = || -> Outcome<()> {
            let into = database.begin_write()?;
            tables::make_all(&into)?;
            tables::copy(from, &into, META)?;
            tables::copy(from, &into, COUNTERS)?;
            // What is not to be in it is never written to it: a file remembers what was deleted.
            tables::copy_what_is_backed_up(from, &into)?;
            settings::copy_without_signing_key(from, &into)?;
            streams::break_off_all(&into, now)?;
            into.commit()?;
            Ok(())
        };
        run().map_err(|failure| failure.at(to, "write"))
    })
}
