//! `perchd run`: puts the daemon together, in the order of the data, and takes it apart again.

use super::CommandError;
use crate::config::Config;
use crate::system::log;
use anyhow::Context as _;
use perch_store::Store;
use std::path::Path;
use std::sync::Arc;

/// Runs until a signal ends it.
pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    log::start(config.log.level).map_err(|error| CommandError::Config(error.into()))?;
    let store = Arc::new(open_store(&config.server.data_dir)?);
    let runtime = runtime().context("cannot start the runtime")?;
    runtime.block_on(async move {
        let _ = store;
    });
    Ok(())
}

fn open_store(data_dir: &Path) -> anyhow::Result<Store> {
    make_folder(data_dir)?;
    Ok(Store::open(&data_dir.join("perch.redb"))?)
}

/// The data directory, for nobody else's eyes: sessions, messages and stream keys will be in it.
fn make_folder(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(dir).with_context(|| {
        format!(
            "cannot make the data directory {}: give one that you may write to with --data-dir",
            dir.display()
        )
    })
}

/// Few threads with small stacks: a board has little memory, and the work per request is small.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.clamp(2, 4))
        .max_blocking_threads(8)
        .thread_stack_size(512 << 10)
        .thread_name("perchd")
        .enable_all()
        .build()
}
