//! Keeps the times of one source on a line that only goes forward, whatever its device says.

use crate::time::{MediaDuration, MediaTime};

/// Pictures that are out of order by less than this are put right one by one; by more, the device's clock jumped.
const DISORDER: MediaDuration = MediaDuration::from_millis(1000);
/// A source that is silent for so long is closed by its owner long before, so a longer step is a lie.
const LONGEST_SILENCE: MediaDuration = MediaDuration::from_millis(10_000);
/// The picture interval taken before two pictures are known: 30 frames per second.
const FIRST_INTERVAL: MediaDuration = MediaDuration::from_ticks(3000);
/// Longer intervals are pauses, not the rate.
const LONGEST_INTERVAL: MediaDuration = MediaDuration::from_millis(1000);

/// See the module.
#[derive(Debug)]
pub(super) struct Timeline {
    last: Option<MediaTime>,
    /// What was added to the device's times since they jumped.
    offset: MediaDuration,
    interval: MediaDuration,
}

impl Timeline {
    pub(super) const fn new() -> Self {
        Self { last: None, offset: MediaDuration::ZERO, interval: FIRST_INTERVAL }
    }

    /// The time to use for a picture that the device stamped with `raw`, and whether it had to be changed.
    pub(super) fn straighten(&mut self, raw: MediaTime) -> (MediaTime, bool) {
        let time = raw + self.offset;
        let Some(last) = self.last else {
            self.last = Some(time);
            return (time, false);
        };
        let step = time - last;
        let jumped_back = step.ticks() <= -DISORDER.ticks();
        let (straight, changed) = if jumped_back || step > LONGEST_SILENCE {
            let straight = last + self.interval;
            self.offset = straight - raw;
            (straight, true)
        } else if step <= MediaDuration::ZERO {
            (last + MediaDuration::from_ticks(1), true)
        } else {
            if step <= LONGEST_INTERVAL {
                self.interval = step;
            }
            (time, false)
        };
        self.last = Some(straight);
        (straight, changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times(raw: &[i64]) -> (Vec<i64>, usize) {
        let mut timeline = Timeline::new();
        let straight: Vec<_> =
            raw.iter().map(|&ticks| timeline.straighten(MediaTime::from_ticks(ticks))).collect();
        let changed = straight.iter().filter(|(_, changed)| *changed).count();
        (straight.into_iter().map(|(time, _)| time.ticks()).collect(), changed)
    }

    #[test]
    fn a_regular_line_is_left_alone() {
        assert_eq!(times(&[100, 3100, 6100]), (vec![100, 3100, 6100], 0));
    }

    #[test]
    fn two_pictures_of_one_time_are_told_apart() {
        assert_eq!(times(&[100, 100, 3100]), (vec![100, 101, 3100], 1));
    }

    #[test]
    fn after_a_jump_the_line_goes_on_at_the_old_pace() {
        let (back, changed) = times(&[900_000, 903_000, 5, 3005]);
        assert_eq!((back, changed), (vec![900_000, 903_000, 906_000, 909_000], 1));
        let (ahead, changed) = times(&[0, 3000, 90_000_000, 90_003_000]);
        assert_eq!((ahead, changed), (vec![0, 3000, 6000, 9000], 1));
    }

    proptest! {
        #[test]
        fn times_always_go_forward(raw in prop::collection::vec(any::<i64>(), 1..50)) {
            let (straight, _) = times(&raw.iter().map(|ticks| ticks / 4).collect::<Vec<_>>());
            prop_assert!(straight.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
