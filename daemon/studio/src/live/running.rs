//! One stream while it runs: owns the camera's thread and the hls reader, sees what becomes of them, and writes it down.

use super::camera::LiveCamera;
use super::studio::Shared;
use crate::capture::status::CameraState;
use crate::capture::supervisor::CaptureThread;
use crate::clock::until;
use crate::clock::wall;
use crate::hls::{self, HlsHandle};
use crate::memory_budget::StreamShare;
use crate::shutdown;
use perch_store::{EndReason, Store, StoreError, StreamId, StreamState, UserId, VideoMode, Visibility};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::{OnAir, Viewers};

/// A camera that is away for less is a seam, no interruption.
const INTERRUPTION: Duration = Duration::from_secs(3);
/// Viewers are counted so often; new views are written in one commit each time.
const LOOK: Duration = Duration::from_secs(5);
/// How often writing a stream's end is tried, and the pause between tries.
const TRIES: u32 = 4;
const APART: Duration = Duration::from_millis(300);

/// What is to be put on the air.
pub(super) struct Programme {
    pub(super) stream: StreamId,
    /// `None`: the appliance's own; the store knows nothing of it.
    pub(super) user: Option<UserId>,
    /// Its memory.
    pub(super) share: StreamShare,
    pub(super) visibility: Visibility,
    pub(super) mode: VideoMode,
    /// After which it ends by itself.
    pub(super) ends_in: Option<Duration>,
    /// Where it stands: a stream that is resumed was live before.
    pub(super) state: StreamState,
    /// Monotonic time of offset 0; set anew by the first picture, but for a stream that is resumed.
    pub(super) zero: Duration,
}

/// A stream that runs.
pub(super) struct Running {
    shared: Arc<Shared>,
    camera: LiveCamera,
    capture: CaptureThread,
    reader: oneshot::Receiver<()>,
    hls: HlsHandle,
    viewers: Arc<Viewers>,
    stream: StreamId,
    /// Whether the store knows it.
    stored: bool,
    state: StreamState,
    was_live: bool,
    peak: u32,
    ends_at: Option<Instant>,
}

/// How it came to its end.
pub(super) struct Finished {
    pub(super) stream: StreamId,
    /// A part of the daemon broke down.
    pub(super) failed: bool,
}

impl Running {
    /// Starts the camera's thread and the hls reader, and shows the stream.
    pub(super) fn start(
        shared: &Arc<Shared>,
        camera: &LiveCamera,
        programme: &Programme,
    ) -> std::io::Result<Self> {
        let wanted = camera.in_mode(&programme.mode);
        let keyframe_interval = Duration::from_secs_f64(wanted.keyframe_interval_seconds);
        let name = wanted.name.clone();
        let opener = shared.hardware.opener(wanted, camera.counters.clone(), camera.self_test.clone());
        let capture = CaptureThread::spawn(&name, opener, camera.counters.clone(), shared.clock.clone())?;
        capture.handle().broadcast().keep_within(programme.share.clone());
        camera.is_run_by(capture.handle().clone());
        let settings = shared.settings.hls(keyframe_interval);
        let (hls, reader) = hls::spawn(
            capture.handle().broadcast(),
            settings,
            shared.clock.clone(),
            shared.hls_metrics.clone(),
        )?;
        let viewers = Arc::new(Viewers::new(shared.settings.segment.max(keyframe_interval)));
        shared.show(OnAir {
            stream: programme.stream,
            user: programme.user,
            camera: capture.handle().name().into(),
            visibility: programme.visibility,
            state: programme.state,
            zero: programme.zero,
            hls: hls.clone(),
            viewers: viewers.clone(),
        });
        Ok(Self {
            shared: shared.clone(),
            camera: camera.clone(),
            capture,
            reader,
            hls,
            viewers,
            stream: programme.stream,
            stored: programme.user.is_some(),
            state: programme.state,
            was_live: programme.state == StreamState::Interrupted,
            peak: 0,
            ends_at: programme.ends_in.map(|ends_in| Instant::now() + ends_in),
        })
    }

    /// Sees it through to its end.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<EndReason>) -> Finished {
        let mut camera = self.capture.handle().state().clone();
        let mut hls = self.hls.clone();
        let mut look = tokio::time::interval(LOOK);
        let mut has_picture = false;
        let mut away_since: Option<Instant> = None;
        let mut failed = false;
        let reason = loop {
            tokio::select! {
                // A studio that is gone is the daemon going.
                reason = &mut stop => break reason.unwrap_or(EndReason::Shutdown),
                () = until(self.ends_at) => break EndReason::Duration,
                () = hls.ready(), if !has_picture => {
                    has_picture = true;
                    self.is_live().await;
                }
                () = changed(&mut camera) => {
                    let is_away = matches!(*camera.borrow(), CameraState::Waiting { .. });
                    away_since = is_away.then(|| away_since.unwrap_or_else(Instant::now));
                    if has_picture && matches!(*camera.borrow(), CameraState::Live { .. }) {
                        self.is_live().await;
                    }
                    self.shared.news();
                }
                () = until(away_since.map(|since| since + INTERRUPTION)),
                    if self.state == StreamState::Live => self.is_interrupted().await,
                _ = look.tick() => self.count_viewers().await,
                ended = &mut self.reader => {
                    tracing::error!("the hls reader ended: {ended:?}");
                    failed = true;
                    break EndReason::Interruption;
                }
            }
        };
        // What broke down is put together anew by a restart of the daemon, which resumes the stream.
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

    /// Stops the camera, lets the reader end its playlist, and writes the end. Without a reason the stream stays unfinished in the store.
    async fn finish(mut self, reason: Option<EndReason>) -> Finished {
        self.count_viewers().await;
        if !self.capture.stop(shutdown::CAPTURE).await {
            tracing::warn!(camera = self.camera.config.name, "the camera's thread hangs and was left behind");
            self.camera.is_left_behind();
        }
        if !self.reader.is_terminated() {
            shutdown::step("the hls reader", shutdown::READERS, &mut self.reader).await;
        }
        let stream = self.stream;
        if let Some(reason) = reason.filter(|_| self.stored) {
            let at = wall(&*self.shared.clock);
            match persist(&self.shared, move |store| store.end_stream(stream, reason, at)).await {
                Ok(delivery) => (self.shared.tell)(delivery.into_iter().collect()),
                Err(error) => tracing::error!("cannot write that a stream has ended: {error}"),
            }
        }
        self.shared.change(stream, |on_air| on_air.state = StreamState::Ended);
        if let Some(reason) = reason {
            tracing::info!(stream = %stream, ?reason, "the stream has ended");
        }
        Finished { stream, failed: reason.is_none() }
    }
}

/// Tries again where the card fails: the end of a stream is what people rely on.
async fn persist<T: Send + 'static>(
    shared: &Shared,
    work: impl Fn(&Store) -> Result<T, StoreError> + Clone + Send + 'static,
) -> Result<T, StoreError> {
    let mut tries = 0;
    loop {
        let work = work.clone();
        match shared.store(move |store| work(store)).await {
            Err(error) if tries < TRIES && !matches!(error, StoreError::Refused(_)) => {
                tries += 1;
                tracing::warn!("the store fails ({error}); trying again");
                tokio::time::sleep(APART).await;
            }
            done => return done,
        }
    }
}

/// A thread that is gone says nothing more; the reader's end tells.
async fn changed(state: &mut watch::Receiver<CameraState>) {
    if state.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
