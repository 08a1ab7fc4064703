//! Slows down guessing, per guessed name and per address, with waits that grow and end by themselves. Nobody is locked out for
//! good. Many people may share an address (a proxy's, a school's), so that an account has its first tries however many failures its
//! address has, and further ones wait for its own failures.

use perch_studio::clock::Clock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait after a failed attempt.
const LONGEST: Duration = Duration::from_mins(5);
/// Failures are forgotten this long after the last one.
const FORGOTTEN: Duration = Duration::from_hours(1);
/// Subjects in memory, some 100 bytes each; beyond that the oldest are forgotten.
const REMEMBERED: usize = 10_000;
/// Failures without a wait, for typing errors.
const FREE: u32 = 5;
/// Failures without a wait for an address, which several people may share, and for a name, which several may try.
const FREE_SHARED: u32 = 20;
/// Failures of an account at an address before it waits for the failures of the others there. Guessing at each of a site's accounts
/// in turn gets so many tries an hour at each.
const FIRST_TRIES: u32 = 3;

/// What is being guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// A name without an account.
    Nothing,
    /// An account's password.
    Account,
    /// The password of an account that has logged in from this address before, or a secret of the machine itself.
    KnownHere,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    /// One name from one address.
    Pair(String, IpAddr),
    /// One name from addresses where it never logged in.
    Name(String),
    /// One address.
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// Time of the last failure, on the monotonic clock.
    last: Duration,
}

impl Failures {
    /// When the next attempt is allowed.
    fn next(self, free: u32) -> Duration {
        match self.count.checked_sub(free) {
            None => Duration::ZERO,
            Some(beyond) => self.last + LONGEST.min(Duration::from_secs(1 << beyond.min(16))),
        }
    }
}

/// Too many failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed attempts")]
pub struct TooMany {
    /// Time until the next attempt is allowed.
    pub wait: Duration,
}

/// Recent failures.
pub struct Attempts {
    clock: Arc<dyn Clock>,
    failures: Mutex<HashMap<Subject, Failures>>,
}

impl Attempts {
    /// Starts without any failures.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, failures: Mutex::default() }
    }

    /// Begins an attempt, counted as failed until it has [succeeded](Attempt::succeeded), so that parallel attempts count, too.
    /// `name` is the name being guessed at.
    pub fn begin(&self, name: &str, address: IpAddr, guess: Guess) -> Result<Attempt<'_>, TooMany> {
        let (name, address) = (name.to_lowercase(), network(address));
        let subjects = [
            (Subject::Pair(name.clone(), address), FREE),
            (Subject::Name(name), FREE_SHARED),
            (Subject::Address(address), FREE_SHARED),
        ];
        let now = self.clock.monotonic();
        let mut failures = self.failures.lock().expect("nothing panics while it holds the lock");
        if failures.len() >= REMEMBERED {
            forget_oldest(&mut failures);
        }
        let of_late = |subject| {
            failures.get(subject).filter(|of: &&Failures| now.saturating_sub(of.last) < FORGOTTEN).copied()
        };
        let own = of_late(&subjects[0].0).map_or(0, |of| of.count);
        let waits_for = |subject: &Subject| match subject {
            Subject::Pair(..) => true,
            // The first attempt from an address is allowed, however many strangers guess at the name elsewhere.
            Subject::Name(_) => guess != Guess::KnownHere && own > 0,
            Subject::Address(_) => guess == Guess::Nothing || own >= FIRST_TRIES,
        };
        let counted: Vec<_> =
            subjects.iter().map(|(subject, free)| (subject, free, of_late(subject))).collect();
        let next = counted
            .iter()
            .filter(|(subject, ..)| waits_for(subject))
            .filter_map(|(_, free, of)| Some((*of)?.next(**free)))
            .max();
        if let Some(next) = next.filter(|next| *next > now) {
            return Err(TooMany { wait: next.saturating_sub(now) });
        }
        for (subject, _, of) in counted {
            let count = of.map_or(0, |of| of.count).saturating_add(1);
            failures.insert(subject.clone(), Failures { count, last: now });
        }
        drop(failures);
        Ok(Attempt { attempts: self, subjects: subjects.map(|(subject, _)| subject).into() })
    }
}

/// Forgets the older half, so that this happens seldom.
fn forget_oldest(failures: &mut HashMap<Subject, Failures>) {
    let mut times: Vec<Duration> = failures.values().map(|of| of.last).collect();
    let (_, middle, _) = times.select_nth_unstable(failures.len() / 2);
    let middle = *middle;
    failures.retain(|_, of| of.last > middle);
}

/// An allowed attempt.
#[must_use]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    subjects: Vec<Subject>,
}

impl Attempt<'_> {
    /// The password was right: failures of this name at this address are forgotten, and this attempt no longer counts for the
    /// others.
    pub fn succeeded(self) {
        let mut failures = self.attempts.failures.lock().expect("nothing panics while it holds the lock");
        for subject in &self.subjects {
            match (subject, failures.get_mut(subject)) {
                (Subject::Pair(..), _) => drop(failures.remove(subject)),
                (_, Some(of)) => of.count = of.count.saturating_sub(1),
                (_, None) => {}
            }
        }
    }
}

/// The subject of an address: who owns one IPv6 address has its whole /64.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_studio::clock::HandClock;

    fn here() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    fn there() -> IpAddr {
        "192.0.2.2".parse().unwrap()
    }

    fn attempts() -> (Arc<HandClock>, Attempts) {
        let clock = Arc::new(HandClock::default());
        (clock.clone(), Attempts::new(clock))
    }

    /// Fails as often as allowed, up to `times`; returns how often.
    fn fail(attempts: &Attempts, name: &str, address: IpAddr, times: usize) -> usize {
        (0..times).take_while(|_| attempts.begin(name, address, Guess::Account).is_ok()).count()
    }

    #[test]
    fn waits_grow_and_end() {
        let (clock, attempts) = attempts();
        assert_eq!(fail(&attempts, "Ann", here(), 100), FREE as usize);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = attempts.begin("ann", here(), Guess::Account).err().unwrap().wait;
            waits.push(wait.as_secs());
            clock.turn(wait);
            drop(attempts.begin("ann", here(), Guess::Account).unwrap());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        clock.turn(FORGOTTEN);
        assert_eq!(fail(&attempts, "ann", here(), 100), FREE as usize);
    }

    #[test]
    fn a_strangers_attempts_do_not_keep_people_out_where_they_are_known() {
        let (_clock, attempts) = attempts();
        for stranger in 1..=40 {
            let stranger: IpAddr = [10, 0, 0, stranger].into();
            fail(&attempts, "ann", stranger, 100);
        }
        assert!(attempts.begin("ann", there(), Guess::KnownHere).is_ok());
        let elsewhere = [192, 0, 2, 3].into();
        attempts.begin("ann", elsewhere, Guess::Account).unwrap().succeeded();
        // A typing error, at an address without an earlier login.
        drop(attempts.begin("ann", elsewhere, Guess::Account).unwrap());
        assert!(attempts.begin("ann", elsewhere, Guess::Account).is_err());
    }

    #[test]
    fn an_address_that_tries_many_names_is_slowed_down() {
        let (_clock, attempts) = attempts();
        let heard =
            (0..100).filter(|i| attempts.begin(&format!("user{i}"), here(), Guess::Nothing).is_ok()).count();
        assert_eq!(heard, FREE_SHARED as usize);
        assert!(attempts.begin("ben", there(), Guess::Account).is_ok());
    }

    #[test]
    fn an_account_has_its_first_tries_at_an_address_where_others_have_failed() {
        let (_clock, attempts) = attempts();
        for i in 0..100 {
            let _ = attempts.begin(&format!("user{i}"), here(), Guess::Nothing);
        }
        assert!(attempts.begin("nobody", here(), Guess::Nothing).is_err());
        assert_eq!(fail(&attempts, "ann", here(), 100), FIRST_TRIES as usize);
        attempts.begin("ben", here(), Guess::Account).unwrap().succeeded();
    }

    #[test]
    fn accounts_that_have_logged_in_from_an_address_are_guessed_at_no_faster_there() {
        // Behind a proxy that is not trusted this is everybody's address.
        let (_clock, attempts) = attempts();
        let known = |name: &str| attempts.begin(name, here(), Guess::KnownHere).is_ok();
        let heard = (0..20).map(|i| (0..100).filter(|_| known(&format!("user{i}"))).count());
        let heard: Vec<_> = heard.collect();
        assert_eq!(&heard[..4], [5, 5, 5, 5]);
        assert!(heard[4..].iter().all(|heard| *heard == FIRST_TRIES as usize), "{heard:?}");
    }

    #[test]
    fn success_forgets() {
        let (_clock, attempts) = attempts();
        for _ in 0..100 {
            attempts.begin("ann", here(), Guess::Account).unwrap().succeeded();
        }
        assert_eq!(fail(&attempts, "ann", here(), 100), FREE as usize);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let (_clock, attempts) = attempts();
        let in_network = |i: usize| format!("2001:db8::{i:x}").parse().unwrap();
        let heard =
            (0..100).filter(|i| attempts.begin("ann", in_network(*i), Guess::Account).is_ok()).count();
        assert_eq!(heard, FREE as usize);
    }

    #[test]
    fn memory_is_bounded() {
        let (clock, attempts) = attempts();
        for i in 0..6000_u32 {
            clock.turn(Duration::from_millis(1));
            let _ = attempts.begin(&format!("user{i}"), IpAddr::V4((0x0a00_0000 + i).into()), Guess::Nothing);
        }
        assert!(attempts.failures.lock().unwrap().len() <= REMEMBERED + 2);
    }
}
