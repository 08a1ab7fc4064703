//! `perchd export` and `perchd import`: a backup of everything that is remembered, in one file, and a new beginning with it. Both go to the store's file
//! itself: a running daemon is not disturbed by the first, and refuses the second.

use super::{run, say};
use crate::config::Config;
use anyhow::Context as _;
use perch_store::{Refusal, Store, StoreError};
use perch_studio::clock::SystemClock;
use perch_studio::clock::wall;
use rustix::fs::Mode;
use std::path::Path;

/// What people say whose import was refused.
const SITE_IN_USE: &str = "nothing was changed: import where nobody has an account yet, with --data-dir of a new folder, \
     or stop perchd, move the old store away, and import again";

/// Writes a backup into `file`, which must not exist; for nobody else's eyes, since it holds what guards the accounts.
pub(super) fn export(config: &Config, file: &Path) -> anyhow::Result<()> {
    // The command is a process of its own, and makes nothing else.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    Store::back_up_file(&run::store_file(&config.server.data_dir), file, wall(&SystemClock))
        .with_context(|| format!("no backup was written to {}", file.display()))
}

/// Puts the backup in the place of a store without accounts.
pub(super) fn import(config: &Config, file: &Path) -> anyhow::Result<()> {
    run::make_folder(&config.server.data_dir)?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let path = run::store_file(&config.server.data_dir);
    let store = match Store::restore(file, &path, wall(&SystemClock)) {
        Err(error @ StoreError::Refused(Refusal::NotEmpty)) => return Err(error).context(SITE_IN_USE),
        restored => restored.with_context(|| format!("{} was not imported", file.display()))?,
    };
    let name = store.settings()?.site_name;
    say(&format!("{name} is restored. Everybody has to log in again.\n"));
    Ok(())
}
