//! Makes access units out of what a source delivers: whole pictures with their times, or a byte stream without any.
//!
//! ITU-T H.264 §7.4.1.2. NAL units may come in any order, with or without delimiters and with parameter sets only at the
//! start. What cannot be used is dropped and counted, and nothing is given out again before the next entry.

use super::arrival::Arrivals;
use super::order::{Order, Placed};
use super::parameter_sets::{AccessUnitError, ParameterSets};
use super::unit::{AccessUnit, Entry};
use crate::h264::annex_b::nal_units;
use crate::h264::nal_unit::NalUnitType;
use crate::h264::picture_splitter::{MAX_PICTURE_BYTES, PictureSplitter, PictureTooLarge};
use crate::h264::sei::RecoveryPoint;
use crate::h264::slice_header::{SliceHeader, SliceStart, SliceType};
use crate::h264::sps::PictureOrder;
use crate::time::{MediaTime, Times};
use bytes::Bytes;
use std::ops::{Range, RangeInclusive};

/// What came, and what was dropped of it, since the assembler was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssemblerCounters {
    /// Buffers without any NAL unit.
    pub not_h264: u64,
    /// SPS and PPS that cannot be read; the picture that came with them was dropped.
    pub broken_parameter_sets: u64,
    /// Pictures beyond 4 MiB.
    pub too_large: u64,
    /// Pictures dropped because no entry with parameter sets had come: at the start, and after a loss. Those that are shown before an
    /// entry without IDR, and cannot be decoded from there, are among them.
    pub before_entry: u64,
    /// Entries given out: a reader can start there.
    pub entries: u64,
    /// Recovery points of gradual refresh, where browsers cannot start.
    pub gradual_refreshes: u64,
    /// Pictures with B slices.
    pub b_pictures: u64,
    /// B pictures dropped because their time was over: the stream does not say how much it reorders, and does so for the first time.
    pub late: u64,
    /// B pictures dropped because their order of display is coded in a way that is not read here (picture order count type 1).
    pub unknown_order: u64,
}

/// One source's access units, from when it was opened until it is closed.
#[derive(Debug)]
pub struct AccessUnitAssembler {
    epoch: u32,
    sets: ParameterSets,
    waiting_for_entry: bool,
    /// Presentation time of the entry without IDR at which decoding started: what is shown before it cannot be decoded.
    started_at: Option<MediaTime>,
    arrivals: Arrivals,
    order: Order,
    /// Decoding time of the picture before, where times are those of capture.
    last_captured: Option<MediaTime>,
    splitter: PictureSplitter,
    counters: AssemblerCounters,
}

/// What is known of a picture's times.
#[derive(Clone, Copy)]
enum Timing {
    /// All.
    Given(Times),
    /// When its frame was captured; pictures come in decoding order.
    Captured(MediaTime),
    /// When its first byte came.
    Arrived(MediaTime),
}

/// What a buffer holds besides parameter sets.
#[derive(Default)]
struct Picture {
    /// From the first NAL unit of the picture to the end of the last one.
    place: Option<Range<usize>>,
    /// NAL units that are none of the picture's stand between the picture's.
    is_interrupted: bool,
    has_slice: bool,
    is_idr: bool,
    /// The first slice's NAL unit.
    first_slice: Option<Range<usize>>,
    recovery_point: Option<RecoveryPoint>,
}

impl AccessUnitAssembler {
    /// `epoch` counts the seams before this source was opened.
    pub fn new(epoch: u32) -> Self {
        Self::with_frame_rate(epoch, None)
    }

    /// The same of a source that was asked for so many frames per second. It counts for byte streams, which carry no times.
    pub fn with_frame_rate(epoch: u32, frames_per_second: Option<f64>) -> Self {
        Self {
            epoch,
            sets: ParameterSets::default(),
            waiting_for_entry: true,
            started_at: None,
            arrivals: Arrivals::new(frames_per_second),
            order: Order::new(),
            last_captured: None,
            splitter: PictureSplitter::default(),
            counters: AssemblerCounters::default(),
        }
    }

    /// As given: what the access units carry.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What came and was dropped so far.
    pub const fn counters(&self) -> AssemblerCounters {
        self.counters
    }

    /// Pictures are being dropped until an entry comes: worth a request for an IDR.
    pub const fn wants_key_frame(&self) -> bool {
        self.waiting_for_entry && self.counters.before_entry > 0
    }

    /// The source lost a coded picture. Later pictures refer to it, so none is given out before the next entry.
    pub const fn lost_picture(&mut self) {
        self.waiting_for_entry = true;
    }

    /// Takes one whole picture with its true times, as a container carries them (MPEG-TS, RTMP). Gives `None` for parameter sets alone
    /// (they are kept), and before the first entry. The access unit shares `data` unless other NAL units stand between the picture's
    /// own. Its times are those given: the [`Timeline`](crate::timeline::Timeline) mends them.
    pub fn push_picture(
        &mut self,
        data: &Bytes,
        times: Times,
    ) -> Result<Option<AccessUnit>, AccessUnitError> {
        self.push(data, Timing::Given(times))
    }

    /// Takes one whole picture as drivers deliver it, in decoding order, with the time at which its frame was captured. Drivers and
    /// live encoders make no B-frames; where one does, presentation times come of its picture order counts.
    pub fn push_captured(
        &mut self,
        data: &Bytes,
        at: MediaTime,
    ) -> Result<Option<AccessUnit>, AccessUnitError> {
        self.push(data, Timing::Captured(at))
    }

    fn push(&mut self, data: &Bytes, timing: Timing) -> Result<Option<AccessUnit>, AccessUnitError> {
        let result = self.assemble(data, timing);
        if let Err(error) = &result {
            self.waiting_for_entry = true;
            *match error {
                AccessUnitError::NotH264(_) => &mut self.counters.not_h264,
                AccessUnitError::TooLarge(_) => &mut self.counters.too_large,
                AccessUnitError::BrokenSps(_) | AccessUnitError::BrokenPps(_) => {
                    &mut self.counters.broken_parameter_sets
                }
                AccessUnitError::UnknownOrder => &mut self.counters.unknown_order,
            } += 1;
        }
        result
    }

    /// Takes part of a byte stream that carries no times, which came between two moments. Call [`Self::next_unit`] until it gives `None`
    /// before the next part. Decoding times are those of the pictures' arrival, freed of jitter; presentation times come of picture
    /// order counts. Where parts begin with a picture, as programs write them, access units share their bytes.
    pub fn push_bytes(&mut self, chunk: Bytes, came: RangeInclusive<MediaTime>) {
        self.splitter.push(chunk, came);
    }

    /// The next access unit of the byte stream. Pictures that cannot be used are passed over and counted.
    pub fn next_unit(&mut self) -> Option<AccessUnit> {
        loop {
            match self.splitter.next_picture()? {
                Ok((data, at)) => {
                    if let Ok(Some(unit)) = self.push(&data, Timing::Arrived(at)) {
                        return Some(unit);
                    }
                }
                Err(PictureTooLarge { beginning }) => {
                    self.counters.too_large += 1;
                    self.waiting_for_entry = true;
                    // For its parameter sets; a broken one will be missed when the next IDR comes.
                    let _ = self.sort_nal_units(&beginning);
                }
            }
        }
    }

    /// The byte stream has ended, or paused after a whole picture: gives out what is left of it.
    pub fn flush(&mut self) -> Option<AccessUnit> {
        let (data, at) = self.splitter.flush()?;
        self.push(&data, Timing::Arrived(at)).ok().flatten()
    }

    fn assemble(&mut self, data: &Bytes, timing: Timing) -> Result<Option<AccessUnit>, AccessUnitError> {
        if data.len() > MAX_PICTURE_BYTES {
            return Err(AccessUnitError::TooLarge(data.len()));
        }
        let picture = self.sort_nal_units(data)?;
        let Some(place) = picture.place.clone().filter(|_| picture.has_slice) else { return Ok(None) };
        let slice = picture.first_slice.clone().map(|place| &data[place]);
        let start = slice.and_then(SliceStart::read);
        let entry = self.entry(&picture, start);
        let format = self.sets.format(start.map(|start| start.pps_id), entry.is_clean());
        let Some((format, sps)) = format.filter(|_| entry.is_clean() || !self.waiting_for_entry) else {
            self.counters.before_entry += 1;
            return Ok(None);
        };
        let is_bidirectional = start.is_some_and(|start| start.slice_type == SliceType::Bidirectional);
        self.counters.b_pictures += u64::from(is_bidirectional);
        let (dts, period) = match timing {
            Timing::Given(times) => (times.dts, None),
            Timing::Captured(at) => {
                let step = self.last_captured.replace(at).map_or(0, |last| (at - last).ticks());
                (at, Some(if step > 0 { step as f64 } else { MediaTime::HZ as f64 / 30.0 }))
            }
            Timing::Arrived(at) => {
                let (at, period) = self.arrivals.stamp(at, sps.frames_per_second);
                (at, Some(period))
            }
        };
        let times = match (timing, period, slice.and_then(|slice| SliceHeader::read(slice, sps))) {
            (Timing::Given(times), ..) => times,
            (_, Some(period), Some(header)) => {
                if is_bidirectional && sps.order == PictureOrder::Cyclic {
                    return Err(AccessUnitError::UnknownOrder);
                }
                match self.order.place(&header, sps, dts, period) {
                    Placed::At(times) => times,
                    Placed::TooLate => {
                        self.counters.late += 1;
                        return Ok(None);
                    }
                }
            }
            _ => Times::at(dts),
        };
        if entry.is_clean() {
            let starts_without_idr = self.waiting_for_entry && entry != Entry::Idr;
            self.started_at = starts_without_idr.then_some(times.pts);
            self.counters.entries += 1;
        } else if self.started_at.is_some_and(|started_at| times.pts < started_at) {
            self.counters.before_entry += 1;
            return Ok(None);
        }
        self.waiting_for_entry = false;
        let data = if picture.is_interrupted { without_interruptions(data) } else { data.slice(place) };
        Ok(Some(AccessUnit { times, entry, data, format, epoch: self.epoch, sound: None }))
    }

    /// Whether a decoder can start at the picture. At a recovery point without gradual refresh the picture must be an I picture.
    fn entry(&mut self, picture: &Picture, start: Option<SliceStart>) -> Entry {
        if picture.is_idr {
            return Entry::Idr;
        }
        let is_intra = start.is_some_and(|start| start.slice_type == SliceType::Intra);
        match picture.recovery_point {
            Some(RecoveryPoint { frames: 0, .. }) if !is_intra => Entry::None,
            Some(RecoveryPoint { frames, .. }) => {
                self.counters.gradual_refreshes += u64::from(frames > 0);
                Entry::RecoveryPoint { frames }
            }
            None => Entry::None,
        }
    }

    /// Keeps the parameter sets and finds the picture.
    fn sort_nal_units(&mut self, data: &[u8]) -> Result<Picture, AccessUnitError> {
        let mut picture = Picture::default();
        let mut other_since = false;
        let mut any = false;
        for unit in nal_units(data) {
            any = true;
            let unit_type = unit.unit_type();
            match unit_type {
                NalUnitType::SPS => self.sets.take_sps(unit.bytes)?,
                NalUnitType::PPS => self.sets.take_pps(unit.bytes)?,
                NalUnitType::SEI => {
                    picture.recovery_point =
                        picture.recovery_point.or_else(|| RecoveryPoint::find(unit.bytes));
                }
                _ => {}
            }
            if !unit_type.belongs_to_picture() {
                other_since = picture.place.is_some();
                continue;
            }
            let end = unit.with_start_code.end;
            if unit_type.has_slice_header() && picture.first_slice.is_none() {
                picture.first_slice = Some(end - unit.bytes.len()..end);
            }
            picture.has_slice |= unit_type.is_slice();
            picture.is_idr |= unit_type == NalUnitType::IDR_SLICE;
            picture.is_interrupted |= other_since;
            other_since = false;
            let start = picture.place.map_or(unit.with_start_code.start, |place| place.start);
            picture.place = Some(start..end);
        }
        if any { Ok(picture) } else { Err(AccessUnitError::NotH264(data.len())) }
    }

    /// By how much presentation follows decoding because pictures are reordered: that many pictures.
    pub const fn reorder_delay(&self) -> u8 {
        self.order.delay()
    }
}

/// The picture's own NAL units, put together. Only odd encoders need this copy: they write parameter sets after SEI.
fn without_interruptions(data: &[u8]) -> Bytes {
    let mut picture = Vec::with_capacity(data.len());
    for unit in nal_units(data).filter(|unit| unit.unit_type().belongs_to_picture()) {
        picture.extend_from_slice(&data[unit.with_start_code]);
    }
    picture.into()
}
