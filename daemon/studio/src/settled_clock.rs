//! The wall clock where something is deleted by its age: a clock that is set ahead by twenty years would make everything too old.

use crate::clock::{Clock, wall};
use perch_store::Timestamp;
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;
/// A smaller step of the wall clock is no jump: it makes nothing too old by mistake.
const JUMP_MS: i64 = 3_600_000;
/// If the clock is this much later than the newest date known when the daemon starts, it may have jumped.
const AWAY_MS: i64 = 7 * DAY_MS;
/// After a jump the wall clock is not used for this long: somebody may correct it.
const WAIT: Duration = Duration::from_hours(24);

/// Decides whether the wall clock can be trusted for deleting by age.
#[derive(Clone, Copy, Debug)]
pub struct SettledClock {
    /// Wall time at boot, computed from the present wall time.
    boot: i64,
    /// Time of its last jump, since boot.
    jumped_at: Option<Duration>,
    /// True once it was read in this run.
    is_known: bool,
}

impl SettledClock {
    /// Begins with what the clock shows now.
    pub fn new(clock: &dyn Clock) -> Self {
        Self { boot: boot(clock), jumped_at: None, is_known: false }
    }

    /// Wall time, or `None` for a day after a jump. Must be called more often than once a day. A jump before this run is recognised by
    /// `newest`, the newest date of what may be deleted; a board that was off for long therefore waits a day without need.
    pub fn now(&mut self, clock: &dyn Clock, newest: Option<Timestamp>) -> Option<Timestamp> {
        let (boot, since_boot) = (boot(clock), clock.since_boot());
        let was_away =
            newest.is_some_and(|newest| wall(clock).unix_millis() - newest.unix_millis() > AWAY_MS);
        let is_first = !std::mem::replace(&mut self.is_known, true);
        if self.boot.abs_diff(boot) >= JUMP_MS.unsigned_abs() || (is_first && was_away) {
            self.jumped_at = Some(since_boot);
        }
        self.boot = boot;
        let is_over = |jumped_at: Duration| since_boot.saturating_sub(jumped_at) >= WAIT;
        self.jumped_at.is_none_or(is_over).then(|| wall(clock))
    }
}

fn boot(clock: &dyn Clock) -> i64 {
    let since_boot = i64::try_from(clock.since_boot().as_millis()).unwrap_or(i64::MAX);
    wall(clock).unix_millis().saturating_sub(since_boot)
}
