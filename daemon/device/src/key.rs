//! A key of a keyboard or a foot pedal as a [`Contact`] (`Documentation/input/event-codes.rst`), through evdev.

use crate::contact::{Change, Contact, ContactError, is_readable};
use evdev::raw_stream::RawDevice;
use evdev::{EventType, InputEvent, KeyCode};
use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::{Duration, UNIX_EPOCH};

/// Group of the device nodes under systemd's own udev rules.
const GROUP: &str = "input";

/// A key, by the kernel's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(KeyCode);

impl Key {
    /// `KEY_B`, `BTN_LEFT`; `None` when the kernel has no such key.
    pub fn from_name(name: &str) -> Option<Self> {
        KeyCode::from_str(name).ok().map(Self)
    }
}

/// A key of one device.
pub struct KeyContact {
    device: RawDevice,
    key: Key,
    path: PathBuf,
    /// Changes that were read and not returned yet; one batch of the kernel's at most.
    changes: VecDeque<Change>,
}

impl KeyContact {
    /// Opens the device that has the key.
    pub fn open(path: &Path, key: Key) -> Result<Self, ContactError> {
        // Read only: writing would only set the keyboard's lights.
        let device = std::fs::File::open(path)
            .and_then(|file| RawDevice::from_fd(file.into()))
            .map_err(|error| ContactError::opening(path, GROUP, &error))?;
        if !device.supported_keys().is_some_and(|keys| keys.contains(key.0)) {
            let name = device.name().unwrap_or("it");
            let name = format!("{name} ({})", path.display());
            return Err(ContactError::NoKey { device: name, key: format!("{:?}", key.0) });
        }
        tell_monotonic_times(&device)
            .map_err(|error| ContactError::failed(&path.display(), "choosing its clock", &error))?;
        Ok(Self { device, key, path: path.into(), changes: VecDeque::new() })
    }

    fn failed(&self, operation: &'static str, error: &std::io::Error) -> ContactError {
        match error.raw_os_error() {
            Some(libc::ENODEV) => ContactError::Missing { path: self.path.clone() },
            _ => ContactError::failed(&self.path.display(), operation, error),
        }
    }
}

impl Contact for KeyContact {
    fn wait(&mut self, at_most: Duration) -> Result<Option<Change>, ContactError> {
        if self.changes.is_empty() && is_readable(self.device.as_fd(), at_most) {
            let key = self.key.0;
            let fetched = self.device.fetch_events();
            let fetched =
                fetched.map(|events| events.filter_map(|event| change(&event, key)).collect::<VecDeque<_>>());
            self.changes = fetched.map_err(|error| self.failed("waiting for the key", &error))?;
        }
        Ok(self.changes.pop_front())
    }

    fn is_closed(&mut self) -> Result<bool, ContactError> {
        let keys = self.device.get_key_state().map_err(|error| self.failed("reading the key", &error))?;
        Ok(keys.contains(self.key.0))
    }

    fn describe(&self) -> String {
        format!("{:?} of {}", self.key.0, self.device.name().unwrap_or("a nameless device"))
    }
}

/// The change that an event means for the key; repetitions of a held key (value 2) are no change.
fn change(event: &InputEvent, key: KeyCode) -> Option<Change> {
    let about_key = event.event_type() == EventType::KEY && event.code() == key.0;
    let closed = match event.value() {
        _ if !about_key => return None,
        0 => false,
        1 => true,
        _ => return None,
    };
    // The crate takes the timestamp for wall time, but it belongs to the clock that was chosen at opening.
    let at = event.timestamp().duration_since(UNIX_EPOCH).ok()?;
    Some(Change { closed, at })
}

/// Makes the kernel stamp this open file's events with the monotonic clock. Wall time is the default, and jumps.
fn tell_monotonic_times(device: &RawDevice) -> std::io::Result<()> {
    /// `EVIOCSCLOCKID` of `linux/input.h`.
    const CHOOSE_CLOCK: rustix::ioctl::Opcode = rustix::ioctl::opcode::write::<libc::c_int>(b'E', 0xa0);
    // SAFETY: the opcode reads one int through its pointer and keeps nothing of it; `Setter` gives it the address of one that
    // lives for the call.
    unsafe {
        let choice = rustix::ioctl::Setter::<CHOOSE_CLOCK, libc::c_int>::new(libc::CLOCK_MONOTONIC);
        rustix::ioctl::ioctl(device.as_fd(), choice)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_by_the_kernels_names() {
        assert_eq!(Key::from_name("KEY_B"), Some(Key(KeyCode::KEY_B)));
        assert_eq!(Key::from_name("BTN_LEFT"), Some(Key(KeyCode::BTN_LEFT)));
        for wrong in ["B", "key_b", "KEY_", "", "48"] {
            assert_eq!(Key::from_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_that_repeats_is_held_and_other_keys_are_none() {
        let told = |code: KeyCode, value| {
            change(&InputEvent::new(EventType::KEY.0, code.0, value), KeyCode::KEY_B)
                .map(|change| change.closed)
        };
        assert_eq!(told(KeyCode::KEY_B, 1), Some(true));
        assert_eq!(told(KeyCode::KEY_B, 2), None);
        assert_eq!(told(KeyCode::KEY_B, 0), Some(false));
        assert_eq!(told(KeyCode::KEY_A, 1), None);
        assert_eq!(change(&InputEvent::new(EventType::SWITCH.0, KeyCode::KEY_B.0, 1), KeyCode::KEY_B), None);
    }

    #[test]
    fn a_device_that_is_not_there_or_no_keyboard_is_said_in_words() {
        let open = |path: &str| {
            KeyContact::open(Path::new(path), Key(KeyCode::KEY_B)).err().map(|error| error.to_string())
        };
        let missing = open("/dev/input/by-id/usb-none").unwrap();
        assert!(missing.contains("/dev/input/by-id/usb-none is not there: plug it in"), "{missing}");
        assert!(open("/dev/null").unwrap().contains("/dev/null"));
    }
}
