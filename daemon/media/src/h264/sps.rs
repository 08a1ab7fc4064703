//! Sequence parameter sets (ITU-T H.264 §7.3.2.1, Annex E): picture size, profile, level, frame rate, and the values
//! needed for reading slice headers.

use super::without_vui::WithoutVui;
use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, PicOrderCntType, SeqParameterSet};
use h264_reader::rbsp::{BitReader, ByteReader};

/// The largest parameter set that is accepted: real ones have 10 to 100 bytes.
pub const MAX_PARAMETER_SET_BYTES: usize = 4096;

/// Announced frame rates beyond this are ignored as nonsense.
const MAX_FRAMES_PER_SECOND: f64 = 1000.0;

/// A level for which the reader has no limits. Cheap cameras announce levels far too low for their pictures, and every
/// decoder shows them nevertheless; with their own level the reader would refuse the picture's size.
const NO_LEVEL: u8 = 0xff;

/// The content of a sequence parameter set.
#[derive(Clone, Debug, PartialEq)]
pub struct Sps {
    /// `seq_parameter_set_id`.
    pub id: u8,
    /// Width after cropping, in pixels.
    pub width: u32,
    /// Height after cropping, in pixels.
    pub height: u32,
    /// `profile_idc`.
    pub profile: u8,
    /// Constraint flags byte, as in the CODECS attribute.
    pub constraints: u8,
    /// `level_idc`.
    pub level: u8,
    /// Frames per second from the VUI's timing information, if that is plausible.
    pub frames_per_second: Option<f64>,
    /// The mapping of sample values to colours.
    pub colour: Colour,
    /// The chroma sampling.
    pub chroma: Chroma,
    /// Bits of a luma or chroma sample, whichever is greater: 8 to 14.
    pub bit_depth: u8,
    /// True if `frame_mbs_only_flag` is 0: pictures may be coded as fields of interlaced video.
    pub may_be_interlaced: bool,
    /// `max_num_reorder_frames` (§E.2.1): how many pictures may precede one that is presented earlier. `None` if the
    /// stream does not say.
    pub reorder_frames: Option<u8>,
    /// Bytes that a decoder keeps for such pictures in 4:2:0 with 8 bits: of the coded size, which cropping can hide, as many as
    /// `max_num_ref_frames` (§7.4.2.1.1), and two more.
    pub decoder_bytes: u64,
    /// The coding of the order of presentation.
    pub order: PictureOrder,
    /// Values needed for reading slice headers.
    pub(super) slice_layout: SliceLayout,
}

/// `pic_order_cnt_type` (§7.4.2.1.1): the coding of the order of presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureOrder {
    /// Type 0: each picture carries its position.
    Explicit {
        /// Width of `pic_order_cnt_lsb`, 4 to 16 bits.
        lsb_bits: u32,
    },
    /// Type 1: a cycle of expected differences.
    Cyclic,
    /// Type 2: the order of presentation equals the order of decoding.
    Decoding,
}

/// `chroma_format_idc` (Table 6-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chroma {
    /// 4:0:0, only luma.
    Monochrome,
    /// 4:2:0: a quarter as many chroma samples as luma samples; every decoder shows it.
    #[default]
    Yuv420,
    /// 4:2:2: half as many chroma samples in each row.
    Yuv422,
    /// 4:4:4: as many chroma samples as luma samples.
    Yuv444,
}

impl Chroma {
    /// The usual notation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monochrome => "4:0:0",
            Self::Yuv420 => "4:2:0",
            Self::Yuv422 => "4:2:2",
            Self::Yuv444 => "4:4:4",
        }
    }
}

/// The mapping of sample values to colours (Annex E.2.1), as far as the VUI announces it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colour {
    /// `video_full_range_flag`: luma ranges from 0 to 255, not from 16 to 235.
    pub full_range: bool,
    /// `matrix_coefficients` (table E-5), if announced.
    pub matrix: Option<u8>,
}

/// Widths of fields in slice headers that depend on the SPS (§7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SliceLayout {
    pub(super) separate_colour_planes: bool,
    pub(super) frame_num_bits: u32,
    pub(super) fields_possible: bool,
    /// Width of `pic_order_cnt_lsb`, for picture order count type 0.
    pub(super) order_count_bits: Option<u32>,
}

/// Why a sequence parameter set was refused.
#[derive(Debug, thiserror::Error)]
pub enum SpsError {
    /// It has fewer bytes than its fixed fields.
    #[error("SPS of {0} bytes is too short")]
    TooShort(usize),
    /// It has more bytes than any real one.
    #[error("SPS of {0} bytes is too long")]
    TooLong(usize),
    /// The syntax is broken; the text names the field.
    #[error("SPS is broken: {0}")]
    Broken(String),
}

impl Sps {
    /// Reads a NAL unit without start code.
    pub fn read(nal_unit: &[u8]) -> Result<Self, SpsError> {
        let &[header, profile, constraints, level, ref rest @ ..] = nal_unit else {
            return Err(SpsError::TooShort(nal_unit.len()));
        };
        if nal_unit.len() > MAX_PARAMETER_SET_BYTES {
            return Err(SpsError::TooLong(nal_unit.len()));
        }
        let lenient = [&[header, profile, constraints, NO_LEVEL], rest].concat();
        let broken = |error| SpsError::Broken(format!("{error:?}"));
        let bits = || BitReader::new(ByteReader::skipping_h264_header(&lenient[..]));
        let sps = SeqParameterSet::from_bits(bits())
            .or_else(|_| SeqParameterSet::from_bits(WithoutVui(bits())))
            .map_err(broken)?;
        let (width, height) = sps.pixel_dimensions().map_err(broken)?;
        if width == 0 || height == 0 {
            return Err(SpsError::Broken(format!("a picture of {width}x{height}")));
        }
        let frames_per_second =
            sps.fps().filter(|rate| rate.is_finite() && *rate > 0.0 && *rate <= MAX_FRAMES_PER_SECOND);
        let order = match sps.pic_order_cnt {
            PicOrderCntType::TypeZero { log2_max_pic_order_cnt_lsb_minus4 } => {
                PictureOrder::Explicit { lsb_bits: u32::from(log2_max_pic_order_cnt_lsb_minus4) + 4 }
            }
            PicOrderCntType::TypeOne { .. } => PictureOrder::Cyclic,
            PicOrderCntType::TypeTwo => PictureOrder::Decoding,
        };
        let chroma = &sps.chroma_info;
        let restrictions = sps.vui_parameters.as_ref().and_then(|vui| vui.bitstream_restrictions.as_ref());
        Ok(Self {
            id: sps.id().id(),
            width,
            height,
            profile,
            constraints,
            level,
            frames_per_second,
            colour: colour(&sps),
            chroma: match chroma.chroma_format {
                ChromaFormat::Monochrome => Chroma::Monochrome,
                ChromaFormat::YUV420 | ChromaFormat::Invalid(_) => Chroma::Yuv420,
                ChromaFormat::YUV422 => Chroma::Yuv422,
                ChromaFormat::YUV444 => Chroma::Yuv444,
            },
            bit_depth: 8 + chroma.bit_depth_luma_minus8.max(chroma.bit_depth_chroma_minus8),
            may_be_interlaced: sps.frame_mbs_flags != FrameMbsFlags::Frames,
            reorder_frames: restrictions.and_then(|limits| u8::try_from(limits.max_num_reorder_frames).ok()),
            decoder_bytes: decoder_bytes(&sps),
            order,
            slice_layout: SliceLayout {
                separate_colour_planes: sps.chroma_info.separate_colour_plane_flag
                    && sps.chroma_info.chroma_format == ChromaFormat::YUV444,
                frame_num_bits: u32::from(sps.log2_max_frame_num()),
                fields_possible: sps.frame_mbs_flags != FrameMbsFlags::Frames,
                order_count_bits: match order {
                    PictureOrder::Explicit { lsb_bits } => Some(lsb_bits),
                    PictureOrder::Cyclic | PictureOrder::Decoding => None,
                },
            },
        })
    }
}

fn decoder_bytes(sps: &SeqParameterSet) -> u64 {
    let fields = if sps.frame_mbs_flags == FrameMbsFlags::Frames { 1 } else { 2 };
    let across = u64::from(sps.pic_width_in_mbs_minus1) + 1;
    let down = (u64::from(sps.pic_height_in_map_units_minus1) + 1) * fields;
    let pictures = u64::from(sps.max_num_ref_frames) + 2;
    // A macroblock has 256 luma and 128 chroma samples.
    [down, 384, pictures].iter().fold(across, |product, factor| product.saturating_mul(*factor))
}

fn colour(sps: &SeqParameterSet) -> Colour {
    let signal = sps.vui_parameters.as_ref().and_then(|vui| vui.video_signal_type.as_ref());
    signal.map_or_else(Colour::default, |signal| Colour {
        full_range: signal.video_full_range_flag,
        matrix: signal.colour_description.as_ref().map(|description| description.matrix_coefficients),
    })
}
