//! Decides where a stream is cut, from times, entry points and epochs alone: parts, segments and seams (RFC 8216bis §3,
//! §4.4.4.9). All consumers of the pieces share these boundaries, whatever container they write.
//!
//! A segment begins at an entry point if one comes in time. Its length never exceeds the target duration, which is
//! fixed for the stream's life (§4.4.3.1). The first segment fixes it: a source with rare key frames that ignores
//! requests for them gets a target duration as long as its first GOP. After that, an encoder that gives no key frame in
//! time is asked for one, and a segment that cannot wait any longer ends before the next picture, whatever that is; the
//! segment it begins is not *independent*, and players do not like to start with it.
//!
//! Must not be here: containers, bytes, clocks.

use crate::time::{MediaDuration, MediaTime};
use std::time::Duration;

/// The first segments are short, so that the first viewer sees a picture at once. After them the target length applies.
const START_RAMP: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(500), Duration::from_secs(1)];
/// A pause between two pictures that no camera makes, unless its pictures are that rare: a reader lagged or a source
/// hung. A seam.
const HOLE: MediaDuration = MediaDuration::from_millis(1500);
/// A segment's duration is rounded before it is compared with the target duration (§4.4.3.1).
const ROUNDING: MediaDuration = MediaDuration::from_millis(499);
/// Longest wait of the first segment for its second entry point: a source without one in 20 s is called faulty and
/// opened again.
const FIRST_LONGEST: MediaDuration = MediaDuration::from_millis(20_000);
/// An entry point is requested when it is late by this part of the due time: most come by themselves, and two in a row
/// cost bits.
const GRACE_DIVISOR: i64 = 16;
/// Interval at which a request for an entry point is repeated while none comes.
const REQUEST_PERIOD: MediaDuration = MediaDuration::from_millis(500);
/// Picture interval of a segment with one picture.
const ONE_PICTURE: MediaDuration = MediaDuration::from_ticks(3000);

/// The lengths of segments and parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutterConfig {
    /// Length of a segment once the stream runs.
    pub segment: Duration,
    /// EXT-X-TARGETDURATION in whole seconds, at least `segment`, if the first segment is no longer.
    pub target_duration: u64,
    /// PART-TARGET: no part is longer, unless a single picture is.
    pub part: Duration,
}

/// The facts about a picture that the cutter needs.
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    /// Decoding time.
    pub dts: MediaTime,
    /// True if a decoder can start here.
    pub is_entry: bool,
    /// Counts the seams: a value that differs from the previous picture's is a seam.
    pub epoch: u32,
    /// True if its parameter sets or its tracks differ from those before: an entry point is then a seam (RFC 8216bis
    /// §4.4.4.3).
    pub format_changed: bool,
}

/// The cutter's decision about a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Set if a segment ends before this picture.
    pub ended: Option<Ended>,
    /// The place of the picture.
    pub place: Place,
}

/// The end of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Duration from its first picture to its end.
    pub duration: MediaDuration,
}

/// The place of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Dropped: no decoder could show it.
    Nowhere,
    /// It opens a segment and the segment's first part.
    NewSegment {
        /// True if the times before it do not continue here.
        discontinuity: bool,
        /// True if it is an entry point.
        independent: bool,
    },
    /// It opens another part of the segment.
    NewPart {
        /// True if it is an entry point.
        independent: bool,
    },
    /// It continues the part.
    SamePart,
}

/// Counts of losses since the cutter was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutterCounters {
    /// Pictures without an entry point before them.
    pub before_entry: u64,
    /// Segments that do not begin at an entry point, because none came in time.
    pub dependent_segments: u64,
    /// Seams.
    pub seams: u64,
}

/// One stream's cutter. It continues across seams.
#[derive(Debug)]
pub struct Cutter {
    segment: MediaDuration,
    /// The configured value until the first segment has ended, which fixes it.
    target_duration: u64,
    is_fixed: bool,
    part: MediaDuration,
    current: Option<Current>,
    /// The last picture, and the interval between it and the previous one.
    last: Option<(MediaTime, MediaDuration)>,
    /// Segments begun so far: the place on the start ramp.
    begun: usize,
    /// True if something was lost before the next segment.
    at_seam: bool,
    last_request: Option<MediaTime>,
    wants_key_frame: bool,
    counters: CutterCounters,
}

/// The current segment.
#[derive(Debug)]
struct Current {
    first: MediaTime,
    last: MediaTime,
    last_entry: MediaTime,
    part_first: MediaTime,
    interval: MediaDuration,
    due: MediaDuration,
    epoch: u32,
}

impl Cutter {
    /// A cutter for a new stream.
    pub fn new(config: CutterConfig) -> Self {
        Self {
            segment: config.segment.into(),
            target_duration: config.target_duration,
            is_fixed: false,
            part: config.part.into(),
            current: None,
            last: None,
            begun: 0,
            at_seam: false,
            last_request: None,
            wants_key_frame: false,
            counters: CutterCounters::default(),
        }
    }

    /// EXT-X-TARGETDURATION, in seconds: no segment is longer, rounded to the nearest second. Fixed once a segment has ended.
    pub const fn target_duration(&self) -> u64 {
        self.target_duration
    }

    /// The longest duration of a segment.
    fn longest(&self) -> MediaDuration {
        if !self.is_fixed {
            return FIRST_LONGEST;
        }
        let seconds = i64::try_from(self.target_duration).unwrap_or(i64::MAX / MediaTime::HZ);
        MediaDuration::from_ticks(seconds.saturating_mul(MediaTime::HZ).saturating_add(ROUNDING.ticks()))
    }

    /// Counts of losses so far.
    pub const fn counters(&self) -> CutterCounters {
        self.counters
    }

    /// True if the encoder should be asked for a key frame now. Check it after every [`Self::push`]: it is true once
    /// when a key frame becomes due, and again every half second while none comes.
    pub const fn wants_key_frame(&self) -> bool {
        self.wants_key_frame
    }

    /// Takes the next picture.
    pub fn push(&mut self, picture: Picture) -> Cut {
        self.wants_key_frame = false;
        let verdict = self.current.as_ref().map(|current| self.judge(current, picture));
        let step = self.last.map_or(MediaDuration::ZERO, |(last, _)| picture.dts - last);
        self.last = Some((picture.dts, step));
        let ended = match verdict {
            None | Some(Verdict::Append) => None,
            Some(Verdict::Cut) => self.close(picture.dts),
            Some(Verdict::Seam) => self.finish(),
        };
        let place = match &mut self.current {
            Some(current) => {
                let place = current.append(picture, self.part);
                let elapsed = (picture.dts - current.first).ticks();
                if elapsed >= current.due.ticks() / GRACE_DIVISOR * (GRACE_DIVISOR + 1) {
                    self.request_key_frame(picture.dts);
                }
                place
            }
            None if picture.is_entry || verdict == Some(Verdict::Cut) => self.open(picture),
            None => {
                self.counters.before_entry += 1;
                self.request_key_frame(picture.dts);
                Place::Nowhere
            }
        };
        Cut { ended, place }
    }

    /// Ends the segment one picture interval after its last picture, because the stream has ended or pauses. If the
    /// stream continues, it does so after a seam.
    pub fn finish(&mut self) -> Option<Ended> {
        let end = self.current.as_ref().map(|current| current.last + current.interval)?;
        self.at_seam = true;
        self.close(end)
    }

    /// Drops the current segment. The stream continues after a seam.
    pub fn abandon(&mut self) {
        self.at_seam |= self.current.take().is_some();
    }

    fn open(&mut self, picture: Picture) -> Place {
        let due = START_RAMP.get(self.begun).map_or(self.segment, |due| self.segment.min((*due).into()));
        self.begun += 1;
        let discontinuity = std::mem::take(&mut self.at_seam);
        self.counters.seams += u64::from(discontinuity);
        self.counters.dependent_segments += u64::from(!picture.is_entry);
        if picture.is_entry {
            self.last_request = None;
        } else {
            self.request_key_frame(picture.dts);
        }
        let dts = picture.dts;
        self.current = Some(Current {
            first: dts,
            last: dts,
            last_entry: dts,
            part_first: dts,
            interval: ONE_PICTURE,
            due,
            epoch: picture.epoch,
        });
        Place::NewSegment { discontinuity, independent: picture.is_entry }
    }

    fn request_key_frame(&mut self, now: MediaTime) {
        if self.last_request.is_none_or(|last| now < last || now - last >= REQUEST_PERIOD) {
            self.last_request = Some(now);
            self.wants_key_frame = true;
        }
    }

    fn close(&mut self, end: MediaTime) -> Option<Ended> {
        let current = self.current.take()?;
        // A last interval that is longer than the rest of the segment is the source's pause, not the picture's
        // duration.
        let duration = (end - current.first).min(self.longest());
        if !std::mem::replace(&mut self.is_fixed, true) {
            let whole_seconds = (duration.ticks() + MediaTime::HZ - 1) / MediaTime::HZ;
            self.target_duration = self.target_duration.max(whole_seconds.max(0) as u64);
        }
        Some(Ended { duration })
    }

    fn judge(&self, current: &Current, picture: Picture) -> Verdict {
        let (step, elapsed) = (picture.dts - current.last, picture.dts - current.first);
        let pace = self.last.map_or(MediaDuration::ZERO, |(_, pace)| pace);
        let is_hole = step > HOLE && step.ticks() / 2 > pace.ticks();
        let follows = picture.epoch == current.epoch && step > MediaDuration::ZERO && !is_hole;
        if !follows || elapsed > self.longest() || picture.is_entry && picture.format_changed {
            Verdict::Seam
        } else if picture.is_entry && current.is_long_enough(picture.dts)
            || elapsed.ticks() + step.ticks() > self.longest().ticks()
        {
            Verdict::Cut
        } else {
            Verdict::Append
        }
    }
}

/// The effect of a picture on the current segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Append,
    /// It ends the segment and opens the next.
    Cut,
    /// It does not continue the segment, which ends with its last picture.
    Seam,
}

impl Current {
    fn append(&mut self, picture: Picture, part: MediaDuration) -> Place {
        self.interval = picture.dts - self.last;
        self.last = picture.dts;
        if picture.is_entry {
            self.last_entry = picture.dts;
        }
        if picture.is_entry || picture.dts + self.interval - self.part_first > part {
            self.part_first = picture.dts;
            Place::NewPart { independent: picture.is_entry }
        } else {
            Place::SamePart
        }
    }

    /// Decides at the entry point at `now`: three quarters of the due length are enough, or a quarter if the next entry
    /// point, after a GOP as long as the last one, would come too late.
    fn is_long_enough(&self, now: MediaTime) -> bool {
        let (elapsed, due) = ((now - self.first).ticks(), self.due.ticks());
        let with_next_gop = elapsed.saturating_add((now - self.last_entry).ticks());
        elapsed >= due / 4 * 3 || elapsed >= due / 4 && with_next_gop > due + ROUNDING.ticks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: CutterConfig = CutterConfig {
        segment: Duration::from_secs(2),
        target_duration: 2,
        part: Duration::from_millis(250),
    };

    fn picture(ticks: i64, is_entry: bool) -> Picture {
        Picture { dts: MediaTime::from_ticks(ticks), is_entry, epoch: 0, format_changed: false }
    }

    /// Durations of the segments, in milliseconds, for pictures at these ticks; every `gop`th is an entry point.
    fn segments(ticks: impl Iterator<Item = i64>, gop: usize) -> (Vec<i64>, CutterCounters) {
        let mut cutter = Cutter::new(CONFIG);
        let cuts = ticks.enumerate().map(|(number, at)| cutter.push(picture(at, number % gop == 0)));
        let durations = cuts.filter_map(|cut| cut.ended).map(|ended| ended.duration.ticks() / 90).collect();
        (durations, cutter.counters())
    }

    #[test]
    fn a_source_whose_key_frames_stop_is_cut_at_other_pictures_within_the_target_duration() {
        let mut cutter = Cutter::new(CONFIG);
        let cuts =
            (0..900).map(|number| cutter.push(picture(number * 3000, number < 100 && number % 30 == 0)));
        let durations: Vec<_> =
            cuts.filter_map(|cut| cut.ended).map(|ended| ended.duration.ticks() / 90).collect();
        assert!(durations.len() >= 11 && durations.iter().all(|duration| *duration <= 2499), "{durations:?}");
        let counters = cutter.counters();
        assert!(counters.seams == 0 && counters.dependent_segments >= 9, "{counters:?}");
        assert_eq!(cutter.target_duration(), 2);
    }

    #[test]
    fn the_first_gop_fixes_the_target_duration() {
        let (durations, counters) = segments((0..2000).map(|number| number * 3000), 250);
        assert_eq!((&durations[..3], counters.dependent_segments), (&[8333, 8333, 8333][..], 0));
        let mut cutter = Cutter::new(CONFIG);
        for number in 0..1000 {
            // One GOP is longer than the first.
            cutter.push(picture(number * 3000, matches!(number, 0 | 125 | 250 | 500 | 625)));
        }
        assert_eq!((cutter.target_duration(), cutter.counters().dependent_segments), (5, 1 + 2));
    }

    #[test]
    fn one_late_key_frame_costs_one_dependent_segment() {
        let entry = |number: i64| number % 60 == 0 && number != 240;
        let mut cutter = Cutter::new(CONFIG);
        let mut opened = Vec::new();
        for number in 0..600 {
            if let Place::NewSegment { independent, .. } =
                cutter.push(picture(number * 3000, entry(number))).place
            {
                opened.push(independent);
            }
        }
        assert_eq!(opened.iter().filter(|independent| !**independent).count(), 1, "{opened:?}");
    }

    #[test]
    fn a_pause_at_any_picture_is_a_seam_and_waits_for_an_entry_point() {
        let mut cutter = Cutter::new(CONFIG);
        for number in 0..10 {
            cutter.push(picture(number * 3000, number == 0));
        }
        let after = 10 * 3000 + 216_000;
        let cut = cutter.push(picture(after, false));
        assert_eq!(
            cut,
            Cut { ended: Some(Ended { duration: MediaDuration::from_ticks(30_000) }), place: Place::Nowhere }
        );
        assert!(cutter.wants_key_frame());
        let place = cutter.push(picture(after + 3000, true)).place;
        assert_eq!(place, Place::NewSegment { discontinuity: true, independent: true });
    }

    #[test]
    fn a_picture_every_two_seconds_is_slow_and_no_hole() {
        let mut cutter =
            Cutter::new(CutterConfig { target_duration: 8, segment: Duration::from_secs(8), ..CONFIG });
        let places: Vec<_> =
            (0..20).map(|number| cutter.push(picture(number * 180_000, number % 4 == 0)).place).collect();
        // The second picture's interval is the first that is known.
        assert!(places[4..].iter().all(|place| *place != Place::Nowhere), "{places:?}");
        assert!(cutter.counters().seams <= 1);
    }

    #[test]
    fn parts_begin_before_they_would_be_too_long() {
        let mut cutter = Cutter::new(CONFIG);
        let places: Vec<_> =
            (0..40).map(|number| cutter.push(picture(number * 3000, number == 0)).place).collect();
        let parts: Vec<_> = (0..40).filter(|at| matches!(places[*at], Place::NewPart { .. })).collect();
        assert_eq!(parts, [7, 14, 21, 28, 35], "7 pictures are 233 ms, 8 would be 267");
    }

    #[test]
    fn an_abandoned_segment_is_followed_by_a_seam() {
        let mut cutter = Cutter::new(CONFIG);
        cutter.push(picture(0, true));
        cutter.abandon();
        assert_eq!(cutter.push(picture(3000, false)).place, Place::Nowhere);
        assert_eq!(
            cutter.push(picture(6000, true)).place,
            Place::NewSegment { discontinuity: true, independent: true }
        );
        assert_eq!(cutter.counters().seams, 1);
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_it_may_be(
            steps in prop::collection::vec((1_i64..200_000, prop::bool::weighted(0.1), prop::bool::weighted(0.02)), 1..400)
        ) {
            let mut cutter = Cutter::new(CONFIG);
            let (mut at, mut epoch) = (0, 0);
            let (mut part_begins, mut segment_open) = (None, false);
            let mut target = None;
            for (step, is_entry, replugged) in steps {
                let before = at;
                at += step;
                epoch += u32::from(replugged);
                let cut = cutter.push(Picture { epoch, ..picture(at, is_entry) });
                if let Some(ended) = cut.ended {
                    prop_assert!(segment_open);
                    prop_assert_eq!(cutter.target_duration(), *target.get_or_insert(cutter.target_duration()), "it never changes");
                    let longest = cutter.target_duration().cast_signed() * 90_000 + 499 * 90;
                    prop_assert!(ended.duration > MediaDuration::ZERO && ended.duration.ticks() <= longest);
                }
                match cut.place {
                    Place::NewSegment { independent, .. } => {
                        prop_assert!(independent || segment_open, "the first segment begins at an entry point");
                        prop_assert_eq!(independent, is_entry);
                        (part_begins, segment_open) = (Some(at), true);
                    }
                    Place::NewPart { .. } => part_begins = Some(at),
                    Place::SamePart => {
                        // A picture's own length is the known interval before it.
                        let begins = part_begins.expect("a part is open");
                        prop_assert!(at + (at - before) - begins <= 250 * 90);
                    }
                    Place::Nowhere => segment_open = false,
                }
            }
        }
    }
}
