//! The task that sends what is due, several webhooks at a time, and stores what became of it.

use super::post::post;
use crate::config;
use perch_site::webhooks::Webhooks;
use perch_store::Store;
use perch_studio::clock::{Clock, next_round, wall};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Deliveries under way at once; each takes 10 s at most.
const AT_ONCE: usize = 4;
/// How often changes are stored. An event that is delivered at once costs one commit, and many in a row cost one, too.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// Delivers until it is aborted.
pub async fn deliver(
    webhooks: Webhooks,
    settings: config::Webhooks,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
) {
    let settings = Arc::new(settings);
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            job = webhooks.due(), if under_way.len() < AT_ONCE => {
                let (settings, clock) = (settings.clone(), clock.clone());
                under_way.spawn(async move {
                    let outcome = post(&job, &settings, wall(&*clock)).await;
                    (job, outcome)
                });
            }
            Some(done) = under_way.join_next() => match done {
                Ok((job, outcome)) => {
                    let why = outcome.as_ref().err().map(|untaken| untaken.detail.clone());
                    let mut random = [0; 4];
                    // Without randomness the pauses are as good.
                    let _ = getrandom::fill(&mut random);
                    webhooks.tried(&job, outcome, u32::from_le_bytes(random));
                    if let Some(why) = why {
                        tracing::info!(webhook = %job.webhook, event = job.event.name(), "a webhook was not taken: {why}");
                    }
                }
                Err(error) => tracing::error!("a delivery broke down: {error}"),
            },
            () = next_round(&*clock, SAVE_EVERY) => save(&webhooks, &store).await,
        }
    }
}

async fn save(webhooks: &Webhooks, store: &Arc<Store>) {
    let (webhooks, store) = (webhooks.clone(), store.clone());
    let saved = tokio::task::spawn_blocking(move || webhooks.save(&store)).await;
    if let Ok(Err(error)) = saved {
        tracing::warn!("what webhooks were told is stored later: {error}");
    }
}
