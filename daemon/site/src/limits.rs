//! Rate limits for each actor: requests a second, and fewer that change something, with a reserve for loading a page. Logins have
//! limits of their own (`accounts/attempts`). Segments are not counted: a viewer can only request those that exist.

use crate::accounts::attempts::network;
use crate::actor::Actor;
use crate::config;
use crate::error::SiteError;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use perch_store::UserId;
use perch_studio::clock::Clock;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The burst equals the requests that are allowed in this many seconds.
const RESERVE_SECONDS: u32 = 5;
/// After this many requests, idle actors are forgotten.
const TIDY_AFTER: u32 = 10_000;

/// The subject that a request is counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Account(UserId),
    Address(IpAddr),
    Console,
}

impl From<&Actor> for Subject {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::Anonymous { address } => Self::Address(network(*address)),
            Actor::Account { login, .. } => Self::Account(login.user),
            Actor::Console => Self::Console,
        }
    }
}

/// The daemon's clock as governor needs it.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type Limiter = RateLimiter<Subject, HashMapStateStore<Subject>, Ticks, NoOpMiddleware<Duration>>;

/// The limits and the recent counts.
pub struct Limits {
    clock: Arc<dyn Clock>,
    requests: Limiter,
    writes: Limiter,
    registrations: Limiter,
    since_tidied: AtomicU32,
}

impl Limits {
    /// Starts with nothing counted.
    pub fn new(config: &config::Limits, clock: &Arc<dyn Clock>) -> Self {
        let limiter = |a_second: u32| {
            let a_second = NonZeroU32::new(a_second).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_second(a_second).allow_burst(
                a_second.saturating_mul(NonZeroU32::new(RESERVE_SECONDS).unwrap_or(NonZeroU32::MIN)),
            );
            RateLimiter::new(quota, HashMapStateStore::default(), Ticks(clock.clone()))
        };
        let accounts = NonZeroU32::new(config.registrations_per_hour).unwrap_or(NonZeroU32::MIN);
        let registrations = Quota::per_hour(accounts);
        let registrations =
            RateLimiter::new(registrations, HashMapStateStore::default(), Ticks(clock.clone()));
        Self {
            registrations,
            clock: clock.clone(),
            requests: limiter(config.requests_per_second),
            writes: limiter(config.writes_per_second),
            since_tidied: AtomicU32::new(0),
        }
    }

    /// Counts a request; `writes` if it may change something.
    ///
    /// # Errors
    ///
    /// `TooMany` when the actor exceeds a limit.
    pub fn admit(&self, actor: &Actor, writes: bool) -> Result<(), SiteError> {
        let subject = Subject::from(actor);
        if self.since_tidied.fetch_add(1, Ordering::Relaxed) == TIDY_AFTER {
            self.since_tidied.store(0, Ordering::Relaxed);
            self.requests.retain_recent();
            self.writes.retain_recent();
            self.registrations.retain_recent();
        }
        let writes = writes.then_some(&self.writes);
        for limiter in std::iter::once(&self.requests).chain(writes) {
            self.check(limiter, &subject)?;
        }
        Ok(())
    }

    /// Counts a new account.
    ///
    /// # Errors
    ///
    /// `TooMany` when the address has created too many accounts within the hour.
    pub fn admit_registration(&self, address: IpAddr) -> Result<(), SiteError> {
        self.check(&self.registrations, &Subject::Address(network(address)))
    }

    fn check(&self, limiter: &Limiter, subject: &Subject) -> Result<(), SiteError> {
        let now = self.clock.monotonic();
        limiter.check_key(subject).map_err(|early| SiteError::TooMany { wait: early.wait_time_from(now) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_studio::clock::HandClock;

    fn limits() -> (Arc<HandClock>, Limits) {
        let clock = Arc::new(HandClock::default());
        // Governor's first instant must be later than its zero.
        clock.turn(Duration::from_hours(1));
        let config =
            config::Limits { requests_per_second: 10, writes_per_second: 2, registrations_per_hour: 3 };
        let limits = Limits::new(&config, &(clock.clone() as Arc<dyn Clock>));
        (clock, limits)
    }

    fn admitted(limits: &Limits, actor: &Actor, writes: bool) -> usize {
        (0..1000).take_while(|_| limits.admit(actor, writes).is_ok()).count()
    }

    #[test]
    fn everybody_has_a_reserve_and_then_so_many_a_second() {
        let (clock, limits) = limits();
        let [here, there] =
            ["192.0.2.1", "192.0.2.2"].map(|address| Actor::Anonymous { address: address.parse().unwrap() });
        assert_eq!(admitted(&limits, &here, false), 50);
        assert_eq!(admitted(&limits, &there, true), 10);
        clock.turn(Duration::from_secs(1));
        assert_eq!(admitted(&limits, &here, false), 10);
        assert_eq!(admitted(&limits, &there, true), 2);
        let Err(SiteError::TooMany { wait }) = limits.admit(&here, false) else { panic!("admitted") };
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
    }

    #[test]
    fn accounts_are_made_one_by_one() {
        let (clock, limits) = limits();
        let address = "192.0.2.1".parse().unwrap();
        let made = |limits: &Limits| (0..10).filter(|_| limits.admit_registration(address).is_ok()).count();
        assert_eq!(made(&limits), 3);
        clock.turn(Duration::from_mins(20));
        assert_eq!(made(&limits), 1);
    }
}
