//! The one place that corrects the times of sources. It puts the samples of a stream's sources, one source after the
//! other, on one line on which the decoding times of a track only increase. Presentation times are shifted with them,
//! so their difference never changes.
//!
//! Must not be here: times for sources that carry none (`access_unit::arrival`), a clock.

use crate::time::{MediaDuration, MediaTime, Times};

/// A first time that is older than this does not come from our clock: no encoder holds a picture back that long.
const OLDEST: MediaDuration = MediaDuration::from_millis(3000);
/// A first time may be this much ahead of its arrival: some drivers stamp with the end of a frame that they deliver at
/// its beginning (vivid does).
const NEWEST: MediaDuration = MediaDuration::from_millis(500);
/// A source that is silent this long has been closed by its owner long before, so a longer step is a jump of its clock.
const LONGEST_SILENCE: MediaDuration = MediaDuration::from_millis(10_000);
/// A source whose clock has drifted further than this from ours is brought back slowly: at 100 ppm that takes 14 hours
/// to happen.
const LARGEST_DRIFT: MediaDuration = MediaDuration::from_millis(5000);
/// The divisor for the share of each step by which drift is reduced.
const DRIFT_SHARE: i64 = 64;
const TICK: MediaDuration = MediaDuration::from_ticks(1);

/// The track of a sample. The samples of one track come in decoding order; the source decides how the two are
/// interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// The times of one stream. Both tracks of a source are shifted by the same amount, so that sound stays with its
/// picture.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The latest time of all samples.
    latest: Option<MediaTime>,
    /// The difference between the current source's clock and ours; `None` until its first sample.
    source: Option<Offset>,
    changed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Offset {
    /// The amount added to the source's times.
    shift: MediaDuration,
    /// The track that noticed that the source's clock was set, and the amount added before. Some samples of the other
    /// track may still carry timestamps from before.
    before: Option<(Track, MediaDuration)>,
    /// The newest sample of this source, by track.
    newest: [Option<Newest>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    dts: MediaTime,
    /// Time from the sample's own time to its arrival.
    delay: MediaDuration,
}

impl Timeline {
    /// A line without samples.
    pub const fn new() -> Self {
        Self { latest: None, source: None, changed: 0 }
    }

    /// Begins another source, whose clock may differ.
    pub const fn begin_source(&mut self) {
        self.source = None;
    }

    /// The latest time of all samples, whatever their source.
    pub const fn latest(&self) -> Option<MediaTime> {
        self.latest
    }

    /// How often a source's clock was corrected: its first time could not come from our clock, or a later one did not
    /// follow from the previous one.
    pub const fn changed(&self) -> u64 {
        self.changed
    }

    /// The times to use for a sample of the current source that arrived at `now`, a reading of our clock.
    ///
    /// The first sample of a source keeps its times if they can come from our clock; else the whole source is shifted
    /// so that it begins now. A later time that goes back or jumps means that the clock was set: the source is shifted
    /// again, so that the sample lies as long before its arrival as the previous one of its track did.
    pub fn mend(&mut self, track: Track, times: Times, now: MediaTime) -> Times {
        let mut source = self.source.unwrap_or_else(|| self.begin(times, now));
        let shift = source.place(track, times.dts, now).unwrap_or_else(|| {
            self.changed += 1;
            source.set_anew(track, times.dts, now)
        });
        let mended = times.shifted(shift);
        source.newest[track as usize] = Some(Newest { dts: mended.dts, delay: now - mended.dts });
        self.source = Some(source);
        self.latest = self.latest.max(Some(mended.dts)).max(Some(mended.pts));
        mended
    }

    fn begin(&mut self, times: Times, now: MediaTime) -> Offset {
        let is_ours = (-NEWEST..=OLDEST).contains(&(now - times.dts));
        self.changed += u64::from(!is_ours);
        let begins = if is_ours { times.dts } else { now };
        // It begins after everything that the previous source has shown.
        let begins = self.latest.map_or(begins, |latest| begins.max(latest + TICK));
        Offset { shift: begins - times.dts, before: None, newest: [None; 2] }
    }
}

impl Offset {
    /// The amount to add to a time that continues those before it; `None` if it does not.
    fn place(&mut self, track: Track, dts: MediaTime, now: MediaTime) -> Option<MediaDuration> {
        if let Some(step) = self.step(track, dts + self.shift) {
            self.before = self.before.filter(|(noticed_by, _)| *noticed_by == track);
            self.shift = self.shift + correction(step, now - (dts + self.shift));
            return Some(self.shift);
        }
        let (_, before) = self.before.filter(|(noticed_by, _)| *noticed_by != track)?;
        self.step(track, dts + before).map(|_| before)
    }

    /// The step from the track's newest sample to one at `dts`, if it is plausible; zero for the first of a track, and for one that was away while the other
    /// went on.
    fn step(&self, track: Track, dts: MediaTime) -> Option<MediaDuration> {
        let is_near = |other: &Newest| (-LONGEST_SILENCE..=LONGEST_SILENCE).contains(&(dts - other.dts));
        let Some(newest) = self.newest[track as usize] else {
            return self.newest.iter().flatten().all(is_near).then_some(MediaDuration::ZERO);
        };
        let step = dts - newest.dts;
        if step > LONGEST_SILENCE && self.newest.iter().flatten().any(is_near) {
            return Some(MediaDuration::ZERO);
        }
        (step > MediaDuration::ZERO && step <= LONGEST_SILENCE).then_some(step)
    }

    /// Shifts the source again, because its clock was set.
    fn set_anew(&mut self, track: Track, dts: MediaTime, now: MediaTime) -> MediaDuration {
        let newest = self.newest[track as usize];
        let delay = newest.map_or(MediaDuration::ZERO, |newest| newest.delay);
        let comes = now + -delay.clamp(MediaDuration::ZERO, LARGEST_DRIFT);
        // After the newest sample of either track: programs begin both tracks together, so the other track needs no second shift.
        let comes = self.newest.iter().flatten().fold(comes, |comes, newest| comes.max(newest.dts + TICK));
        self.before = Some((track, self.shift));
        self.shift = comes - dts;
        self.shift
    }
}

/// The correction that reduces the `drift` of a clock from ours by a share of `step`.
fn correction(step: MediaDuration, drift: MediaDuration) -> MediaDuration {
    let share = step.ticks() / DRIFT_SHARE;
    MediaDuration::from_ticks(if drift > LARGEST_DRIFT {
        share
    } else if drift < -LARGEST_DRIFT {
        -share
    } else {
        0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The resulting times for decoding times, each of which arrives at the second number.
    fn times(raw: &[(i64, i64)]) -> (Vec<i64>, u64) {
        let mut timeline = Timeline::new();
        let mended = raw.iter().map(|&(ticks, now)| mend(&mut timeline, ticks, now)).collect();
        (mended, timeline.changed())
    }

    fn mend(timeline: &mut Timeline, ticks: i64, now: i64) -> i64 {
        let times = Times::at(MediaTime::from_ticks(ticks));
        timeline.mend(Track::Video, times, MediaTime::from_ticks(now)).dts.ticks()
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
        timeline.mend(Track::Video, first, MediaTime::from_ticks(3000));
        timeline.begin_source();
        assert_eq!(mend(&mut timeline, 2000, 4000), 9001);
        assert_eq!(mend(&mut timeline, 5000, 7000), 12_001, "the source keeps its own intervals");
        timeline.begin_source();
        assert_eq!(mend(&mut timeline, 50_000, 50_000), 50_000);
    }

    #[test]
    fn a_drifting_clock_is_followed_slowly() {
        let mut timeline = Timeline::new();
        let mut steps = Vec::new();
        let mut last = mend(&mut timeline, 0, 0);
        // A source whose clock runs 10 % too fast: it is 5 s ahead after 50 s.
        for n in 1..3000 {
            let mended = mend(&mut timeline, n * 3300, n * 3000);
            steps.push(mended - last);
            last = mended;
        }
        assert!(steps.iter().all(|&step| (3240..=3300).contains(&step)), "{:?}", steps.iter().min());
        assert_eq!(timeline.changed(), 0);
    }

    /// Pictures and sound of one source, in order of arrival: `(track, time of the source, arrival)` in milliseconds.
    /// Returns their times on the line.
    fn both(raw: &[(Track, i64, i64)]) -> (Vec<i64>, u64) {
        let mut timeline = Timeline::new();
        let mended = raw.iter().map(|&(track, at, now)| {
            let [at, now] = [at, now].map(|milliseconds| MediaTime::from_ticks(milliseconds * 90));
            timeline.mend(track, Times::at(at), now).dts.ticks() / 90
        });
        (mended.collect(), timeline.changed())
    }

    #[test]
    fn sound_and_picture_are_shifted_together_in_whatever_order_they_come() {
        use Track::{Audio, Video};
        // Sound arrives 300 ms after the picture that it belongs to, and begins before it.
        let raw = [
            (Video, 1000, 5000),
            (Video, 1040, 5040),
            (Audio, 720, 5041),
            (Video, 1080, 5080),
            (Audio, 741, 5081),
        ];
        assert_eq!(both(&raw), (vec![5000, 5040, 4720, 5080, 4741], 1));
    }

    #[test]
    fn a_jump_is_made_good_once_though_the_tracks_come_to_it_one_after_the_other() {
        use Track::{Audio, Video};
        for hour in [3_600_000, -3_600_000] {
            let far = 10_000_000;
            let raw = [
                (Video, far, far),
                (Audio, far - 300, far),
                (Video, far + 40, far + 40),
                (Audio, far - 260, far + 40),
                (Video, far + 80 + hour, far + 80),
                (Audio, far - 220, far + 80),
                (Video, far + 120 + hour, far + 120),
                (Audio, far - 180 + hour, far + 120),
                (Video, far + 160 + hour, far + 160),
                (Audio, far - 140 + hour, far + 160),
            ];
            let without: Vec<_> = raw
                .iter()
                .map(|(_, at, _)| if i64::abs(at - far) > 1_000_000 { at - hour } else { *at })
                .collect();
            assert_eq!(both(&raw), (without, 1), "{hour}");
        }
    }

    #[test]
    fn sound_that_was_away_comes_back_where_it_belongs() {
        use Track::{Audio, Video};
        let pictures = |from: i64, to: i64| (from..=to).map(|second| (Video, second * 1000, second * 1000));
        let sound = |at: i64| (Audio, at, at + 100);
        let before = [(Video, 1000, 1000), sound(950)].into_iter().chain(pictures(2, 40));
        let raw: Vec<_> = before.chain([sound(39_950), sound(39_971)]).chain(pictures(41, 42)).collect();
        assert_eq!(both(&raw), (raw.iter().map(|(_, at, _)| *at).collect(), 0));
    }

    #[test]
    fn after_a_jump_one_shift_does_for_both_tracks_also_where_the_other_was_ahead() {
        use Track::{Audio, Video};
        let new = 7_000_000;
        // The sound of the program before is 50 ms ahead of its picture when the next program begins.
        let raw = [
            (Video, 1000, 1000),
            (Audio, 1090, 1045),
            (Video, new, 1070),
            (Audio, new, 1071),
            (Video, new + 40, 1110),
            (Audio, new + 21, 1111),
        ];
        assert_eq!(both(&raw), (vec![1000, 1090, 1090, 1090, 1130, 1111], 1));
    }

    proptest! {
        #[test]
        fn decoding_times_go_forward_and_differences_stay(
            raw in prop::collection::vec((any::<i64>(), 0_i64..9000, 0_i64..90_000, any::<bool>(), any::<bool>()), 1..50),
        ) {
            let (mut timeline, mut now, mut last) = (Timeline::new(), MediaTime::from_ticks(1_000_000), [None; 2]);
            for (dts, ahead, step, seam, is_sound) in raw {
                now = now + MediaDuration::from_ticks(step);
                if seam {
                    timeline.begin_source();
                    last = [None; 2];
                }
                let track = if is_sound { Track::Audio } else { Track::Video };
                let dts = MediaTime::from_ticks(dts / 4);
                let given = Times { dts, pts: dts + MediaDuration::from_ticks(ahead) };
                let mended = timeline.mend(track, given, now);
                prop_assert!(Some(mended.dts) > last[track as usize]);
                prop_assert_eq!(mended.pts - mended.dts, given.pts - given.dts);
                last[track as usize] = Some(mended.dts);
            }
        }
    }
}
