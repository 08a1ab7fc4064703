//! Picture parameter sets (ITU-T H.264 §7.3.2.2), read far enough to know which one a slice uses, and its sequence
//! parameter set.

use super::sps::MAX_PARAMETER_SET_BYTES;
use h264_reader::rbsp::{BitRead, BitReader, ByteReader};

/// The ids at the start of a picture parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpsIds {
    /// `pic_parameter_set_id`, 0 to 255: slices name it.
    pub id: u8,
    /// `seq_parameter_set_id`, 0 to 31: the sequence parameter set that it belongs to.
    pub sps_id: u8,
}

impl PpsIds {
    /// Reads a NAL unit without start code. `None` when it is truncated, too long, or an id is out of range.
    pub fn read(nal_unit: &[u8]) -> Option<Self> {
        if nal_unit.len() > MAX_PARAMETER_SET_BYTES {
            return None;
        }
        let mut bits = BitReader::new(ByteReader::skipping_h264_header(nal_unit));
        let id = bits.read_ue("pic_parameter_set_id").ok()?;
        let sps_id = bits.read_ue("seq_parameter_set_id").ok().filter(|&id| id <= 31)?;
        Some(Self { id: u8::try_from(id).ok()?, sps_id: sps_id as u8 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_are_read_and_checked() {
        // 00100 (id 3), 010 (SPS 1)
        assert_eq!(PpsIds::read(&[0x68, 0b0010_0010, 0x80]), Some(PpsIds { id: 3, sps_id: 1 }));
        assert_eq!(PpsIds::read(&[0x68]), None);
        // 1 (id 0), 00000100001 (SPS 32)
        assert_eq!(PpsIds::read(&[0x68, 0b1000_0010, 0b0001_1000]), None);
        assert_eq!(PpsIds::read(&[0x68; 5000]), None);
    }
}
