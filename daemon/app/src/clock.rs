//! The one place that asks the operating system for the time; everything else is given it.
//!
//! Media, deadlines and lifetimes inside a run go by the monotonic clock (the one V4L2 stamps its buffers with);
//! wall time is only for people, because a board without a real-time clock jumps when NTP answers.

use std::time::{Duration, SystemTime};

/// Reads both clocks. Tests pass one that they turn by hand.
pub trait Clock: Send + Sync + 'static {
    /// `CLOCK_MONOTONIC`: time since an arbitrary zero at boot.
    fn monotonic(&self) -> Duration;
    /// `CLOCK_REALTIME`: what a person's watch shows, when it has been set.
    fn wall(&self) -> SystemTime;
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
