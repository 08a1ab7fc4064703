//! Backup and restore. A backup is itself a store file: one consistent snapshot, taken while the daemon runs and
//! writes, compact, and opened (and migrated) by the same code as any store. It holds the site at rest: everything
//! except logins, API tokens, webhooks, the token-signing key, keys of relays and of ingest, and streams on the air. A stolen backup logs nobody in,
//! and a restored one puts nothing on the air.

use crate::failure::{Failure, Outcome};
use crate::store::Opened;
use crate::tables::{self, CAMERA_CLAIMS, COUNTERS, META, PASSWORDS, STREAM_FACTS, USERS};
use crate::writing::WriteTransaction;
use crate::{
    PasswordHash, Refusal, SigningKey, Store, StoreError, StreamId, StreamKeys, Timestamp, UserId,
    api_tokens, file, ingest_keys, relays, schema, sessions, settings, site_settings, stream_keys, streams,
    user, webhooks,
};
use redb::{Database, ReadTransaction, ReadableTable as _, ReadableTableMetadata as _};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

impl Store {
    /// Writes a backup into the file `to`, which must not exist; it appears there only when complete. Writers are not blocked. In
    /// the backup, streams on the air are interrupted at `now`.
    pub fn back_up(&self, to: &Path, now: Timestamp) -> Result<(), StoreError> {
        self.read(|from| Ok(copy(from, to, now, None)))?
    }

    /// The same with these sealed stream keys ([`Backup::sealed_keys`]).
    pub fn back_up_sealing(&self, to: &Path, sealed: &[u8], now: Timestamp) -> Result<(), StoreError> {
        self.read(|from| Ok(copy(from, to, now, Some(sealed))))?
    }

    /// Writes a backup of the store at `path`, which no process has open.
    pub fn back_up_file(path: &Path, to: &Path, now: Timestamp) -> Result<(), StoreError> {
        // `open` would create a missing file.
        std::fs::metadata(path).map_err(|error| StoreError::file_system(path, "read", error))?;
        Self::open(path)?.back_up(to, now)
    }

    /// Replaces the store at `path` with a backup. The store must be closed, and must have no accounts or not exist. The backup
    /// is checked first, and is not written to.
    pub fn restore(backup: &Path, path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        Self::restore_prepared(backup, path, now, |_| Ok(()))
    }

    /// The same; `prepare` may change or refuse the backup once it is checked, before it takes the store's place.
    pub fn restore_prepared<E: From<StoreError>>(
        backup: &Path,
        path: &Path,
        now: Timestamp,
        prepare: impl FnOnce(&Backup) -> Result<(), E>,
    ) -> Result<Self, E> {
        if path.exists() {
            Self::open(path)?.must_be_empty()?;
        }
        file::replace(path, |unfinished| {
            std::fs::copy(backup, unfinished)
                .map_err(|error| StoreError::file_system(backup, "read", error))?;
            // Opening writes, so the copy is opened; an error in it is reported for the backup.
            prepare(&Backup::check(unfinished, now).map_err(|error| error.of(backup))?)
        })?;
        Ok(Self::open(path)?)
    }

    fn must_be_empty(&self) -> Result<(), StoreError> {
        self.read(|tx| {
            if tx.open_table(USERS)?.is_empty()? { Ok(()) } else { Err(Failure::Refused(Refusal::NotEmpty)) }
        })
    }

    /// Replaces this open store with a backup and continues with it; all logins are closed. Refused while a stream has
    /// not ended, and if the backup has no active owner. The previous store is kept at `kept`, as a store file. After a
    /// power cut exactly one of the two is in place, complete.
    pub fn replace_with(&self, backup: Backup, kept: &Path) -> Result<(), StoreError> {
        if !backup.store.has_owner()? {
            return Err(Refusal::NoOwner.into());
        }
        // From here on no other caller uses the store, so nothing is written to the file that is moved away.
        let mut opened = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let present = match opened.take() {
            Some(Opened::Writable(present)) => present,
            Some(Opened::ReadOnly(_)) | None => (self.open)()?,
        };
        let signing_key = signing_key_at_rest(&present).map_err(|failure| failure.at(&self.path, "read"));
        *opened = Some(Opened::Writable(present));
        // The running daemon uses it.
        let signing_key = signing_key?;
        backup.store.write(|tx| settings::put_signing_key(tx, &signing_key))?;
        file::put_in_place(&backup.path, &self.path, kept)?;
        // The next caller opens a `None`.
        *opened = backup.store.database.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(())
    }
}

/// The signing key of a store in which every stream has ended.
fn signing_key_at_rest(database: &Database) -> Outcome<SigningKey> {
    let tx = WriteTransaction::begin(database)?;
    if let Some(claim) = tx.open_table(CAMERA_CLAIMS)?.first()? {
        return Err(Refusal::NotEnded { stream: StreamId::from_number(claim.1.value()) }.into());
    }
    let signing_key = settings::signing_key(&tx)?;
    tx.finish()?;
    Ok(signing_key)
}

/// A backup that is complete, undamaged, of the present schema and at rest.
pub struct Backup {
    pub(crate) store: Store,
    path: PathBuf,
}

/// A summary of a backup, so that people recognise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupContents {
    /// The site's name.
    pub site_name: String,
    /// True if it contains an active owner.
    pub has_owner: bool,
    /// Number of accounts.
    pub users: u64,
    /// Number of streams.
    pub streams: u64,
    /// Number of chat messages.
    pub messages: u64,
}

impl Backup {
    /// Checks the whole file at `path`, which must be the caller's own copy: it is written to, because it is migrated. Streams
    /// that were on the air in it end at `now` at the latest.
    pub fn check(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        file::sync(path)?;
        let store = file::without_panic(path, || {
            look_through(path)?;
            let again = path.to_owned();
            let open = Box::new(move || file::open_existing(&again));
            let store = Store::of(file::open_existing(path)?, path.to_owned(), open);
            // A store file copied by hand is accepted as a backup, too.
            store.write(|tx| {
                sessions::forget_all(tx)?;
                settings::forget_signing_key(tx)?;
                relays::forget_keys(tx)?;
                ingest_keys::forget_all_keys(tx)?;
                api_tokens::forget_all(tx)?;
                webhooks::forget_all(tx)?;
                streams::break_off_all(tx, now)
            })?;
            Ok(store)
        })?;
        Ok(Self { store, path: path.to_owned() })
    }

    /// The name of an account whose password hash is `wrong`, if there is one.
    pub fn account_whose_hash(
        &self,
        wrong: impl Fn(&PasswordHash) -> bool,
    ) -> Result<Option<String>, StoreError> {
        self.store.read(|tx| {
            for row in tx.open_table(PASSWORDS)?.iter()? {
                let (user, hash) = row?;
                if wrong(&PasswordHash::new(hash.value())) {
                    return Ok(Some(user::get(tx, UserId::from_number(user.value()))?.username));
                }
            }
            Ok(None)
        })
    }

    /// Its sealed stream keys, if it has any.
    pub fn sealed_keys(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.read(stream_keys::sealed)
    }

    /// Puts stream keys into it instead of the sealed ones. Those of relays and accounts that it does not have are left out.
    pub fn put_stream_keys(&self, keys: &StreamKeys) -> Result<(), StoreError> {
        self.store.write(|tx| stream_keys::put(tx, keys))
    }

    /// Summarises the backup.
    pub fn contents(&self) -> Result<BackupContents, StoreError> {
        self.store.read(|tx| {
            Ok(BackupContents {
                site_name: site_settings::read(tx)?.site_name,
                has_owner: !crate::user::owners(tx)?.is_empty(),
                users: tx.open_table(USERS)?.len()?,
                streams: tx.open_table(STREAM_FACTS)?.len()?,
                messages: tx.open_table(tables::MESSAGES)?.len()?,
            })
        })
    }
}

/// Migrates the file at `path`, computes its derived tables anew, and checks the whole of it, with a few megabytes of memory.
fn look_through(path: &Path) -> Result<(), StoreError> {
    let database = file::open_foreign(path)?;
    if schema::version(&database, path)?.is_none() {
        return Err(StoreError::Damaged { path: path.to_owned(), what: "it is empty".to_owned() });
    }
    schema::bring_up_to_date(&database, path)?;
    let again = path.to_owned();
    let store = Store::of(database, path.to_owned(), Box::new(move || file::open_foreign(&again)));
    store.write(schema::derive_anew)?;
    match store.verify()?.into_iter().next() {
        Some(what) => Err(StoreError::Damaged { path: path.to_owned(), what }),
        None => Ok(()),
    }
}

fn copy(from: &ReadTransaction, to: &Path, now: Timestamp, sealed: Option<&[u8]>) -> Result<(), StoreError> {
    if to.exists() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    file::make(to, |database| {
        // An error here is reported for the file being written: the source is open and undamaged.
        let run = || -> Outcome<()> {
            let into = WriteTransaction::begin(database)?;
            tables::make_all(&into)?;
            tables::copy(from, &into, META)?;
            tables::copy(from, &into, COUNTERS)?;
            // Secrets are never written to the backup: deleting them would leave their bytes in the file.
            tables::copy_what_is_backed_up(from, &into)?;
            settings::copy_without_keys(from, &into)?;
            if let Some(sealed) = sealed {
                stream_keys::put_sealed(&into, sealed)?;
            }
            streams::break_off_all(&into, now)?;
            into.finish()?;
            Ok(())
        };
        run().map_err(|failure| failure.at(to, "write"))
    })
}
