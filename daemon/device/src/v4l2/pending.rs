//! The frames inside an encoder: which frame's timestamp a coded picture carries, and whether the encoder is stuck. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// Frames in an encoder.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Stamps of the frames inside, oldest first, in whole microseconds as the kernel carries them.
    stamps: VecDeque<Duration>,
    /// The timestamp of the last coded picture.
    last: Duration,
    /// The time since which nothing has come out, and the frames that went in meanwhile.
    silent_since: Option<Duration>,
    silent_frames: u32,
}

impl Pending {
    /// More frames than an encoder without B-frames holds. Beyond this number the oldest are considered lost.
    const MOST: usize = 32;

    /// A timestamp as the kernel returns it: in whole microseconds.
    pub(super) fn stamp(captured_at: Duration) -> Duration {
        Duration::new(captured_at.as_secs(), captured_at.subsec_micros() * 1000)
    }

    /// Notes a frame that went in.
    pub(super) fn submitted(&mut self, stamp: Duration, now: Duration) {
        if self.stamps.len() == Self::MOST {
            self.stamps.pop_front();
        }
        self.stamps.push_back(stamp);
        self.silent_since.get_or_insert(now);
        self.silent_frames += 1;
    }

    /// Notes a coded picture; returns the time its frame was captured. `carried` is the buffer's own timestamp;
    /// `copies` says that the driver promises to copy it from the frame.
    pub(super) fn coded(&mut self, carried: Option<Duration>, copies: bool, now: Duration) -> Duration {
        self.silent_frames = 0;
        if let Some(place) =
            carried.and_then(|carried| self.stamps.iter().position(|stamp| *stamp == carried))
        {
            // Frames before it were dropped by the encoder's rate control or lost.
            self.stamps.drain(..place);
            self.last = self.stamps.pop_front().unwrap_or(self.last);
        } else if carried.is_none_or(|carried| carried != self.last) {
            // Headers in a buffer of their own carry no frame's timestamp and consume none.
            let oldest = if copies { self.stamps.front().copied() } else { self.stamps.pop_front() };
            self.last = oldest.unwrap_or(self.last);
        }
        self.silent_since = (!self.stamps.is_empty()).then_some(now);
        self.last
    }

    /// How long nothing came out; `Some` when that is longer than `patience` and at least `frames` frames went in meanwhile (an encoder holds
    /// some, and is not stuck when its camera gives none).
    pub(super) fn stuck(&self, now: Duration, patience: Duration, frames: u32) -> Option<Duration> {
        let silent = now.saturating_sub(self.silent_since?);
        (silent > patience && self.silent_frames >= frames).then_some(silent)
    }

    /// Number of frames inside.
    pub(super) fn len(&self) -> usize {
        self.stamps.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn with_frames(stamps: &[u64]) -> Pending {
        let mut pending = Pending::default();
        for stamp in stamps {
            pending.submitted(MS(*stamp), MS(*stamp));
        }
        pending
    }

    #[test]
    fn a_coded_picture_carries_its_frames_stamp_and_dropped_frames_are_forgotten() {
        let mut pending = with_frames(&[10, 20, 30]);
        assert_eq!(pending.coded(Some(MS(20)), true, MS(31)), MS(20));
        assert_eq!(pending.len(), 1);
        assert_eq!(pending.coded(Some(MS(30)), true, MS(32)), MS(30));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn headers_in_a_buffer_of_their_own_use_no_stamp_up() {
        for headers in [None, Some(Duration::ZERO), Some(MS(10))] {
            let mut pending = with_frames(&[10, 20]);
            pending.coded(headers, true, MS(21));
            assert_eq!(pending.coded(Some(MS(10)), true, MS(22)), MS(10), "{headers:?}");
            assert_eq!(pending.coded(Some(MS(20)), true, MS(23)), MS(20), "{headers:?}");
        }
    }

    #[test]
    fn drivers_that_copy_no_stamps_give_pictures_in_order() {
        let mut pending = with_frames(&[10, 20]);
        assert_eq!(pending.coded(Some(MS(777)), false, MS(21)), MS(10));
        assert_eq!(pending.coded(Some(MS(778)), false, MS(22)), MS(20));
    }

    #[test]
    fn an_encoder_is_stuck_when_frames_go_in_and_nothing_comes_out() {
        let mut pending = with_frames(&[0, 100, 200]);
        assert_eq!(pending.stuck(MS(900), MS(1000), 3), None, "not yet");
        assert_eq!(pending.stuck(MS(1100), MS(1000), 3), Some(MS(1100)));
        pending.coded(Some(MS(0)), true, MS(1100));
        assert_eq!(
            pending.stuck(MS(9000), MS(1000), 3),
            None,
            "the camera gives nothing: not the encoder's fault"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut pending = Pending::default();
        for frame in 0..1000 {
            pending.submitted(MS(frame), MS(frame));
        }
        assert_eq!(pending.len(), Pending::MOST);
    }

    #[test]
    fn stamps_are_what_the_kernel_gives_back() {
        assert_eq!(Pending::stamp(Duration::new(3, 1_999)), Duration::new(3, 1_000));
    }
}
