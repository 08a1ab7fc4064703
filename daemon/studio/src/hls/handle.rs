//! The hls reader's offer at one moment, and the handle through which HTTP reads it.

use super::error::HlsError;
use crate::memory_budget::{Held, Part, StreamShare};
use bytes::Bytes;
use perch_device::memory::KernelMemory;
use perch_media::hls::parse_segment_name;
use prometheus_client::metrics::histogram::Histogram;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Playlists and segments at one moment; immutable.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// The media playlist. Empty while there is no segment.
    pub playlist: Bytes,
    /// The multivariant playlist. Empty while there is no segment.
    pub multivariant: Bytes,
    /// An entity tag with its quotation marks (RFC 9110 §8.8.3). It never stands for two offers, since sequence numbers are never reused.
    pub tag: Bytes,
    /// EXT-X-TARGETDURATION.
    pub target_duration: Duration,
    /// Duration of the segments in the playlist.
    pub duration: Duration,
    /// Media sequence number of the next segment.
    pub next_sequence: u64,
    /// True once EXT-X-ENDLIST was written: nothing more will come.
    pub has_ended: bool,
    /// Number of the first of `segments`, which are consecutive.
    pub(super) first_sequence: u64,
    pub(super) segments: Vec<Arc<Listed>>,
}

/// A whole segment.
#[derive(Clone, Debug)]
pub struct SegmentBytes {
    /// Its bytes. Their memory is counted until the last clone is dropped.
    pub data: Bytes,
    /// The kernel memory that holds `data`, if any: sockets can send its pages without a copy.
    pub memory: Option<Arc<KernelMemory>>,
}

/// A segment that can be fetched: the playlist lists it, or listed it until just now. Once no offer contains it, the bytes still being sent count as
/// retired.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) segment: SegmentBytes,
    memory: CountedMemory,
}

impl Listed {
    /// Counts the segment's memory as part of its stream's window.
    pub(super) fn new(segment: SegmentBytes, share: &StreamShare) -> Self {
        let held = share.hold(Part::Windows, segment.data.len() as u64);
        let memory = CountedMemory(Arc::new(Mutex::new(held)));
        let lender = Lender { data: segment.data, _memory: memory.clone() };
        Self { segment: SegmentBytes { data: Bytes::from_owner(lender), ..segment }, memory }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.memory.0.lock().unwrap_or_else(PoisonError::into_inner).move_to(Part::Retired);
    }
}

/// The count of one segment's memory.
#[derive(Clone, Debug)]
struct CountedMemory(Arc<Mutex<Held>>);

/// Owner of the bytes in a `Bytes`: they are counted as long as there are clones.
struct Lender {
    data: Bytes,
    _memory: CountedMemory,
}

impl AsRef<[u8]> for Lender {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Offer {
    /// A whole segment by its media sequence number.
    pub fn segment(&self, sequence: u64) -> Option<&SegmentBytes> {
        let index = usize::try_from(sequence.checked_sub(self.first_sequence)?).ok()?;
        self.segments.get(index).map(|listed| &listed.segment)
    }
}

/// Metrics of all hls readers.
#[derive(Debug)]
pub struct HlsMetrics {
    /// Seconds from an IDR's publication to the listing of the segment that it completes.
    pub listing_seconds: Histogram,
    /// Segments listed.
    pub segments: AtomicU64,
    /// Samples that the readers lost because they fell behind.
    pub lagged: AtomicU64,
    /// Segments that could not be kept.
    pub lost_segments: AtomicU64,
    /// Bytes of the segments that the playlists list, or listed until just now.
    pub window_bytes: AtomicU64,
}

impl Default for HlsMetrics {
    fn default() -> Self {
        let buckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
        Self {
            listing_seconds: Histogram::new(buckets),
            segments: AtomicU64::default(),
            lagged: AtomicU64::default(),
            lost_segments: AtomicU64::default(),
            window_bytes: AtomicU64::default(),
        }
    }
}

/// Gives HTTP a live stream's playlist and segments; clones share them.
#[derive(Clone, Debug)]
pub struct HlsHandle {
    offer: watch::Receiver<Arc<Offer>>,
    fault: watch::Receiver<Option<HlsError>>,
    /// Prefix of the segments' names.
    run: Arc<str>,
    /// Held as long as segments are offered, even after the stream's end.
    _share: StreamShare,
    goes_on: Arc<AtomicBool>,
}

impl HlsHandle {
    pub(super) fn new(
        offer: watch::Receiver<Arc<Offer>>,
        fault: watch::Receiver<Option<HlsError>>,
        run: Arc<str>,
        share: StreamShare,
        goes_on: Arc<AtomicBool>,
    ) -> Self {
        Self { offer, fault, run, _share: share, goes_on }
    }

    /// Notes that the daemon is ending and will resume the stream: the reader writes no EXT-X-ENDLIST, so that players keep asking.
    pub fn goes_on(&self) {
        self.goes_on.store(true, Ordering::Relaxed);
    }

    /// The present offer.
    pub fn offer(&self) -> Arc<Offer> {
        self.offer.borrow().clone()
    }

    /// A segment by its name in the playlist.
    pub fn segment(&self, name: &str) -> Option<SegmentBytes> {
        let (run, sequence) = parse_segment_name(name)?;
        if run == &*self.run { self.offer.borrow().segment(sequence).cloned() } else { None }
    }

    /// Why the newest segment is missing; `None` while segments are listed.
    pub fn fault(&self) -> Option<HlsError> {
        self.fault.borrow().clone()
    }

    /// Waits until [`Self::fault`] changes; for ever if the reader has ended.
    pub async fn fault_changed(&mut self) {
        if self.fault.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// True once the first segment can be served.
    pub fn is_ready(&self) -> bool {
        !self.offer.borrow().playlist.is_empty()
    }

    /// Waits until the first segment can be served; for ever if the stream ends before.
    pub async fn ready(&mut self) {
        if self.offer.wait_for(|offer| !offer.playlist.is_empty()).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the playlist is `targets` target durations long or has ended, but not longer than `timeout`; returns the offer then.
    pub async fn covering(&self, targets: u32, timeout: Duration) -> Arc<Offer> {
        let mut offer = self.offer.clone();
        let is_covered =
            |offer: &Arc<Offer>| offer.has_ended || offer.duration >= offer.target_duration * targets;
        // An error means that the reader is gone: there is no other offer to come.
        let _ = tokio::time::timeout(timeout, offer.wait_for(is_covered)).await;
        self.offer()
    }

    /// Waits for `_HLS_msn` until the offer contains segment `sequence` or has ended; `None` if that takes longer than `timeout`.
    pub async fn wait_for(&self, sequence: u64, timeout: Duration) -> Option<Arc<Offer>> {
        let mut offer = self.offer.clone();
        let held = offer.wait_for(|offer| offer.next_sequence > sequence || offer.has_ended);
        match tokio::time::timeout(timeout, held).await {
            Ok(Ok(offer)) => Some(offer.clone()),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}
