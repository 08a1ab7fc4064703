//! Periodic upkeep of accounts while the daemon runs.

use super::Accounts;
use perch_store::Store;
use perch_studio::clock::{Clock, next_round, wall};
use std::sync::Arc;
use std::time::Duration;

/// Interval for noticing that the clock was set. Each check may wake an idle processor.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(5);
/// Checks between two removals of expired logins: once an hour. Expired logins are harmless, and few.
const TIDY_EVERY: u32 = 720;

/// Runs until it is aborted.
pub async fn keep_up(accounts: Arc<Accounts>, store: Arc<Store>, clock: Arc<dyn Clock>) {
    for tick in (0..TIDY_EVERY).cycle() {
        next_round(&*clock, LOOK_AT_CLOCK).await;
        let (is_set, tidies) = (accounts.wall_clock.was_set(), tick == 0);
        if !is_set && !tidies {
            continue;
        }
        let (accounts, store, now) = (accounts.clone(), store.clone(), wall(&*clock));
        let work = move || {
            if is_set {
                accounts.wall_clock.correct(&store)?;
                accounts.logins.forget();
            }
            if tidies && store.close_expired_sessions(now)? > 0 {
                accounts.logins.forget();
            }
            Ok::<_, perch_store::StoreError>(())
        };
        // The next tick tries again.
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!("upkeep of accounts: {error}");
        }
    }
}
