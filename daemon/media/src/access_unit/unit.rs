//! An access unit and its format, as values.

use crate::audio_format::AudioFormat;
use crate::h264::sps::{Chroma, Sps};
use crate::time::Times;
use bytes::Bytes;
use std::sync::Arc;

/// The facts that a decoder needs before the first picture, and that a playlist announces. All access units between two
/// changes share one.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFormat {
    /// Sequence parameter set, NAL unit without start code.
    pub sps: Bytes,
    /// Picture parameter set, NAL unit without start code.
    pub pps: Bytes,
    /// Picture parameter sets with other ids, if an encoder uses several; mostly empty.
    pub further_pps: Vec<Bytes>,
    /// Width of the picture after cropping, in pixels.
    pub width: u32,
    /// Height of the picture after cropping, in pixels.
    pub height: u32,
    /// `profile_idc` (H.264 §7.4.2.1.1).
    pub profile: u8,
    /// Constraint flags byte, as in the CODECS attribute.
    pub constraints: u8,
    /// `level_idc`.
    pub level: u8,
    /// Frames per second announced by the VUI, if it does. Some encoders announce nonsense.
    pub frames_per_second: Option<f64>,
    /// The chroma sampling.
    pub chroma: Chroma,
    /// Bits per sample; browsers play 8.
    pub bit_depth: u8,
    /// True if pictures may be coded as fields of interlaced video.
    pub may_be_interlaced: bool,
}

impl VideoFormat {
    /// The format of an SPS and the PPS that belong to it; `None` without a PPS.
    pub(crate) fn new(nal_unit: Bytes, sps: &Sps, pps: Vec<Bytes>) -> Option<Self> {
        let mut pps = pps.into_iter();
        Some(Self {
            sps: nal_unit,
            pps: pps.next()?,
            further_pps: pps.collect(),
            width: sps.width,
            height: sps.height,
            profile: sps.profile,
            constraints: sps.constraints,
            level: sps.level,
            frames_per_second: sps.frames_per_second,
            chroma: sps.chroma,
            bit_depth: sps.bit_depth,
            may_be_interlaced: sps.may_be_interlaced,
        })
    }

    /// True if a stream may change from `before` to this format without a seam: a decoder need not be set up again. Ids
    /// and lists of parameter sets may differ.
    pub fn continues(&self, before: &Self) -> bool {
        let shape = |format: &Self| {
            let size = (format.width, format.height);
            let coding = (format.profile, format.constraints, format.level);
            (size, coding, format.chroma, format.bit_depth, format.may_be_interlaced)
        };
        shape(self) == shape(before)
    }

    /// The properties that some browsers do not play, in words; `None` when all browsers play the format.
    pub fn unplayable(&self) -> Option<String> {
        let mut reasons = Vec::new();
        if matches!(self.chroma, Chroma::Yuv422 | Chroma::Yuv444) {
            reasons.push(format!("{} colour", self.chroma.name()));
        }
        if self.bit_depth > 8 {
            reasons.push(format!("{} bits a sample", self.bit_depth));
        }
        if self.may_be_interlaced {
            reasons.push("interlaced field coding".to_owned());
        }
        let (last, first) = reasons.split_last()?;
        let reasons =
            if first.is_empty() { last.clone() } else { format!("{} and {last}", first.join(", ")) };
        Some(format!(
            "most browsers do not play {reasons}: have the camera code progressive 4:2:0 with 8 bits"
        ))
    }

    /// The value for the CODECS attribute (RFC 6381 §3.3): `avc1.`, then profile, constraints and level in hexadecimal.
    pub fn codecs(&self) -> String {
        format!("avc1.{:02x}{:02x}{:02x}", self.profile, self.constraints, self.level)
    }

    /// SPS and all PPS, in the order in which a decoder needs them.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &Bytes> {
        [&self.sps, &self.pps].into_iter().chain(&self.further_pps)
    }
}

/// One coded picture.
#[derive(Clone, Debug)]
pub struct AccessUnit {
    /// Presentation and decoding time; equal without B-frames.
    pub times: Times,
    /// Says whether a reader can start here.
    pub entry: Entry,
    /// Annex B NAL units of the picture (SEI and slices; access unit delimiter, SPS and PPS are not in it).
    pub data: Bytes,
    /// Parameter sets in force.
    pub format: Arc<VideoFormat>,
    /// Counts the seams (camera replugged, encoder rebuilt, other size) before this picture: a value that differs from
    /// the previous access unit's is a discontinuity.
    pub epoch: u32,
    /// The format of the sound that goes with the picture, set by the feed; `None` without sound. A container that
    /// announces its tracks before their samples learns the tracks from its first picture.
    pub sound: Option<Arc<AudioFormat>>,
}

/// Says whether a decoder may start at a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Entry {
    /// Not here: the picture refers to earlier ones.
    #[default]
    None,
    /// An instantaneous decoding refresh: everything from here on can be decoded.
    Idr,
    /// A recovery point (SEI, H.264 §D.2.8): decoding may start here, and pictures are correct after `frames` frames.
    RecoveryPoint {
        /// `recovery_frame_cnt`. 0 is an I picture of an open GOP: it is correct itself, and so is everything presented
        /// after it. A larger number is gradual refresh: decoders that require an I picture do not start there,
        /// browsers among them.
        frames: u16,
    },
}

impl Entry {
    /// True if every decoder starts here and the first picture that it presents is whole: an IDR, or an open GOP's I
    /// picture.
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Idr | Self::RecoveryPoint { frames: 0 })
    }
}

impl AccessUnit {
    /// True for an instantaneous decoding refresh.
    pub const fn is_idr(&self) -> bool {
        matches!(self.entry, Entry::Idr)
    }

    /// True if a reader can start here: see [`Entry::is_clean`].
    pub const fn is_entry(&self) -> bool {
        self.entry.is_clean()
    }
}
