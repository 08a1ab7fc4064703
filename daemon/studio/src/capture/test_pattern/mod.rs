//! The source that always exists: a picture of colour bars with the time in it, for people and (`time_code`) for
//! machines.

mod drawing;
mod time_code;

use super::source::{RawFrame, RawSource, SourceError};
use crate::clock::Clock;
use drawing::Drawing;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Share of a frame by which floating point may be off when a mark is reached exactly.
const ROUNDING: f64 = 1e-3;

/// Draws frame n at start + n / rate: no drift, however long a picture takes.
pub(super) struct TestPattern {
    drawing: Drawing,
    clock: Arc<dyn Clock>,
    mode: (u32, u32, f64),
    /// Monotonic time of frame 0.
    start: Duration,
    /// Frames drawn or skipped since then.
    frames: u64,
}

impl TestPattern {
    /// `width` and `height` in pixels, both even. `has_flash`: the picture flashes while [`Tone`](super::sound::Tone) beeps.
    pub(super) fn new(
        width: u32,
        height: u32,
        frames_per_second: f64,
        has_flash: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SourceError> {
        if !width.is_multiple_of(2) || !height.is_multiple_of(2) || width == 0 || height == 0 {
            let (nearest_width, nearest_height) = ((width & !1).max(2), (height & !1).max(2));
            return Err(SourceError::Mode(format!(
                "the test pattern needs an even width and height, not {width}x{height}: the nearest is {nearest_width}x{nearest_height}"
            )));
        }
        let start = clock.monotonic();
        Ok(Self {
            drawing: Drawing::new(width, height, has_flash),
            clock,
            mode: (width, height, frames_per_second),
            start,
            frames: 0,
        })
    }

    /// The time at which the next frame is due.
    fn mark(&self) -> Duration {
        self.start + Duration::from_secs_f64(self.frames as f64 / self.mode.2)
    }
}

impl RawSource for TestPattern {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError> {
        let due = self.mark();
        let give_up = self.clock.monotonic() + timeout;
        let mut now = self.clock.monotonic();
        while now < due {
            if now >= give_up {
                return Ok(None);
            }
            self.clock.park(due.min(give_up).saturating_sub(now));
            now = self.clock.monotonic();
        }
        // A consumer that is too slow for the rate skips frames, as with a camera. A frame carries the time of its
        // mark, not of the moment at which this thread woke up.
        self.frames =
            self.frames.max((now.saturating_sub(self.start).as_secs_f64() * self.mode.2 + ROUNDING) as u64);
        let captured_at = self.mark();
        self.frames += 1;
        let wall = self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Some(self.drawing.draw(wall.saturating_sub(now.saturating_sub(captured_at))).frame(captured_at)))
    }

    fn describe(&self) -> String {
        "test pattern".to_owned()
    }

    fn mode(&self) -> (u32, u32, f64) {
        self.mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HandClock;

    #[test]
    fn frames_come_at_their_rate_without_drift_and_carry_their_time() {
        let clock = Arc::new(HandClock::at_wall(Duration::from_millis(1_795_368_483_007)));
        let mut source = TestPattern::new(320, 240, 30.0, false, clock.clone()).unwrap();
        for n in 0..3000_u64 {
            if n % 7 == 0 {
                clock.turn(Duration::from_millis(5)); // the encoder takes its time
            }
            let frame = source.next_frame(Duration::from_secs(1)).unwrap().expect("in time");
            let due = Duration::from_secs_f64(n as f64 / 30.0);
            assert!(
                frame.captured_at.abs_diff(due) < Duration::from_micros(1),
                "frame {n} at {:?}",
                frame.captured_at
            );
            let read = time_code::read(frame.picture.planes[0].data, frame.picture.planes[0].stride, 320)
                .expect("a time code");
            let milliseconds = read - 1_795_368_483_007;
            assert!(
                milliseconds.abs_diff(frame.captured_at.as_millis() as u64) <= 1,
                "{milliseconds} at {due:?}"
            );
        }
    }

    #[test]
    fn a_frame_that_is_not_due_is_not_waited_for_beyond_the_timeout() {
        let clock = Arc::new(HandClock::default());
        let mut source = TestPattern::new(320, 240, 1.0, false, clock.clone()).unwrap();
        assert!(source.next_frame(Duration::from_millis(100)).unwrap().is_some());
        assert!(source.next_frame(Duration::from_millis(100)).unwrap().is_none());
        assert_eq!(clock.monotonic(), Duration::from_millis(100));
    }

    #[test]
    fn a_slow_consumer_skips_frames_instead_of_falling_behind() {
        let clock = Arc::new(HandClock::default());
        let mut source = TestPattern::new(320, 240, 10.0, false, clock.clone()).unwrap();
        source.next_frame(Duration::from_secs(1)).unwrap();
        clock.turn(Duration::from_secs(5));
        let late = source.next_frame(Duration::from_secs(1)).unwrap().unwrap().captured_at;
        let next = source.next_frame(Duration::from_secs(1)).unwrap().unwrap().captured_at;
        assert_eq!((late, next), (Duration::from_secs(5), Duration::from_millis(5100)));
    }

    #[test]
    fn odd_sizes_are_refused_with_the_nearest_that_works() {
        let error = TestPattern::new(641, 360, 30.0, false, Arc::new(HandClock::default())).err().unwrap();
        assert!(error.to_string().contains("640x360"), "{error}");
    }
}
