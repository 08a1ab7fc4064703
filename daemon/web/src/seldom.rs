//! Lines of the log that strangers can cause: at most one a minute.

use perch_studio::clock::Clock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds between two lines.
const APART: u64 = 60;

/// When a line was last written.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// Seconds of the monotonic clock after which the next line may be written.
    next: AtomicU64,
}

impl Seldom {
    /// True if the line may be written now; then the next one has to wait.
    pub(super) fn may(&self, clock: &dyn Clock) -> bool {
        let now = clock.monotonic().as_secs();
        let next = self.next.load(Ordering::Relaxed);
        now >= next
            && self.next.compare_exchange(next, now + APART, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_studio::clock::HandClock;
    use std::time::Duration;

    #[test]
    fn a_line_is_written_once_a_minute() {
        let (clock, seldom) = (HandClock::default(), Seldom::default());
        let written = || (0..10).filter(|_| seldom.may(&clock)).count();
        assert_eq!((written(), written()), (1, 0));
        clock.turn(Duration::from_secs(APART));
        assert_eq!(written(), 1);
    }
}
