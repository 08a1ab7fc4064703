//! Deletes what is older than the owner keeps it ([`Retention`](perch_store::Retention)), while the daemon runs: a small step every
//! ten seconds until everything was looked at, and again after some hours.

use crate::accounts::Accounts;
use perch_store::{Store, StoreError, Sweep};
use perch_studio::clock::{Clock, next_round};
use perch_studio::settled_clock::SettledClock;
use std::sync::Arc;
use std::time::Duration;

/// From one step to the next. A step looks at 500 rows at most, and makes one commit at most, of 200 rows or a stream.
const STEP: Duration = Duration::from_secs(10);
/// From one sweep to the next. In between the clock is read this often.
const REST: Duration = Duration::from_hours(6);

/// The state of pruning.
pub struct Pruning {
    accounts: Arc<Accounts>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    settled: SettledClock,
    sweep: Option<Sweep>,
}

impl Pruning {
    /// Of this store; nothing is deleted yet.
    pub fn new(accounts: Arc<Accounts>, store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let settled = SettledClock::new(&*clock);
        Self { accounts, store, clock, settled, sweep: None }
    }

    /// Runs until it is aborted.
    pub async fn run(mut self) {
        loop {
            next_round(&*self.clock, if self.sweep.is_some() { STEP } else { REST }).await;
            let stepped = tokio::task::spawn_blocking(move || {
                let stepped = self.step();
                (self, stepped)
            });
            // The runtime is shutting down.
            let Ok((myself, stepped)) = stepped.await else { return };
            self = myself;
            if let Err(error) = stepped {
                tracing::warn!("what is too old is deleted later: {error}");
                self.sweep = None;
            }
        }
    }

    /// Deletes some of what is too old; returns the number of rows. Blocks.
    fn step(&mut self) -> Result<usize, StoreError> {
        let Some(now) = self.settled.now(&*self.clock, self.store.newest_stream_date()?) else {
            self.sweep = None;
            return Ok(0);
        };
        let step = self.store.sweep(self.sweep.unwrap_or_default(), now)?;
        self.sweep = step.next;
        if step.deleted > 0 {
            // Logins may be among it.
            self.accounts.logins.forget();
        }
        Ok(step.deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{EndReason, Role};

    const DAY: Duration = Duration::from_hours(24);

    fn swept(pruning: &mut Pruning) -> usize {
        let mut deleted = pruning.step().unwrap();
        while pruning.sweep.is_some() {
            deleted += pruning.step().unwrap();
        }
        deleted
    }

    #[tokio::test]
    async fn what_is_too_old_goes_once_the_clock_is_settled() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let stream = site.stream(&ann, "front");
        site.store_now(|store| store.end_stream(stream, EndReason::User, site.now())).unwrap();
        let mut pruning = Pruning::new(site.accounts.clone(), site.store.clone(), site.clock.clone());
        assert_eq!(swept(&mut pruning), 0);
        // The clock jumps by a year, and is set right again.
        let wall = Duration::from_millis(site.now().unix_millis().unsigned_abs());
        site.clock.set_wall(wall + DAY * 365);
        for _ in 0..23 {
            assert_eq!(swept(&mut pruning), 0, "nothing is a day old by any watch");
            site.clock.turn(DAY / 24);
        }
        site.clock.set_wall(wall + DAY);
        assert_eq!(swept(&mut pruning), 0);
        for _ in 0..200 {
            site.clock.turn(DAY / 2);
            swept(&mut pruning);
        }
        assert!(site.store_now(|store| store.stream(stream)).is_err(), "a hundred days later it goes");
    }

    #[tokio::test]
    async fn a_site_that_was_switched_off_for_long_waits_a_day() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let stream = site.stream(&ann, "front");
        site.store_now(|store| store.end_stream(stream, EndReason::User, site.now())).unwrap();
        site.clock.turn(DAY * 200);
        let mut pruning = Pruning::new(site.accounts.clone(), site.store.clone(), site.clock.clone());
        assert_eq!(swept(&mut pruning), 0);
        site.clock.turn(DAY);
        assert!(swept(&mut pruning) > 0);
        assert!(site.store_now(|store| store.stream(stream)).is_err());
    }
}
