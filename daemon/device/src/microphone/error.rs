//! Why a microphone cannot be used, in words that say what the owner can do.

use crate::error::{describe_holders, holders, user_name};
use std::io;
use std::path::{Path, PathBuf};

/// Why a microphone cannot be used, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum MicrophoneError {
    /// There is no such device now (`ENOENT`, `ENODEV`).
    #[error("{name} is not there: plug the microphone in, or name another one (perchd probe lists them)")]
    Missing {
        /// ALSA's name of the device.
        name: String,
    },
    /// It vanished while it was in use (`ENODEV`).
    #[error("{name} vanished: unplugged, or its driver was unloaded")]
    Gone {
        /// ALSA's name of the device.
        name: String,
    },
    /// This user may not open it (`EACCES`, `EPERM`).
    #[error(
        "no permission to open {name}: add the user to the group audio (sudo usermod -aG audio {user}) and log in again"
    )]
    Permission {
        /// ALSA's name of the device.
        name: String,
        /// Login name of the user that perchd runs as, for the command in the text.
        user: String,
    },
    /// Another program uses it (`EBUSY`).
    #[error("{name} is busy: {holders}")]
    Busy {
        /// ALSA's name of the device.
        name: String,
        /// Which programs have it open, as far as this user may see.
        holders: String,
    },
    /// It has no sample format, rate or number of channels that Perch can use.
    #[error("{name} {lacks}")]
    Unsupported {
        /// ALSA's name of the device.
        name: String,
        /// What it lacks, as the rest of a sentence.
        lacks: String,
    },
    /// Any other refusal of the kernel or of alsa-lib.
    #[error("{name}: {operation} failed: {source}")]
    System {
        /// ALSA's name of the device.
        name: String,
        /// The failed operation, in words.
        operation: &'static str,
        /// The answer.
        source: io::Error,
    },
}

impl MicrophoneError {
    /// Classifies the failure of opening the device `name`, whose file is `node`.
    pub(super) fn opening(name: &str, node: Option<&Path>, error: alsa::Error) -> Self {
        let name = name.to_owned();
        match error.errno() {
            libc::ENOENT | libc::ENXIO | libc::ENODEV => Self::Missing { name },
            libc::EACCES | libc::EPERM => Self::Permission { name, user: user_name() },
            libc::EBUSY => {
                let holders = node.map(holders).unwrap_or_default();
                Self::Busy { name, holders: describe_holders(&holders, "/dev/snd/*") }
            }
            _ => Self::working(name, "opening it", error),
        }
    }

    /// Classifies the failure of `operation` on the open device.
    pub(super) fn working(name: impl Into<String>, operation: &'static str, error: alsa::Error) -> Self {
        let name = name.into();
        match error.errno() {
            libc::ENODEV | libc::ENXIO => Self::Gone { name },
            errno => Self::System { name, operation, source: io::Error::from_raw_os_error(errno) },
        }
    }
}

/// The file of the device `hw:CARD=…,DEV=…`, as far as it can be found.
pub(super) fn node_of(name: &str, reports: &[super::MicrophoneReport]) -> Option<PathBuf> {
    reports.iter().find(|report| report.is_named(name)).map(|report| report.node.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        let refused = |errno: i32| {
            MicrophoneError::opening("hw:CARD=C920", None, alsa::Error::new("snd_pcm_open", errno))
                .to_string()
        };
        assert!(refused(libc::ENODEV).contains("plug the microphone in"));
        assert!(refused(libc::EACCES).contains("usermod -aG audio"));
        assert!(refused(libc::EBUSY).contains("fuser -v /dev/snd/*"), "{}", refused(libc::EBUSY));
        assert!(refused(libc::EINVAL).contains("opening it failed"), "{}", refused(libc::EINVAL));
        let gone = MicrophoneError::working(
            "hw:CARD=C920",
            "reading",
            alsa::Error::new("snd_pcm_readi", libc::ENODEV),
        );
        assert!(matches!(gone, MicrophoneError::Gone { .. }), "{gone}");
    }
}
