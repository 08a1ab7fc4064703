//! A source of pictures with sound from elsewhere.

use super::source::{CodedSource, Output, SoundSource, SourceDescription, SourceError};
use perch_media::sample::AudioFrame;
use std::collections::VecDeque;
use std::time::Duration;

/// Pictures of `S` with the sound of `T`. Both have times of the monotonic clock.
pub(super) struct WithSound<T> {
    pictures: Box<dyn CodedSource>,
    sound: T,
    /// Sound that came with the last picture.
    ready: VecDeque<AudioFrame>,
    /// Reused between calls.
    taken: Vec<AudioFrame>,
}

impl<T: SoundSource> WithSound<T> {
    pub(super) const fn new(pictures: Box<dyn CodedSource>, sound: T) -> Self {
        Self { pictures, sound, ready: VecDeque::new(), taken: Vec::new() }
    }
}

impl<T: SoundSource> CodedSource for WithSound<T> {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        if let Some(frame) = self.ready.pop_front() {
            return Ok(Output::Sound(frame));
        }
        let output = self.pictures.next(timeout)?;
        self.sound.take(&mut self.taken)?;
        self.ready.extend(self.taken.drain(..));
        Ok(output)
    }

    fn has_sound(&self) -> bool {
        self.sound.is_expected()
    }

    fn carries_times(&mut self) {
        self.pictures.carries_times();
    }

    fn force_key_frame(&mut self) {
        self.pictures.force_key_frame();
    }

    fn finish(&mut self) -> bool {
        self.ready.clear();
        self.pictures.finish()
    }

    fn description(&self) -> SourceDescription {
        self.pictures.description()
    }
}
