//! Waiting for one or several video devices at once, with a timeout (poll(2) as "Video for Linux API" defines it for devices).

use super::ioctl::VideoDevice;
use crate::error::DeviceError;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::os::fd::AsFd;
use std::time::Duration;

/// The result of [`wait`] for one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// A capture buffer is finished.
    pub capture: bool,
    /// An output buffer is free again.
    pub output: bool,
    /// The queue is in error, or the device is gone: the next dequeue says which.
    pub error: bool,
}

impl Readiness {
    /// True for a queue in error with nothing to dequeue.
    pub fn is_dead(self) -> bool {
        self.error && !self.capture && !self.output
    }
}

/// Waits until one of the devices has something that its `Readiness` asks for, `timeout` at most. A signal ends the
/// wait early.
pub fn wait<const N: usize>(
    devices: [(&VideoDevice, Readiness); N],
    timeout: Duration,
) -> Result<[Readiness; N], DeviceError> {
    let mut polled = devices.map(|(device, interest)| {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, interest.capture);
        events.set(PollFlags::OUT, interest.output);
        PollFd::from_borrowed_fd(device.as_fd(), events)
    });
    // A longer time than the kernel can count is no limit.
    let timeout = Timespec::try_from(timeout).ok();
    match rustix::event::poll(&mut polled, timeout.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok([Readiness::default(); N]),
        Err(errno) => {
            return Err(DeviceError::working(devices[0].0.path(), "waiting for a picture", errno.into()));
        }
    }
    Ok(polled.map(|entry| {
        let events = entry.revents();
        Readiness {
            capture: events.contains(PollFlags::IN),
            output: events.contains(PollFlags::OUT),
            error: events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        }
    }))
}
