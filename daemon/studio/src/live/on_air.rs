//! A stream that is on the air, as everybody may see it.

use super::viewers::Viewers;
use crate::capture::status::CameraState;
use crate::feed::{FeedStatus, Origin};
use crate::hls::{HlsError, HlsHandle};
use perch_store::{
    EndReason, Stream, StreamFacts, StreamId, StreamState, Timestamp, UserId, VideoMode, Visibility,
};
use std::sync::Arc;
use std::time::Duration;

/// A stream that is on the air, or went off it less than a minute ago.
#[derive(Clone, Debug)]
pub struct OnAir {
    /// Its id.
    pub stream: StreamId,
    /// Whose it is. `None`: the appliance's own, before it has an owner; not in the store.
    pub user: Option<UserId>,
    /// Where its pictures come from.
    pub origin: Origin,
    /// What publishes them.
    pub feed: FeedStatus,
    /// The mode that was asked for. Zeros where nobody can ask: a publisher's is found out ([`Self::mode`]).
    pub asked: VideoMode,
    /// Who may watch.
    pub visibility: Visibility,
    /// Where it is in its life.
    pub state: StreamState,
    /// Monotonic time of offset 0: when its first picture went out.
    pub zero: Duration,
    /// Its playlist and segments.
    pub hls: HlsHandle,
    /// Who watches.
    pub viewers: Arc<Viewers>,
    /// The owner wants it at `/media/live/`.
    pub is_pinned: bool,
    /// Why viewers miss the newest segment.
    pub fault: Option<HlsError>,
    /// How and when it ended. The store may learn it later, when the card takes no writes.
    pub ended: Option<(EndReason, Timestamp)>,
}

impl OnAir {
    /// The mode of its pictures: what is really on the air. `None` before the first picture.
    pub fn mode(&self) -> Option<VideoMode> {
        self.feed.mode(self.asked)
    }

    /// What keeps viewers from seeing it, or slows it, in words with the way out. `None` where all is well.
    pub fn detail(&self) -> Option<String> {
        if let Some(fault) = &self.fault {
            return Some(fault.to_string());
        }
        match &*self.feed.state().borrow() {
            CameraState::Live { advice, .. } => advice.clone(),
            CameraState::Waiting { reason } => Some(reason.clone()),
            CameraState::Starting | CameraState::Stopped => None,
        }
    }

    /// Puts into what the store says what it may not know yet.
    pub fn complete(&self, stream: &mut Stream) {
        stream.details.mode = self.mode().unwrap_or(stream.details.mode);
        if let Some((reason, at)) = self.ended {
            mark_ended(&mut stream.facts, reason, at);
        }
    }
}

/// What the store writes of an end.
pub(super) fn mark_ended(facts: &mut StreamFacts, reason: EndReason, at: Timestamp) {
    if facts.state != StreamState::Ended {
        facts.state = StreamState::Ended;
        facts.end_reason = Some(reason);
        facts.ended_at = Some(at);
    }
}
