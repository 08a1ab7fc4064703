//! The traits of buttons ([`Contact`]) and lamps ([`Switch`]): GPIO lines in both directions, and keys.

use rustix::event::{PollFd, PollFlags, Timespec};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A contact has closed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// True while the contact is closed (the button is down).
    pub closed: bool,
    /// The kernel's timestamp of the change, on `CLOCK_MONOTONIC`.
    pub at: Duration,
}

/// A button's contact, on whatever it is wired to.
pub trait Contact: Send {
    /// Waits for the next change, `at_most` this long. `None` may come early.
    fn wait(&mut self, at_most: Duration) -> Result<Option<Change>, ContactError>;
    /// True if the contact is closed now. Reads the device, and so corrects the state after a lost change.
    fn is_closed(&mut self) -> Result<bool, ContactError>;
    /// A description for people: `GPIO 3 of gpiochip0 (pinctrl-bcm2711)`.
    fn describe(&self) -> String;
}

/// Something that is on or off. Its owner switches it off before dropping it.
pub trait Switch: Send {
    /// Switches it on or off, without waiting.
    fn set(&mut self, on: bool) -> Result<(), ContactError>;
    /// A description for people.
    fn describe(&self) -> String;
}

/// Why a contact or a switch cannot be used, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// No such GPIO chip.
    #[error("there is no GPIO chip {wanted}; {there} (perchd probe lists them)")]
    NoChip {
        /// The configured chip: its name, label or node.
        wanted: String,
        /// The chips that exist, as the rest of the sentence.
        there: String,
    },
    /// The chip has fewer lines.
    #[error("{chip} has no line {line}: it has {lines}, counted from 0")]
    NoLine {
        /// The chip, for people.
        chip: String,
        /// The configured line number.
        line: u32,
        /// Number of lines of the chip.
        lines: u32,
    },
    /// Another program uses the line.
    #[error("line {line} of {chip} is in use{by}: use another line, or stop what uses it")]
    Taken {
        /// The chip, for people.
        chip: String,
        /// The configured line number.
        line: u32,
        /// ` by NAME`, or empty when the kernel names no user.
        by: String,
    },
    /// This user may not open it.
    #[error("no permission to open {}: add the user to the group {group} (sudo usermod -aG {group} USER) and log in again", path.display())]
    Permission {
        /// The device node.
        path: PathBuf,
        /// The group that usually owns it.
        group: &'static str,
    },
    /// The device is not plugged in.
    #[error("{} is not there: plug it in, or name another device", path.display())]
    Missing {
        /// The configured device node.
        path: PathBuf,
    },
    /// The device has no such key.
    #[error("{device} has no key {key}")]
    NoKey {
        /// The device's name.
        device: String,
        /// The configured key.
        key: String,
    },
    /// Any other refusal.
    #[error("{device}: {operation} failed: {detail}")]
    System {
        /// The device's description.
        device: String,
        /// The failed operation, in words.
        operation: &'static str,
        /// The kernel's answer.
        detail: String,
    },
}

impl ContactError {
    /// Classifies the failure of opening `path`.
    pub(crate) fn opening(path: &Path, group: &'static str, source: &std::io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::ENOENT | libc::ENXIO | libc::ENODEV | libc::ENOTDIR) => {
                Self::Missing { path: path.into() }
            }
            Some(libc::EACCES | libc::EPERM) => Self::Permission { path: path.into(), group },
            _ => Self::failed(&path.display(), "opening it", source),
        }
    }

    pub(crate) fn failed(
        device: &dyn std::fmt::Display,
        operation: &'static str,
        detail: &dyn std::fmt::Display,
    ) -> Self {
        Self::System { device: device.to_string(), operation, detail: detail.to_string() }
    }
}

/// Waits until a read returns data or an error. A signal ends the wait early.
pub(crate) fn is_readable(file: BorrowedFd<'_>, at_most: Duration) -> bool {
    // A longer time than the kernel can count is no limit.
    let timeout = Timespec::try_from(at_most).ok();
    let mut polled = [PollFd::from_borrowed_fd(file, PollFlags::IN)];
    matches!(rustix::event::poll(&mut polled, timeout.as_ref()), Ok(1..))
}
