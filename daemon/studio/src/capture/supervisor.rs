//! Keeps one camera running: opens it, streams, and reopens it when it fails, until it is told to stop.
//!
//! One thread for each camera owns the source, and with it every kernel buffer and child process. Others hold its [`FeedStatus`]. A seam is a new
//! *epoch* in the access units, not an outage.
//!
//! Must not be here: the choice of the source (`open`), the behaviour of drivers (`perch-device`), the readers of the
//! pictures.

mod container;
mod pictures;
pub(crate) mod soundtrack;

use super::received::Received;
use super::source::{CodedSource, Opener, Output, SourceError};
use super::status::{CameraState, CaptureCounters};
use crate::broadcast::{Broadcast, Publisher};
use crate::clock::Clock;
use crate::feed::{Feed, FeedHandle, FeedStatus, Heartbeat};
use perch_media::sample::Sample;
use perch_media::time::MediaTime;
use perch_media::timeline::{Timeline, Track};
use pictures::Pictures;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Longest wait for a source, so that the loop notices a stop or a request for a key frame in time.
const POLL: Duration = Duration::from_millis(100);
/// A source that gave pictures is reopened after this long without one. Cameras in the dark go down to 5 frames per
/// second, and pictures must be back within 5 s.
const SILENCE: Duration = Duration::from_millis(2500);
/// The same for the first picture: sensors, encoders and `rpicam-vid` need seconds to start.
const FIRST_PICTURE: Duration = Duration::from_secs(8);
/// The first pause between two attempts; each further one is twice as long …
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// … up to this. A camera that comes back is used after this time at most.
const BACKOFF_LONGEST: Duration = Duration::from_secs(2);
/// A source that ran for this long is reopened at once after a failure.
const PROVEN: Duration = Duration::from_secs(5);
/// Shortest time between two requests for a key frame: an encoder that holds pictures answers late, and further requests would get further IDRs.
const KEY_FRAME_REQUESTS_APART: Duration = Duration::from_millis(250);
/// Time for the pictures that the encoder still holds at the end.
const DRAIN: Duration = Duration::from_millis(500);
/// Shortest time between two log lines about losses.
const SAY_LOSSES: Duration = Duration::from_secs(1);

/// A camera that runs on a thread of its own for as long as it is a feed.
pub struct CameraFeed {
    /// The configured name.
    pub name: String,
    /// Opens its source, repeatedly.
    pub opener: Box<dyn Opener>,
    /// Counters into which the opener's sources count, too.
    pub counters: Arc<CaptureCounters>,
    /// The kernel's clock, or a test's.
    pub clock: Arc<dyn Clock>,
}

impl Feed for CameraFeed {
    fn start(self: Box<Self>, publisher: Publisher, broadcast: Broadcast) -> std::io::Result<FeedHandle> {
        let Self { name, opener, counters, clock } = *self;
        let (supervisor, status) = Supervisor::new(&name, opener, counters, clock, publisher, broadcast);
        let stop = supervisor.stop.clone();
        let (running, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("capture-{name}")).spawn(move || {
            supervisor.run();
            drop(running);
        })?;
        let thread = thread.thread().clone();
        let stop = Box::new(move || {
            stop.store(true, Ordering::Relaxed);
            thread.unpark();
        });
        Ok(FeedHandle { status, stop, ended })
    }
}

struct Supervisor {
    name: Arc<str>,
    opener: Box<dyn Opener>,
    clock: Arc<dyn Clock>,
    publisher: Publisher,
    state: watch::Sender<CameraState>,
    counters: Arc<CaptureCounters>,
    heartbeat: Arc<Heartbeat>,
    stop: Arc<AtomicBool>,
    /// Epoch of the source that is open or opened next.
    epoch: u32,
    /// Epoch of the last published access unit.
    published_epoch: u32,
    /// Times of all samples, whatever their epoch.
    timeline: Timeline,
    /// True if the previous source had too few entries: the next one counts as live only after its second entry.
    lacks_entries: bool,
    /// Samples of one output; reused.
    samples: Vec<Sample>,
}

impl Supervisor {
    fn new(
        name: &str,
        opener: Box<dyn Opener>,
        counters: Arc<CaptureCounters>,
        clock: Arc<dyn Clock>,
        publisher: Publisher,
        broadcast: Broadcast,
    ) -> (Self, FeedStatus) {
        let (state, state_seen) = watch::channel(CameraState::Starting);
        let heartbeat = Arc::<Heartbeat>::default();
        heartbeat.beat(clock.monotonic());
        let status = FeedStatus::new(name, state_seen, counters.clone(), heartbeat.clone(), broadcast);
        let supervisor = Self {
            name: name.into(),
            opener,
            clock,
            publisher,
            state,
            counters,
            heartbeat,
            stop: Arc::default(),
            epoch: 0,
            published_epoch: 0,
            timeline: Timeline::new(),
            lacks_entries: false,
            samples: Vec::new(),
        };
        (supervisor, status)
    }

    fn run(mut self) {
        let mut backoff = Duration::ZERO;
        while !self.is_stopped() {
            let opened_at = self.clock.monotonic();
            let Err(error) = self.run_source() else { break };
            let ran_for = self.clock.monotonic().saturating_sub(opened_at);
            if self.timeline.latest().is_some()
                && matches!(*self.state.borrow(), CameraState::Live { .. })
                && ran_for >= PROVEN
            {
                backoff = Duration::ZERO;
            }
            self.counters.reopened.fetch_add(1, Ordering::Relaxed);
            self.report(&error, backoff);
            if self.wait(backoff) {
                backoff = Duration::ZERO;
            }
            backoff = (backoff * 2).clamp(BACKOFF_FIRST, BACKOFF_LONGEST);
        }
        self.state.send_replace(CameraState::Stopped);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Publishes the waiting state; logs it when the reason is new.
    fn report(&self, error: &SourceError, backoff: Duration) {
        let state = CameraState::Waiting { reason: error.to_string() };
        if self.state.send_if_modified(|now| {
            let is_new = *now != state;
            now.clone_from(&state);
            is_new
        }) {
            tracing::warn!(
                camera = &*self.name,
                again_in_milliseconds = backoff.as_millis() as u64,
                "{error}"
            );
        }
    }

    /// Waits for `backoff`, or until a device came or went; true if one did.
    fn wait(&mut self, backoff: Duration) -> bool {
        let until = self.clock.monotonic() + backoff;
        loop {
            let now = self.clock.monotonic();
            self.heartbeat.beat(now);
            if now >= until || self.is_stopped() {
                return false;
            }
            let left = until.saturating_sub(now);
            match self.opener.wait_for_news(left.min(POLL)) {
                Some(true) => return true,
                Some(false) => {}
                None => self.clock.park(left),
            }
        }
    }

    /// Opens the source and streams from it until it fails; `Ok` after a request to stop.
    fn run_source(&mut self) -> Result<(), SourceError> {
        // A panic in a decoder of foreign bytes must end one source and not the camera. AssertUnwindSafe holds: the
        // source is dropped, and everything else that the closure borrows is counters and values that are updated in
        // one step.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut source = self.opener.open()?;
            self.stream(&mut *source)
        }));
        if self.timeline.latest().is_some() {
            self.epoch = self.published_epoch + 1;
        }
        result.unwrap_or_else(|_| {
            Err(SourceError::Failed("an internal error ended it; the log has the place".to_owned()))
        })
    }

    fn stream(&mut self, source: &mut dyn CodedSource) -> Result<(), SourceError> {
        let mut last_progress = self.clock.monotonic();
        let frames_per_second = source.description().frames_per_second;
        let mut pictures = Pictures::new(self.epoch, frames_per_second, source.has_sound(), last_progress);
        self.timeline.begin_source();
        let mut is_live = false;
        let mut key_frame_wanted = false;
        let mut key_frame_asked: Option<Duration> = None;
        let mut losses = Losses::new(&self.counters, last_progress);
        let mut received = Received::default();
        while !self.is_stopped() {
            let now = self.clock.monotonic();
            key_frame_wanted |= self.publisher.take_key_frame_request();
            if (key_frame_wanted || pictures.wants_key_frame())
                && key_frame_asked.is_none_or(|asked| now >= asked + KEY_FRAME_REQUESTS_APART)
            {
                source.force_key_frame();
                (key_frame_wanted, key_frame_asked) = (false, Some(now));
            }
            let output = source.next(POLL).map_err(|error| {
                match (error, pictures.stream_problem().or_else(|| received.no_h264())) {
                    (SourceError::Failed(words), Some(why)) => SourceError::Failed(format!("{words}; {why}")),
                    (error, _) => error,
                }
            })?;
            let now = self.clock.monotonic();
            received.note(&output);
            if self.publish(&mut pictures, output, now) {
                last_progress = now;
                received.clear();
                if !self.lacks_entries || pictures.entries() > 1 {
                    self.lacks_entries = false;
                    self.announce(source, &mut pictures, is_live);
                    is_live = true;
                    if pictures.carry_times() {
                        source.carries_times();
                    }
                }
            }
            if let Some(fault) = pictures.fault(now) {
                self.lacks_entries = true;
                return Err(fault);
            }
            losses.say(&self.name, &self.counters, now);
            let patience = if pictures.entries() > 0 { SILENCE } else { FIRST_PICTURE };
            if now.saturating_sub(last_progress) > patience || received.is_too_much() {
                if let Some(fault) = pictures.no_entry().filter(|_| pictures.wants_key_frame()) {
                    return Err(fault);
                }
                let why = pictures.stream_problem().unwrap_or_else(|| received.explain(patience));
                return Err(SourceError::Failed(why));
            }
        }
        self.drain(source, &mut pictures);
        Ok(())
    }

    /// Reports the source on the air, at the start and after each change.
    fn announce(&self, source: &dyn CodedSource, pictures: &mut Pictures, is_live: bool) {
        if !pictures.has_news() && is_live {
            return;
        }
        let mut source = source.description();
        let advice = pictures.describe(&mut source);
        if let Some(advice) = &advice {
            tracing::warn!(camera = &*self.name, "{advice}");
        }
        tracing::info!(
            camera = &*self.name,
            source = source.camera,
            encoder = source.encoder,
            "live: {}x{} at {} frames per second",
            source.width,
            source.height,
            source.frames_per_second
        );
        self.state.send_replace(CameraState::Live { source, advice });
    }

    /// Publishes the pictures that the encoder still holds.
    fn drain(&mut self, source: &mut dyn CodedSource, pictures: &mut Pictures) {
        let may_give_more = source.finish();
        let until = self.clock.monotonic() + DRAIN;
        while may_give_more
            && self.clock.monotonic() < until
            && let Ok(output @ (Output::Picture(_) | Output::Stream { .. })) = source.next(POLL)
        {
            let now = self.clock.monotonic();
            self.publish(pictures, output, now);
        }
        let now = self.clock.monotonic();
        pictures.finish(now, |sample| self.samples.push(sample));
        self.publish_samples(now);
    }

    /// True if an access unit came from `output`.
    fn publish(&mut self, pictures: &mut Pictures, output: Output, now: Duration) -> bool {
        let samples = &mut self.samples;
        pictures.take(output, now, &self.counters, |sample| samples.push(sample));
        let any = self.samples.iter().any(|sample| sample.video().is_some());
        self.publish_samples(now);
        any
    }

    fn publish_samples(&mut self, now: Duration) {
        if self.samples.is_empty() {
            return;
        }
        let count = |counter: &AtomicU64, by: u64| counter.fetch_add(by, Ordering::Relaxed);
        let changed_before = self.timeline.changed();
        for sample in &mut self.samples {
            let track = if sample.video().is_some() { Track::Video } else { Track::Audio };
            *sample.times_mut() = self.timeline.mend(track, sample.times(), MediaTime::from_monotonic(now));
            count(&self.counters.bytes, sample.data().len() as u64);
            let Some(unit) = sample.video() else { continue };
            if unit.epoch != 0 && unit.epoch != std::mem::replace(&mut self.published_epoch, unit.epoch) {
                count(&self.counters.seams, 1);
            }
            count(&self.counters.access_units, 1);
            count(&self.counters.key_frames, u64::from(unit.is_entry()));
        }
        count(&self.counters.times_changed, self.timeline.changed() - changed_before);
        self.publisher.publish(self.samples.drain(..), now);
        self.heartbeat.beat(now);
    }
}

/// Logs losses, at most one line per second.
struct Losses {
    discarded: u64,
    lost_frames: u64,
    said: Duration,
}

impl Losses {
    fn new(counters: &CaptureCounters, now: Duration) -> Self {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self { discarded: load(&counters.discarded), lost_frames: load(&counters.lost_frames), said: now }
    }

    fn say(&mut self, camera: &str, counters: &CaptureCounters, now: Duration) {
        if now < self.said + SAY_LOSSES {
            return;
        }
        let before = std::mem::replace(self, Self::new(counters, now));
        let (discarded, lost) = (self.discarded - before.discarded, self.lost_frames - before.lost_frames);
        if discarded + lost > 0 {
            tracing::warn!(camera, discarded, lost, "pictures are missing");
        }
    }
}

#[cfg(test)]
mod tests;
