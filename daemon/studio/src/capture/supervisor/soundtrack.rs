//! Adds to each picture the format of its sound, so that a reader knows the tracks before it announces them.
//!
//! Must not be here: reading containers, correcting times.

use perch_media::access_unit::AccessUnit;
use perch_media::audio_format::AudioFormat;
use perch_media::sample::{AudioFrame, Sample};
use perch_media::time::{MediaDuration, MediaTime};
use std::sync::Arc;

/// The first pictures wait this long for announced sound. Muxers let sound follow its picture within half a second.
const WAIT: MediaDuration = MediaDuration::from_millis(500);
/// Pictures that wait at most: half a second at 120 per second.
const WAITING_MOST: usize = 60;
/// Sound that is missing for longer has ended: players wait for an announced track, and would stand still.
const SILENCE: MediaDuration = MediaDuration::from_millis(2000);

/// The sound of one source.
#[derive(Debug, Default)]
pub(crate) struct Soundtrack {
    format: Option<Arc<AudioFormat>>,
    /// Arrival of the newest frame.
    heard_at: Option<MediaTime>,
    /// The first pictures, until it is known which sound goes with them, and the arrival of the first of them.
    waiting: Vec<AccessUnit>,
    waits_since: Option<MediaTime>,
    has_pictures: bool,
}

impl Soundtrack {
    /// Takes the next picture, which arrived at `now`. `is_announced`: sound will come.
    pub(crate) fn picture(
        &mut self,
        unit: AccessUnit,
        now: MediaTime,
        is_announced: bool,
        mut publish: impl FnMut(Sample),
    ) {
        if !self.has_pictures && is_announced && self.format.is_none() {
            let since = *self.waits_since.get_or_insert(now);
            if now - since < WAIT && self.waiting.len() < WAITING_MOST {
                return self.waiting.push(unit);
            }
        }
        self.release(&mut publish);
        if self.heard_at.is_some_and(|heard_at| now - heard_at > SILENCE) {
            self.format = None;
        }
        publish(self.with_sound(unit));
    }

    /// Takes the next frame of sound, which arrived at `now`. Before the first picture it belongs to none.
    pub(crate) fn sound(&mut self, frame: AudioFrame, now: MediaTime, mut publish: impl FnMut(Sample)) {
        self.heard_at = Some(now);
        if self.format.as_ref() != Some(&frame.format) {
            self.format = Some(frame.format.clone());
        }
        self.release(&mut publish);
        if self.has_pictures {
            publish(frame.into());
        }
    }

    /// Passes on the waiting pictures, because nothing more will come.
    pub(crate) fn finish(&mut self, mut publish: impl FnMut(Sample)) {
        self.release(&mut publish);
    }

    fn release(&mut self, publish: &mut impl FnMut(Sample)) {
        for unit in std::mem::take(&mut self.waiting) {
            publish(self.with_sound(unit));
        }
    }

    fn with_sound(&mut self, unit: AccessUnit) -> Sample {
        self.has_pictures = true;
        AccessUnit { sound: self.format.clone(), ..unit }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::access_unit;
    use bytes::Bytes;
    use perch_media::time::Times;

    const MILLISECOND: i64 = 90;

    #[derive(Clone, Copy)]
    enum Came {
        Picture(i64),
        Sound(i64),
        Finish,
    }
    use Came::{Finish, Picture, Sound};

    /// The published samples: for each picture true if sound goes with it, `None` for sound. Numbers are milliseconds.
    fn published(all: &[Came]) -> Vec<Option<bool>> {
        let (mut track, mut out) = (Soundtrack::default(), Vec::new());
        let format = Arc::new(AudioFormat::new(48_000, 2).unwrap());
        for came in all {
            let publish = |sample: Sample| out.push(sample.video().map(|unit| unit.sound.is_some()));
            let at = |milliseconds: i64| MediaTime::from_ticks(milliseconds * MILLISECOND);
            match *came {
                Picture(now) => track.picture(access_unit(0, true, 10), at(now), true, publish),
                Sound(now) => {
                    let (times, data) = (Times::default(), Bytes::new());
                    let frame = AudioFrame { times, epoch: 0, data, format: format.clone() };
                    track.sound(frame, at(now), publish);
                }
                Finish => track.finish(publish),
            }
        }
        out
    }

    #[test]
    fn pictures_wait_for_the_first_sound_and_know_of_it() {
        let found = published(&[Picture(0), Picture(40), Picture(80), Sound(81), Picture(120)]);
        assert_eq!(found, [Some(true), Some(true), Some(true), None, Some(true)]);
        assert_eq!(
            published(&[Sound(0), Picture(1)]),
            [Some(true)],
            "sound before the first picture goes with none"
        );
    }

    #[test]
    fn sound_that_is_announced_and_does_not_come_is_not_waited_for() {
        assert_eq!(published(&[Picture(0), Picture(400)]), []);
        assert_eq!(published(&[Picture(0), Picture(500), Picture(540)]), [Some(false); 3]);
        assert_eq!(published(&[Picture(0); 61]), [Some(false); 61], "all at once");
        assert_eq!(published(&[Picture(0), Finish]), [Some(false)]);
    }

    #[test]
    fn sound_that_stays_away_is_gone_until_it_comes_again() {
        let found =
            published(&[Picture(0), Sound(1), Picture(2001), Picture(2002), Sound(2003), Picture(2004)]);
        assert_eq!(found, [Some(true), None, Some(true), Some(false), None, Some(true)]);
    }
}
