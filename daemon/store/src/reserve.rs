//! Space kept back on the card for the store. A login is a write, and so is a deletion: on a full card the owner could not log in
//! to free space.
//!
//! A file beside the store holds that space, and is emptied when little else is left. It is used by whichever commits come first,
//! and is no guarantee: if it cannot be created, the store works without it.

use crate::file;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Space kept back, bytes: enough for some hundreds of logins. After those nothing more can be written.
const HELD: u64 = 1 << 20;
/// Below this much free space a commit may fail, bytes: one of a few small records writes some tens of KiB.
const SCARCE: u64 = 256 << 10;
/// Above this much free space the reserve is created, bytes.
const AMPLE: u64 = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Given,
    /// The file system cannot hold it.
    Impossible,
}

/// The file that holds the space.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    state: Mutex<State>,
}

impl Reserve {
    /// The reserve for the store at `store`; creates nothing yet.
    pub(crate) fn beside(store: &Path) -> Self {
        let mut path = OsString::from(store);
        path.push(".reserve");
        let path = PathBuf::from(path);
        // An empty file is left over from a power cut.
        let is_held = std::fs::metadata(&path).is_ok_and(|found| found.len() == HELD);
        let state = if is_held { State::Held } else { State::Given };
        Self { path, state: Mutex::new(state) }
    }

    /// Takes or releases the space to suit the free space on the card. Call it before each commit.
    pub(crate) fn suit_the_card(&self) {
        if let Ok(card) = statvfs(file::folder(&self.path)) {
            self.suit(card.f_bavail.saturating_mul(card.f_frsize));
        }
    }

    fn suit(&self, free: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match *state {
            // A file that could not be removed is tried again before the next commit.
            State::Held if free < SCARCE => {
                std::fs::remove_file(&self.path).map_or(State::Held, |()| State::Given)
            }
            State::Given if free > AMPLE => self.make().map_or(State::Impossible, |()| State::Held),
            unchanged => unchanged,
        };
    }

    fn make(&self) -> io::Result<()> {
        let file = File::create(&self.path)?;
        fallocate(&file, FallocateFlags::empty(), 0, HELD).inspect_err(|_| {
            // If even this fails, the empty file takes no space.
            let _ = std::fs::remove_file(&self.path);
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn blocks(path: &Path) -> Option<u64> {
        std::fs::metadata(path).ok().map(|found| found.blocks() * 512)
    }

    #[test]
    fn room_is_kept_back_while_there_is_plenty_and_given_up_when_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("perch.redb");
        let file = dir.path().join("perch.redb.reserve");
        let reserve = Reserve::beside(&store);
        for (free, held) in [
            (AMPLE, None),
            (AMPLE + 1, Some(HELD)),
            (SCARCE, Some(HELD)),
            (SCARCE - 1, None),
            // Releasing it frees space, and it is not taken back at once.
            (SCARCE + HELD, None),
            (AMPLE + 1, Some(HELD)),
        ] {
            reserve.suit(free);
            assert_eq!(blocks(&file), held, "with {free} bytes left");
        }
        // A restart finds it.
        Reserve::beside(&store).suit(0);
        assert_eq!(blocks(&file), None);
    }

    #[test]
    fn what_a_power_cut_left_of_it_is_made_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("perch.redb.reserve");
        std::fs::write(&file, b"").unwrap();
        Reserve::beside(&dir.path().join("perch.redb")).suit(AMPLE + 1);
        assert_eq!(blocks(&file), Some(HELD));
    }

    #[test]
    fn where_it_cannot_be_made_it_is_tried_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("perch.redb.reserve");
        let reserve = Reserve::beside(&dir.path().join("perch.redb"));
        // A folder of the same name.
        std::fs::create_dir(&file).unwrap();
        reserve.suit(AMPLE + 1);
        std::fs::remove_dir(&file).unwrap();
        reserve.suit(AMPLE + 1);
        assert_eq!(blocks(&file), None);
    }
}
