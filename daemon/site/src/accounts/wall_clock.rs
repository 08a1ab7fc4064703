//! Corrects dates after the clock is set. A board without a battery does not know the time until the network gives it. When its
//! clock jumps, everything dated since the daemon's start is corrected by the same amount, however often it jumps; open logins keep the
//! time that they had left.

use super::tokens::REFRESH_SECONDS;
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
    /// When the daemon started, by the clock as it is now.
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

    /// Corrects dates if the clock was set; returns the time, by which logins may be judged. Blocks; concurrent callers wait until it is
    /// done.
    pub fn correct(&self, store: &Store) -> Result<Timestamp, StoreError> {
        let mut known = self.known();
        let (now, boot) = read(&*self.clock);
        let behind_ms = boot - known.boot;
        if behind_ms.abs() < JUMP_MS {
            return Ok(now);
        }
        let moved =
            |time: Timestamp, by: i64| Timestamp::from_unix_millis(time.unix_millis().saturating_add(by));
        let showed = moved(now, 1 - behind_ms);
        let (provisional, login_lasts_ms) = (known.since..showed, 1000 * REFRESH_SECONDS);
        store.correct_times(&ClockCorrection { provisional, behind_ms, login_lasts_ms })?;
        tracing::info!("the clock was set by {} s: correcting the dates since the start", behind_ms / 1000);
        *known = Known { since: moved(known.since, behind_ms), boot };
        Ok(now)
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
    use perch_store::{NewUser, PasswordHash, Role};
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

    /// Ten years.
    const DECADE: Duration = Duration::from_hours(10 * 365 * 24);

    #[test]
    fn a_clock_that_is_set_back_and_forth_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        let start = Duration::from_secs(1_795_000_000);
        let clock = Arc::new(HandClock::at_wall(start));
        let now = || wall(&*clock);
        let days = |days: i64| Timestamp::from_unix_millis(now().unix_millis() + days * 86_400_000);
        let new = NewUser {
            username: "ann".to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("x"),
        };
        // From an earlier run.
        let ann = store.create_owner(&new, days(-9)).unwrap();
        let old = store.open_session(ann.id, &[1; 32], "", days(-9), days(21)).unwrap();
        let wall_clock = WallClock::new(clock.clone());
        clock.turn(Duration::from_mins(1));
        let ben =
            store.add_user(&NewUser { username: "ben".to_owned(), ..new }, Role::Viewer, now()).unwrap();
        let login = store.open_session(ben.id, &[2; 32], "", now(), days(30)).unwrap();
        for shown in [start.saturating_sub(DECADE), start + DECADE, start, start + DECADE * 2, start] {
            clock.set_wall(shown + clock.monotonic());
            wall_clock.correct(&store).unwrap();
            for open in [old.id, login.id] {
                assert!(store.session(open).unwrap().expires_at > now(), "with the clock at {shown:?}");
            }
            clock.turn(Duration::from_mins(1));
        }
        assert_eq!([store.user(ann.id).unwrap(), store.user(ben.id).unwrap()], [ann, ben]);
        assert_eq!([store.session(old.id).unwrap(), store.session(login.id).unwrap()], [old, login]);
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_was_dated_while_the_clock_was_wrong_is_dated_right() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        let start = Duration::from_secs(1_795_000_000);
        let clock = Arc::new(HandClock::at_wall(start));
        let wall_clock = WallClock::new(clock.clone());
        clock.set_wall(start.saturating_sub(DECADE));
        wall_clock.correct(&store).unwrap();
        clock.turn(Duration::from_mins(1));
        let new = NewUser {
            username: "ann".to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("x"),
        };
        let ann = store.create_owner(&new, wall(&*clock)).unwrap();
        clock.set_wall(start + Duration::from_mins(1));
        wall_clock.correct(&store).unwrap();
        assert_eq!(store.user(ann.id).unwrap().created_at, wall(&*clock));
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
