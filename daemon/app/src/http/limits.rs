//! How much one person may ask: so many requests a second, fewer that change something, with a reserve for the start of a page. Logins have their
//! own (`accounts/attempts`), and segments are outside: a viewer cannot ask for more than there is.

use super::caller::Caller;
use super::problem::Problem;
use crate::accounts::attempts::network;
use crate::clock::Clock;
use crate::config;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::Method;
use perch_store::UserId;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The reserve is what this many seconds allow.
const RESERVE_SECONDS: u32 = 5;
/// After so many requests those who have been quiet are forgotten.
const TIDY_AFTER: u32 = 10_000;

/// Whom a request is counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Login(UserId),
    Address(IpAddr),
}

/// The daemon's clock as governor wants it.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type Limiter = RateLimiter<Subject, HashMapStateStore<Subject>, Ticks, NoOpMiddleware<Duration>>;

/// What is counted.
pub(super) struct Limits {
    clock: Arc<dyn Clock>,
    requests: Limiter,
    writes: Limiter,
    registrations: Limiter,
    since_tidied: AtomicU32,
}

impl Limits {
    pub(super) fn new(config: &config::Limits, clock: &Arc<dyn Clock>) -> Self {
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

    /// Counts a request, or refuses it.
    pub(super) fn admit(&self, caller: &Caller, method: &Method) -> Result<(), Problem> {
        let subject = match caller.login() {
            Some(login) => Subject::Login(login.user),
            None => Subject::Address(network(caller.address())),
        };
        if self.since_tidied.fetch_add(1, Ordering::Relaxed) == TIDY_AFTER {
            self.since_tidied.store(0, Ordering::Relaxed);
            self.requests.retain_recent();
            self.writes.retain_recent();
            self.registrations.retain_recent();
        }
        let writes = (!matches!(*method, Method::GET | Method::HEAD)).then_some(&self.writes);
        for limiter in std::iter::once(&self.requests).chain(writes) {
            self.check(limiter, &subject)?;
        }
        Ok(())
    }

    /// Counts a new account, or refuses it.
    pub(super) fn admit_registration(&self, caller: &Caller) -> Result<(), Problem> {
        self.check(&self.registrations, &Subject::Address(network(caller.address())))
    }

    fn check(&self, limiter: &Limiter, subject: &Subject) -> Result<(), Problem> {
        let now = self.clock.monotonic();
        limiter.check_key(subject).map_err(|early| Problem::TooMany { wait: early.wait_time_from(now) })
    }
}
