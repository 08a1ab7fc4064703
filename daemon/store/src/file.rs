//! The store's file: created complete or not at all, opened with a small cache, never overwritten when it cannot be read.

use crate::bounded::Bounded;
use crate::overlay::Overlay;
use crate::{StoreError, schema};
use redb::{Database, DatabaseError};
use std::ffi::OsString;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Cached pages, bytes. On a small board the whole daemon has 64 MB, and most of the store is read only once.
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
    must_have_content(path)?;
    guarded(path, || builder().open(path))
}

/// redb would initialise an empty file; but a store that lost its content is not a new store.
fn must_have_content(path: &Path) -> Result<(), StoreError> {
    let length = std::fs::metadata(path).map_err(|error| StoreError::file_system(path, "read", error))?.len();
    match length {
        0 => Err(StoreError::Damaged { path: path.to_owned(), what: "it is empty".to_owned() }),
        _ => Ok(()),
    }
}

/// An error if the file cannot be opened for writing: usually because the file system has turned read-only.
pub(crate) fn may_write(path: &Path) -> Result<(), StoreError> {
    let opened = File::options().write(true).open(path);
    opened.map(drop).map_err(|error| StoreError::file_system(path, "write", error))
}

/// Opens the file for reading while the card takes no writes: redb's repair, if it needs one, happens in memory.
pub(crate) fn open_read_only(path: &Path) -> Result<Database, StoreError> {
    let overlay = Overlay::over(path).map_err(|error| StoreError::file_system(path, "read", error))?;
    // `create` opens an existing file; an empty one was refused before.
    guarded(path, || builder().create_with_backend(overlay))
}

/// Opens a file from outside, of which no more than a few megabytes are in memory at once.
pub(crate) fn open_foreign(path: &Path) -> Result<Database, StoreError> {
    must_have_content(path)?;
    let bounded = Bounded::open(path).map_err(|error| StoreError::file_system(path, "read", error))?;
    guarded(path, || builder().create_with_backend(bounded))
}

/// One process has the file open, and others get [`StoreError::InUse`]. That is what makes a commit cost one sync: redb writes
/// pages and header, syncs, and goes by the checksums after a power cut, which show whether all of it arrived; if not, the previous
/// commit is still there (redb's docs/design.md, "1PC+C"). In the modes in which other processes may read the file, it syncs the
/// pages before the header, and the header once more.
pub(crate) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    // Without this check redb trusts a file that was closed properly, and may panic on one that was changed afterwards.
    builder.set_check_integrity_on_open(true);
    builder
}

/// Creates a store with what `fill` writes into it.
pub(crate) fn make(
    path: &Path,
    fill: impl FnOnce(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    replace(path, |unfinished| fill(&guarded(unfinished, || builder().create(unfinished))?))
}

/// A store appears under its name only when it is complete and synced: after a power cut in between, the previous file is still
/// there.
pub(crate) fn replace<E: From<StoreError>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let mut unfinished = OsString::from(path);
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::file_system(&unfinished, "replace", error).into());
        }
        _ => {}
    }
    if let Err(error) = write(&unfinished) {
        // The first error counts; a leftover file is replaced next time.
        let _ = std::fs::remove_file(&unfinished);
        return Err(error);
    }
    sync(&unfinished)?;
    Ok(rename(&unfinished, path)?)
}

/// Puts the store at `new`, which is synced and may be open, in place of the one at `path`, which is kept at `kept`. At any
/// moment there is one at `path`.
pub(crate) fn put_in_place(new: &Path, path: &Path, kept: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(kept) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::file_system(kept, "replace", error));
        }
        _ => {}
    }
    // A hard link is enough, but some file systems have none.
    std::fs::hard_link(path, kept)
        .or_else(|_| std::fs::copy(path, kept).map(drop))
        .map_err(|error| StoreError::file_system(kept, "make", error))?;
    rename(new, path)
}

/// Syncs the file to the card.
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

/// redb's own checks find most damage. If they miss some and redb panics, that is reported as damage and does not end the thread.
fn guarded<D>(path: &Path, open: impl FnOnce() -> Result<D, DatabaseError>) -> Result<D, StoreError> {
    without_panic(path, || open().map_err(|error| StoreError::io(path, "open", error.into())))
}

pub(crate) fn without_panic<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(StoreError::Damaged { path: path.to_owned(), what: "redb panicked while reading it".to_owned() })
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
