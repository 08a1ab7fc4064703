//! Notices when video devices come and go.
//!
//! Two sources: the kernel's own uevents (netlink `NETLINK_KOBJECT_UEVENT`, group 1; `lib/kobject_uevent.c`), and a
//! regular look at `/dev`, because a container may not be allowed to listen or may get no events. Either is only a
//! reason to probe again (`probe` says which devices exist). Events arrive before udev has set permissions and links,
//! so the first attempt to open may fail.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Listens for video devices.
#[derive(Debug)]
pub struct Hotplug {
    uevents: Option<OwnedFd>,
    nodes: BTreeSet<OsString>,
}

/// The content of a uevent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEvent {
    /// What happened.
    pub action: Action,
    /// Name under `/dev`, e.g. `video2`, if the kernel gave one.
    pub name: Option<String>,
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A device came.
    Added,
    /// A device went.
    Removed,
    /// Anything else: bound, changed, moved.
    Changed,
}

impl Hotplug {
    /// Pause between two lists of `/dev` while uevents arrive, in case one is missed.
    const LOOK_WITH_UEVENTS: Duration = Duration::from_secs(1);
    /// Pause between two lists of `/dev` without uevents.
    const LOOK_WITHOUT: Duration = Duration::from_millis(250);

    /// Starts to listen.
    pub fn listen() -> Self {
        let uevents = open_uevents();
        if uevents.is_none() {
            tracing::info!(
                "the kernel's device events are not to be had here: looking at /dev four times a second instead"
            );
        }
        Self { uevents, nodes: video_nodes() }
    }

    /// Waits until video devices have come or gone since the last call, `timeout` at most. True if some have.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let slice = if self.uevents.is_some() { Self::LOOK_WITH_UEVENTS } else { Self::LOOK_WITHOUT };
        let mut left = timeout;
        loop {
            if self.look() {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            let now = left.min(slice);
            left -= now;
            if self.hear(now) {
                self.look(); // the event covers what the look would tell
                return true;
            }
        }
    }

    /// Reads the list of nodes. True if it has changed.
    fn look(&mut self) -> bool {
        let nodes = video_nodes();
        std::mem::replace(&mut self.nodes, nodes) != self.nodes
    }

    /// Waits for uevents. True if one was about a video device.
    fn hear(&mut self, timeout: Duration) -> bool {
        let timeout = Timespec::try_from(timeout).ok();
        let Some(socket) = &self.uevents else {
            let _ = rustix::event::poll(&mut [], timeout.as_ref());
            return false;
        };
        let mut polled = [PollFd::new(socket, PollFlags::IN)];
        if !matches!(rustix::event::poll(&mut polled, timeout.as_ref()), Ok(1..)) {
            return false;
        }
        // A burst of events counts once; the bound keeps a flood of them from holding this thread here.
        let mut message = [0; 8192];
        let mut news = false;
        for _ in 0..64 {
            match recvfrom(socket, message.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _, sender)) => {
                    let from_kernel = sender
                        .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                        .is_some_and(|sender| sender.pid() == 0);
                    news |= from_kernel && parse_uevent(&message[..length]).is_some();
                }
                // Events were lost: anything may have happened.
                Err(rustix::io::Errno::NOBUFS) => news = true,
                Err(_) => break,
            }
        }
        news
    }
}

fn open_uevents() -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::KOBJECT_UEVENT)).ok()?;
    bind(&socket, &SocketAddrNetlink::new(0, 1)).ok()?;
    Some(socket)
}

/// Names of the video nodes that exist now.
fn video_nodes() -> BTreeSet<OsString> {
    let Ok(entries) = std::fs::read_dir("/dev") else { return BTreeSet::new() };
    entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.as_encoded_bytes().starts_with(b"video"))
        .take(256) // more than any board has
        .collect()
}

/// Parses a kernel uevent about a video device: `ACTION@PATH`, then `KEY=VALUE` fields, each ended by a zero byte.
pub fn parse_uevent(message: &[u8]) -> Option<DeviceEvent> {
    let mut fields = message.split(|byte| *byte == 0).filter_map(|field| std::str::from_utf8(field).ok());
    let (_, path) = fields.next()?.split_once('@')?;
    let (mut action, mut subsystem, mut name) = (None, None, None);
    for (key, value) in fields.filter_map(|field| field.split_once('=')) {
        match key {
            "ACTION" => {
                action = Some(match value {
                    "add" => Action::Added,
                    "remove" => Action::Removed,
                    _ => Action::Changed,
                });
            }
            "SUBSYSTEM" => subsystem = Some(value),
            "DEVNAME" => name = Some(value.strip_prefix("/dev/").unwrap_or(value).to_owned()),
            _ => {}
        }
    }
    let about_video = path.starts_with('/') && subsystem == Some("video4linux");
    about_video.then_some(DeviceEvent { action: action?, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_camera_that_is_plugged_in_is_news() {
        let message = b"add@/devices/pci/usb1/1-2/video4linux/video2\0ACTION=add\0DEVPATH=/devices/pci/usb1/1-2/video4linux/video2\0\
            SUBSYSTEM=video4linux\0MAJOR=81\0MINOR=2\0DEVNAME=video2\0SEQNUM=4711\0";
        let event = parse_uevent(message).unwrap();
        assert_eq!(event, DeviceEvent { action: Action::Added, name: Some("video2".into()) });
    }

    #[test]
    fn other_devices_and_udevs_own_messages_are_none() {
        assert_eq!(parse_uevent(b"add@/devices/usb1\0ACTION=add\0SUBSYSTEM=usb\0"), None);
        assert_eq!(parse_uevent(b"libudev\0\xfe\xed\xca\xfe\0ACTION=add\0SUBSYSTEM=video4linux\0"), None);
        assert_eq!(parse_uevent(b"add@/x\0SUBSYSTEM=video4linux\0"), None, "no action");
        assert_eq!(parse_uevent(b""), None);
    }

    #[test]
    fn a_wait_without_time_looks_once_and_returns() {
        let mut hotplug = Hotplug { uevents: None, nodes: video_nodes() };
        assert!(!hotplug.wait(Duration::ZERO));
        hotplug.nodes.insert("video-that-was-there".into());
        assert!(hotplug.wait(Duration::ZERO), "one has gone");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(message in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_uevent(&message);
        }
    }
}
