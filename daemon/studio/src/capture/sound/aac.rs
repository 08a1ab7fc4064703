//! The AAC-LC encoder (ISO/IEC 14496-3 §4), set up for a live stream.

use bytes::Bytes;
use perch_media::audio_format::AudioFormat;
use perch_media::time::MediaDuration;
use std::sync::Arc;
use syom::{EncodeOptions, Encoder};

/// Samples by which the encoder's output lags behind its input. The first frame codes the samples before the first one.
const PRIMING_FRAMES: u64 = 1;

/// Why sound cannot be coded.
#[derive(Debug, thiserror::Error)]
#[error("the AAC encoder refuses {sample_rate} Hz in {channels} channels at {bits_per_second} bit/s: {why}")]
pub struct AacError {
    sample_rate: u32,
    channels: u8,
    bits_per_second: u32,
    why: String,
}

/// Codes samples of one or two channels.
pub(super) struct AacEncoder {
    encoder: Encoder,
    format: Arc<AudioFormat>,
    bits_per_second: u32,
    /// Frames given out since the start or the last reset.
    frames: u64,
    /// The planes of one call, with every sample within ±1. Reused between calls.
    limited: Vec<Vec<f32>>,
}

impl AacEncoder {
    /// `channels`: 1 or 2.
    pub(super) fn new(sample_rate: u32, channels: u8, bits_per_second: u32) -> Result<Self, AacError> {
        let refused = |why: String| AacError { sample_rate, channels, bits_per_second, why };
        // One frame of lookahead: without it an onset in a frame's first half is heard before it begins (pre-echo).
        let options = EncodeOptions::raw().with_bitrate_bps(bits_per_second).with_lookahead(true);
        let encoder = Encoder::new(sample_rate, channels.into(), &options)
            .map_err(|error| refused(error.to_string()))?;
        let format = AudioFormat::from_audio_specific_config(encoder.asc())
            .map_err(|error| refused(error.to_string()))?;
        let limited = vec![Vec::new(); channels.into()];
        Ok(Self { encoder, format: Arc::new(format), bits_per_second, frames: 0, limited })
    }

    /// What a decoder must know.
    pub(super) const fn format(&self) -> &Arc<AudioFormat> {
        &self.format
    }

    /// Takes samples, one slice of equal length for each channel, and gives the frames that are complete to `publish`, each with its time after the
    /// first sample since the start or the last reset. The first frame's time is negative.
    ///
    /// Samples beyond ±1 are limited to it, and those that are no number become 0: the encoder would refuse all further input after one of them.
    pub(super) fn encode(
        &mut self,
        planes: &[&[f32]],
        mut publish: impl FnMut(MediaDuration, Bytes),
    ) -> Result<(), AacError> {
        for (limited, plane) in self.limited.iter_mut().zip(planes) {
            limited.clear();
            limited.extend(
                plane.iter().map(|sample| if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }),
            );
        }
        let planes: [&[f32]; 2] = [&self.limited[0], self.limited.last().map_or(&[], Vec::as_slice)];
        let (format, frames) = (&self.format, &mut self.frames);
        let priming = format.offset(PRIMING_FRAMES);
        let fed = self.encoder.feed(&planes[..self.limited.len()], |frame| {
            publish(-priming + format.offset(*frames), Bytes::copy_from_slice(frame.payload));
            *frames += 1;
            Ok(())
        });
        fed.map(drop).map_err(|error| self.failed(&error))
    }

    /// Forgets what was fed: what follows is unrelated to it.
    pub(super) fn reset(&mut self) -> Result<(), AacError> {
        self.frames = 0;
        self.encoder.reset().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &syom::AacError) -> AacError {
        AacError {
            sample_rate: self.format.sample_rate(),
            channels: self.format.channels(),
            bits_per_second: self.bits_per_second,
            why: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_media::time::MediaTime;

    const RATE: u32 = 48_000;

    /// A second of a sine wave, louder than the encoder takes, with what is no number in it.
    fn too_loud() -> Vec<f32> {
        let mut samples: Vec<f32> = (0..RATE)
            .map(|n| 1.3 * (n as f32 * 1000.0 * std::f32::consts::TAU / RATE as f32).sin())
            .collect();
        samples[100] = f32::NAN;
        samples[101] = f32::INFINITY;
        samples
    }

    fn coded(encoder: &mut AacEncoder, samples: &[f32], at_once: usize) -> Vec<(i64, Bytes)> {
        let mut out = Vec::new();
        for chunk in samples.chunks(at_once) {
            encoder.encode(&[chunk, chunk], |at, data| out.push((at.ticks(), data))).unwrap();
        }
        out
    }

    #[test]
    fn any_sample_is_coded_and_frames_have_their_times() {
        let mut encoder = AacEncoder::new(RATE, 2, 128_000).unwrap();
        assert_eq!(**encoder.format(), AudioFormat::new(RATE, 2).unwrap());
        let frames = coded(&mut encoder, &too_loud(), 777);
        // 46 whole frames went in, and one is held back for the lookahead.
        assert_eq!(frames.len(), 45);
        let frame = 1024 * MediaTime::HZ / i64::from(RATE);
        assert!(frames.iter().zip(-1..).all(|((at, _), number)| *at == number * frame), "{frames:?}");
    }

    #[test]
    fn what_comes_after_a_reset_is_coded_as_at_the_start() {
        let mut encoder = AacEncoder::new(RATE, 2, 128_000).unwrap();
        let first = coded(&mut encoder, &too_loud(), 1024);
        encoder.reset().unwrap();
        assert_eq!(coded(&mut encoder, &too_loud(), 1000), first);
    }

    #[test]
    fn what_aac_cannot_carry_is_refused_in_words() {
        let refused = AacEncoder::new(1234, 2, 128_000).err().unwrap().to_string();
        assert!(refused.starts_with("the AAC encoder refuses 1234 Hz in 2 channels"), "{refused}");
    }
}
