//! What a camera has to be able to do, whatever it is made of. A file can replay as a camera in tests.

use bytes::Bytes;
use perch_device::{CodedPicture, Picture};
use std::time::Duration;

/// What a running source hands over.
#[derive(Debug)]
pub enum Output {
    /// One whole coded picture.
    Picture(CodedPicture),
    /// Part of an Annex B byte stream that carries no times.
    Stream {
        /// Any part of the stream, wherever it was cut.
        data: Bytes,
        /// It did not come before this, on the monotonic clock.
        since: Duration,
        /// When it was read, on the monotonic clock.
        read_at: Duration,
    },
    /// Nothing came within the timeout.
    Nothing,
}

/// A source of coded pictures. Blocking; lives on its capture thread.
pub trait CodedSource: Send {
    /// The next output, waiting for `timeout` at most. An error ends this source: drop it and open anew.
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError>;
    /// Asks for an IDR as soon as may be (one of the two messages that travel upstream). May be without effect.
    fn force_key_frame(&mut self);
    /// No more frames go in. Whether something may still come out: [`Self::next`] then gives it, and [`Output::Nothing`] when
    /// that was all. Sources that hold nothing back have nothing to do.
    fn finish(&mut self) -> bool {
        false
    }
    /// What is running, for people.
    fn description(&self) -> SourceDescription;
}

/// Opens a camera, again and again: the supervisor's way to the hardware. A file can stand in for it in tests.
pub trait Opener: Send {
    /// A new source, or in words why there is none now.
    fn open(&mut self) -> Result<Box<dyn CodedSource>, SourceError>;
    /// Waits for news that make another attempt worth while, `timeout` at most; whether some came. `None`, at once, where
    /// there is nothing to hear.
    fn wait_for_news(&mut self, _timeout: Duration) -> Option<bool> {
        None
    }
}

/// What is running, for the page, the log and `/api/v1/cameras`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SourceDescription {
    /// Where pictures come from, in words: "test pattern", "USB camera C920 (/dev/video0), YUYV".
    pub camera: String,
    /// What codes them, in words: "software (OpenH264)", "bcm2835-codec (/dev/video11)", "the camera itself".
    pub encoder: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// As negotiated; a hint, buffers carry the truth.
    pub frames_per_second: f64,
}

/// A frame on its way to an encoder, borrowed from its source until the next one is asked for.
#[derive(Clone, Copy, Debug)]
pub struct RawFrame<'a> {
    /// Its pixels, or a JPEG file (`planes[0]`, with a stride of 0).
    pub picture: Picture<'a>,
    /// When it was captured, on the monotonic clock.
    pub captured_at: Duration,
}

/// A source of raw pictures.
pub trait RawSource: Send {
    /// The next frame, waiting for `timeout` at most; `None` when none came.
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError>;
    /// In words, for [`SourceDescription::camera`].
    fn describe(&self) -> String;
    /// Width, height in pixels and frames per second as negotiated.
    fn mode(&self) -> (u32, u32, f64);
}

/// Codes raw pictures. May hold several before it gives one back.
pub trait FrameEncoder: Send {
    /// Takes a frame; coded pictures that are ready are appended to `out`, each with its frame's capture time.
    fn encode(
        &mut self,
        frame: &RawFrame<'_>,
        force_key_frame: bool,
        out: &mut Vec<CodedPicture>,
    ) -> Result<(), SourceError>;
    /// In words, for [`SourceDescription::encoder`].
    fn describe(&self) -> String;
}

/// Why a source cannot be opened or has ended. Each says what a person can do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such camera now; it is waited for.
    #[error("no camera: {0}")]
    Missing(String),
    /// Somebody else holds it.
    #[error("camera is busy: {0}")]
    Busy(String),
    /// We may not open it.
    #[error("no permission: {0}")]
    Permission(String),
    /// It cannot do what the configuration asks for; the text names the nearest it can.
    #[error("mode not possible: {0}")]
    Mode(String),
    /// It worked and then failed.
    #[error("camera failed: {0}")]
    Failed(String),
}
