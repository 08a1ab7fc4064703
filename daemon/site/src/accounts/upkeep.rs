//! Keeps dates right while the daemon runs: notices that the clock was set.

use super::Accounts;
use perch_store::{Store, StoreError};
use perch_studio::clock::{Clock, next_round};
use std::sync::Arc;
use std::time::Duration;

/// Interval for noticing that the clock was set. Each check may wake an idle processor.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(5);

/// Runs until it is aborted.
pub async fn keep_up(accounts: Arc<Accounts>, store: Arc<Store>, clock: Arc<dyn Clock>) {
    loop {
        next_round(&*clock, LOOK_AT_CLOCK).await;
        if !accounts.wall_clock.was_set() {
            continue;
        }
        let (accounts, store) = (accounts.clone(), store.clone());
        let work = move || {
            accounts.wall_clock.correct(&store)?;
            accounts.logins.forget();
            Ok::<_, StoreError>(())
        };
        // The next round tries again.
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!("dates are corrected later: {error}");
        }
    }
}
