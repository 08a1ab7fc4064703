//! Limits how fast one person may write in a room: a few messages at once, then one a second; in slow mode one per interval.

use perch_store::UserId;
use std::collections::HashMap;
use std::time::Duration;

/// Messages that a person may send at once.
const BURST: u32 = 5;
/// Interval between messages in the long run.
const APART: Duration = Duration::from_secs(1);
/// Above this number, idle writers are forgotten.
const TIDY_ABOVE: usize = 1024;

/// Recent writers; times are monotonic.
#[derive(Debug, Default)]
pub(super) struct Pace {
    writers: HashMap<UserId, Writer>,
}

#[derive(Debug)]
struct Writer {
    /// When the whole burst is available again.
    rested: Duration,
    last: Duration,
}

impl Pace {
    /// Counts a message of `user`, or returns the time to wait. `slow`: seconds between two messages.
    pub(super) fn admit(&mut self, user: UserId, slow: u32, now: Duration) -> Result<(), Duration> {
        let slow = Duration::from_secs(slow.into());
        if self.writers.len() > TIDY_ABOVE {
            self.writers.retain(|_, writer| writer.rested > now || writer.last + slow > now);
        }
        let Some(writer) = self.writers.get_mut(&user) else {
            self.writers.insert(user, Writer { rested: now + APART, last: now });
            return Ok(());
        };
        let allowed = (writer.rested + APART).saturating_sub(APART * BURST).max(writer.last + slow);
        if let Some(wait) = allowed.checked_sub(now).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        *writer = Writer { rested: writer.rested.max(now) + APART, last: now };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_few_at_once_and_then_one_a_second() {
        let mut pace = Pace::default();
        let [ann, ben] = [1, 2].map(UserId::from_number);
        let said = |pace: &mut Pace, user, now| (0..9).filter(|_| pace.admit(user, 0, now).is_ok()).count();
        assert_eq!(said(&mut pace, ann, seconds(100)), 5);
        assert_eq!(pace.admit(ann, 0, seconds(100)), Err(APART));
        assert_eq!(said(&mut pace, ben, seconds(100)), 5);
        assert_eq!(said(&mut pace, ann, seconds(101)), 1);
        assert_eq!(said(&mut pace, ann, seconds(200)), 5);
    }

    #[test]
    fn slow_mode_counts_from_the_last_message() {
        let mut pace = Pace::default();
        let ann = UserId::from_number(1);
        assert_eq!(pace.admit(ann, 30, seconds(100)), Ok(()));
        assert_eq!(pace.admit(ann, 30, seconds(110)), Err(seconds(20)));
        assert_eq!(pace.admit(ann, 30, seconds(130)), Ok(()));
        assert_eq!(pace.admit(ann, 0, seconds(131)), Ok(()));
    }

    #[test]
    fn those_who_are_quiet_are_forgotten() {
        let mut pace = Pace::default();
        for number in 0..5000_u64 {
            pace.admit(UserId::from_number(number.into()), 0, seconds(10 * number)).unwrap();
        }
        assert!(pace.writers.len() <= TIDY_ABOVE + 1);
    }
}
