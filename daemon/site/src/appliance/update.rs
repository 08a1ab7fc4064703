//! Updates of the whole system, if Perch may install them: on the card image, which has two systems. perchd receives the file,
//! asks for the installation by writing a file in its runtime directory, and reads the progress; the image's
//! `/usr/lib/perch/update` does the rest, as root.
//!
//! Not here: an update's content beyond its first bytes, who may install one, and HTTP (perch-web).

use crate::removal::remove;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Name of the file in perchd's runtime directory that asks for the installation; a `.path` unit of the image watches for it.
const WORD: &str = "update";
/// Name of the file beside it that says: the owner wants this one although it is older than the system.
const OLDER: &str = "update-older";
/// An incomplete upload, in the data directory.
const ARRIVING: &str = "incoming.update.part";
/// The complete file once the installation is asked for; the image's script deletes it.
const ARRIVED: &str = "incoming.update";
/// Bytes read of the progress file, which has one line.
const LINE_BYTES: u64 = 4096;
/// Characters of the reason for a refusal: some sentences.
const WORDS_CHARACTERS: usize = 500;

/// Number of leading bytes that identify an update: the header of a tar's first member.
pub const HEAD_BYTES: usize = 512;
/// Position and value of the magic number in that header (POSIX.1-2017, pax, "ustar Interchange Format"). GNU tar begins it with
/// the same letters.
const MAGIC: (usize, &[u8]) = (257, b"ustar");
/// The first member's name, with its terminator.
const FIRST: &[u8] = b"SHA256SUMS\0";

/// True if a file with this beginning can be an update.
pub fn looks_like_one(head: &[u8]) -> bool {
    head.len() == HEAD_BYTES && head.starts_with(FIRST) && head[MAGIC.0..].starts_with(MAGIC.1)
}

/// The state of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateState {
    /// There is none.
    Idle,
    /// It is being uploaded.
    Arriving,
    /// It is being checked, and written beside the running system.
    Installing,
    /// It is written; the board restarts into it.
    Restarting,
    /// The running system is on trial.
    Trial,
    /// The trial succeeded: the system is kept.
    Kept,
    /// Nothing was changed; the text says why.
    Refused(String),
    /// Nothing was changed, because it is older than the running system; the text says so with both versions. The owner may insist.
    Older(String),
    /// It did not become ready: the previous system runs again.
    Left,
}

impl UpdateState {
    /// True while the image's scripts are working on one.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Installing | Self::Restarting | Self::Trial)
    }
}

/// Why no other update is accepted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateBusy {
    /// An upload is in progress.
    #[error("another update is being uploaded: wait for it, or cancel it where it was started")]
    Arriving,
    /// An update is being installed or on trial.
    #[error("an update is already being installed: wait for its result")]
    UnderWay,
}

/// The data directory or the runtime directory cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the update: {0}")]
pub struct UpdateFileError(#[from] pub io::Error);

/// The interface to the image's scripts.
pub struct Updates {
    reports: PathBuf,
    word: PathBuf,
    older: PathBuf,
    data_dir: PathBuf,
    turn: Arc<Semaphore>,
}

impl Updates {
    /// `None` unless systemd runs us (`RUNTIME_DIRECTORY`) on a machine that takes updates through Perch. Removes files that an
    /// earlier run left unfinished.
    pub fn new(runtime_directories: Option<&str>, data_dir: &Path) -> Option<Self> {
        let first = runtime_directories?.split(':').next().filter(|path| path.starts_with('/'))?;
        let reports = PathBuf::from(format!("{first}-update"));
        let updates = reports.is_dir().then(|| Self {
            reports,
            word: Path::new(first).join(WORD),
            older: Path::new(first).join(OLDER),
            data_dir: data_dir.to_owned(),
            turn: Arc::new(Semaphore::new(1)),
        })?;
        if let Err(error) = updates.clear() {
            tracing::warn!("cannot remove an update that an earlier run left: {error}");
        }
        Some(updates)
    }

    /// The update's state. Reads a file in memory.
    pub fn state(&self) -> UpdateState {
        if self.turn.available_permits() == 0 {
            return UpdateState::Arriving;
        }
        self.installed()
    }

    /// The scripts' report; a request that they have not read yet counts as installing.
    fn installed(&self) -> UpdateState {
        if self.word.exists() {
            return UpdateState::Installing;
        }
        let mut line = Vec::new();
        let file = File::open(self.reports.join("state"));
        match file.and_then(|file| file.take(LINE_BYTES).read_to_end(&mut line)) {
            Ok(_) => parse(&String::from_utf8_lossy(&line)),
            Err(_) => UpdateState::Idle,
        }
    }

    /// An empty file for an upload, unless another update is in progress. Blocks.
    pub fn begin(self: &Arc<Self>) -> Result<(Incoming, File), BeginError> {
        let turn = self.turn.clone().try_acquire_owned().map_err(|_| UpdateBusy::Arriving)?;
        if self.installed().is_under_way() {
            return Err(UpdateBusy::UnderWay.into());
        }
        self.clear().map_err(UpdateFileError)?;
        let incoming = Incoming { updates: self.clone(), _turn: turn };
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(incoming.part());
        Ok((incoming, file.map_err(UpdateFileError)?))
    }

    /// Removes leftovers that no script is reading.
    fn clear(&self) -> io::Result<()> {
        remove(&self.data_dir.join(ARRIVING))?;
        if self.installed() == UpdateState::Installing {
            return Ok(());
        }
        remove(&self.older)?;
        remove(&self.data_dir.join(ARRIVED))
    }
}

/// Why no upload can begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// Another update is in progress.
    #[error(transparent)]
    Busy(#[from] UpdateBusy),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] UpdateFileError),
}

/// An update being uploaded. Dropped before it is [handed over](Self::hand_over), it leaves nothing behind.
pub struct Incoming {
    updates: Arc<Updates>,
    /// Dropped last, so the next upload can begin only when this one has cleaned up.
    _turn: OwnedSemaphorePermit,
}

impl Incoming {
    fn part(&self) -> PathBuf {
        self.updates.data_dir.join(ARRIVING)
    }

    /// Syncs the complete `file` and asks for the installation, also of an update that is older than the system if the owner
    /// insists (`may_be_older`). Blocks while the card writes.
    pub fn hand_over(self, file: &File, may_be_older: bool) -> Result<(), UpdateFileError> {
        file.sync_all()?;
        let data_dir = &self.updates.data_dir;
        let arrived = data_dir.join(ARRIVED);
        fs::rename(self.part(), &arrived)?;
        File::open(data_dir)?.sync_all()?;
        let older = may_be_older.then(|| fs::write(&self.updates.older, "it may be older\n"));
        let asked = || fs::write(&self.updates.word, "an update has arrived\n");
        older.unwrap_or(Ok(())).and_then(|()| asked()).inspect_err(|_| {
            // The first error counts.
            let _ = remove(&arrived);
        })?;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.part()) {
            tracing::warn!("cannot remove an update that did not arrive: {error}");
        }
    }
}

/// Parses the scripts' line.
pub(crate) fn parse(text: &str) -> UpdateState {
    let line = text.lines().next().unwrap_or_default().trim_end();
    match line.split_once(' ').unwrap_or((line, "")) {
        ("installing", _) => UpdateState::Installing,
        ("restarting", _) => UpdateState::Restarting,
        ("trial", _) => UpdateState::Trial,
        ("kept", _) => UpdateState::Kept,
        ("refused", words) => UpdateState::Refused(said(words)),
        ("older", words) => UpdateState::Older(said(words)),
        ("left", _) => UpdateState::Left,
        _ => UpdateState::Idle,
    }
}

/// The scripts' words, without control characters and not too many.
fn said(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(WORDS_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use tempfile::TempDir;

    /// A machine that takes updates: its runtime directory is `perch`, its data directory `data`.
    fn machine() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["perch", "perch-update", "data"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        dir
    }

    fn updates(dir: &Path) -> Arc<Updates> {
        Arc::new(Updates::new(dir.join("perch").to_str(), &dir.join("data")).unwrap())
    }

    fn says(dir: &Path, state: &str) {
        fs::write(dir.join("perch-update/state"), state).unwrap();
    }

    fn left_in(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir.join("data")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_machine_without_the_scripts_takes_none() {
        let dir = tempfile::tempdir().unwrap();
        for none in [None, Some(""), Some("relative"), dir.path().join("perch").to_str()] {
            assert!(Updates::new(none, dir.path()).is_none(), "{none:?}");
        }
    }

    #[test]
    fn what_the_scripts_say_is_bounded_and_what_they_do_not_say_is_nothing() {
        let dir = machine();
        let updates = updates(dir.path());
        assert_eq!(updates.state(), UpdateState::Idle);
        for (text, state) in [
            ("installing\n", UpdateState::Installing),
            ("restarting", UpdateState::Restarting),
            ("trial\nmore\n", UpdateState::Trial),
            ("kept \n", UpdateState::Kept),
            ("left\n", UpdateState::Left),
            ("refused the file is damaged\n", UpdateState::Refused("the file is damaged".to_owned())),
            ("refused a\u{1b}[31mb\tc\u{7}\n", UpdateState::Refused("a[31mbc".to_owned())),
            ("refused\n", UpdateState::Refused(String::new())),
            ("older it is of May\n", UpdateState::Older("it is of May".to_owned())),
            ("keptt\n", UpdateState::Idle),
            ("", UpdateState::Idle),
            ("\u{0}", UpdateState::Idle),
        ] {
            says(dir.path(), text);
            assert_eq!(updates.state(), state, "{text}");
        }
        says(dir.path(), &format!("refused {}", "é".repeat(1 << 20)));
        let UpdateState::Refused(words) = updates.state() else { panic!("refused") };
        assert_eq!(words.chars().count(), WORDS_CHARACTERS);
    }

    #[test]
    fn an_update_is_handed_over_whole_with_a_word() {
        let dir = machine();
        let updates = updates(dir.path());
        let (incoming, mut file) = updates.begin().unwrap();
        assert_eq!(
            (updates.state(), left_in(dir.path())),
            (UpdateState::Arriving, vec![ARRIVING.to_owned()])
        );
        assert!(matches!(updates.begin(), Err(BeginError::Busy(UpdateBusy::Arriving))));
        file.write_all(b"all of it").unwrap();
        incoming.hand_over(&file, false).unwrap();
        assert!(dir.path().join("perch/update").exists());
        assert!(!dir.path().join("perch/update-older").exists());
        let arrived = dir.path().join("data/incoming.update");
        assert_eq!(fs::read(&arrived).unwrap(), b"all of it");
        assert_eq!(fs::metadata(&arrived).unwrap().permissions().mode() & 0o777, 0o600);
        // No script has read the request yet.
        assert_eq!(updates.state(), UpdateState::Installing);
        for state in ["installing", "restarting", "trial"] {
            says(dir.path(), state);
            remove(&dir.path().join("perch/update")).unwrap();
            assert!(matches!(updates.begin(), Err(BeginError::Busy(UpdateBusy::UnderWay))), "{state}");
        }
        for state in ["kept", "left", "refused it is damaged"] {
            says(dir.path(), state);
            drop(updates.begin().unwrap());
            assert_eq!(left_in(dir.path()), [""; 0], "{state}");
        }
    }

    #[test]
    fn an_older_one_is_asked_for_in_so_many_words_and_only_once() {
        let dir = machine();
        let updates = updates(dir.path());
        let (incoming, file) = updates.begin().unwrap();
        incoming.hand_over(&file, true).unwrap();
        assert!(dir.path().join("perch/update-older").exists() && dir.path().join("perch/update").exists());
        remove(&dir.path().join("perch/update")).unwrap();
        says(dir.path(), "refused it is damaged");
        drop(updates.begin().unwrap());
        assert!(!dir.path().join("perch/update-older").exists(), "it holds for the next one, too");
    }

    #[test]
    fn the_word_and_the_file_are_where_the_image_looks_for_them() {
        let unit = include_str!("../../../../image/root/etc/systemd/system/perch-update.path");
        assert!(unit.lines().any(|line| line == format!("PathExists=/run/perch/{WORD}")));
        let script = include_str!("../../../../image/root/usr/lib/perch/update");
        assert!(script.contains(&format!("$state/perch/{ARRIVED}\"")));
        assert!(script.contains("\"$word-older\"") && OLDER == format!("{WORD}-older"));
    }

    #[test]
    fn nothing_is_left_of_what_did_not_arrive_or_cannot_be_handed_over() {
        let dir = machine();
        let updates = updates(dir.path());
        let (incoming, file) = updates.begin().unwrap();
        drop((incoming, file));
        assert_eq!((updates.state(), left_in(dir.path())), (UpdateState::Idle, vec![]));
        fs::remove_dir(dir.path().join("perch")).unwrap();
        let (incoming, file) = updates.begin().unwrap();
        assert!(incoming.hand_over(&file, false).is_err());
        assert_eq!((updates.state(), left_in(dir.path())), (UpdateState::Idle, vec![]));
    }

    #[test]
    fn what_a_run_before_left_is_removed_unless_it_is_being_installed() {
        for (state, is_read) in [("", false), ("kept", false), ("trial", false), ("installing", true)] {
            let dir = machine();
            says(dir.path(), state);
            for name in [ARRIVING, ARRIVED] {
                fs::write(dir.path().join("data").join(name), "old").unwrap();
            }
            updates(dir.path());
            let left: &[&str] = if is_read { &[ARRIVED] } else { &[] };
            assert_eq!(left_in(dir.path()), left, "{state}");
        }
    }

    #[test]
    fn an_update_is_known_by_its_first_bytes() {
        let mut head = [0; HEAD_BYTES];
        head[..10].copy_from_slice(b"SHA256SUMS");
        assert!(!looks_like_one(&head));
        for magic in [b"ustar\x0000", b"ustar  \0"] {
            head[257..265].copy_from_slice(magic);
            assert!(looks_like_one(&head));
        }
        assert!(!looks_like_one(&head[..511]));
        head[10] = b'2';
        assert!(!looks_like_one(&head));
    }
}
