//! One stream while it runs: owns its feed and the hls reader, watches them, and writes their events into the store.

use super::camera::LiveCamera;
use super::ends::End;
use super::error::LiveError;
use super::handle::ChangeRelays;
use super::on_air::OnAir;
use super::shared::Shared;
use super::starting::{Programme, Source};
use super::viewers::Viewers;
use crate::broadcast;
use crate::capture::status::CameraState;
use crate::clock::{next_round, until, wall};
use crate::feed::FeedHandle;
use crate::hls::{self, HlsError, HlsHandle};
use crate::memory_budget::StreamShare;
use crate::recorder;
use crate::relay::{self, Relays};
use crate::shutdown;
use perch_store::{EndReason, StreamId, StreamState, VideoMode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// A feed that is away for less than this is a seam, not an interruption.
const INTERRUPTION: Duration = Duration::from_secs(3);
/// Interval at which viewers are counted and the pictures' mode is checked; new views are written in one commit each
/// time.
const LOOK: Duration = Duration::from_secs(5);

/// A stream that runs.
pub(super) struct Running {
    shared: Arc<Shared>,
    /// `None` if its pictures come from a publisher.
    camera: Option<LiveCamera>,
    feed: FeedHandle,
    reader: oneshot::Receiver<Result<(), HlsError>>,
    /// Completes when the recording is closed.
    recorder: Option<oneshot::Receiver<()>>,
    relays: Relays,
    hls: HlsHandle,
    viewers: Arc<Viewers>,
    stream: StreamId,
    /// True if the store knows it.
    stored: bool,
    state: StreamState,
    was_live: bool,
    peak: u32,
    /// The mode in the store.
    mode: VideoMode,
    ends_at: Option<Instant>,
}

/// How a stream's task ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finished {
    pub(super) stream: StreamId,
    /// True if a part of the daemon broke down.
    pub(super) failed: bool,
    /// The end that the card did not take.
    pub(super) unwritten: Option<End>,
}

impl Running {
    /// Starts the feed and the hls reader, and shows the stream.
    pub(super) fn start(
        shared: &Arc<Shared>,
        programme: &Programme,
        share: StreamShare,
        source: Source,
    ) -> std::io::Result<Self> {
        let (camera, feed, keyframe_interval) = match source {
            Source::Camera(camera) => {
                let feed = camera.feed(&*shared.hardware, &programme.mode, shared.clock.clone());
                let interval = camera.keyframe_interval();
                (Some(camera), feed, interval)
            }
            // A publisher decides its own interval; segments are at least as long as configured.
            Source::Published(feed) => (None, feed, Duration::ZERO),
        };
        let (publisher, pictures) = broadcast::channel();
        pictures.keep_within(share);
        let feed = feed.start(publisher, pictures)?;
        if let Some(camera) = &camera {
            camera.is_run_by(feed.status.clone());
        }
        let cuts = shared.settings.hls(keyframe_interval);
        let broadcast = feed.status.broadcast();
        let (hls, reader) = hls::spawn(broadcast, cuts, shared.clock.clone(), shared.hls_metrics.clone())?;
        let recorder = if programme.is_recorded {
            let stream = programme.stream;
            let (offset_ms, share) = (offset_of(shared, stream), broadcast.share());
            let about = recorder::About { stream, cuts, offset_ms, share };
            Some(recorder::spawn(broadcast, &shared.settings.recordings, about, shared.clock.clone())?)
        } else {
            None
        };
        let asked = relay::Asked {
            frames_per_second: programme.mode.frames_per_second,
            bitrate_kbps: programme.mode.bitrate_kbps,
        };
        let destinations = &shared.settings.relays;
        let mut relays = Relays::new(destinations, broadcast, asked, &shared.clock);
        relays.change(&programme.relays);
        let viewers = Arc::new(Viewers::new(shared.settings.segment.max(keyframe_interval)));
        shared.show(OnAir {
            stream: programme.stream,
            user: programme.user,
            origin: programme.origin.clone(),
            feed: feed.status.clone(),
            asked: programme.mode,
            visibility: programme.visibility,
            state: programme.state,
            zero: programme.zero,
            hls: hls.clone(),
            relays: relays.handle(),
            viewers: viewers.clone(),
            is_pinned: false,
            fault: None,
            ended: None,
        });
        Ok(Self {
            shared: shared.clone(),
            camera,
            feed,
            reader,
            recorder,
            relays,
            hls,
            viewers,
            stream: programme.stream,
            stored: programme.user.is_some(),
            state: programme.state,
            was_live: programme.state == StreamState::Interrupted,
            peak: 0,
            mode: programme.mode,
            ends_at: programme.ends_in.map(|ends_in| Instant::now() + ends_in),
        })
    }

    /// Runs the stream to its end.
    pub(super) async fn run(
        mut self,
        mut stop: oneshot::Receiver<EndReason>,
        mut relays: mpsc::Receiver<ChangeRelays>,
    ) -> Finished {
        let mut feed = self.feed.status.state().clone();
        let mut hls = self.hls.clone();
        let mut segments = self.hls.clone();
        let clock = self.shared.clock.clone();
        let mut has_picture = false;
        let mut away_since: Option<Instant> = None;
        let mut failed = false;
        let reason = loop {
            tokio::select! {
                // If the studio is gone, the daemon is stopping.
                reason = &mut stop => break reason.unwrap_or(EndReason::Shutdown),
                () = until(self.ends_at) => break EndReason::Duration,
                () = hls.ready(), if !has_picture => {
                    has_picture = true;
                    self.is_live().await;
                    self.note_mode().await;
                }
                () = changed(&mut feed) => {
                    let is_away = matches!(*feed.borrow(), CameraState::Waiting { .. });
                    away_since = is_away.then(|| away_since.unwrap_or_else(Instant::now));
                    if has_picture && matches!(*feed.borrow(), CameraState::Live { .. }) {
                        self.is_live().await;
                    }
                    self.shared.news();
                }
                () = until(away_since.map(|since| since + INTERRUPTION)),
                    if self.state == StreamState::Live => self.is_interrupted().await,
                () = segments.fault_changed() => self.note_fault(),
                Some(change) = relays.recv() => self.change_relays(change).await,
                () = next_round(&*clock, LOOK) => {
                    self.count_viewers().await;
                    self.note_mode().await;
                }
                ended = &mut self.reader => {
                    // A publisher that leaves ends its stream.
                    if *feed.borrow() == CameraState::Stopped {
                        break EndReason::User;
                    }
                    tracing::error!("the hls reader ended: {ended:?}");
                    failed = true;
                    break EndReason::Interruption;
                }
            }
        };
        relays.close();
        while let Ok(change) = relays.try_recv() {
            let _ = change.answer.send(Err(LiveError::NotOnAir));
        }
        // A restart of the daemon repairs a broken part, and resumes the stream.
        let reason = (!failed).then_some(reason);
        self.finish(reason).await
    }

    async fn is_live(&mut self) {
        if self.state == StreamState::Live {
            return;
        }
        self.state = StreamState::Live;
        let now = self.shared.clock.monotonic();
        let is_first = !std::mem::replace(&mut self.was_live, true);
        self.shared.change(self.stream, |on_air| {
            on_air.state = StreamState::Live;
            if is_first {
                on_air.zero = now;
            }
        });
        if self.stored {
            let (stream, at) = (self.stream, wall(&*self.shared.clock));
            match self.shared.store(move |store| store.stream_live(stream, at)).await {
                Ok(deliveries) => (self.shared.tell)(deliveries),
                Err(error) => tracing::error!("cannot write that a stream is live: {error}"),
            }
        }
        tracing::info!(stream = %self.stream, "on the air");
    }

    async fn is_interrupted(&mut self) {
        self.state = StreamState::Interrupted;
        self.shared.change(self.stream, |on_air| on_air.state = StreamState::Interrupted);
        if self.stored {
            let stream = self.stream;
            if let Err(error) = self.shared.store(move |store| store.stream_interrupted(stream)).await {
                tracing::error!("cannot write that a stream is interrupted: {error}");
            }
        }
        tracing::warn!(stream = %self.stream, "the stream is interrupted");
    }

    /// A card that takes no writes must not keep a stream from being sent where it should go, or from being sent no more.
    async fn change_relays(&mut self, ChangeRelays { relays, answer }: ChangeRelays) {
        self.relays.change(&relays);
        let handle = self.relays.handle();
        self.shared.change(self.stream, |on_air| on_air.relays = handle);
        if self.stored {
            let stream = self.stream;
            let written = self.shared.store(move |store| store.set_stream_relays(stream, &relays));
            if let Err(error) = written.await {
                tracing::error!("cannot write where a stream is sent on to: {error}");
            }
        }
        // Whoever asked may be gone.
        let _ = answer.send(Ok(()));
    }

    async fn count_viewers(&mut self) {
        let new = self.viewers.look(self.shared.clock.monotonic());
        let (stream, now) = (self.stream, self.viewers.now());
        let is_peak = now > self.peak;
        self.peak = self.peak.max(now);
        if !self.stored || (new.is_empty() && !is_peak) {
            return;
        }
        let counted = self.shared.store(move |store| {
            let views: Vec<_> = new.into_iter().map(|viewer| (stream, viewer)).collect();
            if !views.is_empty() {
                store.count_views(&views)?;
            }
            if is_peak { store.raise_peak_viewers(stream, now) } else { Ok(()) }
        });
        if let Err(error) = counted.await {
            tracing::warn!("cannot write who watched: {error}");
        }
    }

    /// Logs that segments are missing, or are listed again.
    fn note_fault(&self) {
        let fault = self.hls.fault();
        if let Some(fault) = &fault {
            tracing::error!(stream = %self.stream, "{fault}");
        } else {
            tracing::info!(stream = %self.stream, "viewers get the stream again");
        }
        self.shared.change(self.stream, |on_air| on_air.fault = fault);
    }

    /// Writes the actual mode of the pictures.
    async fn note_mode(&mut self) {
        let Some(mode) = self.feed.status.mode(self.mode).filter(|mode| *mode != self.mode) else { return };
        self.mode = mode;
        if self.stored {
            let stream = self.stream;
            if let Err(error) = self.shared.store(move |store| store.set_stream_mode(stream, mode)).await {
                tracing::warn!("cannot write the size of the pictures: {error}");
            }
        }
        self.shared.news();
    }

    /// Stops the feed, lets the reader end its playlist, and writes the end. A stream that a restart resumes, or that has no reason to end, stays
    /// unfinished in the store.
    async fn finish(mut self, reason: Option<EndReason>) -> Finished {
        let is_resumed = reason == Some(EndReason::Shutdown)
            && self.stored
            && !self.shared.settings.resume_within.is_zero();
        if is_resumed {
            self.hls.goes_on();
        }
        self.count_viewers().await;
        self.note_mode().await;
        let name = self.feed.status.name().to_owned();
        if !self.feed.stop(shutdown::CAPTURE).await {
            tracing::warn!(feed = name, "the feed's thread hangs and was left behind");
            if let Some(camera) = &self.camera {
                camera.is_left_behind();
            }
        }
        // They take leave while the other readers finish.
        let relays = tokio::spawn(shutdown::step("the relays", shutdown::READERS, self.relays.finish()));
        if !self.reader.is_terminated() {
            shutdown::step("the hls reader", shutdown::READERS, &mut self.reader).await;
        }
        // A card that hangs must not keep the stream from ending: the recording is then closed from its own bytes
        // later.
        if let Some(recorder) = self.recorder.take() {
            shutdown::step("the recorder", shutdown::READERS, recorder).await;
        }
        if let Err(error) = relays.await {
            tracing::error!("the relays broke down: {error}");
        }
        let (stream, shared) = (self.stream, self.shared);
        let mut finished = Finished { stream, failed: reason.is_none(), unwritten: None };
        let Some(reason) = reason.filter(|_| !is_resumed) else {
            shared.change(stream, |on_air| on_air.state = StreamState::Interrupted);
            if is_resumed && self.was_live {
                // Also writes the moment at which the stream ended, in case the restart comes too late.
                let written = shared.store(move |store| store.stream_interrupted(stream)).await;
                if let Err(error) = written {
                    tracing::error!("cannot write that a stream is interrupted: {error}");
                }
            }
            if is_resumed {
                tracing::info!(%stream, "the stream goes on when perchd is started again");
            }
            return finished;
        };
        let end = End { stream, reason, at: shared.clock.since_boot() };
        let ended_at = end.date(&*shared.clock);
        if self.stored {
            let clock = shared.clock.clone();
            match shared.store(move |store| end.write(store, &*clock)).await {
                Ok(delivery) => (shared.tell)(delivery.into_iter().collect()),
                Err(error) => {
                    tracing::error!(%stream, "the stream has ended, which is written later: {error}");
                    finished.unwritten = Some(end);
                }
            }
        }
        shared.change(stream, |on_air| {
            on_air.state = StreamState::Ended;
            on_air.ended = Some((reason, ended_at));
        });
        tracing::info!(%stream, ?reason, "the stream has ended");
        finished
    }
}

/// Maps a monotonic time to the offset in the stream that its chat uses.
fn offset_of(shared: &Shared, stream: StreamId) -> recorder::OffsetOf {
    let on_air = shared.on_air.subscribe();
    Arc::new(move |at| {
        let all = on_air.borrow();
        let zero = all.iter().find(|on_air| on_air.stream == stream).map_or(at, |on_air| on_air.zero);
        at.saturating_sub(zero).as_millis() as u64
    })
}

/// If the thread is gone, nothing more changes; the reader's end reports that.
async fn changed(state: &mut watch::Receiver<CameraState>) {
    if state.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
