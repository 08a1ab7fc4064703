//! The feed of a publication: hands the studio's end of the broadcast to the task of the publication.

use crate::broadcast::{Broadcast, Publisher};
use crate::capture::source::SourceDescription;
use crate::capture::status::{CameraState, CaptureCounters};
use crate::feed::{Feed, FeedHandle, FeedStatus, Heartbeat};
use std::io;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// What the studio starts.
pub(super) struct PublishedFeed {
    name: String,
    source: SourceDescription,
    counters: Arc<CaptureCounters>,
    give: oneshot::Sender<OnAir>,
}

/// What the task of a publication needs to publish. Dropping it ends the stream.
pub(super) struct OnAir {
    publisher: Publisher,
    state: watch::Sender<CameraState>,
    heartbeat: Arc<Heartbeat>,
    source: SourceDescription,
    /// Completes when the stream is to stop.
    pub(super) stop: oneshot::Receiver<()>,
    /// Dropped last: the studio waits for it.
    _running: oneshot::Sender<()>,
}

/// A feed from `source`, and what its publication gets once the studio has started it.
pub(super) fn offer(
    name: String,
    source: SourceDescription,
    counters: Arc<CaptureCounters>,
) -> (PublishedFeed, oneshot::Receiver<OnAir>) {
    let (give, given) = oneshot::channel();
    (PublishedFeed { name, source, counters, give }, given)
}

impl Feed for PublishedFeed {
    fn start(self: Box<Self>, publisher: Publisher, broadcast: Broadcast) -> io::Result<FeedHandle> {
        let Self { name, source, counters, give } = *self;
        let live = CameraState::Live { source: source.clone(), advice: None };
        let (state, state_seen) = watch::channel(live);
        let heartbeat = Arc::<Heartbeat>::default();
        let status = FeedStatus::new(&name, state_seen, counters, heartbeat.clone(), broadcast);
        let (stop, stopped) = oneshot::channel();
        let (running, ended) = oneshot::channel();
        let on_air = OnAir { publisher, state, heartbeat, source, stop: stopped, _running: running };
        if give.send(on_air).is_err() {
            return Err(io::Error::other("the program that was to send it is gone"));
        }
        // A publication that is gone has stopped.
        Ok(FeedHandle { status, stop: Box::new(move || _ = stop.send(())), ended })
    }
}

impl OnAir {
    /// Hands samples to the readers.
    pub(super) fn publish(&self, samples: Vec<perch_media::sample::Sample>, now: std::time::Duration) {
        // Requests for key frames go no further: RTMP has none.
        let _ = self.publisher.take_key_frame_request();
        self.publisher.publish(samples, now);
        self.heartbeat.beat(now);
    }

    /// Says that samples come, and what viewers should know.
    pub(super) fn is_live(&self, advice: Option<&String>) {
        self.state.send_if_modified(|state| {
            let is_new =
                !matches!(state, CameraState::Live { advice: known, .. } if known.as_ref() == advice);
            if is_new {
                *state = CameraState::Live { source: self.source.clone(), advice: advice.cloned() };
            }
            is_new
        });
    }

    /// Says that nothing comes, and that this is known.
    pub(super) fn is_waiting(&self, reason: &str, now: std::time::Duration) {
        self.heartbeat.beat(now);
        self.state.send_if_modified(|state| {
            let is_new = !matches!(state, CameraState::Waiting { .. });
            if is_new {
                *state = CameraState::Waiting { reason: reason.to_owned() };
            }
            is_new
        });
    }
}

impl Drop for OnAir {
    /// The state goes before the end of the broadcast, whose readers ask for it.
    fn drop(&mut self) {
        self.state.send_replace(CameraState::Stopped);
    }
}
