//! Cuts the stream into segments (RFC 8216bis §3): each opens with PAT, PMT and an IDR, and can be played on its own.
//!
//! A segment is cut only at an IDR. When one is due and no IDR came, the encoder is asked for one; a source that does not listen
//! (a camera with its own long GOP) gets segments as long as its GOPs, and the playlist's target duration follows
//! once ([`super::LiveWindow`]). A GOP that never ends would take all memory: beyond [`SegmenterCounters::endless_gops`]'s
//! bounds the segment is dropped.

use super::segment_writer::{InMemory, SegmentWriter};
use crate::access_unit::{AccessUnit, VideoFormat};
use crate::mpegts::Muxer;
use crate::time::{MediaDuration, MediaTime};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// The first segments are short, so that the first viewer sees a picture at once. After them the target counts.
const START_RAMP: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(500), Duration::from_secs(1)];
/// A pause between two pictures that no camera makes: a reader lagged or a source hung. A seam.
const HOLE: MediaDuration = MediaDuration::from_millis(1500);
/// A segment's duration is rounded before it is compared with the target duration (RFC 8216bis §4.4.3.1).
const ROUNDING: MediaDuration = MediaDuration::from_millis(499);
/// An IDR is asked for when one is late by this part of what is due: most come by themselves, and two in a row cost bits.
const GRACE_DIVISOR: i64 = 16;
/// A request for an IDR is repeated as often as this while none comes.
const REQUEST_PERIOD: MediaDuration = MediaDuration::from_millis(500);
/// Bounds of a segment whose GOP does not end: four times the target or 20 s, and 24 MiB (20 s at 10 Mb/s).
const ENDLESS_TARGETS: u32 = 4;
const ENDLESS: Duration = Duration::from_secs(20);
const MAX_SEGMENT_BYTES: usize = 24 << 20;
/// Packets are handed to the writer when they are so many bytes: they are still in the processor's cache then.
const CHUNK_BYTES: usize = 64 << 10;
/// Picture interval of a segment with one picture.
const ONE_PICTURE: MediaDuration = MediaDuration::from_ticks(3000);

/// How a stream is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmenterConfig {
    /// Length of a segment once the stream runs.
    pub target: Duration,
    /// Media sequence number of the first segment. Never to be given twice, over restarts too.
    pub first_sequence: u64,
}

/// One segment, complete and immutable.
#[derive(Clone, Debug)]
pub struct Segment<D = Bytes> {
    /// The whole transport stream file, as its writer keeps it.
    pub data: D,
    /// The file's length.
    pub bytes: usize,
    /// Media sequence number.
    pub sequence: u64,
    /// From its first picture to the next segment's.
    pub duration: Duration,
    /// Presentation time of its first picture.
    pub start: MediaTime,
    /// A seam lies before it.
    pub discontinuity: bool,
    /// Number of pictures.
    pub pictures: u32,
    /// Parameter sets at its beginning: size and codecs.
    pub format: Arc<VideoFormat>,
}

impl<D> Segment<D> {
    /// The same segment, its file kept in another way.
    pub fn map<T>(self, keep: impl FnOnce(D) -> T) -> Segment<T> {
        Segment {
            data: keep(self.data),
            bytes: self.bytes,
            sequence: self.sequence,
            duration: self.duration,
            start: self.start,
            discontinuity: self.discontinuity,
            pictures: self.pictures,
            format: self.format,
        }
    }

    /// Bits per second over the segment, transport stream included.
    pub fn bitrate(&self) -> u64 {
        let nanoseconds = self.duration.as_nanos().max(1);
        u64::try_from(self.bytes as u128 * 8_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
    }

    /// Pictures per second over the segment.
    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.pictures) / self.duration.as_secs_f64().max(f64::EPSILON)
    }
}

/// What was lost since the segmenter was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmenterCounters {
    /// Pictures without an IDR before them.
    pub before_idr: u64,
    /// Segments dropped because no IDR came to end them within the bounds.
    pub endless_gops: u64,
    /// Seams.
    pub seams: u64,
}

/// One stream's segmenter. It goes on across seams.
#[derive(Debug)]
pub struct Segmenter<W = InMemory> {
    writer: W,
    /// Packets of the current segment that the writer has yet to get. Kept between segments for its allocation.
    packets: Vec<u8>,
    target: MediaDuration,
    endless: MediaDuration,
    muxer: Muxer,
    current: Option<Current>,
    next_sequence: u64,
    /// Segments begun so far: the place on the start ramp.
    begun: usize,
    /// Something was lost before the next segment.
    at_seam: bool,
    last_request: Option<MediaTime>,
    wants_key_frame: bool,
    counters: SegmenterCounters,
}

/// The segment being written.
#[derive(Debug)]
struct Current {
    /// Those that the writer has.
    bytes: usize,
    start: MediaTime,
    first_dts: MediaTime,
    last_dts: MediaTime,
    last_idr: MediaTime,
    interval: MediaDuration,
    due: MediaDuration,
    discontinuity: bool,
    pictures: u32,
    epoch: u32,
    format: Arc<VideoFormat>,
}

impl Segmenter {
    /// A new stream; its segments are kept in memory.
    pub fn new(config: SegmenterConfig) -> Self {
        Self::with_writer(config, InMemory::default())
    }
}

impl<W: SegmentWriter> Segmenter<W> {
    /// A new stream; `writer` keeps its segments.
    pub fn with_writer(config: SegmenterConfig, writer: W) -> Self {
        Self {
            writer,
            packets: Vec::new(),
            target: config.target.into(),
            endless: ENDLESS.max(config.target * ENDLESS_TARGETS).into(),
            muxer: Muxer::new(),
            current: None,
            next_sequence: config.first_sequence,
            begun: 0,
            at_seam: false,
            last_request: None,
            wants_key_frame: false,
            counters: SegmenterCounters::default(),
        }
    }

    /// What keeps the segments.
    pub const fn writer(&self) -> &W {
        &self.writer
    }

    /// What was lost so far.
    pub const fn counters(&self) -> SegmenterCounters {
        self.counters
    }

    /// Ask the encoder for an IDR now. To be looked at after every [`Self::push`]: true once when it becomes due, and again
    /// every half second while none comes.
    pub const fn wants_key_frame(&self) -> bool {
        self.wants_key_frame
    }

    /// Takes the next picture. Gives the segment that it ends: the picture then opens the next one.
    pub fn push(&mut self, unit: &AccessUnit) -> Option<Segment<W::Whole>> {
        let ended = match self.current.as_ref().map(|current| current.judge(unit)) {
            None | Some(Verdict::Append) => None,
            Some(Verdict::Cut) => self.close(unit.times.dts),
            Some(Verdict::Seam) => self.finish(),
        };
        self.wants_key_frame = false;
        if self.current.is_some() {
            self.append(unit);
        } else if unit.is_entry() {
            self.open(unit);
        } else {
            self.counters.before_idr += 1;
            self.request_key_frame(unit.times.dts);
        }
        ended
    }

    /// The stream has ended, or will not go on for a while: gives what there is of the segment being written.
    pub fn finish(&mut self) -> Option<Segment<W::Whole>> {
        let end = self.current.as_ref().map(|current| current.last_dts + current.interval)?;
        self.at_seam = true; // should it go on after all
        self.close(end)
    }

    fn open(&mut self, unit: &AccessUnit) {
        let due = START_RAMP.get(self.begun).map_or(self.target, |due| self.target.min((*due).into()));
        self.begun += 1;
        let discontinuity = std::mem::take(&mut self.at_seam);
        if discontinuity {
            self.counters.seams += 1;
            self.muxer.mark_seam();
        }
        self.muxer.write_tables(&mut self.packets);
        self.muxer.write(unit, &mut self.packets);
        self.last_request = None;
        self.current = Some(Current {
            bytes: 0,
            start: unit.times.pts,
            first_dts: unit.times.dts,
            last_dts: unit.times.dts,
            last_idr: unit.times.dts,
            interval: ONE_PICTURE,
            due,
            discontinuity,
            pictures: 1,
            epoch: unit.epoch,
            format: Arc::clone(&unit.format),
        });
    }

    fn append(&mut self, unit: &AccessUnit) {
        let Some(current) = &mut self.current else { return };
        self.muxer.write(unit, &mut self.packets);
        if self.packets.len() >= CHUNK_BYTES {
            current.bytes += self.packets.len();
            self.writer.write(&self.packets);
            self.packets.clear();
        }
        current.interval = unit.times.dts - current.last_dts;
        current.last_dts = unit.times.dts;
        current.pictures += 1;
        if unit.is_entry() {
            current.last_idr = unit.times.dts;
        }
        let elapsed = unit.times.dts - current.first_dts;
        if elapsed > self.endless || current.bytes > MAX_SEGMENT_BYTES {
            self.counters.endless_gops += 1;
            self.current = None;
            self.packets.clear();
            self.writer.discard();
            self.at_seam = true;
        } else if elapsed.ticks() < current.due.ticks() / GRACE_DIVISOR * (GRACE_DIVISOR + 1) {
            return;
        }
        self.request_key_frame(unit.times.dts);
    }

    fn request_key_frame(&mut self, now: MediaTime) {
        if self.last_request.is_none_or(|last| now < last || now - last >= REQUEST_PERIOD) {
            self.last_request = Some(now);
            self.wants_key_frame = true;
        }
    }

    fn close(&mut self, end: MediaTime) -> Option<Segment<W::Whole>> {
        let current = self.current.take()?;
        let bytes = current.bytes + self.packets.len();
        self.writer.write(&self.packets);
        self.packets.clear();
        self.packets.shrink_to(2 * CHUNK_BYTES); // one huge picture does not cost memory for ever
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Some(Segment {
            data: self.writer.finish(),
            bytes,
            sequence,
            duration: (end - current.first_dts).into(),
            start: current.start,
            discontinuity: current.discontinuity,
            pictures: current.pictures,
            format: current.format,
        })
    }
}

/// What a picture means for the segment being written.
enum Verdict {
    Append,
    /// It ends the segment and opens the next.
    Cut,
    /// It does not follow from the segment, which ends with its last picture.
    Seam,
}

impl Current {
    fn judge(&self, unit: &AccessUnit) -> Verdict {
        let step = unit.times.dts - self.last_dts;
        let follows = unit.epoch == self.epoch && step > MediaDuration::ZERO;
        if !follows || unit.is_entry() && (step > HOLE || unit.format.sps != self.format.sps) {
            Verdict::Seam
        } else if unit.is_entry() && self.is_long_enough(unit.times.dts) {
            Verdict::Cut
        } else {
            Verdict::Append
        }
    }

    /// At the IDR at `now`: three quarters of what is due will do, and a quarter when the next IDR, after another GOP like the
    /// one that has just ended, would make the segment longer than its playlist's target duration allows.
    fn is_long_enough(&self, now: MediaTime) -> bool {
        let (elapsed, due) = ((now - self.first_dts).ticks(), self.due.ticks());
        let with_next_gop = elapsed.saturating_add((now - self.last_idr).ticks());
        elapsed >= due / 4 * 3 || elapsed >= due / 4 && with_next_gop > due + ROUNDING.ticks()
    }
}
