//! From media time to FLV's time: whole milliseconds in 32 bits, which wrap after 49.7 days (§E.4.1).

use crate::time::{MediaTime, Times};

/// Ticks of media time in a millisecond.
const TICKS: i64 = MediaTime::HZ / 1000;

/// Times of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Decoding time, milliseconds since the line's zero; the lowest 32 bits.
    pub timestamp: u32,
    /// `CompositionTime`: milliseconds from decoding to presentation, 24 bits with a sign.
    pub composition: i32,
}

/// Where a stream's FLV time begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    zero: MediaTime,
}

impl Line {
    /// Zero is this time.
    pub const fn from(zero: MediaTime) -> Self {
        Self { zero }
    }

    /// Both times are rounded down by themselves, so that neither is off by a millisecond, and errors do not add up.
    pub fn stamp(&self, times: Times) -> Stamp {
        let [dts, pts] = [times.dts, times.pts].map(|time| (time - self.zero).ticks().div_euclid(TICKS));
        let composition = (pts - dts).clamp(-0x80_0000, 0x7f_ffff);
        Stamp { timestamp: dts as u32, composition: composition as i32 }
    }
}
