//! Keeps dates right while the daemon runs: notices that the clock was set. Stores when API tokens were used.

use super::Accounts;
use perch_store::{Store, StoreError};
use perch_studio::clock::{Clock, next_round};
use std::sync::Arc;
use std::time::Duration;

/// Interval for noticing that the clock was set. Each check may wake an idle processor.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(5);
/// Checks between two writes of when API tokens were used: ten minutes. Each is one commit, however many requests there were.
const NOTE_USES_EVERY: u32 = 120;

/// Runs until it is aborted.
pub async fn keep_up(accounts: Arc<Accounts>, store: Arc<Store>, clock: Arc<dyn Clock>) {
    for tick in (0..NOTE_USES_EVERY).cycle() {
        next_round(&*clock, LOOK_AT_CLOCK).await;
        let is_set = accounts.wall_clock.was_set();
        let uses = if tick == 0 { accounts.token_uses.take() } else { Vec::new() };
        if tick == 0 {
            // Connections that were opened with an API token ask whether it has expired.
            accounts.logins.forget();
        }
        if !is_set && uses.is_empty() {
            continue;
        }
        let (accounts, store) = (accounts.clone(), store.clone());
        let work = move || {
            if !uses.is_empty() {
                store.note_api_tokens_used(&uses)?;
            }
            if is_set {
                accounts.wall_clock.correct(&store)?;
                accounts.logins.forget();
            }
            Ok::<_, StoreError>(())
        };
        // The next round tries again.
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!("dates are corrected later: {error}");
        }
    }
}
