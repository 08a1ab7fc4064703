//! The start of a slice header (ITU-T H.264 §7.3.3), read far enough to separate one picture from the next
//! (§7.4.1.2.4), and to know its parameter set and its place in the order of presentation (§8.2.1).

use super::nal_unit::{NalUnitType, reference_idc};
use super::sps::Sps;
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, ByteReader};

/// Number of leading bytes of a slice NAL unit that hold everything [`SliceHeader`] reads, emulation prevention
/// included.
pub const SLICE_HEADER_BYTES: usize = 48;

/// The prediction of a slice's macroblocks (`slice_type`, Table 7-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceType {
    /// From earlier pictures (P, SP).
    Predicted,
    /// From two pictures (B): decoding order may differ from the order of presentation.
    Bidirectional,
    /// Without other pictures (I, SI).
    Intra,
}

/// The fields of a slice header before those that depend on parameter sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceStart {
    /// Type of this slice; other slices of the picture may have another.
    pub slice_type: SliceType,
    /// `pic_parameter_set_id`.
    pub pps_id: u8,
}

impl SliceStart {
    /// Reads a slice's NAL unit. `None` when it is broken or truncated.
    pub fn read(nal_unit: &[u8]) -> Option<Self> {
        // The three fields have at most 80 bits, and emulation prevention adds few.
        let mut bits = BitReader::new(ByteReader::skipping_h264_header(&nal_unit[..nal_unit.len().min(16)]));
        bits.read_ue("first_mb_in_slice").ok()?;
        let slice_type = match bits.read_ue("slice_type").ok()? {
            0 | 3 | 5 | 8 => SliceType::Predicted,
            1 | 6 => SliceType::Bidirectional,
            2 | 4 | 7 | 9 => SliceType::Intra,
            _ => return None,
        };
        let pps_id = u8::try_from(bits.read_ue("pic_parameter_set_id").ok()?).ok()?;
        Some(Self { slice_type, pps_id })
    }
}

/// The fields that are equal in all slices of a picture, at least one of which differs in the next picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHeader {
    is_idr: bool,
    is_reference: bool,
    pps_id: u32,
    frame_num: u32,
    /// `Some(bottom_field_flag)` for a field.
    field: Option<bool>,
    idr_pic_id: Option<u32>,
    order_count: Option<u32>,
}

/// True for a slice with `first_mb_in_slice` 0, which opens a picture. `payload` is the byte after the NAL unit's
/// header. (No camera's encoder uses arbitrary slice order or redundant pictures, which could break this rule.)
pub const fn is_first_slice(payload: u8) -> bool {
    payload & 0x80 != 0
}

impl SliceHeader {
    /// Reads a slice's NAL unit, or its first [`SLICE_HEADER_BYTES`]. `None` when it is broken or truncated.
    pub fn read(nal_unit: &[u8], sps: &Sps) -> Option<Self> {
        let header = *nal_unit.first()?;
        let beginning = &nal_unit[..nal_unit.len().min(SLICE_HEADER_BYTES)];
        Self::read_bits(header, beginning, sps).ok()
    }

    fn read_bits(header: u8, beginning: &[u8], sps: &Sps) -> Result<Self, BitReaderError> {
        let layout = sps.slice_layout;
        let mut bits = BitReader::new(ByteReader::skipping_h264_header(beginning));
        bits.read_ue("first_mb_in_slice")?;
        bits.read_ue("slice_type")?;
        let pps_id = bits.read_ue("pic_parameter_set_id")?;
        if layout.separate_colour_planes {
            bits.skip(2, "colour_plane_id")?;
        }
        let frame_num = bits.read_var(layout.frame_num_bits, "frame_num")?;
        let field = if layout.fields_possible && bits.read_bit("field_pic_flag")? {
            Some(bits.read_bit("bottom_field_flag")?)
        } else {
            None
        };
        let is_idr = NalUnitType::from_header(header) == NalUnitType::IDR_SLICE;
        let idr_pic_id = if is_idr { Some(bits.read_ue("idr_pic_id")?) } else { None };
        let order_count = match layout.order_count_bits {
            Some(width) => Some(bits.read_var(width, "pic_order_cnt_lsb")?),
            None => None,
        };
        let is_reference = reference_idc(header) != 0;
        Ok(Self { is_idr, is_reference, pps_id, frame_num, field, idr_pic_id, order_count })
    }

    /// True if both slices belong to one picture.
    pub fn is_same_picture(&self, other: &Self) -> bool {
        self == other
    }

    /// True for a slice of an instantaneous decoding refresh.
    pub const fn is_idr(&self) -> bool {
        self.is_idr
    }

    /// True if other pictures may refer to this one (`nal_ref_idc` is not 0).
    pub const fn is_reference(&self) -> bool {
        self.is_reference
    }

    /// `pic_order_cnt_lsb`, for picture order count type 0.
    pub const fn order_count_lsb(&self) -> Option<u32> {
        self.order_count
    }

    /// True for a single field of a frame.
    pub const fn is_field(&self) -> bool {
        self.field.is_some()
    }
}
