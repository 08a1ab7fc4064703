//! The pictures that running streams are listed with: one soon after the first picture, then one a minute, unless a person has
//! chosen one. Between them this sleeps, and holds nothing.

use super::{SnapshotError, Snapshots};
use crate::feed::FeedStatus;
use crate::live::OnAir;
use perch_store::{Store, StoreError, StreamId, StreamState};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// After the first picture: cameras need a moment for their exposure.
const FIRST: Duration = Duration::from_secs(3);
/// From then on.
const EVERY: Duration = Duration::from_mins(1);
/// Pixels.
const WIDTH: u32 = 640;

/// Keeps the pictures of what is on the air fresh until the daemon ends.
pub async fn run(mut on_air: watch::Receiver<Arc<[OnAir]>>, snapshots: Arc<Snapshots>, store: Arc<Store>) {
    let mut schedule = Schedule::default();
    loop {
        let live: HashMap<StreamId, FeedStatus> = {
            // The appliance's own stream is in no list.
            let running = on_air.borrow_and_update();
            let live =
                running.iter().filter(|stream| stream.user.is_some() && stream.state == StreamState::Live);
            live.map(|stream| (stream.stream, stream.feed.clone())).collect()
        };
        schedule.set(&live, Instant::now());
        for stream in schedule.due(Instant::now()) {
            if let Some(feed) = live.get(&stream) {
                take(stream, feed, &snapshots, &store).await;
            }
        }
        tokio::select! {
            changed = on_air.changed() => if changed.is_err() { return },
            () = until(schedule.next()) => {}
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn take(stream: StreamId, feed: &FeedStatus, snapshots: &Snapshots, store: &Arc<Store>) {
    let is_chosen = ask(store, move |store| store.has_chosen_thumbnail(stream));
    if is_chosen.await != Some(false) {
        return;
    }
    match snapshots.take(feed, WIDTH).await {
        Ok(picture) => {
            ask(store, move |store| store.refresh_thumbnail(stream, &picture.jpeg)).await;
        }
        Err(error @ SnapshotError::Undecodable(_)) => {
            tracing::info!(%stream, "no picture to list the stream with: {error}");
        }
        // In a minute, then.
        Err(SnapshotError::NotLive | SnapshotError::Busy) => {}
    }
}

/// `None` where the store fails: it says so elsewhere, and the next picture is due in a minute.
async fn ask<T: Send + 'static>(
    store: &Arc<Store>,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Option<T> {
    let store = store.clone();
    let done = tokio::task::spawn_blocking(move || work(&store)).await.ok()?;
    done.inspect_err(|error| tracing::debug!("the picture of a stream was not kept: {error}")).ok()
}

/// When which stream is due.
#[derive(Debug, Default)]
struct Schedule(HashMap<StreamId, Instant>);

impl Schedule {
    /// These are on the air now.
    fn set<T>(&mut self, live: &HashMap<StreamId, T>, now: Instant) {
        self.0.retain(|stream, _| live.contains_key(stream));
        for stream in live.keys() {
            self.0.entry(*stream).or_insert(now + FIRST);
        }
    }

    fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Those whose time has come; they are due again in a minute.
    fn due(&mut self, now: Instant) -> Vec<StreamId> {
        let mut due = Vec::new();
        for (stream, at) in &mut self.0 {
            if *at <= now {
                *at = now + EVERY;
                due.push(*stream);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_due_soon_after_it_went_live_and_then_every_minute() {
        let stream = StreamId::from_number(1);
        let start = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(), None, "nothing is on, nothing is waited for");
        let live = HashMap::from([(stream, "front")]);
        schedule.set(&live, start);
        assert!(schedule.due(start).is_empty());
        assert_eq!(schedule.next(), Some(start + FIRST));
        assert_eq!(schedule.due(start + FIRST), [stream]);
        schedule.set(&live, start + FIRST);
        assert_eq!(schedule.next(), Some(start + FIRST + EVERY), "news of others change nothing");
        schedule.set(&HashMap::<_, &str>::new(), start + FIRST);
        assert_eq!(schedule.next(), None, "interrupted, or over");
    }
}
