//! The hls reader: turns samples of a broadcast into segments and playlists in memory (RFC 8216bis). Nothing is written to the card.
//!
//! One thread owns segmenter and window. After each segment it publishes a new [`Offer`]; [`HlsHandle`]s share it, so any request costs only a
//! reference count.
//!
//! Must not be here: HTTP (paths, headers, limits on waiters), bits of MPEG-TS and playlists (`perch-media`).

mod error;
mod handle;
mod in_kernel;

pub use error::HlsError;
use handle::Listed;
pub use handle::{HlsHandle, HlsMetrics, Offer, SegmentBytes};

use crate::broadcast::{Broadcast, Item, Published, Reader, Start, Want};
use crate::clock::Clock;
use crate::memory_budget::StreamShare;
use in_kernel::InKernel;
use perch_media::hls::{
    CutterConfig, LiveWindow, LiveWindowConfig, MultivariantPlaylist, Segment, SegmentWriter, Segmenter,
    WallOffset,
};
use perch_media::mpegts::Muxer;
use perch_media::sample::Sample;
use perch_media::time::MediaTime;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// A segment is listed as soon as the IDR after it arrives. Waking up between IDRs spreads the work, so that little is left to do then.
const WANT: Want = Want { patience: Duration::from_millis(650), at_entry_points: true, start: Start::Newest };

/// Name of the media playlist, relative to the multivariant playlist.
pub const MEDIA_PLAYLIST: &str = "index.m3u8";

/// Milliseconds. Wall time is sampled with each segment; a smaller change means that the clock is being slewed, and dates in the playlist stay.
const CLOCK_SET: i64 = 500;
/// Largest sum of the offered segments' bytes: 60 s at 4 Mb/s. Higher rates shorten the window, but never below five target durations.
const WINDOW_BYTES: usize = 32 << 20;
/// PART-TARGET.
const PART: Duration = Duration::from_millis(250);
/// No stream makes segments faster than one in this time, including seams: a source that fails is opened again after 250 ms.
const SHORTEST_SEGMENT: Duration = Duration::from_millis(100);
/// 2026-01-01, as time since the Unix epoch. Sequence numbers count from there, so that they stay short.
const BEFORE_ALL_RUNS: Duration = Duration::from_hours(490_896);
/// After this long without a sample, the unfinished segment is listed as it is: the cutter takes a pause of 1.5 s for a seam.
const PAUSE: Duration = Duration::from_millis(1750);

/// How a stream is cut and offered.
#[derive(Clone, Copy, Debug)]
pub struct HlsSettings {
    /// Length of a segment.
    pub segment: Duration,
    /// Duration of the playlist.
    pub window: Duration,
    /// Configured time between IDRs: a segment is at least this long.
    pub keyframe_interval: Duration,
}

impl HlsSettings {
    /// EXT-X-TARGETDURATION for a source that gives key frames as configured or on request.
    pub(crate) fn target_duration(&self) -> u64 {
        let longest = self.segment.max(self.keyframe_interval);
        (longest.as_secs() + u64::from(longest.subsec_nanos() > 0)).max(1)
    }
}

/// Time since [`BEFORE_ALL_RUNS`].
fn age(wall: SystemTime) -> Duration {
    wall.duration_since(SystemTime::UNIX_EPOCH + BEFORE_ALL_RUNS).unwrap_or_default()
}

/// First media sequence number of a run, derived from the wall clock: higher than any number of an earlier run, of this stream or of another at the
/// same address. So numbers never go back for a player, and nothing must be stored. A board that lost its clock in a power cut may begin lower;
/// segment names are unique nevertheless.
fn first_sequence(wall: SystemTime) -> u64 {
    (age(wall).as_millis() / SHORTEST_SEGMENT.as_millis()) as u64
}

/// First EXT-X-DISCONTINUITY-SEQUENCE of a run, derived likewise: one for each hour, so that it stays small.
fn first_discontinuity(wall: SystemTime) -> u64 {
    age(wall).as_secs() / 3600
}

/// Starts a stream's reader; `metrics` are shared by all streams. It runs on a thread of its own, because it lasts as long as the stream, and the
/// runtime's threads for blocking work are for short calls. When the broadcast closes, it ends its playlist; the receiver then gets the result of the
/// last segment. If the reader panics, the receiver is closed without a result.
pub fn spawn(
    broadcast: &Broadcast,
    settings: HlsSettings,
    clock: Arc<dyn Clock>,
    metrics: Arc<HlsMetrics>,
) -> io::Result<(HlsHandle, oneshot::Receiver<Result<(), HlsError>>)> {
    let (handle, reading) = read(broadcast, settings, clock, metrics, InKernel::default())?;
    let runtime = Handle::current();
    let (running, ended) = oneshot::channel();
    std::thread::Builder::new().name("hls".to_owned()).spawn(move || {
        let ended = runtime.block_on(reading);
        // The receiver may be gone.
        let _ = running.send(ended);
    })?;
    Ok((handle, ended))
}

/// The reader and its handle; `writer` keeps the segments.
fn read<W: Writer>(
    broadcast: &Broadcast,
    settings: HlsSettings,
    clock: Arc<dyn Clock>,
    metrics: Arc<HlsMetrics>,
    writer: W,
) -> io::Result<(HlsHandle, impl Future<Output = Result<(), HlsError>> + use<W>)> {
    let (offer, offer_seen) = watch::channel(Arc::default());
    let (fault, fault_seen) = watch::channel(None);
    let run = new_run()?;
    let goes_on = Arc::<AtomicBool>::default();
    let handle =
        HlsHandle::new(offer_seen, fault_seen, run.as_str().into(), broadcast.share(), goes_on.clone());
    let (reader, share) = (broadcast.subscribe(WANT), broadcast.share());
    let stream = Stream::new(settings, run, Told { offer, fault }, metrics, clock, share, writer);
    Ok((handle, stream.run(reader, goes_on)))
}

/// Prefix of the names of a run's segments: 48 random bits in hexadecimal, so that no two runs share a name, even if store or clock are lost.
fn new_run() -> io::Result<String> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(random.iter().fold(String::new(), |name, byte| name + &format!("{byte:02x}")))
}

/// Keeps segments so that they can be served.
trait Writer: SegmentWriter<Whole = SegmentBytes, Error = io::Error> {}

impl<W: SegmentWriter<Whole = SegmentBytes, Error = io::Error>> Writer for W {}

/// Channels from the reader to its handles.
struct Told {
    offer: watch::Sender<Arc<Offer>>,
    /// Why the newest segment is missing; `None` once another was listed.
    fault: watch::Sender<Option<HlsError>>,
}

/// The reader's state.
struct Stream<W: Writer> {
    segmenter: Segmenter<W>,
    window: LiveWindow<Arc<Listed>>,
    share: StreamShare,
    wall: Option<WallOffset>,
    told: Told,
    metrics: Arc<HlsMetrics>,
    clock: Arc<dyn Clock>,
    /// Bytes of the offered segments, as counted in `metrics`.
    bytes: u64,
}

impl<W: Writer> Drop for Stream<W> {
    fn drop(&mut self) {
        self.metrics.window_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl<W: Writer> Stream<W> {
    fn new(
        settings: HlsSettings,
        run: String,
        told: Told,
        metrics: Arc<HlsMetrics>,
        clock: Arc<dyn Clock>,
        share: StreamShare,
        writer: W,
    ) -> Self {
        let target_duration = settings.target_duration();
        let first_sequence = first_sequence(clock.wall());
        let cuts = CutterConfig { segment: settings.segment, target_duration, part: PART };
        Self {
            segmenter: Segmenter::with_writer(cuts, first_sequence, Muxer::new(), writer),
            window: LiveWindow::new(LiveWindowConfig {
                run,
                target_duration,
                window: settings.window,
                max_bytes: WINDOW_BYTES,
                first_sequence,
                first_discontinuity: first_discontinuity(clock.wall()),
            }),
            share,
            wall: None,
            told,
            metrics,
            clock,
            bytes: 0,
        }
    }

    async fn run(mut self, mut reader: Reader, goes_on: Arc<AtomicBool>) -> Result<(), HlsError> {
        let mut is_quiet = false;
        loop {
            // The broadcast wakes nobody for the last pictures before a pause: they are taken before it counts as a pause.
            let wait = if is_quiet { Duration::ZERO } else { PAUSE };
            let item = match timeout(wait, reader.next()).await {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(_) if is_quiet => {
                    is_quiet = false;
                    self.finish();
                    continue;
                }
                Err(_) => {
                    is_quiet = true;
                    continue;
                }
            };
            match item {
                Item::Lagged { dropped } => {
                    self.metrics.lagged.fetch_add(dropped, Ordering::Relaxed);
                    tracing::warn!(
                        "{dropped} pictures and frames of sound are missing from the stream: making segments fell too far behind the camera, and went on \
                         at the next key frame"
                    );
                }
                Item::Sample(published) => {
                    self.take(&published);
                    if self.segmenter.wants_key_frame() {
                        reader.force_key_frame();
                    }
                }
            }
        }
        self.finish();
        let offer = self.make_offer(!goes_on.load(Ordering::Relaxed));
        self.told.offer.send_replace(offer);
        match self.told.fault.borrow().clone() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// Lists the unfinished segment as it is.
    fn finish(&mut self) {
        match self.segmenter.finish() {
            Ok(Some(segment)) => self.list(segment, self.clock.monotonic()),
            Ok(None) => {}
            Err(error) => self.miss(error.into()),
        }
    }

    fn take(&mut self, published: &Published) {
        let pushed = match &published.sample {
            Sample::Video(unit) => self.segmenter.push(unit),
            Sample::Audio(frame) => self.segmenter.push_sound(frame).map(|()| None),
        };
        match pushed {
            Ok(Some(segment)) => self.list(segment, published.published_at),
            Ok(None) => {}
            Err(error) => self.miss(error.into()),
        }
    }

    /// Reports that a segment could not be kept; the stream's owner logs the first of several. The reader continues: if memory is short, each new
    /// segment is another try, nothing accumulates, and ending the stream would also end its recording.
    fn miss(&mut self, fault: HlsError) {
        self.metrics.lost_segments.fetch_add(1, Ordering::Relaxed);
        self.told.fault.send_if_modified(|told| told.replace(fault).is_none());
    }

    fn list(&mut self, segment: Segment<SegmentBytes>, completed_at: Duration) {
        self.sample_wall_clock();
        self.keep(segment);
        let offer = self.make_offer(false);
        // Counted first, so that whoever sees the segment listed finds it counted.
        self.metrics.segments.fetch_add(1, Ordering::Relaxed);
        let listed_after = self.clock.monotonic().saturating_sub(completed_at);
        self.metrics.listing_seconds.observe(listed_after.as_secs_f64());
        self.told.offer.send_replace(offer);
        self.told.fault.send_if_modified(|told| told.take().is_some());
    }

    fn keep(&mut self, segment: Segment<SegmentBytes>) {
        self.window.fix_target_duration(self.segmenter.target_duration());
        self.window.keep_within(self.share.window_bytes().min(WINDOW_BYTES));
        self.window.push(segment.map(|data| Arc::new(Listed::new(data, &self.share))));
    }

    fn sample_wall_clock(&mut self) {
        let at = MediaTime::from_monotonic(self.clock.monotonic());
        let since_epoch = self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = since_epoch.as_millis() as i64;
        if self.wall.is_none_or(|wall| wall.unix_milliseconds(at).abs_diff(now) >= CLOCK_SET as u64) {
            self.wall = Some(WallOffset::new(now, at));
        }
    }

    /// Makes a new offer. The segments' bytes are shared, not copied.
    fn make_offer(&mut self, has_ended: bool) -> Arc<Offer> {
        let Some(wall) = self.wall else {
            // No segment was made, so there is no playlist to end.
            return Arc::new(Offer { has_ended, ..Offer::default() });
        };
        let first_offered = self.window.segments().next().map_or(0, |segment| segment.sequence);
        let mut first_sequence = self.told.offer.borrow().first_sequence.min(first_offered);
        if self.told.offer.borrow().segments.is_empty() {
            first_sequence = first_offered;
        }
        while first_sequence < first_offered && self.window.segment(first_sequence).is_none() {
            first_sequence += 1;
        }
        let next_sequence = self.window.next_sequence();
        let segments: Vec<_> = (first_sequence..next_sequence)
            .map_while(|sequence| self.window.segment(sequence))
            .map(|segment| segment.data.clone())
            .collect();
        let bytes: usize = segments.iter().map(|listed: &Arc<Listed>| listed.segment.data.len()).sum();
        let before = std::mem::replace(&mut self.bytes, bytes as u64);
        self.metrics.window_bytes.fetch_add(self.bytes.wrapping_sub(before), Ordering::Relaxed);
        let variants = self.window.variant(MEDIA_PLAYLIST).into_iter().collect();
        Arc::new(Offer {
            playlist: self.window.playlist(wall, has_ended).to_string().into(),
            multivariant: MultivariantPlaylist { variants }.to_string().into(),
            tag: format!("\"{}-{next_sequence}{}\"", self.window.run(), if has_ended { "-end" } else { "" })
                .into(),
            target_duration: Duration::from_secs(self.window.target_duration()),
            duration: self.window.duration(),
            next_sequence,
            has_ended,
            first_sequence,
            segments,
        })
    }
}

#[cfg(test)]
mod tests;
