//! `perch.toml` after validation: plain data with every default filled in (design §3).
//!
//! One way through the folder: [`schema`] says once what each key is, accepts and defaults to; [`accept`] turns one TOML
//! value into one Rust value or says what it accepts; [`read`] merges flags, environment, file and defaults and collects
//! every [`Problem`]; [`example()`] writes the documented file. Nothing outside ever sees a value that was not checked. No clock and no hardware here.

mod accept;
mod example;
#[cfg(test)]
mod manual;
mod problem;
mod read;
mod schema;

pub use example::example;
#[cfg(test)]
pub use manual::manual;
pub use problem::{Problem, Problems};
pub use read::{FlagValue, Sources};
pub use schema::{BITRATE_KBPS, HEIGHT, WIDTH};

use perch_device::gpio::{Bias, Level};
use perch_device::key::Key;
use std::path::PathBuf;

/// The whole configuration. Design §3 fixes names and units.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[live]`
    pub live: Live,
    /// `[button]`
    pub button: Button,
    /// `[lamp]`
    pub lamp: Lamp,
    /// `[limits]`
    pub limits: Limits,
    /// `[log]`
    pub log: Log,
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
    /// A stream that was cut off no longer ago goes on as the same; 0: never.
    pub resume_seconds: u32,
    /// Length of a segment, seconds.
    pub segment_seconds: f64,
    /// What the playlist offers, seconds.
    pub window_seconds: f64,
}

/// `[button]`: starts and stops without a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    /// What kind of button.
    pub source: ButtonSource,
    /// GPIO chip; `None`: the board's header.
    pub chip: Option<String>,
    /// GPIO line.
    pub line: u32,
    /// Level of the line while it is pressed.
    pub active: Level,
    /// Resistor of the chip.
    pub bias: Bias,
    /// Keyboard or pedal, for `key`.
    pub input: Option<PathBuf>,
    /// Which of its keys.
    pub key: Key,
    /// A level that lasts less is a bounce.
    pub debounce_milliseconds: u32,
    /// Held so long it switches the board off; 0: never.
    pub long_press_seconds: u32,
}

/// `button.source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonSource {
    /// There is none.
    Off,
    /// A GPIO line.
    Gpio,
    /// A key of a keyboard or a pedal.
    Key,
}

/// `[lamp]`: shows how things are.
#[derive(Clone, Debug, PartialEq)]
pub struct Lamp {
    /// Whether there is one.
    pub enabled: bool,
    /// GPIO chip; `None`: the board's header.
    pub chip: Option<String>,
    /// GPIO line.
    pub line: u32,
    /// Level of the line while it is lit.
    pub active: Level,
}

/// `[limits]`: how much one person may ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Requests of one login or address.
    pub requests_per_second: u32,
    /// Those of them that change something.
    pub writes_per_second: u32,
    /// New accounts from one address.
    pub registrations_per_hour: u32,
}

/// `[log]`: what is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Least severe level that is still written.
    pub level: tracing::Level,
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
    /// Seconds between IDRs; never more than a segment's length.
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

impl Default for Config {
    /// What an empty file gives.
    fn default() -> Self {
        Self {
            server: Server::default(),
            live: Live::default(),
            button: Button::default(),
            lamp: Lamp::default(),
            limits: Limits::default(),
            log: Log::default(),
            cameras: vec![Camera::default()],
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        schema::server().defaults()
    }
}

impl Default for Live {
    fn default() -> Self {
        schema::live().defaults()
    }
}

impl Default for Button {
    fn default() -> Self {
        schema::button().defaults()
    }
}

impl Default for Lamp {
    fn default() -> Self {
        schema::lamp().defaults()
    }
}

impl Default for Limits {
    fn default() -> Self {
        schema::limits().defaults()
    }
}

impl Default for Log {
    fn default() -> Self {
        schema::log().defaults()
    }
}

impl Default for Camera {
    fn default() -> Self {
        schema::camera().defaults()
    }
}
