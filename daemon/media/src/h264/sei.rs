//! Supplemental enhancement information (ITU-T H.264 §7.3.2.3, Annex D): the recovery point, at which a decoder can start without an IDR.

use h264_reader::rbsp::{BitRead, BitReader, ByteReader};
use std::io::Read;

/// `payloadType` of a recovery point (§D.1.8).
const RECOVERY_POINT: u32 = 6;
/// Messages are searched in this many bytes of a NAL unit; a recovery point is written before long messages (captions,
/// user data).
const LOOKED_AT: usize = 1024;
/// `recovery_frame_cnt` is below `MaxFrameNum`, which is 2¹⁶ at most (§D.2.8).
const MAX_RECOVERY_FRAMES: u32 = 1 << 16;

/// The content of a recovery point (§D.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryPoint {
    /// `recovery_frame_cnt`: pictures are correct, or nearly so, after this many frames in decoding order.
    pub frames: u16,
    /// `exact_match_flag`: from then on they are exactly as after decoding from an IDR.
    pub is_exact: bool,
    /// `broken_link_flag`: pictures presented before the recovery point may be wrong even when nothing was lost,
    /// because of a splice.
    pub is_broken_link: bool,
}

impl RecoveryPoint {
    /// The first recovery point in a SEI NAL unit without start code. `None` when there is none, or the messages cannot
    /// be read.
    pub fn find(nal_unit: &[u8]) -> Option<Self> {
        let mut payload = Vec::new();
        let beginning = &nal_unit[..nal_unit.len().min(LOOKED_AT)];
        ByteReader::skipping_h264_header(beginning).read_to_end(&mut payload).ok()?;
        let mut rest = &payload[..];
        // A byte of 0x80 in place of a type marks the end (rbsp_trailing_bits).
        while rest.len() > 2 {
            let kind = take_number(&mut rest)?;
            let length = take_number(&mut rest)? as usize;
            if kind == RECOVERY_POINT {
                return Self::read(&rest[..length.min(rest.len())]);
            }
            rest = rest.get(length..)?;
        }
        None
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(payload);
        let frames = bits.read_ue("recovery_frame_cnt").ok().filter(|&count| count < MAX_RECOVERY_FRAMES)?;
        Some(Self {
            frames: u16::try_from(frames).ok()?,
            is_exact: bits.read_bit("exact_match_flag").ok()?,
            is_broken_link: bits.read_bit("broken_link_flag").ok()?,
        })
    }
}

/// A payload type or size (§7.3.2.3.1): the sum of bytes of 255 and a last byte.
fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    loop {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number += u32::from(byte);
        if byte != 0xff {
            return Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_recovery_point_is_found_behind_other_messages() {
        let exact = |frames| Some(RecoveryPoint { frames, is_exact: true, is_broken_link: false });
        // Bytes that x264 writes for an open GOP: recovery_frame_cnt 0, exact, not broken, changing_slice_group_idc 0.
        assert_eq!(RecoveryPoint::find(&[6, 6, 1, 0b1100_0100, 0x80]), exact(0));
        // After a picture timing and a user data message of 300 bytes: recovery_frame_cnt 3.
        let long = [&[6, 1, 2, 7, 7, 5, 255, 45][..], &[9; 300], &[6, 1, 0b0010_0100, 0x80]].concat();
        assert_eq!(RecoveryPoint::find(&long), Some(RecoveryPoint { is_exact: true, ..exact(3).unwrap() }));
        assert_eq!(RecoveryPoint::find(&[6, 1, 2, 7, 7, 0x80]), None);
        assert_eq!(RecoveryPoint::find(&[6, 6, 1]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = RecoveryPoint::find(&bytes);
        }
    }
}
