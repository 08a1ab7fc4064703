//! The NAL unit's header byte (ITU-T H.264 §7.3.1, Table 7-1).

/// `nal_unit_type`: the content of a NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalUnitType(u8);

impl NalUnitType {
    /// Slice of a picture that is not an IDR.
    pub const SLICE: Self = Self(1);
    /// Slice of an IDR.
    pub const IDR_SLICE: Self = Self(5);
    /// Supplemental enhancement information.
    pub const SEI: Self = Self(6);
    /// Sequence parameter set.
    pub const SPS: Self = Self(7);
    /// Picture parameter set.
    pub const PPS: Self = Self(8);
    /// Access unit delimiter.
    pub const AUD: Self = Self(9);
    /// Prefix of the base layer slice that follows it (Annex F): the two go together.
    pub const PREFIX: Self = Self(14);
    /// Filler data.
    pub const FILLER: Self = Self(12);

    /// Reads the NAL unit's first byte.
    pub const fn from_header(header: u8) -> Self {
        Self(header & 0x1f)
    }

    /// True if it holds coded samples of the primary picture (VCL NAL unit of the base layer: a slice or a data
    /// partition).
    pub const fn is_slice(self) -> bool {
        matches!(self.0, 1..=5)
    }

    /// True if it begins with a slice header: slices, and the first of three data partitions.
    pub const fn has_slice_header(self) -> bool {
        matches!(self.0, 1 | 2 | 5)
    }

    /// True if it goes to the decoder with the picture: slices, SEI, prefixes and extensions of slices. Others are
    /// written again by whoever carries the picture on (delimiter, parameter sets), or say nothing about it (filler,
    /// ends).
    pub const fn belongs_to_picture(self) -> bool {
        matches!(self.0, 1..=6 | 14 | 19..=21)
    }

    /// True if it can only belong to the next access unit when it follows a picture's slices (§7.4.1.2.3). For a prefix
    /// ([`Self::PREFIX`]), only the slice after it decides.
    pub const fn opens_access_unit(self) -> bool {
        matches!(self.0, 6..=9 | 15..=18)
    }
}

/// `nal_ref_idc` in a NAL unit's first byte: 0 when no other picture refers to this one.
pub const fn reference_idc(header: u8) -> u8 {
    (header >> 5) & 0b11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_byte_gives_type_and_reference_idc() {
        assert_eq!(NalUnitType::from_header(0x67), NalUnitType::SPS);
        assert_eq!(NalUnitType::from_header(0x65), NalUnitType::IDR_SLICE);
        assert_eq!(reference_idc(0x65), 3);
        assert_eq!(reference_idc(0x01), 0);
    }

    #[test]
    fn delimiters_parameter_sets_and_filler_are_not_the_pictures() {
        for other in [NalUnitType::AUD, NalUnitType::SPS, NalUnitType::PPS, NalUnitType::FILLER] {
            assert!(!other.belongs_to_picture(), "{other:?}");
        }
        for part in [NalUnitType::SLICE, NalUnitType::IDR_SLICE, NalUnitType::SEI] {
            assert!(part.belongs_to_picture(), "{part:?}");
        }
    }
}
