//! The store's file: made whole or not at all, opened with a small cache, never overwritten when it cannot be read.

use crate::overlay::Overlay;
use crate::{StoreError, schema};
use redb::{ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, StorageError};
use std::ffi::OsString;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Cached pages, bytes. The whole daemon has 64 MB on a small board; what the store holds is mostly read once.
const CACHE_BYTES: usize = 8 << 20;

pub(crate) fn open(path: &Path) -> Result<Database, StoreError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make(path, |database| schema::bring_up_to_date(database, path))?;
        }
        Err(error) => return Err(StoreError::file_system(path, "read", error)),
        Ok(_) => {}
    }
    open_existing(path)
}

pub(crate) fn open_existing(path: &Path) -> Result<Database, StoreError> {
    let length = std::fs::metadata(path).map_err(|error| StoreError::file_system(path, "read", error))?.len();
    if length == 0 {
        // redb would begin anew in it; but a store that lost its bytes is no new store.
        return Err(StoreError::Damaged { path: path.to_owned(), what: "it is empty".to_owned() });
    }
    guarded(path, || match shared(builder()).open(path) {
        // A file system without locks on ranges of bytes: then nobody reads beside.
        Err(DatabaseError::Storage(StorageError::Unsupported)) => builder().open(path),
        opened => opened,
    })
}

/// An error where the file cannot be opened for writing: above all, on a file system that has turned read-only.
pub(crate) fn may_write(path: &Path) -> Result<(), StoreError> {
    let opened = File::options().write(true).open(path);
    opened.map(drop).map_err(|error| StoreError::file_system(path, "write", error))
}

/// Opened for reading while the card takes no writes: a repair that redb needs to make happens in memory.
pub(crate) fn open_read_only(path: &Path) -> Result<Database, StoreError> {
    let overlay = Overlay::over(path).map_err(|error| StoreError::file_system(path, "read", error))?;
    // `create` opens what is there; a file that is empty is refused before.
    guarded(path, || builder().create_with_backend(overlay))
}

/// Read beside the process that writes to it: a snapshot of what that has committed.
pub(crate) fn open_beside(path: &Path) -> Result<ReadOnlyDatabase, StoreError> {
    guarded(path, || shared(builder()).open_read_only(path))
}

/// One process writes, others may read meanwhile. A second one that would write is told that it is in use.
fn shared(mut builder: redb::Builder) -> redb::Builder {
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

pub(crate) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    // Without the check redb trusts a file that was closed in order, and may panic on one altered since.
    builder.set_check_integrity_on_open(true);
    builder
}

/// A new store with what `fill` writes into it.
pub(crate) fn make(
    path: &Path,
    fill: impl FnOnce(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    replace(path, |unfinished| fill(&guarded(unfinished, || builder().create(unfinished))?))
}

/// A store appears under its name only when it is whole and on the card: a power cut while it is written leaves what was there.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut unfinished = OsString::from(path);
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::file_system(&unfinished, "replace", error));
        }
        _ => {}
    }
    if let Err(error) = write(&unfinished) {
        // What is left is replaced the next time anyway; the error that counts is the first one.
        let _ = std::fs::remove_file(&unfinished);
        return Err(error);
    }
    sync(&unfinished)?;
    rename(&unfinished, path)
}

/// Puts the store at `new`, which is on the card and may be open, in the place of the one at `path`, which lies at `kept` from then on.
/// There is one of them at `path` at any moment.
pub(crate) fn put_in_place(new: &Path, path: &Path, kept: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(kept) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::file_system(kept, "replace", error));
        }
        _ => {}
    }
    // A second name costs nothing; some file systems know none.
    std::fs::hard_link(path, kept)
        .or_else(|_| std::fs::copy(path, kept).map(drop))
        .map_err(|error| StoreError::file_system(kept, "make", error))?;
    rename(new, path)
}

/// On return what was written to the file is on the card.
pub(crate) fn sync(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| StoreError::file_system(path, "write", error))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    let renamed = std::fs::rename(from, to).and_then(|()| File::open(folder(to))?.sync_all());
    renamed.map_err(|error| StoreError::file_system(to, "make", error))
}

pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// redb's own checks find most damage; a panic over what they miss is damage too, and no reason to end the daemon's thread.
fn guarded<D>(path: &Path, open: impl FnOnce() -> Result<D, DatabaseError>) -> Result<D, StoreError> {
    without_panic(path, || open().map_err(|error| StoreError::io(path, "open", error.into())))
}

pub(crate) fn without_panic<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(StoreError::Damaged {
            path: path.to_owned(),
            what: "reading it came upon something impossible".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn a_file_that_is_no_store_is_refused_and_kept() {
        for bytes in [&b""[..], b"hello, I am a text\n", &[0; 8192], b"redb\x1a\x0a\xa9\x0d\x0a"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("perch.redb");
            std::fs::write(&path, bytes).unwrap();
            let error = Store::open(&path).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error} for {} bytes", bytes.len());
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_store_that_was_cut_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("perch.redb");
        drop(Store::open(&path).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for length in [1, 64, 4096, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = Store::open(&path).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error} at {length}");
        }
    }

    #[test]
    fn a_second_opener_is_told_that_it_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("perch.redb");
        let _first = Store::open(&path).unwrap();
        assert!(matches!(Store::open(&path).unwrap_err(), StoreError::InUse { .. }));
    }

    #[test]
    fn what_a_power_cut_left_while_the_store_was_made_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("perch.redb.new"), b"half").unwrap();
        Store::open(&dir.path().join("perch.redb")).unwrap();
        assert!(!dir.path().join("perch.redb.new").exists());
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Store::open(&dir.path().join("none/perch.redb")).unwrap_err();
        assert!(error.to_string().contains("none/perch.redb"), "{error}");
    }
}
