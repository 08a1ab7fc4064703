//! Reads samples at the rate of a device's own clock and gives them at the rate of the coded sound, a coded frame's worth at a time.

use perch_device::microphone::Planes;
use perch_media::audio_format::AudioFormat;
use rubato::audioadapter_buffers::direct::{SequentialSliceOfSlices, SequentialSliceOfVecs};
use rubato::{
    Adjustable as _, Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

/// Frames that are made at once.
pub(super) const CHUNK: usize = AudioFormat::SAMPLES_PER_FRAME as usize;
/// By how much the ratio may change. Rates that are wrong by more are found out (`line`).
const ROOM: f64 = 1.05;

/// Why sound cannot be resampled.
#[derive(Debug, thiserror::Error)]
#[error("cannot resample from {from} Hz: {why}")]
pub struct ResamplerError {
    from: f64,
    why: String,
}

/// Two channels.
pub(super) struct Resampler {
    inner: Async<f32>,
    from: f64,
    /// Output frames for an input frame, if both clocks are right.
    usual: f64,
    made: Vec<Vec<f32>>,
}

impl Resampler {
    /// From `from` frames a second to `to`.
    pub(super) fn new(from: f64, to: f64) -> Result<Self, ResamplerError> {
        let parameters = SincInterpolationParameters {
            sinc_len: 64,
            f_cutoff: None,
            interpolation: SincInterpolationType::Cubic,
            oversampling_factor: 128,
            window: WindowFunction::BlackmanHarris2,
        };
        let inner = Async::new_sinc(to / from, ROOM * 1.001, &parameters, CHUNK, 2, FixedAsync::Output)
            .map_err(|error| ResamplerError { from, why: error.to_string() })?;
        Ok(Self { inner, from, usual: to / from, made: vec![vec![0.0; CHUNK]; 2] })
    }

    /// The rate that it was set up for.
    pub(super) const fn from(&self) -> f64 {
        self.from
    }

    /// Input frames that the next chunk needs.
    pub(super) fn needs(&self) -> usize {
        self.inner.input_frames_next()
    }

    /// Input frames by which its output is late.
    pub(super) fn delay(&self) -> f64 {
        self.inner.output_delay() as f64 / self.inner.resample_ratio()
    }

    /// Output frames for an input frame from now on, within 5 % of those at the beginning; the change is spread over the next chunk.
    pub(super) fn set_ratio(&mut self, ratio: f64) -> Result<(), ResamplerError> {
        let ratio = ratio.clamp(self.usual / ROOM, self.usual * ROOM);
        self.inner.set_resample_ratio(ratio, true).map_err(|error| self.failed(&error))
    }

    /// Makes a chunk of the first [`Self::needs`] frames of `input`.
    pub(super) fn make(&mut self, input: &Planes) -> Result<[&[f32]; 2], ResamplerError> {
        let frames = self.needs();
        let planes = [&*input.left, &*input.right];
        let failed = |why: String| ResamplerError { from: self.from, why };
        let read =
            SequentialSliceOfSlices::new(&planes, 2, frames).map_err(|error| failed(error.to_string()))?;
        let mut made = SequentialSliceOfVecs::new_mut(&mut self.made, 2, CHUNK)
            .map_err(|error| failed(error.to_string()))?;
        self.inner.process_into_buffer(&read, &mut made, None).map_err(|error| failed(error.to_string()))?;
        Ok([&self.made[0], &self.made[1]])
    }

    /// Forgets what was read.
    pub(super) fn reset(&mut self) {
        self.inner.reset();
    }

    fn failed(&self, error: &rubato::ResampleError) -> ResamplerError {
        ResamplerError { from: self.from, why: error.to_string() }
    }
}
