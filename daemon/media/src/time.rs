//! Media time: 90 kHz ticks on one endless line, and their 33-bit image on the wire
//! (ISO/IEC 13818-1 §2.4.3.7). The wrap is handled here and nowhere else.
//!
//! Must not be here: a clock. Times come in from the monotonic stamps of the kernel's buffers.

use std::ops::{Add, Neg, Sub};
use std::time::Duration;

/// Bits of a PTS, a DTS and a PCR base on the wire.
const WIRE_BITS: u32 = 33;
/// One round of the wire's counter, in ticks: about 26.5 hours.
const WIRE_ROUND: i64 = 1 << WIRE_BITS;

/// Ticks of the 90 kHz clock since the monotonic clock's zero; never wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaTime(i64);

impl MediaTime {
    /// Ticks in a second.
    pub const HZ: i64 = 90_000;

    /// Converts from ticks of 1/90000 s.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// Converts from a reading of the monotonic clock, rounded down to a tick.
    pub fn from_monotonic(since_zero: Duration) -> Self {
        Self(MediaDuration::from(since_zero).0)
    }

    /// Ticks of 1/90000 s.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// The value for PTS, DTS or PCR base on the wire: the lowest 33 bits.
    pub const fn wrapped(self) -> u64 {
        self.0.rem_euclid(WIRE_ROUND) as u64
    }

    /// The time later by `duration`; `None` beyond the range of ticks.
    pub const fn checked_add(self, duration: MediaDuration) -> Option<Self> {
        match self.0.checked_add(duration.0) {
            Some(ticks) => Some(Self(ticks)),
            None => None,
        }
    }

    /// The time earlier by `duration`; `None` beyond the range of ticks.
    pub const fn checked_sub(self, duration: MediaDuration) -> Option<Self> {
        match self.0.checked_sub(duration.0) {
            Some(ticks) => Some(Self(ticks)),
            None => None,
        }
    }
}

/// The distance from the second time to the first; saturates at the range of ticks.
impl Sub for MediaTime {
    type Output = MediaDuration;
    fn sub(self, earlier: Self) -> MediaDuration {
        MediaDuration(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at the range of ticks.
impl Add<MediaDuration> for MediaTime {
    type Output = Self;
    fn add(self, duration: MediaDuration) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}

/// A distance between two media times, in ticks of 1/90000 s; negative when it points back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaDuration(i64);

impl MediaDuration {
    /// No distance.
    pub const ZERO: Self = Self(0);

    /// Converts from ticks of 1/90000 s.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// Converts from whole milliseconds.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds * (MediaTime::HZ / 1000))
    }

    /// Ticks of 1/90000 s.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// The duration in seconds, for people and playlists.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / MediaTime::HZ as f64
    }
}

/// Saturates at the range of ticks.
impl Add for MediaDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Saturates at the range of ticks.
impl Neg for MediaDuration {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// Rounded down to a tick.
impl From<Duration> for MediaDuration {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos() * 9 / 100_000).unwrap_or(i64::MAX))
    }
}

/// Rounded up to the nanosecond, so that a tick survives the way there and back; zero when it points back.
impl From<MediaDuration> for Duration {
    fn from(duration: MediaDuration) -> Self {
        let ticks = u128::from(duration.0.max(0).unsigned_abs());
        Self::from_nanos(u64::try_from((ticks * 100_000).div_ceil(9)).unwrap_or(u64::MAX))
    }
}

/// The decoding and presentation time of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Times {
    /// Presentation time; never before `dts`.
    pub pts: MediaTime,
    /// Decoding time; increases from sample to sample. Equal to `pts` if nothing is reordered.
    pub dts: MediaTime,
}

impl Times {
    /// Times of a sample that is presented when it is decoded.
    pub const fn at(time: MediaTime) -> Self {
        Self { pts: time, dts: time }
    }

    /// Both times later by `duration`; their difference stays the same.
    #[must_use]
    pub fn shifted(self, duration: MediaDuration) -> Self {
        Self { pts: self.pts + duration, dts: self.dts + duration }
    }
}

/// Converts 33-bit times from the wire back to the endless line: each is taken to lie within half a round (13 hours) of
/// the previous one.
#[derive(Clone, Debug, Default)]
pub struct Unwrapper {
    last: Option<MediaTime>,
}

impl Unwrapper {
    /// Starts without a previous time: the first one is taken unchanged.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// The time nearest to the previous one whose lowest 33 bits are those of `wire`.
    pub fn unwrap(&mut self, wire: u64) -> MediaTime {
        let wire = wire.cast_signed() & (WIRE_ROUND - 1);
        let time = match self.last {
            None => MediaTime(wire),
            Some(last) => {
                let ahead = (wire - last.wrapped().cast_signed()).rem_euclid(WIRE_ROUND);
                let step = if ahead < WIRE_ROUND / 2 { ahead } else { ahead - WIRE_ROUND };
                last + MediaDuration(step)
            }
        };
        self.last = Some(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wire_wraps_after_33_bits_and_the_line_does_not() {
        let before = MediaTime::from_ticks(WIRE_ROUND - 1);
        let after = before + MediaDuration::from_ticks(2);
        assert_eq!(before.wrapped(), (1 << 33) - 1);
        assert_eq!(after.wrapped(), 1);
        assert_eq!((after - before).ticks(), 2);
        assert_eq!(MediaTime::from_ticks(-1).wrapped(), (1 << 33) - 1);
    }

    #[test]
    fn ticks_come_from_the_monotonic_clock_rounded_down() {
        assert_eq!(MediaTime::from_monotonic(Duration::from_secs(1)).ticks(), 90_000);
        assert_eq!(MediaTime::from_monotonic(Duration::from_nanos(11_111)).ticks(), 0);
        assert_eq!(MediaTime::from_monotonic(Duration::from_nanos(11_112)).ticks(), 1);
        assert_eq!(MediaDuration::from(Duration::MAX).ticks(), i64::MAX);
    }

    #[test]
    fn arithmetic_at_the_ends_of_the_line_is_refused_or_saturates() {
        let end = MediaTime::from_ticks(i64::MAX);
        assert_eq!(end.checked_add(MediaDuration::from_ticks(1)), None);
        assert_eq!(end + MediaDuration::from_ticks(1), end);
        assert_eq!((end - MediaTime::from_ticks(i64::MIN)).ticks(), i64::MAX);
        assert_eq!(Duration::from(MediaDuration::from_ticks(-5)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_line_of_times_survives_the_wire(start in 0i64..1 << 40, steps in prop::collection::vec(-900_000i64..900_000, 1..50)) {
            let mut unwrapper = Unwrapper::new();
            let mut time = MediaTime::from_ticks(start);
            let first = unwrapper.unwrap(time.wrapped());
            for step in steps {
                let next = time + MediaDuration::from_ticks(step);
                time = next;
                prop_assert_eq!(unwrapper.unwrap(next.wrapped()) - first, next - MediaTime::from_ticks(start));
            }
        }

        #[test]
        fn a_duration_survives_the_way_there_and_back(ticks in 0i64..1 << 40) {
            let duration = MediaDuration::from_ticks(ticks);
            prop_assert_eq!(MediaDuration::from(Duration::from(duration)), duration);
        }
    }
}
