//! Errors of devices, in words that say what the owner can do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a device cannot be used, or not any more. Each text names the device and what the owner can do.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no such device now (`ENOENT`, `ENXIO`, or `ENODEV` when opening).
    #[error("{} is not there: plug the camera in, or name another device (perchd probe lists them)", path.display())]
    Missing {
        /// The device node or link that was asked for.
        path: PathBuf,
    },
    /// It vanished while it was in use (`ENODEV`, or the queue is dead).
    #[error("{} vanished while {operation}: unplugged, or its driver was unloaded", path.display())]
    Gone {
        /// The device node.
        path: PathBuf,
        /// The failed operation, in words.
        operation: &'static str,
    },
    /// This user may not open it (`EACCES`, `EPERM`).
    #[error("no permission to open {}: add the user to the group video (sudo usermod -aG video {user}) and log in again", path.display())]
    Permission {
        /// The device node.
        path: PathBuf,
        /// Login name of the user that perchd runs as, for the command in the text.
        user: String,
    },
    /// Another program uses it (`EBUSY`).
    #[error("{} is busy while {operation}: {holders}", path.display())]
    Busy {
        /// The device node.
        path: PathBuf,
        /// The failed operation, in words.
        operation: &'static str,
        /// Which programs have it open, as far as this user may see.
        holders: String,
    },
    /// It lacks the requested mode.
    #[error("{} cannot do {wanted}: {nearest}", path.display())]
    Mode {
        /// The device node.
        path: PathBuf,
        /// The requested format, size and rate, in words.
        wanted: String,
        /// The nearest mode it has, in words.
        nearest: String,
    },
    /// The kernel has no (contiguous) memory for the buffers (`ENOMEM`).
    #[error(
        "{}: not enough memory for {needed} buffers of {buffer_bytes} bytes ({got} fit): choose a smaller picture, or give \
         the kernel more contiguous memory (cma=256M on the kernel command line)",
        path.display()
    )]
    OutOfMemory {
        /// The device node.
        path: PathBuf,
        /// The fewest buffers that work.
        needed: u32,
        /// Size of one buffer, bytes.
        buffer_bytes: u32,
        /// Number of buffers that the kernel gave.
        got: u32,
    },
    /// It lacks something without which Perch cannot use it.
    #[error("{} {lacks}", path.display())]
    Unsupported {
        /// The device node.
        path: PathBuf,
        /// What it lacks, as the rest of a sentence.
        lacks: String,
    },
    /// Frames go in and nothing comes out.
    #[error("the encoder {} is stuck: {pending} frames in, nothing out for {} ms", path.display(), waited.as_millis())]
    Stuck {
        /// The device node.
        path: PathBuf,
        /// Frames that were given and not returned.
        pending: u32,
        /// Time without output.
        waited: Duration,
    },
    /// The driver's answer makes no sense.
    #[error("the driver of {} misbehaves while {operation}: {detail}", path.display())]
    Driver {
        /// The device node.
        path: PathBuf,
        /// The failed operation, in words.
        operation: &'static str,
        /// The driver's answer.
        detail: String,
    },
    /// Any other refusal of the kernel.
    #[error("{}: {operation} failed: {source}", path.display())]
    System {
        /// The device node.
        path: PathBuf,
        /// The failed operation, in words.
        operation: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl DeviceError {
    /// Classifies the failure of opening `path`.
    pub(crate) fn opening(path: &Path, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::ENOENT | libc::ENXIO | libc::ENODEV | libc::ENOTDIR) => {
                Self::Missing { path: path.into() }
            }
            Some(libc::EACCES | libc::EPERM) => Self::Permission { path: path.into(), user: user_name() },
            _ => Self::working(path, "opening it", source),
        }
    }

    /// Classifies the failure of `operation` on the open device.
    pub(crate) fn working(path: &Path, operation: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => Self::Gone { path: path.into(), operation },
            Some(libc::EBUSY) => Self::Busy {
                path: path.into(),
                operation,
                holders: describe_holders(&holders(path), "/dev/video*"),
            },
            _ => Self::System { path: path.into(), operation, source },
        }
    }

    /// The device that it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::Gone { path, .. }
            | Self::Permission { path, .. }
            | Self::Busy { path, .. }
            | Self::Mode { path, .. }
            | Self::OutOfMemory { path, .. }
            | Self::Unsupported { path, .. }
            | Self::Stuck { path, .. }
            | Self::Driver { path, .. }
            | Self::System { path, .. } => path,
        }
    }

    /// The kernel's error number, if the error came from the kernel.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::System { source, .. } => source.raw_os_error(),
            Self::Missing { .. } | Self::Gone { .. } => Some(libc::ENODEV),
            Self::Permission { .. } => Some(libc::EACCES),
            Self::Busy { .. } => Some(libc::EBUSY),
            Self::OutOfMemory { .. } => Some(libc::ENOMEM),
            _ => None,
        }
    }
}

/// The login name for the `usermod` command; `$USER` literally when the environment names none.
pub(crate) fn user_name() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        })
        .unwrap_or_else(|| "$USER".to_owned())
}

/// A process that has a device open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) name: String,
}

/// Other processes that have `device` open, as far as `/proc` shows them (root sees all, a user only its own).
pub(crate) fn holders(device: &Path) -> Vec<Holder> {
    let device = std::fs::canonicalize(device).unwrap_or_else(|_| device.to_path_buf());
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|descriptors| {
                descriptors
                    .flatten()
                    .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == device))
            })
        })
        .take(4) // enough for a message to a person
        .map(|pid| Holder { pid, name: process_name(pid) })
        .collect()
}

fn process_name(pid: u32) -> String {
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_else(|_| b"?".to_vec());
    String::from_utf8_lossy(&name).trim().to_owned()
}

/// Who uses a device. `devices`: the files that fuser(1) is to be asked about where nobody is seen.
pub(crate) fn describe_holders(holders: &[Holder], devices: &str) -> String {
    if holders.is_empty() {
        return format!("another program uses it (sudo fuser -v {devices} shows which); stop that program");
    }
    let names: Vec<_> =
        holders.iter().map(|holder| format!("{} (pid {})", holder.name, holder.pid)).collect();
    format!("{} has it open; stop that program", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno(number: i32) -> io::Error {
        io::Error::from_raw_os_error(number)
    }

    #[test]
    fn a_missing_device_a_forbidden_one_and_a_vanished_one_are_told_apart() {
        let path = Path::new("/dev/video7");
        assert!(matches!(DeviceError::opening(path, errno(libc::ENOENT)), DeviceError::Missing { .. }));
        assert!(matches!(DeviceError::opening(path, errno(libc::ENODEV)), DeviceError::Missing { .. }));
        assert!(matches!(
            DeviceError::working(path, "dequeuing", errno(libc::ENODEV)),
            DeviceError::Gone { .. }
        ));
        let forbidden = DeviceError::opening(path, errno(libc::EACCES)).to_string();
        assert!(forbidden.contains("/dev/video7") && forbidden.contains("usermod -aG video"), "{forbidden}");
    }

    #[test]
    fn a_busy_device_says_who_holds_it() {
        let holders = [Holder { pid: 12, name: "motion".into() }];
        assert_eq!(
            describe_holders(&holders, "/dev/video*"),
            "motion (pid 12) has it open; stop that program"
        );
        assert!(describe_holders(&[], "/dev/video*").contains("fuser"));
        let busy = DeviceError::working(Path::new("/dev/video7"), "starting to stream", errno(libc::EBUSY));
        assert!(matches!(busy, DeviceError::Busy { .. }));
    }

    #[test]
    fn other_errors_keep_the_kernels_words() {
        let error = DeviceError::working(Path::new("/dev/video7"), "setting the format", errno(libc::EINVAL));
        assert_eq!(error.errno(), Some(libc::EINVAL));
        assert!(error.to_string().contains("setting the format"));
    }
}
