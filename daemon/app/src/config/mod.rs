//! `perch.toml` after validation: plain data with every default filled in. Reading, merging and validating is in this folder's
//! other modules; nothing outside it ever sees a value that was not checked.

use std::path::PathBuf;

/// The whole configuration. Design §3 fixes names and units.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[live]`
    pub live: Live,
    /// `[[camera]]`, at least one: the first is the one `/media/live/` follows.
    pub cameras: Vec<Camera>,
}

/// `[server]`: where the site is.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Addresses to listen on.
    pub listen: Vec<std::net::SocketAddr>,
    /// Everything Perch keeps.
    pub data_dir: PathBuf,
    /// Open connections at most; more are refused at accept.
    pub max_connections: usize,
}

/// `[live]`: how the live stream is cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Go live when the daemon starts.
    pub autostart: bool,
    /// Length of a segment, seconds.
    pub segment_seconds: f64,
    /// What the playlist offers, seconds.
    pub window_seconds: f64,
}

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
    /// Seconds between IDRs.
    pub keyframe_interval_seconds: f64,
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
