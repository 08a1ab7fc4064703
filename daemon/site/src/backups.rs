//! Files of backups that the running daemon makes and restores: in the data directory, one at a time, deleted as soon as
//! possible.
//!
//! Not here: a backup's content and how it replaces the store (perch-store), rights (`backup`), HTTP (perch-web).

use crate::accounts::passwords::costs_too_much;
use crate::accounts::secret::RandomToken;
use crate::removal::remove;
use perch_store::{Backup, BackupContents, Refusal, Store, StoreError, StreamKeys, Timestamp};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A backup for download; the name is removed before the first byte is sent.
const OUTGOING: &str = "outgoing.backup";
/// An uploaded backup, until it is restored or discarded.
const INCOMING: &str = "incoming.backup";
/// The store that the last restore replaced, for `perchd import`.
const KEPT: &str = "before-restore.backup";
/// Bytes read or written in one step.
pub const CHUNK_BYTES: usize = 256 << 10;

/// Why a backup was not made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be restored; the text says why.
    #[error("{0}")]
    Unusable(String),
    /// An error of the store, or a refusal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An error in the data directory.
    #[error("cannot write a backup in the data directory: {0}")]
    File(#[from] io::Error),
    /// The kernel gives no random numbers.
    #[error("no random numbers from the kernel: {0}")]
    Random(#[from] getrandom::Error),
}

/// Only one at a time: each takes as much of the card as the store.
#[derive(Debug, thiserror::Error)]
#[error("another backup is in progress")]
pub struct BackupBusy;

/// The right to make or restore a backup; released on drop.
pub type Turn = OwnedSemaphorePermit;

/// A checked upload.
struct Received {
    id: String,
    sealed_keys: Option<Vec<u8>>,
}

/// The backups of one daemon.
pub struct Backups {
    data_dir: PathBuf,
    turn: Arc<Semaphore>,
    /// The file at [`INCOMING`], once it is checked.
    received: Mutex<Option<Received>>,
}

impl Backups {
    /// Uses this data directory; removes files that an earlier run left unfinished.
    pub fn new(data_dir: &Path) -> Self {
        for name in [INCOMING, OUTGOING, &format!("{OUTGOING}.new")] {
            if let Err(error) = remove(&data_dir.join(name)) {
                tracing::warn!("cannot remove {name}, which an earlier run left: {error}");
            }
        }
        Self { data_dir: data_dir.to_owned(), turn: Arc::new(Semaphore::new(1)), received: Mutex::default() }
    }

    /// Takes the turn if it is free; never waits.
    pub fn turn(&self) -> Result<Turn, BackupBusy> {
        self.turn.clone().try_acquire_owned().map_err(|_| BackupBusy)
    }

    /// Makes a backup; the file disappears when it is closed. Also returns its length. Blocks.
    pub fn make(
        &self,
        store: &Store,
        sealed_keys: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(File, u64), BackupError> {
        let path = self.data_dir.join(OUTGOING);
        remove(&path)?;
        match sealed_keys {
            Some(sealed) => store.back_up_sealing(&path, sealed, now)?,
            None => store.back_up(&path, now)?,
        }
        let file = File::open(&path);
        remove(&path)?;
        let file = file?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    /// An empty file for an upload, readable only by its owner. Replaces an earlier upload. Blocks.
    pub fn begin(&self) -> Result<File, BackupError> {
        self.discard()?;
        let path = self.data_dir.join(INCOMING);
        Ok(fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?)
    }

    /// Checks the uploaded file: returns an id for the restore, and a summary. A file that cannot be restored is deleted. Blocks.
    pub fn look(&self, now: Timestamp) -> Result<(String, BackupContents), BackupError> {
        let looked = || {
            let backup = self.checked(now)?;
            let (contents, sealed_keys) = (backup.contents()?, backup.sealed_keys()?);
            if !contents.has_owner {
                return Err(BackupError::Unusable(Refusal::NoOwner.to_string()));
            }
            let id = RandomToken::new()?.expose().to_owned();
            Ok((id, contents, sealed_keys))
        };
        match looked() {
            Ok((id, contents, sealed_keys)) => {
                *self.received() = Some(Received { id: id.clone(), sealed_keys });
                Ok((id, contents))
            }
            Err(error) => {
                // The first error counts.
                let _ = self.discard();
                Err(error)
            }
        }
    }

    /// Discards the upload. Blocks.
    pub fn discard(&self) -> Result<(), BackupError> {
        *self.received() = None;
        Ok(remove(&self.data_dir.join(INCOMING))?)
    }

    /// The sealed stream keys of the checked upload with this id.
    pub fn sealed_keys(&self, id: &str) -> Option<Vec<u8>> {
        self.received().as_ref().filter(|received| received.id == id)?.sealed_keys.clone()
    }

    /// Replaces the store's content with the backup of this id and these stream keys. After a refusal it can be tried again. Blocks.
    pub fn restore(
        &self,
        store: &Store,
        id: &str,
        keys: &StreamKeys,
        now: Timestamp,
    ) -> Result<(), BackupError> {
        if self.received().as_ref().is_none_or(|received| received.id != id) {
            return Err(StoreError::from(Refusal::NotFound { what: "backup" }).into());
        }
        let backup = self.checked(now)?;
        backup.put_stream_keys(keys)?;
        store.replace_with(backup, &self.data_dir.join(KEPT))?;
        *self.received() = None;
        Ok(())
    }

    fn checked(&self, now: Timestamp) -> Result<Backup, BackupError> {
        let backup = Backup::check(&self.data_dir.join(INCOMING), now).map_err(about_the_file)?;
        match excessive_hash(&backup)? {
            Some(why) => Err(BackupError::Unusable(why)),
            None => Ok(backup),
        }
    }

    fn received(&self) -> MutexGuard<'_, Option<Received>> {
        self.received.lock().expect("nothing panics while it holds the lock")
    }
}

/// In words, that the backup has a password hash whose check would stop all logins for hours.
pub(crate) fn excessive_hash(backup: &Backup) -> Result<Option<String>, StoreError> {
    let account = backup.account_whose_hash(costs_too_much)?;
    Ok(account.map(|name| {
        format!(
            "checking the password of {name} would take this board hours: the backup was not made by Perch"
        )
    }))
}

/// The next chunk of a file, and the file. Blocks.
pub fn read_on(mut file: File) -> io::Result<(Vec<u8>, File)> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
    Ok((chunk, file))
}

/// The error for the person who uploaded the file; its path on the card stays private.
fn about_the_file(error: StoreError) -> BackupError {
    match error {
        StoreError::Damaged { what, .. } => BackupError::Unusable(format!(
            "this is not a Perch backup, or it is damaged or incomplete ({what})"
        )),
        StoreError::Newer { found, known, .. } => newer("schema", found, known),
        StoreError::NewerRecord { record, found, known, .. } => newer(record, found.into(), known.into()),
        error => error.into(),
    }
}

fn newer(what: &str, found: u64, known: u64) -> BackupError {
    BackupError::Unusable(format!(
        "this backup was made by a newer Perch ({what} {found}; this one knows up to {known}): update this Perch first"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{NewUser, PasswordHash};

    const NOW: Timestamp = Timestamp::from_unix_millis(1_795_000_000_000);

    fn site(dir: &Path) -> Store {
        let store = Store::open(&dir.join("perch.redb")).unwrap();
        let new = NewUser {
            username: "ann".to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("x"),
        };
        store.create_owner(&new, NOW).unwrap();
        store
    }

    #[test]
    fn a_backup_goes_out_and_comes_in_and_leaves_nothing_lying() {
        let dir = tempfile::tempdir().unwrap();
        let store = site(dir.path());
        let backups = Backups::new(dir.path());
        let (file, length) = backups.make(&store, None, NOW).unwrap();
        let (chunk, file) = read_on(file).unwrap();
        assert_eq!(chunk.len() as u64, length);
        assert!(read_on(file).unwrap().0.is_empty());
        io::Write::write_all(&mut backups.begin().unwrap(), &chunk).unwrap();
        let (id, contents) = backups.look(NOW).unwrap();
        assert_eq!(contents.users, 1);
        assert!(backups.restore(&store, "another", &StreamKeys::default(), NOW).is_err());
        backups.restore(&store, &id, &StreamKeys::default(), NOW).unwrap();
        assert!(backups.restore(&store, &id, &StreamKeys::default(), NOW).is_err(), "once");
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [KEPT, "perch.redb", "perch.redb.reserve"]);
    }

    #[test]
    fn what_a_run_before_left_half_way_is_removed_and_a_site_needs_an_owner() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(INCOMING), "half").unwrap();
        let backups = Backups::new(dir.path());
        assert!(!dir.path().join(INCOMING).exists());
        // A backup of a site before setup.
        Store::open(&dir.path().join("new.redb")).unwrap().back_up(&dir.path().join(INCOMING), NOW).unwrap();
        let error = backups.look(NOW).unwrap_err();
        assert!(matches!(&error, BackupError::Unusable(why) if why.contains("owner")), "{error}");
        assert!(!dir.path().join(INCOMING).exists());
    }

    #[test]
    fn a_backup_with_a_hash_that_takes_hours_is_refused_and_names_the_account() {
        let dir = tempfile::tempdir().unwrap();
        let store = site(dir.path());
        let hash = "$argon2id$v=19$m=19456,t=4000000000,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
        store.change_password(store.user_by_name("ann").unwrap().id, &PasswordHash::new(hash), None).unwrap();
        let backups = Backups::new(dir.path());
        store.back_up(&dir.path().join(INCOMING), NOW).unwrap();
        let error = backups.look(NOW).unwrap_err();
        assert!(matches!(&error, BackupError::Unusable(why) if why.contains("ann")), "{error}");
        assert!(!dir.path().join(INCOMING).exists());
    }

    #[test]
    fn one_is_on_its_way_at_a_time() {
        let backups = Backups::new(tempfile::tempdir().unwrap().path());
        let turn = backups.turn().unwrap();
        assert!(backups.turn().is_err());
        drop(turn);
        assert!(backups.turn().is_ok());
    }

    #[test]
    fn a_backup_of_a_newer_perch_is_named_without_the_place_where_it_lies() {
        let path = PathBuf::from("/secret/place");
        let newer_record =
            StoreError::NewerRecord { path: path.clone(), record: "stream", found: 3, known: 2 };
        for error in [StoreError::Newer { path: path.clone(), found: 3, known: 2 }, newer_record] {
            let words = about_the_file(error).to_string();
            assert!(
                words.contains("newer Perch") && words.contains(" 3;") && !words.contains("/secret"),
                "{words}"
            );
        }
        let damaged = about_the_file(StoreError::Damaged { path, what: "it is empty".to_owned() });
        assert!(matches!(&damaged, BackupError::Unusable(why) if !why.contains("/secret")), "{damaged}");
    }
}
