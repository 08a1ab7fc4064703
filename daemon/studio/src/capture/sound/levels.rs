//! How loud a microphone is: peak and RMS of the last moments, in dBFS (decibels relative to full scale; a sine wave of full scale has a peak of 0 and an RMS of −3).

use std::collections::VecDeque;

/// Chunks that are looked at: a third of a second of 1,024 frames at 48 kHz.
const CHUNKS: usize = 16;
/// What silence is said to be, dBFS; also the least that 16 bits can tell.
pub(super) const SILENCE: f32 = -96.0;

/// The loudness of the newest chunks.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// Peak and mean square of each.
    chunks: VecDeque<(f32, f32)>,
}

impl Levels {
    /// Takes a chunk of samples.
    pub(super) fn take(&mut self, planes: [&[f32]; 2]) {
        let samples = || planes.into_iter().flatten();
        let peak = samples().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let sum: f32 = samples().map(|sample| sample * sample).sum();
        if self.chunks.len() == CHUNKS {
            self.chunks.pop_front();
        }
        self.chunks.push_back((peak, sum / samples().count().max(1) as f32));
    }

    /// Peak and RMS, dBFS.
    pub(super) fn read(&self) -> (f32, f32) {
        let peak = self.chunks.iter().fold(0.0_f32, |peak, chunk| peak.max(chunk.0));
        let mean = self.chunks.iter().map(|chunk| chunk.1).sum::<f32>() / self.chunks.len().max(1) as f32;
        (decibels(peak), decibels(mean.sqrt()))
    }
}

fn decibels(amplitude: f32) -> f32 {
    (20.0 * amplitude.log10()).max(SILENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_wave_of_full_scale_has_a_peak_of_0_and_an_rms_of_minus_3() {
        let wave: Vec<f32> = (0..1024).map(|n| (n as f32 * std::f32::consts::TAU / 64.0).sin()).collect();
        let mut levels = Levels::default();
        assert_eq!(levels.read(), (SILENCE, SILENCE));
        levels.take([&wave, &wave]);
        let (peak, rms) = levels.read();
        assert!(peak.abs() < 0.01 && (rms + 3.01).abs() < 0.01, "{peak} {rms}");
    }

    #[test]
    fn a_bang_is_forgotten_after_a_third_of_a_second() {
        let mut levels = Levels::default();
        levels.take([&[1.0; 1024], &[0.0; 1024]]);
        for _ in 0..CHUNKS - 1 {
            levels.take([&[0.1; 1024], &[0.1; 1024]]);
            assert!(levels.read().0.abs() < 0.01);
        }
        levels.take([&[0.1; 1024], &[0.1; 1024]]);
        assert!((levels.read().0 + 20.0).abs() < 0.01);
    }
}
