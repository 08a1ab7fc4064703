//! State that the studio and the streams' tasks share: settings, hardware, the store, and the list of streams on the
//! air.

use super::camera::Hardware;
use super::on_air::OnAir;
use crate::clock::Clock;
use crate::feed::Origin;
use crate::hls::{HlsMetrics, HlsSettings};
use crate::memory_budget::{MemoryBudget, NoMemory, StreamShare};
use crate::recorder::Recordings;
use crate::relay::Destinations;
use crate::tell::Tell;
use perch_store::{Store, StoreError, StreamId, StreamState, VideoMode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Settings of streams.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Length of a segment.
    pub segment: Duration,
    /// Duration of the playlist.
    pub window: Duration,
    /// Go live with the first camera when the daemon starts.
    pub autostart: bool,
    /// A stream that was cut off by a crash, a power cut or a restart of the daemon is resumed within this time; zero:
    /// never.
    pub resume_within: Duration,
    /// The budget that streams take their memory from.
    pub memory: MemoryBudget,
    /// The recordings of streams.
    pub recordings: Recordings,
    /// Where they may be sent on to.
    pub relays: Destinations,
}

impl LiveSettings {
    pub(super) fn hls(&self, keyframe_interval: Duration) -> HlsSettings {
        HlsSettings { segment: self.segment, window: self.window, keyframe_interval }
    }
}

/// State that the studio and the streams' tasks share.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hardware: Arc<dyn Hardware>,
    pub(super) settings: LiveSettings,
    pub(super) hls_metrics: Arc<HlsMetrics>,
    pub(super) tell: Tell,
    pub(super) store: Arc<Store>,
    pub(super) on_air: watch::Sender<Arc<[OnAir]>>,
}

impl Shared {
    pub(super) async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || work(&store)).await.expect("the store does not panic")
    }

    /// Reserves memory for one more stream.
    pub(super) fn admit(
        &self,
        keyframe_interval: Duration,
        mode: &VideoMode,
        is_recorded: bool,
    ) -> Result<StreamShare, NoMemory> {
        let target = self.settings.segment.max(keyframe_interval);
        let least = MemoryBudget::least_of_stream(mode.bitrate_kbps, target);
        let recorder = if is_recorded { MemoryBudget::of_recorder(mode.bitrate_kbps) } else { 0 };
        self.settings.memory.admit_recorded(least, recorder)
    }

    /// True if the appliance's own stream has this origin; it makes room for a person's.
    pub(super) fn is_the_appliances(&self, origin: &Origin) -> bool {
        let on_air = self.on_air.borrow();
        let mut own = on_air.iter().filter(|on_air| on_air.user.is_none());
        own.any(|on_air| on_air.origin == *origin && on_air.state != StreamState::Ended)
    }

    pub(super) fn show(&self, new: OnAir) {
        self.on_air.send_modify(|all| *all = all.iter().cloned().chain([new]).collect());
    }

    pub(super) fn change(&self, stream: StreamId, change: impl FnOnce(&mut OnAir)) {
        self.on_air.send_modify(|all| {
            let mut changed = all.to_vec();
            if let Some(on_air) = changed.iter_mut().find(|on_air| on_air.stream == stream) {
                change(on_air);
            }
            *all = changed.into();
        });
    }

    /// Reports a change outside the list: the state of a feed.
    pub(super) fn news(&self) {
        self.on_air.send_modify(|_| ());
    }

    /// Pins a stream, or unpins it. At most one stream is pinned.
    pub(super) fn pin(&self, stream: StreamId, is_pinned: bool) {
        self.on_air.send_modify(|all| {
            let mut changed = all.to_vec();
            for on_air in &mut changed {
                let is_it = on_air.stream == stream;
                on_air.is_pinned = if is_it { is_pinned } else { on_air.is_pinned && !is_pinned };
            }
            *all = changed.into();
        });
    }

    pub(super) fn hide_those(&self, are_hidden: impl Fn(&OnAir) -> bool) {
        self.on_air
            .send_modify(|all| *all = all.iter().filter(|on_air| !are_hidden(on_air)).cloned().collect());
    }
}
