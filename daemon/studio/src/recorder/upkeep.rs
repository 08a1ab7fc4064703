//! Looks after recordings while the daemon runs: what is too old or too much is deleted, and what a failing card left undone is done.

use super::recordings::Recordings;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often. A recording that grows makes its room itself.
const PERIOD: Duration = Duration::from_mins(1);

/// Runs until it is aborted. The first look is at once.
pub async fn run(recordings: Recordings) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let tended = recordings.clone();
        match tokio::task::spawn_blocking(move || tended.tend()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("recordings are looked after later: {error}"),
            // The runtime ends.
            Err(_) => return,
        }
    }
}
