//! A stream on the air, as the rest of the daemon sees it.

use super::viewers::Viewers;
use crate::capture::status::CameraState;
use crate::feed::{FeedStatus, Origin};
use crate::hls::{HlsError, HlsHandle};
use crate::relay::RelaysHandle;
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
    /// Its user. `None`: the appliance's own stream, before there is an owner; it is not in the store.
    pub user: Option<UserId>,
    /// The origin of its pictures.
    pub origin: Origin,
    /// The feed that publishes them.
    pub feed: FeedStatus,
    /// The requested mode. Zeros if nobody can request one: a publisher's mode follows from its pictures
    /// ([`Self::mode`]).
    pub asked: VideoMode,
    /// Who may watch.
    pub visibility: Visibility,
    /// Its state.
    pub state: StreamState,
    /// Monotonic time of offset 0, when its first picture was published.
    pub zero: Duration,
    /// Its playlist and segments.
    pub hls: HlsHandle,
    /// Its relays.
    pub relays: RelaysHandle,
    /// Its viewers.
    pub viewers: Arc<Viewers>,
    /// True if the owner pinned it to `/media/live/`.
    pub is_pinned: bool,
    /// Why viewers miss the newest segment.
    pub fault: Option<HlsError>,
    /// Reason and time of its end. The store may get them later, when the card takes no writes.
    pub ended: Option<(EndReason, Timestamp)>,
}

impl OnAir {
    /// The actual mode of its pictures. `None` before the first picture.
    pub fn mode(&self) -> Option<VideoMode> {
        self.feed.mode(self.asked)
    }

    /// What keeps viewers from seeing it, or slows it, in words with the remedy. `None` when all is well.
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

    /// Adds to the stored stream the facts that the store may not know yet.
    pub fn complete(&self, stream: &mut Stream) {
        stream.details.mode = self.mode().unwrap_or(stream.details.mode);
        if let Some((reason, at)) = self.ended {
            mark_ended(&mut stream.facts, reason, at);
        }
    }
}

/// Applies an end as the store does.
pub(super) fn mark_ended(facts: &mut StreamFacts, reason: EndReason, at: Timestamp) {
    if facts.state != StreamState::Ended {
        facts.state = StreamState::Ended;
        facts.end_reason = Some(reason);
        facts.ended_at = Some(at);
    }
}
