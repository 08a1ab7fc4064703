//! Why nothing is recorded just now, in words for the streamer and the owner. The live stream goes on in every case.

use perch_store::{RecordingTrouble, Refusal, StoreError};
use rustix::io::Errno;
use std::io;
use std::path::Path;

/// What keeps a recording from growing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No space within the limits, even after deleting everything that may be deleted.
    NoRoom,
    /// The file system refused.
    Card(io::Error),
    /// The store refused.
    Store(StoreError),
    /// The recording was deleted while it was growing.
    Deleted,
    /// The recorder panicked; the log says where.
    Fault,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoRoom,
            _ => Self::Card(error),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(Refusal::NotFound { .. }) => Self::Deleted,
            error => Self::Store(error),
        }
    }
}

impl Trouble {
    /// Its kind, for notifications.
    pub(super) fn kind(&self) -> RecordingTrouble {
        let Self::Card(error) = self else {
            return match self {
                Self::NoRoom => RecordingTrouble::NoRoom,
                _ => RecordingTrouble::Failing,
            };
        };
        match Errno::from_io_error(error) {
            Some(Errno::ROFS) => RecordingTrouble::ReadOnly,
            Some(Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO | Errno::STALE) => {
                RecordingTrouble::Missing
            }
            Some(Errno::ACCESS | Errno::PERM) => RecordingTrouble::NotAllowed,
            _ => RecordingTrouble::Failing,
        }
    }

    /// Sentences that say what to do.
    pub(super) fn in_words(&self, folder: &Path) -> String {
        let folder = folder.display();
        let why = match self {
            Self::NoRoom => "there is no room left for recordings: delete some, or pin fewer".to_owned(),
            Self::Store(error) => error.to_string(),
            Self::Deleted => "the recording was deleted".to_owned(),
            Self::Fault => {
                "of a fault in Perch: please report what its log says; it is tried again".to_owned()
            }
            Self::Card(error) => match self.kind() {
                RecordingTrouble::ReadOnly => {
                    format!("the card of {folder} can only be read: it is failing, or was mounted so")
                }
                RecordingTrouble::Missing => format!("{folder} is not there: is its disk plugged in?"),
                RecordingTrouble::NotAllowed => format!("Perch may not write in {folder}"),
                RecordingTrouble::NoRoom | RecordingTrouble::Failing => {
                    format!("the card does not take it: {error}")
                }
            },
        };
        format!("Nothing is recorded just now, because {why}. The live stream is not affected.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_says_what_to_do() {
        let words = |errno: Errno| Trouble::from(io::Error::from(errno)).in_words(Path::new("/mnt/disk"));
        assert!(words(Errno::NOSPC).contains("no room left"), "{}", words(Errno::NOSPC));
        assert!(words(Errno::ROFS).contains("/mnt/disk can only be read"));
        assert!(words(Errno::NOENT).contains("/mnt/disk is not there: is its disk plugged in?"));
        assert!(words(Errno::ACCESS).contains("may not write in /mnt/disk"));
        assert!(words(Errno::IO).contains("the card does not take it"));
    }
}
