//! What a camera is asked for, and how recordings are kept. The command line and the file that set it are the daemon's (`perchd`).

use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Widths of a picture that may be asked for, pixels.
pub const WIDTH: RangeInclusive<i64> = 64..=4096;
/// Heights, pixels.
pub const HEIGHT: RangeInclusive<i64> = 64..=2304;
/// Bit rates, kbit/s. Encoders of boards refuse 25 Mb/s when it is too late to tell anybody.
pub const BITRATE_KBPS: RangeInclusive<i64> = 100..=20_000;

/// `[[camera]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Name in addresses, logs and metrics.
    pub name: String,
    /// Where pictures come from.
    pub source: SourceKind,
    /// Device node or stable link, for `v4l2`.
    pub device: Option<PathBuf>,
    /// Child process, for `command`.
    pub command: Vec<String>,
    /// What codes them.
    pub encoder: EncoderKind,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second asked for.
    pub frames_per_second: f64,
    /// Kilobits (1000 bits) per second.
    pub bitrate_kbps: u32,
    /// Seconds between IDRs; never more than a segment's length.
    pub keyframe_interval_seconds: f64,
}

/// `[recording]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Where recordings lie; `None`: in the data directory.
    pub folder: Option<PathBuf>,
    /// What all recordings together may take.
    pub budget: Budget,
    /// Bytes of the card that are left free.
    pub keep_free: u64,
    /// Days after which a recording is deleted; 0: never.
    pub keep_days: u32,
    /// Seconds from one sync of the card to the next while a recording grows: what a power cut costs at most, beside a fragment.
    pub sync_seconds: f64,
}

/// What all recordings together may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Of what the card has free, what recordings take already included.
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
    /// What an empty configuration says.
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
        }
    }
}
