//! Thumbnails: a stream is listed with the first key frame, some seconds after its start, in which something can be seen, unless its user chose a
//! picture. Until then it is listed with its very first picture. A thumbnail is stored once, because each write to the store syncs the card.
//!
//! Between tries the task sleeps and holds no memory.

use super::decode;
use super::{Snapshot, SnapshotError, Snapshots};
use crate::feed::FeedStatus;
use crate::live::OnAir;
use perch_store::{Store, StoreError, StreamId, StreamState};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Time between the first try, which is made at once for streams that end soon, and the second: cameras need a moment to adjust their exposure.
const SECOND: Duration = Duration::from_secs(3);
/// Longest pause between two tries. Pauses double from try to try: a lens cap is removed soon, but a night is long.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Width of a thumbnail in pixels.
pub const WIDTH: u32 = 640;

/// Makes thumbnails of live streams until the daemon ends.
pub async fn run(mut on_air: watch::Receiver<Arc<[OnAir]>>, snapshots: Arc<Snapshots>, store: Arc<Store>) {
    let mut schedule = Schedule::default();
    loop {
        let live: HashMap<StreamId, FeedStatus> = {
            // The appliance's own stream is in no list of streams.
            let running = on_air.borrow_and_update();
            let live =
                running.iter().filter(|stream| stream.user.is_some() && stream.state == StreamState::Live);
            live.map(|stream| (stream.stream, stream.feed.clone())).collect()
        };
        schedule.set(&live, Instant::now());
        for (stream, tries) in schedule.due(Instant::now()) {
            if let Some(feed) = live.get(&stream)
                && take(stream, tries, feed, &snapshots, &store).await
            {
                schedule.finish(stream);
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

/// Returns true once the stream has its final thumbnail.
async fn take(
    stream: StreamId,
    tries: u32,
    feed: &FeedStatus,
    snapshots: &Snapshots,
    store: &Arc<Store>,
) -> bool {
    let has_one = ask(store, move |store| {
        // A resumed stream already has one.
        let kept = if tries == 0 { store.thumbnail(stream)? } else { None };
        Ok(kept.is_some_and(|jpeg| decode::shows_something(&jpeg)) || store.has_chosen_thumbnail(stream)?)
    });
    match has_one.await {
        Some(false) => {}
        Some(true) => return true,
        None => return false,
    }
    match snapshots.take(feed, WIDTH).await {
        Ok(Snapshot { jpeg, is_flat, .. }) => {
            // A dark picture is better than none, but does not replace another one.
            let is_kept = tries == 0 || !is_flat;
            is_kept
                && ask(store, move |store| store.refresh_thumbnail(stream, &jpeg)).await.is_some()
                && tries > 0
        }
        Err(error @ SnapshotError::Undecodable(_)) => {
            tracing::info!(%stream, "no picture to list the stream with: {error}");
            false
        }
        Err(SnapshotError::NotLive | SnapshotError::Busy) => false,
    }
}

/// `None` if the store fails, which is reported elsewhere; there will be another try.
async fn ask<T: Send + 'static>(
    store: &Arc<Store>,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Option<T> {
    let store = store.clone();
    let done = tokio::task::spawn_blocking(move || work(&store)).await.ok()?;
    done.inspect_err(|error| tracing::debug!("the picture of a stream was not kept: {error}")).ok()
}

/// The next try of each stream.
#[derive(Debug, Default)]
struct Schedule(HashMap<StreamId, Tries>);

#[derive(Clone, Copy, Debug)]
struct Tries {
    so_far: u32,
    /// `None`: no further try.
    next: Option<Instant>,
}

impl Schedule {
    /// Sets the streams that are live now.
    fn set<T>(&mut self, live: &HashMap<StreamId, T>, now: Instant) {
        self.0.retain(|stream, _| live.contains_key(stream));
        for stream in live.keys() {
            self.0.entry(*stream).or_insert(Tries { so_far: 0, next: Some(now) });
        }
    }

    fn next(&self) -> Option<Instant> {
        self.0.values().filter_map(|tries| tries.next).min()
    }

    /// The streams whose try is due, with the number of tries before.
    fn due(&mut self, now: Instant) -> Vec<(StreamId, u32)> {
        let mut due = Vec::new();
        for (stream, tries) in &mut self.0 {
            if tries.next.is_some_and(|next| next <= now) {
                due.push((*stream, tries.so_far));
                tries.next = Some(now + pause_after(tries.so_far));
                tries.so_far += 1;
            }
        }
        due
    }

    /// Notes that a stream has its final thumbnail.
    fn finish(&mut self, stream: StreamId) {
        if let Some(tries) = self.0.get_mut(&stream) {
            tries.next = None;
        }
    }
}

fn pause_after(tries: u32) -> Duration {
    SECOND.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_due_at_once_and_after_growing_pauses_until_it_has_its_picture() {
        let stream = StreamId::from_number(1);
        let start = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(), None, "nothing is on, nothing is waited for");
        let live = HashMap::from([(stream, "front")]);
        schedule.set(&live, start);
        assert_eq!(schedule.due(start), [(stream, 0)]);
        assert!(schedule.due(start).is_empty());
        let mut now = start;
        for (tries, pause) in [(1, 3), (2, 3), (3, 6), (4, 12)] {
            now += Duration::from_secs(pause);
            schedule.set(&live, now);
            assert_eq!(schedule.next(), Some(now), "news of others change nothing");
            assert_eq!(schedule.due(now), [(stream, tries)]);
        }
        schedule.finish(stream);
        assert_eq!(schedule.next(), None);
        schedule.set(&HashMap::<_, &str>::new(), now);
        schedule.set(&live, now);
        assert_eq!(schedule.due(now), [(stream, 0)], "interrupted, and on again");
        assert_eq!(pause_after(500), LONGEST_PAUSE);
    }
}
