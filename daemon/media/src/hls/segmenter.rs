//! Makes segments of a stream: a [`Cutter`] decides where they begin and end, a [`Packager`] writes the container, a
//! [`SegmentWriter`] keeps the bytes.
//!
//! Must not be here: the times of cuts (`cutter`), the form of a container, the place of segments.

use super::cutter::{Cut, Cutter, CutterConfig, CutterCounters, Ended, Picture, Place};
use super::packager::Packager;
use super::segment_writer::{InMemory, SegmentWriter};
use crate::access_unit::{AccessUnit, VideoFormat};
use crate::audio_format::AudioFormat;
use crate::mpegts::Muxer;
use crate::sample::AudioFrame;
use crate::time::MediaTime;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A segment with more bytes is lost: 20 s at 10 Mb/s, far above what any board's encoder makes in a target duration.
const MAX_SEGMENT_BYTES: usize = 24 << 20;
/// Packets are handed to the writer in blocks of this size, so that they are still in the processor's cache.
const CHUNK_BYTES: usize = 64 << 10;

/// One segment, complete and immutable.
#[derive(Clone, Debug)]
pub struct Segment<D = Bytes> {
    /// The whole file, as its writer keeps it.
    pub data: D,
    /// The file's length.
    pub bytes: usize,
    /// Media sequence number.
    pub sequence: u64,
    /// Duration from its first picture to the next segment's.
    pub duration: Duration,
    /// Presentation time of its first picture.
    pub start: MediaTime,
    /// True if a seam lies before it.
    pub discontinuity: bool,
    /// True if it begins at an entry point and can be decoded on its own.
    pub independent: bool,
    /// Number of pictures.
    pub pictures: u32,
    /// Parameter sets at its start: size and codecs.
    pub format: Arc<VideoFormat>,
    /// The sound in it, if any.
    pub sound: Option<Arc<AudioFormat>>,
}

impl<D> Segment<D> {
    /// The same segment with its file kept in another form.
    pub fn map<T>(self, keep: impl FnOnce(D) -> T) -> Segment<T> {
        Segment {
            data: keep(self.data),
            bytes: self.bytes,
            sequence: self.sequence,
            duration: self.duration,
            start: self.start,
            discontinuity: self.discontinuity,
            independent: self.independent,
            pictures: self.pictures,
            format: self.format,
            sound: self.sound,
        }
    }

    /// The value for the CODECS attribute (RFC 8216bis §4.4.6.2).
    pub fn codecs(&self) -> String {
        let mut codecs = self.format.codecs();
        if let Some(sound) = &self.sound {
            codecs += ",";
            codecs += sound.codecs();
        }
        codecs
    }

    /// Bits per second over the segment, container included.
    pub fn bitrate(&self) -> u64 {
        let nanoseconds = self.duration.as_nanos().max(1);
        u64::try_from(self.bytes as u128 * 8_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
    }

    /// Pictures per second over the segment.
    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.pictures) / self.duration.as_secs_f64().max(f64::EPSILON)
    }
}

/// Why a segment was lost. The stream continues after a seam.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError<E> {
    /// Its writer failed.
    #[error(transparent)]
    Writer(#[from] E),
    /// It exceeded the largest size of a segment.
    #[error(
        "a segment of more than {MAX_SEGMENT_BYTES} bytes was dropped: the bit rate is too high for its length"
    )]
    TooLarge,
}

/// One stream's segmenter. It continues across seams.
#[derive(Debug)]
pub struct Segmenter<W = InMemory, P = Muxer> {
    cutter: Cutter,
    packager: P,
    writer: W,
    /// Bytes of the current segment that the writer has not received yet. Kept between segments for its allocation.
    packed: Vec<u8>,
    current: Option<Current>,
    first_sequence: u64,
    next_sequence: u64,
    format: Option<Arc<VideoFormat>>,
    /// The sound that the last segment announced; it changes only at seams.
    sound: Option<Arc<AudioFormat>>,
    /// True if the previous segment could not be kept.
    has_lost_segment: bool,
}

/// The segment being written.
#[derive(Debug)]
struct Current {
    /// Bytes already handed to the writer.
    written: usize,
    start: MediaTime,
    discontinuity: bool,
    independent: bool,
    pictures: u32,
    format: Arc<VideoFormat>,
    sound: Option<Arc<AudioFormat>>,
    epoch: u32,
}

impl Segmenter {
    /// A new stream as MPEG-TS; its segments are kept in memory. `first_sequence` is the first segment's media sequence number.
    pub fn new(config: CutterConfig, first_sequence: u64) -> Self {
        Self::with_writer(config, first_sequence, Muxer::new(), InMemory::default())
    }
}

impl<W: SegmentWriter, P: Packager> Segmenter<W, P> {
    /// A new stream; `writer` keeps its segments.
    pub fn with_writer(config: CutterConfig, first_sequence: u64, packager: P, writer: W) -> Self {
        Self {
            cutter: Cutter::new(config),
            packager,
            writer,
            packed: Vec::new(),
            current: None,
            first_sequence,
            next_sequence: first_sequence,
            format: None,
            sound: None,
            has_lost_segment: false,
        }
    }

    /// The writer that keeps the segments.
    pub const fn writer(&self) -> &W {
        &self.writer
    }

    /// See [`Cutter::target_duration`].
    pub const fn target_duration(&self) -> u64 {
        self.cutter.target_duration()
    }

    /// Counts of losses so far.
    pub const fn counters(&self) -> CutterCounters {
        self.cutter.counters()
    }

    /// See [`Cutter::wants_key_frame`].
    pub const fn wants_key_frame(&self) -> bool {
        self.cutter.wants_key_frame()
    }

    /// Takes the next picture. Returns the segment that it ends: the picture then opens the next one. After an error
    /// the current segment is lost, and the stream continues after a seam.
    pub fn push(&mut self, unit: &AccessUnit) -> Result<Option<Segment<W::Whole>>, SegmentError<W::Error>> {
        let format_changed = self.format.as_ref().is_some_and(|format| !unit.format.continues(format));
        if format_changed || self.format.is_none() {
            self.format = Some(Arc::clone(&unit.format));
        }
        let is_entry = unit.is_entry();
        let tracks_changed = self.current.is_some() && self.sound_of(unit) != self.sound.as_ref();
        let format_changed = format_changed || tracks_changed;
        let picture = Picture { dts: unit.times.dts, is_entry, epoch: unit.epoch, format_changed };
        let Cut { ended, place } = self.cutter.push(picture);
        let whole = ended.map(|ended| self.close(ended)).transpose();
        match place {
            Place::Nowhere => {}
            Place::NewSegment { discontinuity, independent } => self.open(unit, discontinuity, independent),
            Place::NewPart { .. } | Place::SamePart => self.append(unit)?,
        }
        Ok(whole?.flatten())
    }

    /// Takes the next frame of sound into the current segment. A frame that does not belong to its pictures is left
    /// out: it has another epoch or a format that was not announced, or begins before the first picture after a seam,
    /// where the previous segment's sound may still play. Errors as for [`Self::push`].
    pub fn push_sound(&mut self, frame: &AudioFrame) -> Result<(), SegmentError<W::Error>> {
        let belongs = |current: &Current| {
            let is_early = current.discontinuity && frame.times.pts < current.start;
            current.epoch == frame.epoch && current.sound.as_deref() == Some(&*frame.format) && !is_early
        };
        if !self.current.as_ref().is_some_and(belongs) {
            return Ok(());
        }
        self.packager.write_sound(frame, &mut self.packed);
        self.hand_over()
    }

    fn sound_of<'a>(&self, unit: &'a AccessUnit) -> Option<&'a Arc<AudioFormat>> {
        unit.sound.as_ref().filter(|sound| self.packager.carries(sound))
    }

    /// Returns the rest of the segment being written, because the stream has ended or pauses.
    pub fn finish(&mut self) -> Result<Option<Segment<W::Whole>>, W::Error> {
        let Some(ended) = self.cutter.finish() else { return Ok(None) };
        self.close(ended)
    }

    fn open(&mut self, unit: &AccessUnit, discontinuity: bool, independent: bool) {
        // A stream without a segment has announced nothing.
        let is_first = self.next_sequence == self.first_sequence;
        let discontinuity = discontinuity | std::mem::take(&mut self.has_lost_segment);
        if discontinuity || is_first {
            self.sound = self.sound_of(unit).cloned();
        }
        self.packager.begin_segment(discontinuity, self.sound.is_some(), &mut self.packed);
        self.packager.write(unit, &mut self.packed);
        self.current = Some(Current {
            written: 0,
            start: unit.times.pts,
            discontinuity,
            independent,
            pictures: 1,
            format: Arc::clone(&unit.format),
            sound: self.sound.clone(),
            epoch: unit.epoch,
        });
    }

    fn append(&mut self, unit: &AccessUnit) -> Result<(), SegmentError<W::Error>> {
        let Some(current) = &mut self.current else { return Ok(()) };
        self.packager.write(unit, &mut self.packed);
        current.pictures += 1;
        self.hand_over()
    }

    /// Hands the gathered bytes to the writer once there are enough.
    fn hand_over(&mut self) -> Result<(), SegmentError<W::Error>> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if self.packed.len() < CHUNK_BYTES {
            return Ok(());
        }
        current.written += self.packed.len();
        let too_large = current.written > MAX_SEGMENT_BYTES;
        let written = self.writer.write(&self.packed);
        self.packed.clear();
        if too_large || written.is_err() {
            self.abandon();
        }
        written?;
        if too_large { Err(SegmentError::TooLarge) } else { Ok(()) }
    }

    fn abandon(&mut self) {
        self.cutter.abandon();
        self.current = None;
        self.packed.clear();
        self.writer.discard();
    }

    fn close(&mut self, ended: Ended) -> Result<Option<Segment<W::Whole>>, W::Error> {
        let Some(current) = self.current.take() else { return Ok(None) };
        self.packager.end_segment(&mut self.packed);
        let bytes = current.written + self.packed.len();
        let written = self.writer.write(&self.packed);
        self.packed.clear();
        self.packed.shrink_to(2 * CHUNK_BYTES); // one huge picture must not cost memory for ever
        let whole = match written.and_then(|()| self.writer.finish()) {
            Ok(whole) => whole,
            Err(error) => {
                self.has_lost_segment = true;
                self.writer.discard();
                return Err(error);
            }
        };
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Ok(Some(Segment {
            data: whole,
            bytes,
            sequence,
            duration: ended.duration.into(),
            start: current.start,
            discontinuity: current.discontinuity,
            independent: current.independent,
            pictures: current.pictures,
            format: current.format,
            sound: current.sound,
        }))
    }
}
