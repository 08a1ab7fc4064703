//! Times of RTMP's messages: milliseconds in 32 bits, of which senders agree on 31. Sound gets the exact times of its samples.

use perch_media::audio_format::AudioFormat;
use perch_media::time::{MediaDuration, MediaTime};
use std::sync::Arc;

/// ffmpeg goes back to 0 for pictures after 2^31 ms and for sound after 2^32: all agree on the lowest 31 bits.
const BITS: u32 = 31;
const ROUND: i64 = 1 << BITS;
/// Milliseconds are rounded by the sender, up or down.
const ROUNDING: MediaDuration = MediaDuration::from_millis(1);
const TICK: MediaDuration = MediaDuration::from_ticks(1);

/// The endless line of one connection's messages, of both tracks.
#[derive(Debug, Default)]
pub(super) struct Times {
    last_milliseconds: Option<i64>,
    last_picture: Option<MediaTime>,
    last_sound: Option<MediaTime>,
    sound: Option<Samples>,
}

/// Frames of sound that follow each other without a gap.
#[derive(Debug)]
struct Samples {
    format: Arc<AudioFormat>,
    first: MediaTime,
    frames: u64,
}

impl Times {
    /// Decoding time of a picture.
    pub(super) fn picture(&mut self, timestamp: u32) -> MediaTime {
        let time = apart(self.last_picture, self.unwrap(timestamp));
        self.last_picture = Some(time);
        time
    }

    /// Time of a frame of sound: that of its samples, as long as the message's time agrees with it to the millisecond.
    pub(super) fn sound(&mut self, timestamp: u32, format: &Arc<AudioFormat>) -> MediaTime {
        let time = self.unwrap(timestamp);
        if let Some(samples) = self.sound.as_mut().filter(|samples| samples.format == *format) {
            let exact = samples.first + format.offset(samples.frames);
            if (-ROUNDING..=ROUNDING).contains(&(time - exact)) {
                samples.frames += 1;
                self.last_sound = Some(exact);
                return exact;
            }
        }
        let time = apart(self.last_sound, time);
        self.last_sound = Some(time);
        self.sound = Some(Samples { format: format.clone(), first: time, frames: 1 });
        time
    }

    /// Each time is taken to lie within half a round, 12 days, of the one before.
    fn unwrap(&mut self, timestamp: u32) -> MediaTime {
        let wire = i64::from(timestamp) & (ROUND - 1);
        let time = self.last_milliseconds.map_or(wire, |last| {
            let step = (wire - last).rem_euclid(ROUND);
            last + if step < ROUND / 2 { step } else { step - ROUND }
        });
        self.last_milliseconds = Some(time);
        MediaTime::from_ticks(time * (MediaTime::HZ / 1000))
    }
}

/// Two samples of one millisecond are two samples: programs give several the time 0 whose own time was before.
fn apart(last: Option<MediaTime>, time: MediaTime) -> MediaTime {
    match last {
        Some(last) if time <= last && last - time < ROUNDING => last + TICK,
        _ => time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn milliseconds(time: MediaTime) -> i64 {
        time.ticks() / 90
    }

    #[test]
    fn both_tracks_pass_2_to_the_31_and_2_to_the_32_wherever_each_wraps() {
        let format = Arc::new(AudioFormat::new(48_000, 2).unwrap());
        let mut times = Times::default();
        let round = 1_i64 << 31;
        // A second before and after each round; pictures wrap at 2^31 as ffmpeg's do.
        for at in
            (round - 1000..round + 1000).step_by(40).chain((2 * round - 1000..2 * round + 1000).step_by(40))
        {
            if at == 2 * round - 1000 {
                times = Times::default();
            }
            let base = if at < round + 1000 { 0 } else { round };
            assert_eq!(milliseconds(times.picture((at % round) as u32)), at - base, "{at}");
            assert_eq!(milliseconds(times.sound(at as u32, &format)), at - base, "{at}");
        }
    }

    #[test]
    fn pictures_of_one_millisecond_stay_apart_and_a_step_back_is_left_to_the_timeline() {
        let mut times = Times::default();
        let found: Vec<_> = [40, 40, 40, 41, 20].map(|at| times.picture(at).ticks()).into();
        assert_eq!(found, [3600, 3601, 3602, 3690, 1800]);
    }

    #[test]
    fn a_gap_in_sound_begins_another_run_of_samples() {
        let format = Arc::new(AudioFormat::new(44_100, 2).unwrap());
        let mut times = Times::default();
        let found: Vec<_> = [0, 0, 23, 46, 500, 523].map(|at| times.sound(at, &format).ticks()).into();
        assert_eq!(found, [0, 1, 2090, 4180, 45_000, 47_089]);
    }

    proptest! {
        #[test]
        fn sound_keeps_its_pace_for_ever_and_is_never_off_by_more_than_a_millisecond(rate in prop_oneof![Just(44_100u32), Just(48_000), Just(22_050), 8000u32..96_000], first in 0u32..u32::MAX, rounds in any::<bool>()) {
            let format = Arc::new(AudioFormat::new(rate, 2).unwrap());
            let mut times = Times::default();
            let mut begun = None;
            for frame in (0..50_000u64).step_by(7) {
                // The sender's own rounding.
                let ticks = format.offset(frame).ticks() + if rounds { 45 } else { 0 };
                let time = times.sound(first.wrapping_add((ticks / 90) as u32), &format);
                let begun = *begun.get_or_insert(time);
                prop_assert!(((time - begun).ticks() - format.offset(frame).ticks()).abs() <= 90);
            }
        }
    }
}
