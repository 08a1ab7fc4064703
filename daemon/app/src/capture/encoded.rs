//! Frames and an encoder make a source of coded pictures.

use super::source::{CodedSource, FrameEncoder, Output, RawSource, SourceDescription, SourceError};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Takes frames from `S`, has them coded by `E`.
pub struct Encoded<S, E> {
    source: S,
    encoder: E,
    /// Coded and not yet handed over; as many as the encoder holds back at most.
    ready: VecDeque<(Bytes, Duration)>,
    /// Reused between calls.
    coded: Vec<(Bytes, Duration)>,
    key_frame_wanted: bool,
}

impl<S: RawSource, E: FrameEncoder> Encoded<S, E> {
    /// Joins the two.
    pub fn new(source: S, encoder: E) -> Self {
        Self { source, encoder, ready: VecDeque::new(), coded: Vec::new(), key_frame_wanted: false }
    }
}

impl<S: RawSource, E: FrameEncoder> CodedSource for Encoded<S, E> {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        if self.ready.is_empty()
            && let Some(frame) = self.source.next_frame(timeout)?
        {
            let force = std::mem::take(&mut self.key_frame_wanted);
            self.encoder.encode(&frame, force, &mut self.coded)?;
            self.ready.extend(self.coded.drain(..));
        }
        Ok(match self.ready.pop_front() {
            Some((data, captured_at)) => Output::Picture { data, captured_at },
            None => Output::Nothing,
        })
    }

    fn force_key_frame(&mut self) {
        self.key_frame_wanted = true;
    }

    fn description(&self) -> SourceDescription {
        let (width, height, frames_per_second) = self.source.mode();
        SourceDescription {
            camera: self.source.describe(),
            encoder: self.encoder.describe(),
            width,
            height,
            frames_per_second,
        }
    }
}
