//! How long a relay waits before it tries again. A value: randomness is an argument.

use std::time::Duration;

/// The first pause is about this.
const FIRST: Duration = Duration::from_secs(1);
/// The longest, and the one after a refusal.
const LONGEST: Duration = Duration::from_mins(1);
/// A connection that was live for so long was a good one: the next pause is short again.
const GOOD: Duration = Duration::from_secs(10);

/// One relay's pauses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    /// In a row.
    failures: u32,
}

impl Backoff {
    /// The pause after a connection failed that was live for so long. Half of it is random, so that relays of many boards do not all come back at once.
    pub(super) fn failed(&mut self, live_for: Option<Duration>, random: u32) -> Duration {
        if live_for.is_some_and(|live_for| live_for >= GOOD) {
            self.failures = 0;
        }
        let most = (FIRST * 2u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = (self.failures + 1).min(16);
        jittered(most, random)
    }

    /// The pause after a refusal: a person has to do something first, as a rule.
    pub(super) fn refused(random: u32) -> Duration {
        jittered(LONGEST, random)
    }
}

/// From half of it to all of it.
fn jittered(most: Duration, random: u32) -> Duration {
    most.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_a_good_connection() {
        let mut backoff = Backoff::default();
        let seconds: Vec<_> = (0..8).map(|_| backoff.failed(None, u32::MAX).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.failed(Some(Duration::from_secs(9)), u32::MAX).as_secs(), 60);
        assert_eq!(backoff.failed(Some(GOOD), 0), FIRST / 2);
        assert_eq!(Backoff::refused(0), LONGEST / 2);
    }
}
