//! Judges a dequeued buffer: is it usable, when was it captured, and how many frames were lost before it?
//!
//! Pure. Drivers flag buffers as broken, return empty ones, skip sequence numbers and jump in time; each of these is handled and counted.
//!
//! The timeline of `perch-media` corrects the times of a stream's samples. The timestamps of frames cannot wait for it,
//! because of the encoder: a memory-to-memory encoder identifies the frame of a picture by its timestamp alone
//! (`pending`), so no two frames may share one (in whole microseconds, as the kernel carries them), and its rate
//! control uses the time between frames. After the encoder, the time of the frame's arrival, which replaces a timestamp
//! of another clock, is no longer known.

use super::ioctl::BufferInfo;
use std::time::Duration;
use v4l::v4l_sys as sys;

/// The usability of a buffer's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is usable.
    Good,
    /// The driver says that the content is broken (`V4L2_BUF_FLAG_ERROR`).
    Flagged,
    /// It carries no bytes.
    Empty,
    /// It holds less than a picture, or its numbers contradict each other.
    Torn,
}

impl Verdict {
    /// Judges a buffer that has to carry `minimum` bytes (1 for coded pictures) in a memory of `capacity` bytes.
    pub fn of(buffer: &BufferInfo, minimum: usize, capacity: usize) -> Self {
        let (start, end) = (buffer.data_offset as usize, buffer.bytes_used as usize);
        if buffer.flags & sys::V4L2_BUF_FLAG_ERROR != 0 {
            Self::Flagged
        } else if end == 0 || end == start {
            Self::Empty
        } else if end < start || end > capacity || end - start < minimum {
            Self::Torn
        } else {
            Self::Good
        }
    }
}

/// Losses and corrections since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Dropped buffers: flagged, empty, torn.
    pub discarded: u64,
    /// Frames missing from the driver's sequence numbers.
    pub lost_frames: u64,
    /// Implausible timestamps that were replaced by the time of arrival.
    pub time_jumps: u64,
}

/// Follows one queue's sequence numbers and stamps.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameHistory {
    last_sequence: Option<u32>,
    last_stamp: Option<Duration>,
}

impl FrameHistory {
    /// A gap of more frames than this means that the counter was reset: ten minutes at 60 frames a second.
    const LARGEST_GAP: u32 = 36_000;
    /// A frame cannot have waited longer than this in a queue of a few buffers.
    const OLDEST: Duration = Duration::from_secs(2);
    /// The stamp may be this much ahead: the clock was read before the dequeue, and some drivers stamp with the end of a frame
    /// that they hand over at its beginning (vivid does).
    const NEWEST: Duration = Duration::from_millis(500);

    /// Frames lost between the last buffer and this one.
    pub fn lost_before(&mut self, sequence: u32) -> u32 {
        let step = self.last_sequence.map_or(1, |last| sequence.wrapping_sub(last));
        self.last_sequence = Some(sequence);
        if (1..=Self::LARGEST_GAP).contains(&step) { step - 1 } else { 0 }
    }

    /// When the frame was captured, and whether the driver's stamp had to be replaced by `now`, the reading of the monotonic
    /// clock at arrival. Stamps always grow.
    pub fn captured_at(&mut self, stamp: Option<Duration>, now: Duration) -> (Duration, bool) {
        let plausible = |stamp: &Duration| {
            *stamp >= now.saturating_sub(Self::OLDEST)
                && *stamp <= now + Self::NEWEST
                && self.last_stamp.is_none_or(|last| *stamp > last)
        };
        let (stamp, jumped) = match stamp.filter(plausible) {
            Some(stamp) => (stamp, false),
            None => (self.last_stamp.map_or(now, |last| now.max(last + Duration::from_micros(1))), true),
        };
        self.last_stamp = Some(stamp);
        (stamp, jumped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn buffer(data_offset: u32, bytes_used: u32, flags: u32) -> BufferInfo {
        BufferInfo {
            index: 0,
            data_offset,
            bytes_used,
            length: 0,
            flags,
            sequence: 0,
            timestamp: None,
            map_offset: 0,
        }
    }

    #[test]
    fn broken_empty_and_torn_buffers_are_told_apart() {
        assert_eq!(Verdict::of(&buffer(0, 100, 0), 100, 100), Verdict::Good);
        assert_eq!(Verdict::of(&buffer(0, 100, sys::V4L2_BUF_FLAG_ERROR), 100, 100), Verdict::Flagged);
        assert_eq!(Verdict::of(&buffer(0, 0, 0), 1, 100), Verdict::Empty);
        assert_eq!(Verdict::of(&buffer(8, 8, 0), 1, 100), Verdict::Empty);
        assert_eq!(Verdict::of(&buffer(0, 99, 0), 100, 100), Verdict::Torn);
        assert_eq!(Verdict::of(&buffer(0, 101, 0), 1, 100), Verdict::Torn, "more than the memory holds");
        assert_eq!(Verdict::of(&buffer(9, 8, 0), 1, 100), Verdict::Torn, "ends before it begins");
    }

    #[test]
    fn gaps_are_counted_across_the_counters_wrap_and_resets_are_not() {
        let mut history = FrameHistory::default();
        let lost: Vec<_> = [7, 8, 11, u32::MAX, 1, 0, 1].map(|sequence| history.lost_before(sequence)).into();
        assert_eq!(lost, [0, 0, 2, 0, 1, 0, 0]);
    }

    #[test]
    fn a_stamp_from_another_clock_is_replaced_by_the_arrival() {
        let s = Duration::from_secs;
        let mut history = FrameHistory::default();
        assert_eq!(history.captured_at(Some(s(99)), s(100)), (s(99), false));
        assert_eq!(history.captured_at(Some(s(1_700_000_000)), s(101)), (s(101), true));
        assert_eq!(history.captured_at(Some(s(3)), s(102)), (s(102), true));
        assert_eq!(history.captured_at(None, s(102)).0, s(102) + Duration::from_micros(1));
        assert_eq!(history.captured_at(Some(s(103)), s(103)), (s(103), false));
    }

    proptest! {
        #[test]
        fn stamps_grow_whatever_the_driver_says(
            steps in prop::collection::vec((prop::option::of(any::<u32>()), 0u64..50), 1..100)
        ) {
            let (mut history, mut now, mut last) = (FrameHistory::default(), Duration::from_mins(1), None);
            for (stamp, step) in steps {
                now += Duration::from_millis(step);
                let (at, _) = history.captured_at(stamp.map(|ms| Duration::from_millis(ms.into())), now);
                prop_assert!(Some(at) > last);
                prop_assert!(at <= now + FrameHistory::NEWEST + Duration::from_millis(1));
                last = Some(at);
            }
        }
    }
}
