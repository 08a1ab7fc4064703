//! The settings of a camera, of recordings, of relays and of ingest. The daemon (`perchd`) reads them from its command line and file.

mod ingest;
mod relay;

pub use ingest::Ingest;
pub use relay::{NotRtmp, Relay, RtmpUrl, Secret};

use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Permitted widths of a picture, pixels.
pub const WIDTH: RangeInclusive<i64> = 64..=4096;
/// Permitted heights, pixels.
pub const HEIGHT: RangeInclusive<i64> = 64..=2304;
/// Permitted bit rates, kbit/s. Encoders of boards refuse 25 Mb/s only after the stream has started.
pub const BITRATE_KBPS: RangeInclusive<i64> = 100..=20_000;

/// `[[camera]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Name in addresses, logs and metrics.
    pub name: String,
    /// The origin of the pictures.
    pub source: SourceKind,
    /// Device node or stable link, for `v4l2`.
    pub device: Option<PathBuf>,
    /// Child process, for `command`.
    pub command: Vec<String>,
    /// The encoder.
    pub encoder: EncoderKind,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Requested frames per second.
    pub frames_per_second: f64,
    /// Kilobits (1000 bits) per second.
    pub bitrate_kbps: u32,
    /// Seconds between IDRs; never more than a segment's length.
    pub keyframe_interval_seconds: f64,
    /// The test pattern beeps and flashes at the beginning of each second.
    pub tone: bool,
    /// Its microphone.
    pub microphone: MicrophoneChoice,
    /// Silence instead of its sound, until somebody switches it on.
    pub microphone_muted: bool,
    /// Added to the microphone's loudness, dB.
    pub microphone_gain_db: i32,
    /// Names of the relays that its streams are sent on to, unless whoever goes live chooses others.
    pub relays: Vec<String>,
}

/// `[recording]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Folder for recordings; `None`: in the data directory.
    pub folder: Option<PathBuf>,
    /// Space for all recordings together.
    pub budget: Budget,
    /// Bytes of the card that stay free.
    pub keep_free: u64,
    /// Days after which a recording is deleted; 0: never.
    pub keep_days: u32,
    /// Seconds between syncs of the card while a recording grows: the most that a power cut costs, besides a fragment.
    pub sync_seconds: f64,
}

/// Space for all recordings together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Share of the free space on the card, to which the space of existing recordings is added.
    Percent(u8),
    /// Bytes.
    Bytes(u64),
}

/// `camera.source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The first camera that `probe` finds, else the test pattern.
    Auto,
    /// A V4L2 device.
    V4l2,
    /// A child that writes Annex B to its standard output.
    Command,
    /// Colour bars with a clock.
    TestPattern,
}

/// `camera.microphone`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MicrophoneChoice {
    /// The microphone of the same USB device.
    Auto,
    /// None.
    None,
    /// The one with this name in ALSA: `hw:CARD=C920` or `hw:CARD=C920,DEV=0`.
    Device(String),
}

/// `camera.encoder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// H.264 from the camera, else hardware, else software.
    Auto,
    /// The board's V4L2 memory-to-memory encoder.
    V4l2M2m,
    /// OpenH264 on the CPU.
    Software,
    /// The camera emits H.264.
    None,
}

impl Default for Recording {
    /// The settings of an empty configuration.
    fn default() -> Self {
        Self {
            folder: None,
            budget: Budget::Percent(80),
            keep_free: 500_000_000,
            keep_days: 0,
            sync_seconds: 2.0,
        }
    }
}

impl Default for Camera {
    /// The camera of an empty configuration.
    fn default() -> Self {
        Self {
            name: "front".to_owned(),
            source: SourceKind::Auto,
            device: None,
            command: Vec::new(),
            encoder: EncoderKind::Auto,
            width: 1280,
            height: 720,
            frames_per_second: 30.0,
            bitrate_kbps: 2500,
            keyframe_interval_seconds: 2.0,
            tone: false,
            microphone: MicrophoneChoice::Auto,
            microphone_muted: false,
            microphone_gain_db: 0,
            relays: Vec::new(),
        }
    }
}
