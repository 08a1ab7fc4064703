//! The box in front of each fragment that holds its [`Mark`] and a checksum of its samples: a `uuid` box (ISO/IEC
//! 14496-12 §11.1), which players skip.

use super::boxes::{Fields, put, put_u64};
use crate::recording::{Break, Mark};

/// Identifies the box as ours.
const USER_TYPE: [u8; 16] =
    [0x9c, 0x51, 0x0b, 0x7e, 0x2d, 0x4f, 0x4c, 0x0a, 0x9d, 0x8b, 0x5e, 0x10, 0x7a, 0x63, 0x21, 0xfe];
/// Length of the box.
pub(super) const BYTES: usize = 8 + 16 + 4 + 8 + 8 + 4;

const BEGINS_SEGMENT: u32 = 1;
const IS_INDEPENDENT: u32 = 2;
const SEAM: u32 = 4;
const GAP: u32 = 8;

/// Appends the box; `data_crc` is the checksum of the `mdat`'s content.
pub(super) fn put_mark(out: &mut Vec<u8>, mark: &Mark, data_crc: u32) {
    let before = match mark.before {
        Break::None => 0,
        Break::Seam => SEAM,
        Break::Gap => GAP,
    };
    let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    let flags =
        before | flag(mark.begins_segment, BEGINS_SEGMENT) | flag(mark.is_independent, IS_INDEPENDENT);
    put(out, *b"uuid", |out| {
        out.extend_from_slice(&USER_TYPE);
        out.extend_from_slice(&flags.to_be_bytes());
        put_u64(out, mark.stream_offset_ms);
        put_u64(out, mark.wall_ms.cast_unsigned());
        out.extend_from_slice(&data_crc.to_be_bytes());
    });
}

/// Reads the content of a `uuid` box; `None` if another program wrote it.
pub(super) fn read_mark(mut fields: Fields<'_>) -> Option<(Mark, u32)> {
    if fields.bytes()? != USER_TYPE {
        return None;
    }
    let flags = fields.u32()?;
    let mark = Mark {
        begins_segment: flags & BEGINS_SEGMENT != 0,
        is_independent: flags & IS_INDEPENDENT != 0,
        before: match (flags & SEAM, flags & GAP) {
            (0, 0) => Break::None,
            (_, 0) => Break::Seam,
            _ => Break::Gap,
        },
        stream_offset_ms: fields.u64()?,
        wall_ms: fields.u64()?.cast_signed(),
    };
    Some((mark, fields.u32()?))
}
