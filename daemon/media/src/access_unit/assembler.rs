//! Makes access units from a source's data: whole pictures with their times, or a byte stream without times.
//!
//! ITU-T H.264 §7.4.1.2. NAL units may come in any order, with or without delimiters and with parameter sets only at the
//! start. Unusable data is dropped and counted, and no picture is returned after it until the next entry.

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

/// Counts of received and dropped data since the assembler was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssemblerCounters {
    /// Buffers without any NAL unit.
    pub not_h264: u64,
    /// SPS and PPS that cannot be read; the picture that came with them was dropped.
    pub broken_parameter_sets: u64,
    /// Pictures beyond 4 MiB.
    pub too_large: u64,
    /// Pictures dropped because no entry with parameter sets had come: at the start, and after a loss. They include
    /// pictures that are presented before an entry without IDR and cannot be decoded from it.
    pub before_entry: u64,
    /// Entries returned, at which a reader can start.
    pub entries: u64,
    /// Recovery points of gradual refresh, where browsers cannot start.
    pub gradual_refreshes: u64,
    /// Pictures with B slices.
    pub b_pictures: u64,
    /// B pictures dropped because they came too late: the stream does not announce its reorder delay, and reordered for
    /// the first time.
    pub late: u64,
    /// B pictures dropped because this reader does not understand how their order is coded (picture order count type
    /// 1).
    pub unknown_order: u64,
}

/// The access units of one source, from its opening to its closing.
#[derive(Debug)]
pub struct AccessUnitAssembler {
    epoch: u32,
    sets: ParameterSets,
    waiting_for_entry: bool,
    /// Presentation time of the entry without IDR at which decoding started: pictures presented earlier cannot be
    /// decoded.
    started_at: Option<MediaTime>,
    arrivals: Arrivals,
    order: Order,
    /// Decoding time of the previous picture, if times are capture times.
    last_captured: Option<MediaTime>,
    splitter: PictureSplitter,
    counters: AssemblerCounters,
}

/// The known times of a picture.
#[derive(Clone, Copy)]
enum Timing {
    /// Both times.
    Given(Times),
    /// Capture time of its frame; pictures come in decoding order.
    Captured(MediaTime),
    /// Arrival time of its first byte.
    Arrived(MediaTime),
}

/// The content of a buffer besides parameter sets.
#[derive(Default)]
struct Picture {
    /// Range from the picture's first NAL unit to the end of its last one.
    place: Option<Range<usize>>,
    /// True if NAL units that do not belong to the picture stand between its own.
    is_interrupted: bool,
    has_slice: bool,
    is_idr: bool,
    /// Range of the first slice's NAL unit.
    first_slice: Option<Range<usize>>,
    recovery_point: Option<RecoveryPoint>,
}

impl AccessUnitAssembler {
    /// `epoch` counts the seams before this source was opened.
    pub fn new(epoch: u32) -> Self {
        Self::with_frame_rate(epoch, None)
    }

    /// Like [`Self::new`], for a source that was asked for this many frames per second. The rate matters for byte
    /// streams, which carry no times.
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

    /// The epoch given to [`Self::new`], which the access units carry.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Counts of received and dropped data so far.
    pub const fn counters(&self) -> AssemblerCounters {
        self.counters
    }

    /// True while pictures are being dropped until an entry comes: the caller should request an IDR.
    pub const fn wants_key_frame(&self) -> bool {
        self.waiting_for_entry && self.counters.before_entry > 0
    }

    /// Reports that the source lost a coded picture. Later pictures refer to it, so none is returned before the next
    /// entry.
    pub const fn lost_picture(&mut self) {
        self.waiting_for_entry = true;
    }

    /// Takes one whole picture with its true times, as a container carries them (MPEG-TS, RTMP). Returns `None` for
    /// parameter sets alone (they are kept), and before the first entry. The access unit shares `data` unless other NAL
    /// units stand between the picture's own. Its times are those given: the [`Timeline`](crate::timeline::Timeline)
    /// corrects them.
    pub fn push_picture(
        &mut self,
        data: &Bytes,
        times: Times,
    ) -> Result<Option<AccessUnit>, AccessUnitError> {
        self.push(data, Timing::Given(times))
    }

    /// Takes one whole picture as drivers deliver it, in decoding order, with the capture time of its frame. Drivers
    /// and live encoders make no B-frames; if one does, presentation times follow from its picture order counts.
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

    /// Takes a chunk of a byte stream without times, received between two moments. Call [`Self::next_unit`] until it
    /// returns `None` before the next chunk. Decoding times are the pictures' arrival times without jitter;
    /// presentation times follow from picture order counts. If chunks begin with a picture, as programs write them,
    /// access units share their bytes.
    pub fn push_bytes(&mut self, chunk: Bytes, came: RangeInclusive<MediaTime>) {
        self.splitter.push(chunk, came);
    }

    /// The next access unit of the byte stream. Unusable pictures are skipped and counted.
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
                    // Keeps the parameter sets in it. An unreadable one will be missed when the next IDR comes.
                    let _ = self.sort_nal_units(&beginning);
                }
            }
        }
    }

    /// Returns the last picture, because the byte stream has ended or paused after a whole picture.
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

    /// Says how a decoder can start at the picture. At a recovery point without gradual refresh the picture must be an
    /// I picture.
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

    /// The reorder delay: the number of pictures by which presentation follows decoding.
    pub const fn reorder_delay(&self) -> u8 {
        self.order.delay()
    }
}

/// Copies the picture's own NAL units together. Only unusual encoders need this copy: they write parameter sets after
/// SEI.
fn without_interruptions(data: &[u8]) -> Bytes {
    let mut picture = Vec::with_capacity(data.len());
    for unit in nal_units(data).filter(|unit| unit.unit_type().belongs_to_picture()) {
        picture.extend_from_slice(&data[unit.with_start_code]);
    }
    picture.into()
}
