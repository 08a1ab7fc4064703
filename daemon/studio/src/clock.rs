//! The one place that asks the operating system for the time; everything else gets a clock.
//!
//! Media, deadlines and lifetimes inside a run go by the monotonic clock (the one V4L2 stamps its buffers with);
//! wall time is only for people, because a board without a real-time clock jumps when NTP answers.

use perch_store::Timestamp;
use rustix::time::ClockId;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads both clocks. Tests pass one that they advance by hand.
pub trait Clock: Send + Sync + 'static {
    /// `CLOCK_MONOTONIC`: time since an arbitrary zero at boot.
    fn monotonic(&self) -> Duration;
    /// `CLOCK_BOOTTIME`: like the monotonic clock, but it also counts while the machine sleeps, as a watch does.
    fn since_boot(&self) -> Duration;
    /// `CLOCK_REALTIME`: the time on a person's watch, once it has been set.
    fn wall(&self) -> SystemTime;
    /// Blocks the calling thread for `at_most`, or until somebody unparks it (`std::thread::Thread::unpark`). May also
    /// return early without a reason, so check the time again.
    fn park(&self, at_most: Duration);
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        read(ClockId::Monotonic)
    }

    fn since_boot(&self) -> Duration {
        read(ClockId::Boottime)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn park(&self, at_most: Duration) {
        std::thread::park_timeout(at_most);
    }
}

/// Wall time in the store's type.
pub fn wall(clock: &dyn Clock) -> Timestamp {
    let millis = match clock.wall().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()),
        Err(before) => i64::try_from(before.duration().as_millis()).map(std::ops::Neg::neg),
    };
    Timestamp::from_unix_millis(millis.unwrap_or(i64::MAX))
}

/// Waits for a moment of the runtime's clock; for ever if there is none.
pub async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits until the monotonic clock's next multiple of `period`. Whoever looks after something every few seconds waits so: they then look at one
/// moment, and an idle processor is woken once for all of them.
pub async fn next_round(clock: &dyn Clock, period: Duration) {
    tokio::time::sleep(left_of_round(clock.monotonic(), period)).await;
}

/// From `now` to the next multiple of `period`; never zero.
fn left_of_round(now: Duration, period: Duration) -> Duration {
    let round = period.as_nanos().max(1);
    Duration::from_nanos((round - now.as_nanos() % round) as u64)
}

/// What the calling thread has used of the processor.
pub(crate) fn used_by_this_thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let now = rustix::time::clock_gettime(clock);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A clock that stands still until a test advances it, and that advances when somebody waits for it.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Default)]
pub struct HandClock(std::sync::Mutex<(Duration, Duration)>);

#[cfg(any(test, feature = "testing"))]
impl HandClock {
    /// Monotonic zero at `wall` after the Unix epoch.
    pub fn at_wall(wall: Duration) -> Self {
        Self(std::sync::Mutex::new((Duration::ZERO, wall)))
    }

    /// Advances both clocks by `by`.
    pub fn turn(&self, by: Duration) {
        let mut both = self.0.lock().expect("no test panics while it turns the clock");
        both.0 += by;
        both.1 += by;
    }

    /// Sets the wall clock.
    pub fn set_wall(&self, wall: Duration) {
        self.0.lock().expect("no test panics while it turns the clock").1 = wall;
    }
}

#[cfg(any(test, feature = "testing"))]
impl Clock for HandClock {
    fn monotonic(&self) -> Duration {
        self.0.lock().expect("no test panics while it turns the clock").0
    }

    fn since_boot(&self) -> Duration {
        self.monotonic()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.0.lock().expect("no test panics while it turns the clock").1
    }

    fn park(&self, at_most: Duration) {
        self.turn(at_most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_one_period_end_together() {
        let (ms, five) = (Duration::from_millis, Duration::from_secs(5));
        for (now, left) in [(0, 5000), (1, 4999), (4999, 1), (5000, 5000), (7_205_003, 4997)] {
            assert_eq!(left_of_round(ms(now), five), ms(left), "at {now}");
        }
    }
}
