//! JPEG pictures of a feed's broadcast, made on request (`decode`), and the thumbnails that streams are listed with (`thumbnails`).
//!
//! It is no reader that waits: it takes the newest entry point, which the broadcast keeps anyway. Pictures are decoded only on request, one at a time,
//! and at most one a second for each feed; everybody who asks within that second gets the same one.
//!
//! Must not be here: HTTP, rights, pictures that people upload (`picture`).

pub(crate) mod decode;
pub mod thumbnails;

use decode::Made;
pub use decode::Undecodable;

use crate::broadcast::Broadcast;
use crate::capture::status::CameraState;
use crate::feed::FeedStatus;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

/// Widths of pictures in pixels. With few widths, more requests share a picture.
const WIDTHS: [u32; 5] = [160, 320, 640, 1280, 1920];
/// Shortest time between two pictures of one feed.
const APART: Duration = Duration::from_secs(1);
/// Number of feeds whose last pictures are kept; beyond that, pictures that nobody waits for are dropped.
const REMEMBERED: usize = 64;
/// Longest wait for the decoder.
const PATIENCE: Duration = Duration::from_secs(5);

/// A picture of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The file.
    pub jpeg: Bytes,
    /// True if hardly anything can be seen: a covered lens, or darkness.
    pub is_flat: bool,
    /// Monotonic time of its publication, which identifies the picture.
    pub published_at: Duration,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SnapshotError {
    /// The feed gives no pictures at the moment.
    #[error("the camera is not on: there is no picture of it")]
    NotLive,
    /// There is one that cannot be decoded.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// Other requests are served first.
    #[error("other pictures are being made")]
    Busy,
}

/// Makes pictures of all feeds.
#[derive(Debug)]
pub struct Snapshots {
    /// The only decoder, because one takes much memory.
    turn: Arc<Semaphore>,
    /// By name of the feed.
    feeds: Mutex<HashMap<Box<str>, Arc<tokio::sync::Mutex<Last>>>>,
}

/// The last pictures of a feed.
#[derive(Debug, Default)]
struct Last {
    tried_at: Option<Instant>,
    of: Option<Duration>,
    made: Vec<(u32, Result<Snapshot, Undecodable>)>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), feeds: Mutex::default() }
    }
}

impl Snapshots {
    /// The newest picture of a feed, `width` pixels wide or a little more, but never wider than the original.
    pub async fn take(&self, feed: &FeedStatus, width: u32) -> Result<Snapshot, SnapshotError> {
        self.take_recent(feed, width, APART).await
    }

    /// The same, or any picture that was made within the last `age`, which is at least a second.
    pub async fn take_recent(
        &self,
        feed: &FeedStatus,
        width: u32,
        age: Duration,
    ) -> Result<Snapshot, SnapshotError> {
        if !matches!(*feed.state().borrow(), CameraState::Live { .. }) {
            return Err(SnapshotError::NotLive);
        }
        self.take_from(feed.name(), feed.broadcast(), width, age).await
    }

    /// The right to decode a picture now; `None` while another picture is decoded.
    pub(crate) fn try_decoding(&self) -> Option<OwnedSemaphorePermit> {
        self.turn.clone().try_acquire_owned().ok()
    }

    async fn take_from(
        &self,
        feed: &str,
        pictures: &Broadcast,
        width: u32,
        age: Duration,
    ) -> Result<Snapshot, SnapshotError> {
        let width = WIDTHS.into_iter().find(|offered| *offered >= width).unwrap_or(WIDTHS[WIDTHS.len() - 1]);
        let slot = {
            let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
            if feeds.len() >= REMEMBERED {
                feeds.retain(|_, last| Arc::strong_count(last) > 1);
            }
            feeds.entry(feed.into()).or_default().clone()
        };
        let mut last = timeout(PATIENCE, slot.lock()).await.map_err(|_| SnapshotError::Busy)?;
        let newest = || pictures.newest_entry_point().ok_or(SnapshotError::NotLive);
        let is_recent = last.tried_at.is_some_and(|tried_at| tried_at.elapsed() < age.max(APART));
        if (is_recent || last.of == Some(newest()?.published_at))
            && let Some(made) = last.made_for(width)
        {
            return Ok(made?);
        }
        if let Some(tried_at) = last.tried_at {
            sleep_until(tried_at + APART).await;
        }
        let turn = timeout(PATIENCE, self.turn.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(SnapshotError::Busy)?;
        let newest = newest()?;
        let published_at = newest.published_at;
        last.begin(published_at);
        let work = move || {
            // The caller may give up, but the decoder stays taken until its memory is freed.
            let _turn = turn;
            decode::jpeg(&newest.unit, width)
        };
        let made =
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Undecodable::failed(&error)));
        let made = made.map(|Made { jpeg, is_flat }| Snapshot { jpeg, is_flat, published_at });
        last.made.push((width, made.clone()));
        Ok(made?)
    }
}

impl Last {
    fn made_for(&self, width: u32) -> Option<Result<Snapshot, Undecodable>> {
        self.made.iter().find(|(made, _)| *made == width).map(|(_, made)| made.clone())
    }

    /// Decodes another picture, or the same in another width.
    fn begin(&mut self, published_at: Duration) {
        self.tried_at = Some(Instant::now());
        if self.of.replace(published_at) != Some(published_at) {
            self.made.clear();
        }
    }
}

#[cfg(test)]
mod tests;
