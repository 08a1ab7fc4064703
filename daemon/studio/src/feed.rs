//! Feeds: the publishers of a stream's access units, and what the rest of the daemon sees of them while they run.
//!
//! A camera's capture thread is one kind ([`crate::capture::supervisor::CameraFeed`]); a publisher over the network, or a file that replays in a
//! test, is another. Viewers and readers get the same from every kind.
//!
//! Must not be here: opening cameras, the right to publish, the life of a stream.

use crate::broadcast::{Broadcast, Publisher};
use crate::capture::status::{CameraState, CaptureCounters};
use perch_store::{UserId, VideoMode};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Prefix of the store's name for an origin that is not a camera. A camera's name has no colon (`[[camera]] name`).
const INGEST: &str = "ingest:";

/// The origin of a stream's pictures. One origin carries one stream that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A configured camera, by its name.
    Camera(Arc<str>),
    /// The account that publishes with its stream key.
    Ingest(UserId),
}

impl Origin {
    /// The name under which the store keeps it: a camera's own name, or `ingest:` and an account's id.
    pub fn name(&self) -> String {
        match self {
            Self::Camera(name) => name.to_string(),
            Self::Ingest(user) => format!("{INGEST}{user}"),
        }
    }

    /// The origin that the store keeps under `name`.
    pub fn named(name: &str) -> Self {
        let user = name.strip_prefix(INGEST).and_then(|user| user.parse().ok());
        user.map_or_else(|| Self::Camera(name.into()), Self::Ingest)
    }

    /// The camera's name, if it is one.
    pub fn camera(&self) -> Option<&str> {
        match self {
            Self::Camera(name) => Some(name),
            Self::Ingest(_) => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The publisher's sign of life: monotonic nanoseconds, set while access units come and while it waits for a known
/// reason.
#[derive(Debug, Default)]
pub struct Heartbeat(AtomicU64);

impl Heartbeat {
    /// Notes progress at monotonic time `now`.
    pub fn beat(&self, now: Duration) {
        self.0.store(now.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Time of the last progress, on the monotonic clock.
    pub fn last_progress(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The part of a feed that the rest of the daemon sees; clones share it.
#[derive(Clone, Debug)]
pub struct FeedStatus {
    name: Arc<str>,
    state: watch::Receiver<CameraState>,
    counters: Arc<CaptureCounters>,
    heartbeat: Arc<Heartbeat>,
    broadcast: Broadcast,
}

impl FeedStatus {
    /// The status of a feed that starts. `name` is its origin's.
    pub fn new(
        name: &str,
        state: watch::Receiver<CameraState>,
        counters: Arc<CaptureCounters>,
        heartbeat: Arc<Heartbeat>,
        broadcast: Broadcast,
    ) -> Self {
        Self { name: name.into(), state, counters, heartbeat, broadcast }
    }

    /// The status of a feed that is off: nothing runs, no pictures, [`CameraState::Stopped`].
    pub fn idle(name: &str) -> Self {
        Self {
            name: name.into(),
            state: watch::channel(CameraState::Stopped).1,
            counters: Arc::default(),
            heartbeat: Arc::default(),
            broadcast: crate::broadcast::channel().1,
        }
    }

    /// Its origin's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its state; also for waiting for changes. [`CameraState::Stopped`] is set before the broadcast closes.
    pub fn state(&self) -> &watch::Receiver<CameraState> {
        &self.state
    }

    /// Its counters; a camera's continue from stream to stream.
    pub fn counters(&self) -> &CaptureCounters {
        &self.counters
    }

    /// The sign of life, for the watchdog.
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    /// The broadcast of its pictures.
    pub fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    /// The actual mode on the air, from the newest entry point. The bit rate is not in the pictures, so `asked` gives
    /// it, and the frame rate if the pictures do not state it. `None` before the first picture.
    pub fn mode(&self, asked: VideoMode) -> Option<VideoMode> {
        let format = self.broadcast.newest_entry_point()?.unit.format;
        let rate = format.frames_per_second.map(|rate| rate.round() as u32).filter(|rate| *rate > 0);
        Some(VideoMode {
            width: format.width,
            height: format.height,
            frames_per_second: rate
                .filter(|_| asked.frames_per_second == 0)
                .unwrap_or(asked.frames_per_second),
            bitrate_kbps: asked.bitrate_kbps,
        })
    }
}

/// A source that can publish.
pub trait Feed: Send {
    /// Starts publishing. The feed must set [`CameraState::Stopped`] before it drops `publisher`.
    ///
    /// Key frames that readers request reach it through [`Publisher::take_key_frame_request`].
    fn start(self: Box<Self>, publisher: Publisher, broadcast: Broadcast) -> std::io::Result<FeedHandle>;
}

/// The owner's handle of a running feed.
pub struct FeedHandle {
    /// The status for everybody else.
    pub status: FeedStatus,
    /// Requests a stop; must not block.
    pub stop: Box<dyn FnOnce() + Send>,
    /// Completes when it has stopped. An error means the same: the sender was dropped.
    pub ended: oneshot::Receiver<()>,
}

impl FeedHandle {
    /// Stops it: pictures that it still holds are published, and its broadcast is closed. False if that took longer
    /// than `deadline`: a thread that hangs in the kernel is left behind.
    pub async fn stop(self, deadline: Duration) -> bool {
        (self.stop)();
        tokio::time::timeout(deadline, self.ended).await.is_ok()
    }
}

impl fmt::Debug for FeedHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedHandle").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_tells_an_ingest_from_a_camera() {
        for origin in [Origin::Camera("front".into()), Origin::Ingest(UserId::from_number(7))] {
            assert_eq!(Origin::named(&origin.name()), origin);
        }
        assert_eq!(Origin::named("front").camera(), Some("front"));
        assert_eq!(Origin::named("ingest:nobody").camera(), Some("ingest:nobody"));
    }
}
