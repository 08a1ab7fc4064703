//! Media time: 90 kHz ticks on one endless line, and their 33-bit image on the wire
//! (ISO/IEC 13818-1 §2.4.3.7). The wrap is handled here and nowhere else.

use std::time::Duration;

/// Ticks of the 90 kHz clock since the monotonic clock's zero; never wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaTime(i64);

impl MediaTime {
    /// Ticks in a second.
    pub const HZ: i64 = 90_000;

    /// From ticks of 1/90000 s.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// From a reading of the monotonic clock, rounded down to a tick.
    pub fn from_monotonic(since_zero: Duration) -> Self {
        Self((since_zero.as_nanos() * 9 / 100_000) as i64)
    }

    /// Ticks of 1/90000 s.
    pub const fn ticks(self) -> i64 {
        self.0
    }
}
