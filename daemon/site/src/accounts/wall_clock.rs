//! Corrects dates after the clock is set. A board without a battery does not know the time until the network gives it. When its
//! clock jumps, everything dated since the start (or the previous jump) is corrected by the same amount, including logins, so
//! that none expires by mistake.

use perch_store::{ClockCorrection, Store, StoreError, Timestamp};
use perch_studio::clock::Clock;
use perch_studio::clock::wall;
use std::sync::{Arc, Mutex, MutexGuard};

/// Smaller steps are normal clock adjustment.
const JUMP_MS: i64 = 5_000;

/// The clock's history.
pub struct WallClock {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Clone, Copy)]
struct Known {
    /// Start of the present period without a jump.
    since: Timestamp,
    /// Wall time at boot, in milliseconds.
    boot: i64,
}

impl WallClock {
    /// Starts from the clock's present time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (since, boot) = read(&*clock);
        Self { clock, known: Mutex::new(Known { since, boot }) }
    }

    /// True if the clock was set, so that [`Self::correct`] has work to do.
    pub fn was_set(&self) -> bool {
        (read(&*self.clock).1 - self.known().boot).abs() >= JUMP_MS
    }

    /// Corrects dates if the clock was set. Blocks; concurrent callers wait until it is done.
    pub fn correct(&self, store: &Store) -> Result<(), StoreError> {
        let mut known = self.known();
        let (now, boot) = read(&*self.clock);
        let behind_ms = boot - known.boot;
        if behind_ms.abs() < JUMP_MS {
            return Ok(());
        }
        let showed = Timestamp::from_unix_millis(now.unix_millis() - behind_ms + 1);
        store.correct_times(&ClockCorrection { provisional: known.since..showed, behind_ms })?;
        tracing::info!("the clock was set by {} s: correcting the dates since the start", behind_ms / 1000);
        *known = Known { since: now, boot };
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nothing panics while it holds the lock")
    }
}

fn read(clock: &dyn Clock) -> (Timestamp, i64) {
    let now = wall(clock);
    let up = i64::try_from(clock.since_boot().as_millis()).unwrap_or(i64::MAX);
    (now, now.unix_millis().saturating_sub(up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{NewUser, PasswordHash};
    use perch_studio::clock::HandClock;
    use std::time::Duration;

    #[test]
    fn logins_of_a_clock_that_was_off_last_as_long_as_they_should() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        // 1970, as on a board without a battery.
        let clock = Arc::new(HandClock::at_wall(Duration::from_secs(20)));
        let wall_clock = WallClock::new(clock.clone());
        let after = |days: i64| Timestamp::from_unix_millis(wall(&*clock).unix_millis() + days * 86_400_000);
        let new = NewUser {
            username: "ann".to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("x"),
        };
        clock.turn(Duration::from_mins(1));
        let user = store.create_owner(&new, after(0)).unwrap().id;
        store.open_session(user, &[1; 32], "", after(0), after(30)).unwrap();
        clock.turn(Duration::from_mins(1));
        assert!(!wall_clock.was_set());
        clock.set_wall(Duration::from_secs(1_795_000_000));
        assert!(wall_clock.was_set());
        wall_clock.correct(&store).unwrap();
        assert!(!wall_clock.was_set());
        let made = store.user(user).unwrap().created_at;
        assert_eq!(made.unix_millis(), 1_795_000_000_000 - 60_000);
        store.refresh_session(&[1; 32], &[2; 32], after(29), after(59)).unwrap();
        // The correction happens once.
        clock.turn(Duration::from_mins(1));
        wall_clock.correct(&store).unwrap();
        assert_eq!(store.user(user).unwrap().created_at, made);
    }

    #[test]
    fn a_clock_that_is_kept_right_was_not_set() {
        let clock = Arc::new(HandClock::at_wall(Duration::from_secs(1_795_000_000)));
        let wall_clock = WallClock::new(clock.clone());
        clock.turn(Duration::from_hours(24));
        clock.set_wall(Duration::from_secs(1_795_000_000 + 86_400 + 4));
        assert!(!wall_clock.was_set());
    }
}
