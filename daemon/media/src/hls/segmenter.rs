//! Cuts the stream into segments (RFC 8216bis §3): each opens with PAT, PMT and an IDR, and can be played on its own.
//!
//! A segment is cut only at an IDR. When one is due and no IDR came, the encoder is asked for one; a source that does not listen
//! (a camera with its own long GOP) gets segments as long as its GOPs, and the playlist's target duration follows
//! once ([`super::LiveWindow`]). A GOP that never ends would take all memory: beyond [`SegmenterCounters::endless_gops`]'s
//! bounds the segment is dropped.

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
pub struct Segment {
    /// The whole transport stream file.
    pub data: Bytes,
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

impl Segment {
    /// Bits per second over the segment, transport stream included.
    pub fn bitrate(&self) -> u64 {
        let nanoseconds = self.duration.as_nanos().max(1);
        u64::try_from(self.data.len() as u128 * 8_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
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
pub struct Segmenter {
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
    last_bytes: usize,
    /// Memory of a segment that nobody needs any more.
    spare: Option<Vec<u8>>,
    counters: SegmenterCounters,
}

/// The segment being written.
#[derive(Debug)]
struct Current {
    data: Vec<u8>,
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
    /// A new stream.
    pub fn new(config: SegmenterConfig) -> Self {
        Self {
            target: config.target.into(),
            endless: ENDLESS.max(config.target * ENDLESS_TARGETS).into(),
            muxer: Muxer::new(),
            current: None,
            next_sequence: config.first_sequence,
            begun: 0,
            at_seam: false,
            last_request: None,
            wants_key_frame: false,
            last_bytes: 0,
            spare: None,
            counters: SegmenterCounters::default(),
        }
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
    pub fn push(&mut self, unit: &AccessUnit) -> Option<Segment> {
        let ended = self.cut(unit);
        self.take(unit);
        ended
    }

    /// The first half of [`Self::push`]: gives the segment that the next picture ends. Who is done with it before the second half can
    /// have the next one written into the same memory ([`Self::reuse`]).
    pub fn cut(&mut self, unit: &AccessUnit) -> Option<Segment> {
        match self.current.as_ref()?.judge(unit) {
            Verdict::Append => None,
            Verdict::Cut => self.close(unit.dts),
            Verdict::Seam => self.finish(),
        }
    }

    /// The second half of [`Self::push`]: takes the picture that was asked about.
    pub fn take(&mut self, unit: &AccessUnit) {
        self.wants_key_frame = false;
        if self.current.is_some() {
            self.append(unit);
        } else if unit.is_idr {
            self.open(unit);
        } else {
            self.counters.before_idr += 1;
            self.request_key_frame(unit.dts);
        }
    }

    /// The stream has ended, or will not go on for a while: gives what there is of the segment being written.
    pub fn finish(&mut self) -> Option<Segment> {
        let end = self.current.as_ref().map(|current| current.last_dts + current.interval)?;
        self.at_seam = true; // should it go on after all
        self.close(end)
    }

    /// Gives back the bytes of a segment that has been dealt with; unless somebody still shares them, the next one is written into
    /// their memory. With fresh memory for every segment, the kernel would spend more on pages than muxing costs.
    pub fn reuse(&mut self, data: Bytes) {
        if data.is_unique() {
            let mut spare = Vec::from(data);
            spare.clear();
            self.spare = Some(spare);
        }
    }

    fn open(&mut self, unit: &AccessUnit) {
        let due = START_RAMP.get(self.begun).map_or(self.target, |due| self.target.min((*due).into()));
        self.begun += 1;
        let discontinuity = std::mem::take(&mut self.at_seam);
        if discontinuity {
            self.counters.seams += 1;
            self.muxer.mark_seam();
        }
        // A little more than last time, so that it seldom grows; given back when the segment is closed.
        let mut data =
            self.spare.take().unwrap_or_else(|| Vec::with_capacity(self.last_bytes + self.last_bytes / 8));
        self.muxer.write_tables(&mut data);
        self.muxer.write(unit, &mut data);
        self.last_request = None;
        self.current = Some(Current {
            data,
            start: unit.pts,
            first_dts: unit.dts,
            last_dts: unit.dts,
            last_idr: unit.dts,
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
        self.muxer.write(unit, &mut current.data);
        current.interval = unit.dts - current.last_dts;
        current.last_dts = unit.dts;
        current.pictures += 1;
        if unit.is_idr {
            current.last_idr = unit.dts;
        }
        let elapsed = unit.dts - current.first_dts;
        if elapsed > self.endless || current.data.len() > MAX_SEGMENT_BYTES {
            self.counters.endless_gops += 1;
            self.current = None;
            self.at_seam = true;
        } else if elapsed.ticks() < current.due.ticks() / GRACE_DIVISOR * (GRACE_DIVISOR + 1) {
            return;
        }
        self.request_key_frame(unit.dts);
    }

    fn request_key_frame(&mut self, now: MediaTime) {
        if self.last_request.is_none_or(|last| now < last || now - last >= REQUEST_PERIOD) {
            self.last_request = Some(now);
            self.wants_key_frame = true;
        }
    }

    fn close(&mut self, end: MediaTime) -> Option<Segment> {
        let mut current = self.current.take()?;
        self.last_bytes = current.data.len();
        current.data.shrink_to_fit(); // the window holds it for a minute: no spare room
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Some(Segment {
            data: current.data.into(),
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
        let step = unit.dts - self.last_dts;
        let follows = unit.epoch == self.epoch && step > MediaDuration::ZERO;
        if !follows || unit.is_idr && (step > HOLE || unit.format.sps != self.format.sps) {
            Verdict::Seam
        } else if unit.is_idr && self.is_long_enough(unit.dts) {
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
