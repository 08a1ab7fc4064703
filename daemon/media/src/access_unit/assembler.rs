//! Makes access units out of what a source delivers: whole pictures with their times, or a byte stream without any.
//!
//! ITU-T H.264 §7.4.1.2. NAL units may come in any order, with or without delimiters and with parameter sets only at the
//! start. What cannot be used is dropped and counted, and nothing is given out again before the next IDR.

use super::timeline::Timeline;
use super::{AccessUnit, Entry, VideoFormat};
use crate::h264::annex_b::nal_units;
use crate::h264::nal_unit::NalUnitType;
use crate::h264::picture_splitter::{MAX_PICTURE_BYTES, PictureSplitter, PictureTooLarge};
use crate::h264::slice_header::is_b_slice;
use crate::h264::sps::{MAX_PARAMETER_SET_BYTES, Sps, SpsError};
use crate::time::{MediaTime, Times};
use bytes::Bytes;
use h264_reader::rbsp::{BitRead, BitReader, ByteReader};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// Picture parameter sets with different ids that are kept; encoders use one, seldom three.
const MAX_PPS: usize = 16;

/// What was dropped or put right since the assembler was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssemblerCounters {
    /// Buffers without any NAL unit.
    pub not_h264: u64,
    /// SPS and PPS that cannot be read; the picture that came with them was dropped.
    pub broken_parameter_sets: u64,
    /// Pictures beyond 4 MiB.
    pub too_large: u64,
    /// Pictures before an IDR with parameter sets: at the start, and after a loss.
    pub before_idr: u64,
    /// Pictures with B slices. They are carried on, but as their order of display is not known here they may be shown in the wrong order:
    /// the encoder's B-frames are to be switched off.
    pub b_pictures: u64,
    /// Times that did not go forward, or jumped, and were straightened.
    pub times_changed: u64,
}

/// Why a picture was dropped. The stream goes on at the next IDR; the counters say how often it happened.
#[derive(Debug, thiserror::Error)]
pub enum AccessUnitError {
    /// No start code, or nothing after it.
    #[error("a buffer of {0} bytes holds no H.264 NAL unit")]
    NotH264(usize),
    /// Larger than any real picture.
    #[error("a picture of {0} bytes is too large")]
    TooLarge(usize),
    /// The SPS cannot be read.
    #[error("the picture's sequence parameter set cannot be used")]
    BrokenSps(#[from] SpsError),
    /// The PPS cannot be read.
    #[error("the picture's parameter set (PPS) of {0} bytes cannot be used")]
    BrokenPps(usize),
}

/// One source's access units, from when it was opened until it is closed.
#[derive(Debug)]
pub struct AccessUnitAssembler {
    epoch: u32,
    sps: Option<(Bytes, Sps)>,
    /// By `pic_parameter_set_id`.
    pps: Vec<(u32, Bytes)>,
    /// Made of the above when the next picture needs it.
    format: Option<Arc<VideoFormat>>,
    waiting_for_idr: bool,
    timeline: Timeline,
    splitter: PictureSplitter,
    counters: AssemblerCounters,
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
}

impl AccessUnitAssembler {
    /// `epoch` counts the seams before this source was opened.
    pub fn new(epoch: u32) -> Self {
        Self {
            epoch,
            sps: None,
            pps: Vec::new(),
            format: None,
            waiting_for_idr: true,
            timeline: Timeline::new(),
            splitter: PictureSplitter::default(),
            counters: AssemblerCounters::default(),
        }
    }

    /// What was dropped or put right so far.
    pub const fn counters(&self) -> AssemblerCounters {
        self.counters
    }

    /// Pictures are being dropped until an IDR comes: worth a request for one.
    pub const fn wants_key_frame(&self) -> bool {
        self.waiting_for_idr && self.counters.before_idr > 0
    }

    /// The source lost a coded picture. Later pictures refer to it, so none is given out before the next IDR.
    pub const fn lost_picture(&mut self) {
        self.waiting_for_idr = true;
    }

    /// Takes one whole picture, as drivers deliver it, with its times. Gives `None` for parameter sets alone (they are
    /// kept), and before the first IDR. The access unit shares `data` unless other NAL units stand between the picture's own.
    ///
    /// Decoding times always go forward, and presentation times are shifted with them: see [`AssemblerCounters::times_changed`].
    pub fn push_picture(
        &mut self,
        data: &Bytes,
        times: Times,
    ) -> Result<Option<AccessUnit>, AccessUnitError> {
        let result = self.assemble(data, times);
        if let Err(error) = &result {
            self.waiting_for_idr = true;
            *match error {
                AccessUnitError::NotH264(_) => &mut self.counters.not_h264,
                AccessUnitError::TooLarge(_) => &mut self.counters.too_large,
                AccessUnitError::BrokenSps(_) | AccessUnitError::BrokenPps(_) => {
                    &mut self.counters.broken_parameter_sets
                }
            } += 1;
        }
        result
    }

    /// Takes part of a byte stream that carries no times, which came between two moments. Call [`Self::next_unit`] until it gives `None`
    /// before the next part. A picture's time is when its first byte came, as far as that is known, so it carries the jitter of
    /// the pipe: whoever knows the frame rate may smooth it. Where parts begin with a picture, as programs write them, access units share
    /// their bytes.
    pub fn push_bytes(&mut self, chunk: Bytes, came: RangeInclusive<MediaTime>) {
        self.splitter.push(chunk, came);
    }

    /// The next access unit of the byte stream. Pictures that cannot be used are passed over and counted.
    pub fn next_unit(&mut self) -> Option<AccessUnit> {
        loop {
            match self.splitter.next_picture()? {
                Ok((data, at)) => {
                    if let Ok(Some(unit)) = self.push_picture(&data, Times::at(at)) {
                        return Some(unit);
                    }
                }
                Err(PictureTooLarge { beginning }) => {
                    self.counters.too_large += 1;
                    self.waiting_for_idr = true;
                    // For its parameter sets; a broken one will be missed when the next IDR comes.
                    let _ = self.sort_nal_units(&beginning);
                }
            }
        }
    }

    /// The byte stream has ended, or paused after a whole picture: gives out what is left of it.
    pub fn flush(&mut self) -> Option<AccessUnit> {
        let (data, at) = self.splitter.flush()?;
        self.push_picture(&data, Times::at(at)).ok().flatten()
    }

    fn assemble(&mut self, data: &Bytes, times: Times) -> Result<Option<AccessUnit>, AccessUnitError> {
        if data.len() > MAX_PICTURE_BYTES {
            return Err(AccessUnitError::TooLarge(data.len()));
        }
        let picture = self.sort_nal_units(data)?;
        let Some(place) = picture.place.filter(|_| picture.has_slice) else { return Ok(None) };
        let Some(format) = self.format().filter(|_| picture.is_idr || !self.waiting_for_idr) else {
            self.counters.before_idr += 1;
            return Ok(None);
        };
        self.waiting_for_idr = false;
        let (time, changed) = self.timeline.straighten(times.dts);
        let times = times.shifted(time - times.dts);
        self.counters.times_changed += u64::from(changed);
        let data = if picture.is_interrupted { without_interruptions(data) } else { data.slice(place) };
        let entry = if picture.is_idr { Entry::Idr } else { Entry::None };
        Ok(Some(AccessUnit { times, entry, data, format, epoch: self.epoch }))
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
                NalUnitType::SPS => self.take_sps(unit.bytes)?,
                NalUnitType::PPS => self.take_pps(unit.bytes)?,
                _ => {}
            }
            if !unit_type.belongs_to_picture() {
                other_since = picture.place.is_some();
                continue;
            }
            if unit_type.has_slice_header() && !picture.has_slice {
                self.counters.b_pictures += u64::from(is_b_slice(unit.bytes));
            }
            picture.has_slice |= unit_type.is_slice();
            picture.is_idr |= unit_type == NalUnitType::IDR_SLICE;
            picture.is_interrupted |= other_since;
            other_since = false;
            let start = picture.place.map_or(unit.with_start_code.start, |place| place.start);
            picture.place = Some(start..unit.with_start_code.end);
        }
        if any { Ok(picture) } else { Err(AccessUnitError::NotH264(data.len())) }
    }

    fn take_sps(&mut self, nal_unit: &[u8]) -> Result<(), SpsError> {
        if self.sps.as_ref().is_some_and(|(known, _)| known == nal_unit) {
            return Ok(());
        }
        let sps = Sps::read(nal_unit)?;
        // Copied: a slice of the source's buffer would keep all of it alive as long as the format is in use.
        self.sps = Some((Bytes::copy_from_slice(nal_unit), sps));
        self.format = None;
        Ok(())
    }

    fn take_pps(&mut self, nal_unit: &[u8]) -> Result<(), AccessUnitError> {
        let broken = || AccessUnitError::BrokenPps(nal_unit.len());
        if nal_unit.len() > MAX_PARAMETER_SET_BYTES {
            return Err(broken());
        }
        let id = BitReader::new(ByteReader::skipping_h264_header(nal_unit))
            .read_ue("pic_parameter_set_id")
            .map_err(|_| broken())?;
        match self.pps.iter().position(|(known, _)| *known == id) {
            Some(place) if self.pps[place].1 == nal_unit => return Ok(()),
            Some(place) => self.pps[place].1 = Bytes::copy_from_slice(nal_unit),
            None if self.pps.len() == MAX_PPS => return Err(broken()),
            None => self.pps.push((id, Bytes::copy_from_slice(nal_unit))),
        }
        self.format = None;
        Ok(())
    }

    /// The parameter sets in force, once there are both.
    fn format(&mut self) -> Option<Arc<VideoFormat>> {
        if self.format.is_none() {
            let (nal_unit, sps) = self.sps.as_ref()?;
            let [(_, pps), further @ ..] = &self.pps[..] else { return None };
            self.format = Some(Arc::new(VideoFormat {
                sps: nal_unit.clone(),
                pps: pps.clone(),
                further_pps: further.iter().map(|(_, pps)| pps.clone()).collect(),
                width: sps.width,
                height: sps.height,
                profile: sps.profile,
                constraints: sps.constraints,
                level: sps.level,
                frames_per_second: sps.frames_per_second,
            }));
        }
        self.format.clone()
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
