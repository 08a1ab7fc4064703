//! `perchd export` and `perchd import`. A running daemon has the store open, so it is asked for the backup over its console socket;
//! an import is refused while one runs.

use super::console::{self, Daemon};
use super::password_prompt::{self, read_line};
use super::{run, say};
use crate::config::Config;
use anyhow::Context as _;
use perch_site::accounts::secret::Password;
use perch_site::import::{self, ImportError, SealedKeys};
use perch_store::{Refusal, Store, StoreError};
use perch_studio::clock::SystemClock;
use perch_studio::clock::wall;
use rustix::fs::Mode;
use rustix::termios::isatty;
use serde_json::json;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, stdin};
use std::path::Path;

/// Advice after a refused import.
const SITE_IN_USE: &str = "nothing was changed: import into a new folder with --data-dir, \
     or stop perchd, move the old store away, and import again";

/// Writes a backup into `file`, which must not exist; only its owner may read it, since it holds password hashes.
pub(super) fn export(config: &Config, file: &Path) -> anyhow::Result<()> {
    // The process runs only this command and creates no other file.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let written = runtime.block_on(async {
        if let Some(daemon) = console::running_daemon(config).await? {
            return download(&daemon, file).await;
        }
        let store = run::store_file(&config.server.data_dir);
        Ok(Store::back_up_file(&store, file, wall(&SystemClock))?)
    });
    written.with_context(|| format!("no backup was written to {}", file.display()))
}

/// The file appears only when it is complete and synced.
async fn download(daemon: &Daemon, file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        return Err(StoreError::Exists { path: file.to_owned() }.into());
    }
    let mut unfinished = OsString::from(file);
    unfinished.push(".new");
    let received = async {
        let mut into = File::create(&unfinished)?;
        // The console has no password to repeat.
        daemon.download("/api/v1/backup", &json!({"password": ""}), &mut into).await?;
        into.sync_all()?;
        Ok(std::fs::rename(&unfinished, file)?)
    };
    received.await.inspect_err(|_| {
        // The first error counts.
        let _ = std::fs::remove_file(&unfinished);
    })
}

/// How often a person may type the password of the stream keys.
const TRIES: u32 = 3;
const KEYS_PASSWORD: &str =
    "This backup has stream keys. The password of the owner who made it (empty: leave the keys out): ";

/// Replaces a store without accounts with the backup. Asks for the password of its stream keys, if it has any.
pub(super) fn import(config: &Config, file: &Path) -> anyhow::Result<()> {
    run::make_folder(&config.server.data_dir)?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let path = run::store_file(&config.server.data_dir);
    let (store, keys) = match import::import(file, &path, wall(&SystemClock), keys_password) {
        Err(error @ ImportError::Store(StoreError::Refused(Refusal::NotEmpty))) => {
            return Err(error).context(SITE_IN_USE);
        }
        restored => restored.with_context(|| format!("{} was not imported", file.display()))?,
    };
    let name = store.settings()?.site_name;
    let about_keys = match keys {
        SealedKeys::None => "",
        SealedKeys::Opened => " Its stream keys are restored.",
        SealedKeys::LeftOut => " Its stream keys were left out.",
    };
    say(&format!("{name} is restored. Everyone has to log in again.{about_keys}\n"));
    Ok(())
}

/// The password of the stream keys: typed, or a line of standard input.
fn keys_password(wrong: u32) -> io::Result<Option<Password>> {
    let is_typed = isatty(stdin());
    if wrong > 0 {
        let tries = if is_typed { TRIES } else { 1 };
        if wrong >= tries {
            return Err(io::Error::other("it is not the password that they were sealed with"));
        }
        eprintln!("That is not the password that they were sealed with.");
    }
    let line = if is_typed { password_prompt::without_echo(KEYS_PASSWORD) } else { read_line() }?;
    Ok((!line.is_empty()).then(|| Password::new(line)))
}
