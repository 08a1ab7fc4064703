//! Root gives up its rights before a command works in perchd's data directory. The directory is perchd's, which may have left links there; and what
//! root makes there, perchd could not open.

use anyhow::Context as _;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Makes root the owner of the directory, for good. Call it before any thread is started: the rights are those of this thread, and of those that it starts.
/// Does nothing for another user, for a directory of root's own, and without a directory.
pub(super) fn become_owner_of(data_dir: &Path) -> anyhow::Result<()> {
    let Ok(found) = std::fs::metadata(data_dir) else { return Ok(()) };
    if !geteuid().is_root() || found.uid() == 0 {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
    set_thread_groups(&[group])
        .and_then(|()| set_thread_res_gid(group, group, group))
        .and_then(|()| set_thread_res_uid(user, user, user))
        .with_context(|| format!("cannot work as the owner of {}", data_dir.display()))
}
