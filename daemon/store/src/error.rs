//! Errors of the store; each names the file and what a person can do.

use crate::Refusal;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store {} is in use: another perchd runs with this data directory; stop it, or give --data-dir", path.display())]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// perchd may not read or write it.
    #[error("no permission to {action} {}: run perchd as the owner of the data directory, or give another with --data-dir", path.display())]
    Permission {
        /// What was tried: `read`, `write` or `make`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The file system's error.
        source: std::io::Error,
    },
    /// The card is full.
    #[error("no space left to {action} {}: free some on this card", path.display())]
    Full {
        /// What was tried: `write` or `make`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The file system's error.
        source: std::io::Error,
    },
    /// The file system is mounted read-only. Linux remounts it so when a card fails.
    #[error("the card takes no writes ({} is on a read-only file system): what changes is not kept; restart the board, and replace the card if this comes back", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// Any other error from redb or the card.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `read`, `write` or `make`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of redb or the file system.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not a store, or damaged. The file was not changed.
    #[error("{} is damaged or not a Perch store ({what}); it was not changed: replace it with a backup, or move it away to start afresh", path.display())]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// The check that failed.
        what: String,
    },
    /// Written by a newer Perch. The file was not changed.
    #[error("the store {} was written by a newer Perch (schema {found}; this one knows up to {known}): install that version, or move the file away to start afresh", path.display())]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// Its schema version.
        found: u64,
        /// The newest that this code knows.
        known: u64,
    },
    /// A record was written by a newer Perch.
    #[error("the store {} holds a {record} of a newer Perch (version {found}; this one knows up to {known}): install that version", path.display())]
    NewerRecord {
        /// The store's file.
        path: PathBuf,
        /// The kind of record.
        record: &'static str,
        /// Its version.
        found: u8,
        /// The newest that this code knows.
        known: u8,
    },
    /// A backup would overwrite a file.
    #[error("{} already exists: give another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The kernel has no random bytes.
    #[error("no random numbers from the kernel: {what}")]
    Randomness {
        /// The kernel's error.
        what: String,
    },
    /// A rule of the site refused it; the store itself is fine.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A 64-bit counter is used up.
    #[error("the counter {counter} has no numbers left")]
    Exhausted {
        /// The counter's name.
        counter: &'static str,
    },
}

impl StoreError {
    /// Maps an error of redb to what a person can do about it.
    pub(crate) fn io(path: &Path, action: &'static str, error: redb::Error) -> Self {
        let path = path.to_owned();
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse { path },
            redb::Error::Io(source) => match source.kind() {
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                    Self::Damaged { path, what: source.to_string() }
                }
                _ => Self::file_system(&path, action, source),
            },
            error @ (redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)) => Self::Damaged { path, what: error.to_string() },
            error => Self::Io { action, path, source: Box::new(error) },
        }
    }

    /// True if the card is the cause, rather than the file's content or the caller: such an error may pass, and reading
    /// may still work.
    pub fn is_of_the_card(&self) -> bool {
        matches!(self, Self::ReadOnly { .. } | Self::Io { .. } | Self::Full { .. } | Self::Permission { .. })
    }

    /// The same error, reported for another file: the one that the person knows.
    pub(crate) fn of(mut self, known: &Path) -> Self {
        match &mut self {
            Self::InUse { path }
            | Self::Permission { path, .. }
            | Self::Full { path, .. }
            | Self::ReadOnly { path }
            | Self::Io { path, .. }
            | Self::Damaged { path, .. }
            | Self::Newer { path, .. }
            | Self::NewerRecord { path, .. }
            | Self::Exists { path } => known.clone_into(path),
            Self::Randomness { .. } | Self::Refused(_) | Self::Exhausted { .. } => {}
        }
        self
    }

    pub(crate) fn file_system(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::PermissionDenied => Self::Permission { action, path, source },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { action, path, source },
            _ => Self::Io { action, path, source: Box::new(source) },
        }
    }
}
