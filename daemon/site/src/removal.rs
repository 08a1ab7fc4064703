//! Removing files of the data directory.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Removes the file at `path`. A missing file is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
