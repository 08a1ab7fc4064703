//! The samples of one opened microphone as coded sound on the monotonic clock.

use super::aac::{AacEncoder, AacError};
use super::levels::Levels;
use super::line::Line;
use super::resampler::{CHUNK, Resampler, ResamplerError};
use crate::capture::microphones::MicrophoneSettings;
use perch_device::microphone::{Block, Planes};
use perch_media::sample::AudioFrame;
use perch_media::time::{MediaTime, Times};

/// Frames per second of the coded sound.
const SAMPLE_RATE: u32 = 48_000;
const BITS_PER_SECOND: u32 = 128_000;

/// Why samples cannot be coded.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The encoder refuses.
    #[error(transparent)]
    Aac(#[from] AacError),
    /// The resampler refuses.
    #[error(transparent)]
    Resampler(#[from] ResamplerError),
}

/// From samples to coded frames. A file of samples can stand in for a device.
pub struct Track {
    line: Line,
    resampler: Resampler,
    encoder: AacEncoder,
    levels: Levels,
    /// Samples in line, and those after them whose place is in doubt.
    queue: Planes,
    held: Planes,
    /// Time of the first sample since the sound began.
    zero: MediaTime,
    /// Time of the newest frame given out.
    newest: Option<MediaTime>,
    /// A chunk after the gain. Reused between calls.
    loud: [Vec<f32>; 2],
}

impl Track {
    /// The track of a device with `rate` frames a second, as it says. Frames up to `after` have been given out before.
    pub fn new(rate: u32, after: Option<MediaTime>) -> Result<Self, TrackError> {
        Ok(Self {
            line: Line::new(rate, SAMPLE_RATE),
            resampler: Resampler::new(rate.into(), SAMPLE_RATE.into())?,
            encoder: AacEncoder::new(SAMPLE_RATE, 2, BITS_PER_SECOND)?,
            levels: Levels::default(),
            queue: Planes::default(),
            held: Planes::default(),
            zero: MediaTime::default(),
            newest: after,
            loud: [Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK)],
        })
    }

    /// Where the samples lie in time.
    pub(super) const fn line(&self) -> &Line {
        &self.line
    }

    /// Peak and RMS of the last third of a second, dBFS, after the gain and before muting.
    pub fn levels(&self) -> (f32, f32) {
        self.levels.read()
    }

    /// Time of the newest frame given out.
    pub const fn newest(&self) -> Option<MediaTime> {
        self.newest
    }

    /// Takes a block's samples, and leaves `samples` empty; appends the coded frames that are complete to `out`.
    pub fn take(
        &mut self,
        block: Block,
        samples: &mut Planes,
        settings: MicrophoneSettings,
        out: &mut Vec<AudioFrame>,
    ) -> Result<(), TrackError> {
        let placing = self.line.place(block.frames, block.stamp, block.lost);
        if placing.begins_anew {
            self.begin_anew()?;
        }
        if placing.held_first {
            append(&mut self.queue, &mut self.held);
        }
        for plane in [&mut self.queue.left, &mut self.queue.right] {
            plane.resize(plane.len() + placing.silence, 0.0);
        }
        append(&mut self.held, samples);
        let cut = placing.cut.min(self.held.len());
        remove(&mut self.held, cut);
        self.line.was_cut(cut);
        if !placing.hold {
            append(&mut self.queue, &mut self.held);
        }
        self.code(settings, out)
    }

    fn begin_anew(&mut self) -> Result<(), TrackError> {
        self.queue.clear();
        self.held.clear();
        self.encoder.reset()?;
        let rate = self.line.nominal_rate();
        #[expect(clippy::float_cmp, reason = "the same number as it was set up with, or another")]
        if rate == self.resampler.from() {
            self.resampler.reset();
        } else {
            self.resampler = Resampler::new(rate, SAMPLE_RATE.into())?;
        }
        Ok(())
    }

    fn code(&mut self, settings: MicrophoneSettings, out: &mut Vec<AudioFrame>) -> Result<(), TrackError> {
        let gain = 10_f32.powf(settings.gain_db as f32 / 20.0);
        while self.queue.len() >= self.resampler.needs() {
            let Some(chunk) = self.line.chunk(self.resampler.delay()) else { break };
            if let Some(begins_at) = chunk.begins_at {
                self.zero = MediaTime::from_monotonic(begins_at);
            }
            self.resampler.set_ratio(chunk.ratio)?;
            // The new ratio may need more.
            let needs = self.resampler.needs();
            if self.queue.len() < needs {
                break;
            }
            let made = self.resampler.make(&self.queue)?;
            for (loud, plane) in self.loud.iter_mut().zip(made) {
                loud.clear();
                loud.extend(plane.iter().map(|sample| sample * gain));
            }
            remove(&mut self.queue, needs);
            self.line.resampled(needs, CHUNK);
            self.levels.take([&self.loud[0], &self.loud[1]]);
            if settings.muted {
                self.loud.iter_mut().for_each(|plane| plane.fill(0.0));
            }
            let (zero, format, newest) = (self.zero, self.encoder.format().clone(), &mut self.newest);
            self.encoder.encode(&[&self.loud[0], &self.loud[1]], |at, data| {
                let times = Times::at(zero + at);
                // After a gap the frame that primes the decoder may lie before the last one from before the gap.
                if newest.is_none_or(|newest| times.dts > newest) {
                    *newest = Some(times.dts);
                    out.push(AudioFrame { times, epoch: 0, data, format: format.clone() });
                }
            })?;
        }
        Ok(())
    }
}

/// Moves all frames of `from` to the end of `to`.
fn append(to: &mut Planes, from: &mut Planes) {
    to.left.append(&mut from.left);
    to.right.append(&mut from.right);
}

/// Removes the first `frames`.
fn remove(from: &mut Planes, frames: usize) {
    from.left.drain(..frames);
    from.right.drain(..frames);
}

#[cfg(test)]
mod tests;
