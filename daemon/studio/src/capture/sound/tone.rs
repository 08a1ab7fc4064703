//! The test pattern's sound: a beep at the beginning of each second of the clock on the wall, while the picture flashes. So anybody can see and
//! hear whether sound and picture are in step.

use super::aac::{AacEncoder, AacError};
use crate::capture::source::{SoundSource, SourceError};
use crate::clock::Clock;
use perch_media::audio_format::AudioFormat;
use perch_media::sample::AudioFrame;
use perch_media::time::{MediaTime, Times};
use std::f64::consts::{PI, TAU};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Length of the beep and of the flash, from the beginning of a second.
pub(in crate::capture) const BEEP: Duration = Duration::from_millis(100);
const SAMPLE_RATE: u32 = 48_000;
const BITS_PER_SECOND: u32 = 128_000;
/// Pitch, in hertz.
const PITCH: f64 = 1000.0;
/// A quarter of full scale (-12 dB): audible, and not startling.
const LOUDNESS: f64 = 0.25;
/// Sound that is further behind than this is left out: the machine was suspended, or the thread got no processor.
const LATEST: Duration = Duration::from_secs(1);
/// Samples that are made at once.
const CHUNK: usize = AudioFormat::SAMPLES_PER_FRAME as usize;

/// Makes the sound of the time that has passed.
pub(in crate::capture) struct Tone {
    clock: Arc<dyn Clock>,
    encoder: AacEncoder,
    /// Monotonic time of the first sample; `None` until the first call.
    start: Option<Duration>,
    /// Samples made since then.
    made: u64,
    /// One chunk, the same for both channels. Reused between calls.
    samples: Vec<f32>,
}

impl Tone {
    pub(in crate::capture) fn new(clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let encoder = AacEncoder::new(SAMPLE_RATE, 2, BITS_PER_SECOND).map_err(|error| failed(&error))?;
        Ok(Self { clock, encoder, start: None, made: 0, samples: Vec::with_capacity(CHUNK) })
    }

    /// Makes the next chunk, whose first sample is `since_second` after the beginning of a second.
    fn make(&mut self, since_second: Duration) {
        let first = since_second.as_secs_f64();
        self.samples.clear();
        self.samples.extend((0..CHUNK).map(|n| {
            let at = (first + n as f64 / f64::from(SAMPLE_RATE)).fract();
            if at >= BEEP.as_secs_f64() {
                return 0.0;
            }
            // A Hann window: a beep that begins or ends abruptly clicks.
            let window = (PI * at / BEEP.as_secs_f64()).sin().powi(2);
            (LOUDNESS * window * (TAU * PITCH * at).sin()) as f32
        }));
    }
}

impl SoundSource for Tone {
    fn take(&mut self, out: &mut Vec<AudioFrame>) -> Result<(), SourceError> {
        let now = self.clock.monotonic();
        let length = |samples: u64| Duration::from_nanos(samples * 1_000_000_000 / u64::from(SAMPLE_RATE));
        let mut start = *self.start.get_or_insert(now);
        if now.saturating_sub(start + length(self.made)) > LATEST {
            self.encoder.reset().map_err(|error| failed(&error))?;
            (start, self.made) = (now, 0);
            self.start = Some(now);
        }
        let wall = self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        while start + length(self.made + CHUNK as u64) <= now {
            let age = now.saturating_sub(start + length(self.made));
            self.make(wall.saturating_sub(age));
            self.made += CHUNK as u64;
            let format = self.encoder.format().clone();
            let zero = MediaTime::from_monotonic(start);
            self.encoder
                .encode(&[&self.samples, &self.samples], |at, data| {
                    let (times, format) = (Times::at(zero + at), format.clone());
                    out.push(AudioFrame { times, epoch: 0, data, format });
                })
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

fn failed(error: &AacError) -> SourceError {
    SourceError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HandClock;

    const START: Duration = Duration::from_millis(1_795_368_483_300);

    /// What a decoder makes of frames: the samples of the left channel.
    fn decoded(frames: &[AudioFrame]) -> Vec<f32> {
        let adts = |frame: &AudioFrame| syom::wrap_adts_au(&frame.data, SAMPLE_RATE, 2).unwrap();
        let stream: Vec<u8> = frames.iter().flat_map(adts).collect();
        syom::decode_with(&stream, &syom::DecodeOptions::unbounded()).unwrap().channels.swap_remove(0)
    }

    fn ran_for(tone: &mut Tone, clock: &HandClock, time: Duration) -> Vec<AudioFrame> {
        let mut frames = Vec::new();
        for _ in 0..time.as_millis() / 40 {
            clock.turn(Duration::from_millis(40));
            tone.take(&mut frames).unwrap();
        }
        frames
    }

    #[test]
    fn a_beep_begins_with_each_second_of_the_wall_clock() {
        let clock = Arc::new(HandClock::at_wall(START));
        let mut tone = Tone::new(clock.clone()).unwrap();
        tone.take(&mut Vec::new()).unwrap();
        let frames = ran_for(&mut tone, &clock, Duration::from_secs(4));
        let samples = decoded(&frames);
        // Milliseconds of the wall clock at which somebody hears something, to the nearest 10.
        let zero = frames[0].times.pts.ticks() as f64 / 90.0;
        let heard: Vec<i64> = samples
            .iter()
            .enumerate()
            .filter(|(_, sample)| sample.abs() > 0.05)
            .map(|(n, _)| (zero + n as f64 / 48.0) as i64 + 300)
            .collect();
        let seconds: std::collections::BTreeSet<_> = heard.iter().map(|at| at / 1000).collect();
        assert_eq!(seconds.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(heard.iter().all(|at| (10..90).contains(&(at % 1000))), "{heard:?}");
        assert!((0.2..0.3).contains(&samples.iter().copied().fold(0.0, f32::max)));
    }

    #[test]
    fn sound_that_nobody_made_in_time_is_left_out() {
        let clock = Arc::new(HandClock::at_wall(START));
        let mut tone = Tone::new(clock.clone()).unwrap();
        tone.take(&mut Vec::new()).unwrap();
        let before = ran_for(&mut tone, &clock, Duration::from_secs(1)).len();
        clock.turn(Duration::from_mins(1));
        let after = ran_for(&mut tone, &clock, Duration::from_secs(1));
        assert!(before > 40 && after.len() > 40 && after.len() <= 47, "{before}, {}", after.len());
        let first = after[0].times.pts - MediaTime::from_monotonic(Duration::from_secs(61));
        assert!(first.ticks().abs() < 90 * 100, "{first:?}");
    }
}
