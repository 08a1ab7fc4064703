//! The traits of cameras and encoders. Tests can replay a file as a camera.

use bytes::Bytes;
use perch_device::{CodedPicture, Picture};
use perch_media::sample::AudioFrame;
use std::time::Duration;

/// Output of a running source.
#[derive(Debug)]
pub enum Output {
    /// One whole coded picture.
    Picture(CodedPicture),
    /// A chunk of an Annex B byte stream without times.
    Stream {
        /// Any chunk of the stream, cut anywhere.
        data: Bytes,
        /// The earliest time at which it can have arrived, on the monotonic clock.
        since: Duration,
        /// When it was read, on the monotonic clock.
        read_at: Duration,
    },
    /// A frame of sound. Its time is of the monotonic clock, its epoch is 0.
    Sound(AudioFrame),
    /// Nothing came within the timeout.
    Nothing,
}

/// A source of coded pictures. Its calls block; it is used on its capture thread only.
pub trait CodedSource: Send {
    /// The next output, waiting for `timeout` at most. After an error the source is dropped and another is opened.
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError>;
    /// Asks for an IDR as soon as possible (one of the two messages that travel upstream). Some sources cannot do it.
    fn force_key_frame(&mut self);
    /// Ends the input. Returns true if pictures may still come: [`Self::next`] then returns them, and
    /// [`Output::Nothing`] at their end.
    fn finish(&mut self) -> bool {
        false
    }
    /// Reports that the stream carries its own times, so that arrival times no longer matter: a source of bytes may
    /// leave bytes unread for a moment, and read more of them at a time.
    fn carries_times(&mut self) {}
    /// True if [`Output::Sound`] comes with the first pictures. Sound within a byte stream does not count.
    fn has_sound(&self) -> bool {
        false
    }
    /// A description for people.
    fn description(&self) -> SourceDescription;
}

/// A source of coded sound. It is used on its capture thread only, and its calls do not block.
pub(super) trait SoundSource: Send {
    /// Appends the frames that are complete by now. Their times are of the monotonic clock, their epoch is 0.
    fn take(&mut self, out: &mut Vec<AudioFrame>) -> Result<(), SourceError>;
    /// True if frames will come at once, so that the first pictures wait for them.
    fn is_expected(&self) -> bool {
        true
    }
}

/// Opens a camera whenever the supervisor needs a new source. Tests open files.
pub trait Opener: Send {
    /// A new source, or an error that says why none can be opened now.
    fn open(&mut self) -> Result<Box<dyn CodedSource>, SourceError>;
    /// Waits for an event that makes another attempt worthwhile, `timeout` at most; `Some(true)` if one came. Returns
    /// `None` at once if there are no such events.
    fn wait_for_news(&mut self, _timeout: Duration) -> Option<bool> {
        None
    }
}

/// A description of the running source, for the page, the log and `/api/v1/cameras`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SourceDescription {
    /// The origin of the pictures, in words: "test pattern", "USB camera C920 (/dev/video0), YUYV".
    pub camera: String,
    /// The encoder, in words: "software (OpenH264)", "bcm2835-codec (/dev/video11)", "the camera itself".
    pub encoder: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Negotiated rate. A hint only; the pictures' times give the real rate.
    pub frames_per_second: f64,
}

/// A frame on its way to an encoder, borrowed from its source until the next call.
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
    /// A description in words, for [`SourceDescription::camera`].
    fn describe(&self) -> String;
    /// Width, height in pixels and frames per second as negotiated.
    fn mode(&self) -> (u32, u32, f64);
}

/// Codes raw pictures. It may hold several before it returns one.
pub trait FrameEncoder: Send {
    /// Takes a frame; coded pictures that are ready are appended to `out`, each with its frame's capture time.
    fn encode(
        &mut self,
        frame: &RawFrame<'_>,
        force_key_frame: bool,
        out: &mut Vec<CodedPicture>,
    ) -> Result<(), SourceError>;
    /// A description in words, for [`SourceDescription::encoder`].
    fn describe(&self) -> String;
}

/// Why a source cannot be opened or has ended. Each text says what the owner can do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such camera now; the supervisor waits for it.
    #[error("no camera: {0}")]
    Missing(String),
    /// Another program uses it.
    #[error("camera is busy: {0}")]
    Busy(String),
    /// This user may not open it.
    #[error("no permission: {0}")]
    Permission(String),
    /// It lacks the configured mode; the text names the nearest.
    #[error("mode not possible: {0}")]
    Mode(String),
    /// It failed while it was in use.
    #[error("camera failed: {0}")]
    Failed(String),
}
