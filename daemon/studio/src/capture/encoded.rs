//! Joins a source of frames and an encoder into a source of coded pictures.

use super::source::{CodedSource, FrameEncoder, Output, RawSource, SourceDescription, SourceError};
use perch_device::CodedPicture;
use std::collections::VecDeque;
use std::time::Duration;

/// Frames of `S`, coded by `E`.
pub(super) struct Encoded<S, E> {
    source: S,
    encoder: E,
    /// Coded pictures that have not been returned yet; at most as many as the encoder holds.
    ready: VecDeque<CodedPicture>,
    /// Reused between calls.
    coded: Vec<CodedPicture>,
    key_frame_wanted: bool,
    has_finished: bool,
}

impl<S: RawSource, E: FrameEncoder> Encoded<S, E> {
    /// Joins the two.
    pub(super) fn new(source: S, encoder: E) -> Self {
        Self {
            source,
            encoder,
            ready: VecDeque::new(),
            coded: Vec::new(),
            key_frame_wanted: false,
            has_finished: false,
        }
    }
}

impl<S: RawSource, E: FrameEncoder> CodedSource for Encoded<S, E> {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        if self.ready.is_empty()
            && !self.has_finished
            && let Some(frame) = self.source.next_frame(timeout)?
        {
            let force = std::mem::take(&mut self.key_frame_wanted);
            self.encoder.encode(&frame, force, &mut self.coded)?;
            self.ready.extend(self.coded.drain(..));
        }
        Ok(self.ready.pop_front().map_or(Output::Nothing, Output::Picture))
    }

    fn force_key_frame(&mut self) {
        self.key_frame_wanted = true;
    }

    fn finish(&mut self) -> bool {
        self.has_finished = true;
        !self.ready.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::i420::I420Buffer;
    use crate::capture::source::RawFrame;
    use bytes::Bytes;

    /// A black frame every time, stamped with its number in milliseconds.
    struct Frames(I420Buffer, u64);

    impl RawSource for Frames {
        fn next_frame(&mut self, _timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError> {
            self.1 += 1;
            Ok(Some(self.0.frame(Duration::from_millis(self.1))))
        }
        fn describe(&self) -> String {
            "frames".to_owned()
        }
        fn mode(&self) -> (u32, u32, f64) {
            (32, 16, 25.0)
        }
    }

    /// Delays its output by two pictures, as encoders with a pipeline do. A forced key frame is written as K.
    #[derive(Default)]
    struct Late(VecDeque<CodedPicture>);

    impl FrameEncoder for Late {
        fn encode(
            &mut self,
            frame: &RawFrame<'_>,
            force_key_frame: bool,
            out: &mut Vec<CodedPicture>,
        ) -> Result<(), SourceError> {
            let data = Bytes::from_static(if force_key_frame { b"K" } else { b"P" });
            self.0.push_back(CodedPicture { data, captured_at: frame.captured_at, after_loss: false });
            if self.0.len() > 2 {
                out.extend(self.0.drain(..));
            }
            Ok(())
        }
        fn describe(&self) -> String {
            "late".to_owned()
        }
    }

    fn next(source: &mut impl CodedSource) -> Option<(Bytes, u128)> {
        match source.next(Duration::ZERO).unwrap() {
            Output::Picture(picture) => Some((picture.data, picture.captured_at.as_millis())),
            Output::Nothing => None,
            Output::Stream { .. } | Output::Sound(_) => panic!("only whole pictures come here"),
        }
    }

    #[test]
    fn pictures_come_in_order_with_their_frames_times_however_late() {
        let mut source = Encoded::new(Frames(I420Buffer::new(32, 16), 0), Late::default());
        let times: Vec<_> = (0..9).filter_map(|_| next(&mut source)).map(|(_, at)| at).collect();
        assert_eq!(times, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_key_frame_is_forced_once() {
        let mut source = Encoded::new(Frames(I420Buffer::new(32, 16), 0), Late::default());
        source.force_key_frame();
        let coded: Vec<_> = (0..9).filter_map(|_| next(&mut source)).map(|(data, _)| data).collect();
        assert_eq!(coded, ["K", "P", "P", "P", "P"].map(Bytes::from));
    }

    #[test]
    fn after_its_end_only_what_is_ready_comes() {
        let mut source = Encoded::new(Frames(I420Buffer::new(32, 16), 0), Late::default());
        while next(&mut source).is_none() {}
        assert!(source.finish());
        assert_eq!(next(&mut source).map(|(_, at)| at), Some(2));
        assert_eq!(next(&mut source).map(|(_, at)| at), Some(3));
        assert_eq!(next(&mut source), None);
        assert!(!source.finish());
    }
}
