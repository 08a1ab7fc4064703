//! The one place that mends what sources say of time. It puts the samples of a stream's sources, one source after the other, on one
//! line on which decoding times only go forward. Presentation times are shifted with them, so their difference is never touched.
//!
//! Must not be here: times for sources that carry none (`access_unit::arrival`), a clock.

use crate::time::{MediaDuration, MediaTime, Times};

/// A first time that is older than this is not of our clock: no encoder holds a picture back for so long.
const OLDEST: MediaDuration = MediaDuration::from_millis(3000);
/// A first time may be this much ahead of its arrival: some drivers stamp with the end of a frame that they hand over at its beginning
/// (vivid does).
const NEWEST: MediaDuration = MediaDuration::from_millis(500);
/// A source that is silent for so long is closed by its owner long before, so a longer step is a jump of its clock.
const LONGEST_SILENCE: MediaDuration = MediaDuration::from_millis(10_000);
/// A source whose clock has drifted further than this from ours is brought back slowly: 100 ppm take 14 hours to get there.
const LARGEST_DRIFT: MediaDuration = MediaDuration::from_millis(5000);
/// The share of each step by which drift is taken back.
const DRIFT_SHARE: i64 = 64;
const TICK: MediaDuration = MediaDuration::from_ticks(1);

/// The line of one stream.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Decoding time of the newest sample.
    last: Option<MediaTime>,
    /// The latest presentation time of all samples.
    latest: Option<MediaTime>,
    /// What the running source's clock is to ours; `None` until its first sample.
    source: Option<Offset>,
    changed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Offset {
    /// What is added to the source's times.
    shift: MediaDuration,
    /// How long after its time the newest sample came.
    delay: MediaDuration,
}

impl Timeline {
    /// Nothing is known yet.
    pub const fn new() -> Self {
        Self { last: None, latest: None, source: None, changed: 0 }
    }

    /// Another source begins: its clock may be another one.
    pub const fn begin_source(&mut self) {
        self.source = None;
    }

    /// Decoding time of the newest sample, whatever its source.
    pub const fn last(&self) -> Option<MediaTime> {
        self.last
    }

    /// How often a source's clock was set anew: its first time could not be of our clock, or a later one did not follow from the one
    /// before.
    pub const fn changed(&self) -> u64 {
        self.changed
    }

    /// The times to use for a sample of the running source that came at `now`, a reading of our clock.
    ///
    /// The first sample of a source keeps its times when they can be of our clock; else the source is shifted as a whole so that it
    /// begins now. What goes back or jumps later on is a clock that was set: the source is shifted anew, so that the sample comes as
    /// long before its arrival as the one before did.
    pub fn mend(&mut self, times: Times, now: MediaTime) -> Times {
        let (shift, changed) = self.shift(times, now);
        let mended = times.shifted(shift);
        self.source = Some(Offset { shift, delay: now - mended.dts });
        self.changed += u64::from(changed);
        self.last = Some(mended.dts);
        self.latest = self.latest.max(Some(mended.pts));
        mended
    }

    fn shift(&self, times: Times, now: MediaTime) -> (MediaDuration, bool) {
        let Some(offset) = self.source else {
            let delay = now - times.dts;
            let is_ours = (-NEWEST..=OLDEST).contains(&delay);
            let begins = if is_ours { times.dts } else { now };
            // After everything that the source before has shown.
            let begins = self.latest.max(self.last).map_or(begins, |latest| begins.max(latest + TICK));
            return (begins - times.dts, !is_ours);
        };
        let dts = times.dts + offset.shift;
        let Some(last) = self.last else { return (offset.shift, false) };
        let step = dts - last;
        if step <= MediaDuration::ZERO || step > LONGEST_SILENCE {
            let delay = offset.delay.clamp(MediaDuration::ZERO, LARGEST_DRIFT);
            return ((now + -delay).max(last + TICK) - times.dts, true);
        }
        let drift = now - dts;
        let correction = if drift > LARGEST_DRIFT {
            step.ticks() / DRIFT_SHARE
        } else if drift < -LARGEST_DRIFT {
            -step.ticks() / DRIFT_SHARE
        } else {
            0
        };
        (offset.shift + MediaDuration::from_ticks(correction), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes of decoding times that each arrive at the second number.
    fn times(raw: &[(i64, i64)]) -> (Vec<i64>, u64) {
        let mut timeline = Timeline::new();
        let mended = raw.iter().map(|&(ticks, now)| mend(&mut timeline, ticks, now)).collect();
        (mended, timeline.changed())
    }

    fn mend(timeline: &mut Timeline, ticks: i64, now: i64) -> i64 {
        timeline.mend(Times::at(MediaTime::from_ticks(ticks)), MediaTime::from_ticks(now)).dts.ticks()
    }

    #[test]
    fn a_regular_line_is_left_alone() {
        assert_eq!(times(&[(100, 500), (3100, 3500), (6100, 9000)]), (vec![100, 3100, 6100], 0));
    }

    #[test]
    fn two_pictures_of_one_time_are_told_apart() {
        assert_eq!(times(&[(100, 100), (100, 100), (3100, 3100)]), (vec![100, 101, 3101], 1));
    }

    #[test]
    fn a_source_of_another_clock_begins_now_and_keeps_its_pace() {
        let second = 90_000;
        for off in [-100 * second, -4 * second, second, 1_000_000 * second] {
            let raw = [0, 3000, 6500].map(|at| (200 * second + at + off, 200 * second + at));
            let (mended, changed) = times(&raw);
            assert_eq!((mended, changed), ([0, 3000, 6500].map(|at| 200 * second + at).to_vec(), 1));
        }
    }

    #[test]
    fn after_a_jump_the_line_goes_on_with_the_delay_it_had() {
        let raw = [(900_000, 900_300), (903_000, 903_300), (5, 906_300), (3005, 909_300)];
        assert_eq!(times(&raw), (vec![900_000, 903_000, 906_000, 909_000], 1));
        let raw = [(0, 0), (3000, 3000), (90_000_000, 6000), (90_003_000, 9000)];
        assert_eq!(times(&raw), (vec![0, 3000, 6000, 9000], 1));
    }

    #[test]
    fn a_clock_that_stands_still_gives_way_to_the_arrival() {
        let (mended, changed) = times(&[(0, 50), (0, 3050), (0, 6050), (0, 9050)]);
        assert_eq!((mended, changed), (vec![0, 3000, 6000, 9000], 3));
    }

    #[test]
    fn a_seam_leads_forward_behind_all_that_was_shown() {
        let mut timeline = Timeline::new();
        let first = Times { pts: MediaTime::from_ticks(9000), dts: MediaTime::from_ticks(3000) };
        timeline.mend(first, MediaTime::from_ticks(3000));
        timeline.begin_source();
        assert_eq!(mend(&mut timeline, 2000, 4000), 9001);
        assert_eq!(mend(&mut timeline, 5000, 7000), 12_001, "its own pace is kept");
        timeline.begin_source();
        assert_eq!(mend(&mut timeline, 50_000, 50_000), 50_000);
    }

    #[test]
    fn a_drifting_clock_is_followed_slowly() {
        let mut timeline = Timeline::new();
        let mut steps = Vec::new();
        let mut last = mend(&mut timeline, 0, 0);
        // A source whose clock goes 10 % too fast: 5 s ahead after 50 s.
        for n in 1..3000 {
            let mended = mend(&mut timeline, n * 3300, n * 3000);
            steps.push(mended - last);
            last = mended;
        }
        assert!(steps.iter().all(|&step| (3240..=3300).contains(&step)), "{:?}", steps.iter().min());
        assert_eq!(timeline.changed(), 0);
    }

    proptest! {
        #[test]
        fn decoding_times_go_forward_and_differences_stay(
            raw in prop::collection::vec((any::<i64>(), 0_i64..9000, 0_i64..90_000, any::<bool>()), 1..50),
        ) {
            let (mut timeline, mut now, mut last) = (Timeline::new(), MediaTime::from_ticks(1_000_000), None);
            for (dts, ahead, step, seam) in raw {
                now = now + MediaDuration::from_ticks(step);
                if seam {
                    timeline.begin_source();
                }
                let dts = MediaTime::from_ticks(dts / 4);
                let given = Times { dts, pts: dts + MediaDuration::from_ticks(ahead) };
                let mended = timeline.mend(given, now);
                prop_assert!(Some(mended.dts) > last);
                prop_assert_eq!(mended.pts - mended.dts, given.pts - given.dts);
                last = Some(mended.dts);
            }
        }
    }
}
