//! The hls reader: access units out of a broadcast, segments and playlists into memory (RFC 8216bis). No card is written for live.
//!
//! One thread owns segmenter and window. After each segment it publishes a new [`Offer`] as a whole; [`HlsHandle`]s share it, so a
//! request costs a reference count, whatever it is for.
//!
//! Must not be here: HTTP (paths, headers, limits on waiters), bits of MPEG-TS and playlists (`perch-media`).

mod handle;
mod in_kernel;

use handle::Listed;
pub use handle::{HlsHandle, HlsMetrics, Offer, SegmentBytes};

use crate::broadcast::{Broadcast, Item, Published, Reader, Start, Want};
use crate::clock::Clock;
use crate::memory_budget::StreamShare;
use in_kernel::InKernel;
use perch_media::hls::{
    LiveWindow, LiveWindowConfig, MultivariantPlaylist, Segment, Segmenter, SegmenterConfig, WallOffset,
};
use perch_media::time::MediaTime;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A segment is listed as soon as the IDR after it has come. Between IDRs the work on it is spread, so that little is left of it then.
const WANT: Want = Want { patience: Duration::from_millis(650), at_entry_points: true, start: Start::Newest };

/// The media playlist's name, as the multivariant playlist refers to it.
pub const MEDIA_PLAYLIST: &str = "index.m3u8";

/// Sequence numbers reserved at a time: one commit of the store in half an hour of 2 s segments.
const RESERVE: u64 = 1000;
/// The next block is reserved when so few are left: a store that hangs has minutes to come back.
const RESERVE_AT: u64 = 100;
/// Wall time is sampled with each segment; less than this is the clock being slewed, and dates in the playlist stay as they are.
const CLOCK_SET: i64 = 500;
/// Segments that left the playlist stay available this long, for clients that fetch the oldest segment of a playlist they have just
/// read: one segment of 2 s.
const KEEP: Duration = Duration::from_millis(2500);
/// Of the segments on offer at most: 60 s at 4 Mb/s. At higher rates the window gets shorter, never below three targets.
const WINDOW_BYTES: usize = 32 << 20;

/// How a stream is cut and offered.
#[derive(Clone, Copy, Debug)]
pub struct HlsSettings {
    /// Length of a segment.
    pub segment: Duration,
    /// What the playlist covers.
    pub window: Duration,
    /// Between IDRs as configured: a segment is at least this long.
    pub keyframe_interval: Duration,
}

/// Gives out media sequence numbers that were never given before, over restarts too: called with how many, gives the first.
/// Blocking. Consecutive calls within one run continue each other.
pub type ReserveSequence = Arc<dyn Fn(u64) -> anyhow::Result<u64> + Send + Sync>;

/// Starts the reader; `metrics` are those of all streams. It runs on a thread of its own: among the runtime's tasks every wake-up would be two, as the worker that has its hands
/// full calls another to watch the sockets. It ends when the broadcast closes, after it has ended its playlist.
pub fn spawn(
    broadcast: &Broadcast,
    settings: HlsSettings,
    reserve: ReserveSequence,
    clock: Arc<dyn Clock>,
    metrics: Arc<HlsMetrics>,
) -> (HlsHandle, JoinHandle<()>) {
    let (handle, reading) = read(broadcast, settings, reserve, clock, metrics);
    let runtime = Handle::current();
    (handle, tokio::task::spawn_blocking(move || runtime.block_on(reading)))
}

/// The reader and what is known of it.
fn read(
    broadcast: &Broadcast,
    settings: HlsSettings,
    reserve: ReserveSequence,
    clock: Arc<dyn Clock>,
    metrics: Arc<HlsMetrics>,
) -> (HlsHandle, impl Future<Output = ()> + use<>) {
    let (offer, offer_seen) = watch::channel(Arc::default());
    let handle = HlsHandle::new(offer_seen, broadcast.share());
    let (reader, share) = (broadcast.subscribe(WANT), broadcast.share());
    let reading = async move {
        let Some(first) = reserve_first(&reserve).await else { return };
        let stream = Stream::new(settings, first, offer, metrics, clock, share);
        stream.run(reader, reserve).await;
    };
    (handle, reading)
}

/// The first block. Without it nothing can be named, so it is asked for until it is there.
async fn reserve_first(reserve: &ReserveSequence) -> Option<u64> {
    let mut backoff = Duration::from_millis(100);
    loop {
        match reserve_block(reserve.clone()).await {
            Ok(first) => return Some(first),
            Err(error) => tracing::error!("no media sequence numbers, so no live stream yet: {error:#}"),
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(Duration::from_secs(5));
    }
}

async fn reserve_block(reserve: ReserveSequence) -> anyhow::Result<u64> {
    tokio::task::spawn_blocking(move || reserve(RESERVE)).await?
}

/// The reader's state.
struct Stream {
    segmenter: Segmenter<InKernel>,
    window: LiveWindow<Arc<Listed>>,
    share: StreamShare,
    wall: Option<WallOffset>,
    offer: watch::Sender<Arc<Offer>>,
    metrics: Arc<HlsMetrics>,
    clock: Arc<dyn Clock>,
    /// The first number that is not reserved.
    reserved_until: u64,
    /// Of the offered segments, as counted in `metrics`.
    bytes: u64,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.metrics.window_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Stream {
    fn new(
        settings: HlsSettings,
        first_sequence: u64,
        offer: watch::Sender<Arc<Offer>>,
        metrics: Arc<HlsMetrics>,
        clock: Arc<dyn Clock>,
        share: StreamShare,
    ) -> Self {
        let HlsSettings { segment, window, keyframe_interval } = settings;
        Self {
            segmenter: Segmenter::with_writer(
                SegmenterConfig { target: segment, first_sequence },
                InKernel::default(),
            ),
            window: LiveWindow::new(LiveWindowConfig {
                target: segment.max(keyframe_interval),
                window,
                max_bytes: WINDOW_BYTES,
                keep: KEEP,
                first_sequence,
            }),
            share,
            wall: None,
            offer,
            metrics,
            clock,
            reserved_until: first_sequence + RESERVE,
            bytes: 0,
        }
    }

    async fn run(mut self, mut reader: Reader, reserve: ReserveSequence) {
        let mut reserving: Option<JoinHandle<anyhow::Result<u64>>> = None;
        while let Some(item) = reader.next().await {
            match item {
                Item::Lagged { dropped } => {
                    self.metrics.lagged.fetch_add(dropped, Ordering::Relaxed);
                    tracing::warn!(
                        "{dropped} pictures are missing from the stream: making segments fell too far behind the camera, and went on \
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
            if let Some(asked) = reserving.take_if(|asked| asked.is_finished()) {
                self.extend_reservation(asked.await.map_err(anyhow::Error::from).flatten());
            }
            if reserving.is_none() && self.window.next_sequence() + RESERVE_AT >= self.reserved_until {
                reserving = Some(tokio::spawn(reserve_block(reserve.clone())));
            }
        }
        if let Some(segment) = self.segmenter.finish() {
            self.keep(segment);
        }
        self.publish(true);
    }

    fn take(&mut self, published: &Published) {
        // Sound is not packaged yet.
        let Some(unit) = published.sample.video() else { return };
        if let Some(segment) = self.segmenter.push(unit) {
            self.list(segment, published.published_at);
        }
    }

    fn list(&mut self, segment: Segment<SegmentBytes>, completed_at: Duration) {
        self.sample_wall_clock();
        self.keep(segment);
        // Counted first: who sees it listed finds it counted.
        self.metrics.segments.fetch_add(1, Ordering::Relaxed);
        self.publish(false);
        let listed_after = self.clock.monotonic().saturating_sub(completed_at);
        self.metrics.listing_seconds.observe(listed_after.as_secs_f64());
    }

    fn keep(&mut self, segment: Segment<SegmentBytes>) {
        self.window.keep_within(self.share.window_bytes().min(WINDOW_BYTES));
        self.window.push(segment.map(|data| Arc::new(Listed::new(data, &self.share))));
    }

    fn extend_reservation(&mut self, reserved: anyhow::Result<u64>) {
        match reserved {
            Ok(first) if first == self.reserved_until => self.reserved_until += RESERVE,
            Ok(first) => tracing::error!(
                "the store reserved media sequence numbers from {first} where {} was next: segments may get names again \
                 after a restart",
                self.reserved_until
            ),
            Err(error) => tracing::error!("media sequence numbers are running out: {error:#}"),
        }
    }

    fn sample_wall_clock(&mut self) {
        let at = MediaTime::from_monotonic(self.clock.monotonic());
        let since_epoch = self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = since_epoch.as_millis() as i64;
        if self.wall.is_none_or(|wall| wall.unix_milliseconds(at).abs_diff(now) >= CLOCK_SET as u64) {
            self.wall = Some(WallOffset::new(now, at));
        }
    }

    /// Makes the whole offer anew. The segments' bytes are shared, not copied.
    fn publish(&mut self, has_ended: bool) {
        let Some(wall) = self.wall else {
            // Not one segment was made: there is nothing to end.
            self.offer.send_replace(Arc::new(Offer { has_ended, ..Offer::default() }));
            return;
        };
        let first_offered = self.window.segments().next().map_or(0, |segment| segment.sequence);
        let mut first_sequence = self.offer.borrow().first_sequence.min(first_offered);
        if self.offer.borrow().segments.is_empty() {
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
        self.offer.send_replace(Arc::new(Offer {
            playlist: self.window.playlist(wall, has_ended).to_string().into(),
            multivariant: MultivariantPlaylist { variants }.to_string().into(),
            target_duration: Duration::from_secs(self.window.target_duration()),
            next_sequence,
            has_ended,
            first_sequence,
            segments,
        }));
    }
}

#[cfg(test)]
mod tests;
