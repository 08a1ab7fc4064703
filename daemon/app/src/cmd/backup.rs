//! `perchd export` and `perchd import`: write a backup of everything into one file, and start from such a file. Both use the
//! store's file directly: export does not disturb a running daemon, and import is refused while one runs.

use super::{run, say};
use crate::config::Config;
use anyhow::Context as _;
use perch_store::{Refusal, Store, StoreError};
use perch_studio::clock::SystemClock;
use perch_studio::clock::wall;
use rustix::fs::Mode;
use std::path::Path;

/// Advice after a refused import.
const SITE_IN_USE: &str = "nothing was changed: import into a new folder with --data-dir, \
     or stop perchd, move the old store away, and import again";

/// Writes a backup into `file`, which must not exist; only its owner may read it, since it holds password hashes.
pub(super) fn export(config: &Config, file: &Path) -> anyhow::Result<()> {
    // The process runs only this command and creates no other file.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    Store::back_up_file(&run::store_file(&config.server.data_dir), file, wall(&SystemClock))
        .with_context(|| format!("no backup was written to {}", file.display()))
}

/// Replaces a store without accounts with the backup.
pub(super) fn import(config: &Config, file: &Path) -> anyhow::Result<()> {
    run::make_folder(&config.server.data_dir)?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let path = run::store_file(&config.server.data_dir);
    let store = match Store::restore(file, &path, wall(&SystemClock)) {
        Err(error @ StoreError::Refused(Refusal::NotEmpty)) => return Err(error).context(SITE_IN_USE),
        restored => restored.with_context(|| format!("{} was not imported", file.display()))?,
    };
    let name = store.settings()?.site_name;
    say(&format!("{name} is restored. Everyone has to log in again.\n"));
    Ok(())
}
