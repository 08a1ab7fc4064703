//! The configuration as plain data, already checked. Design §3 fixes names and units.

use perch_device::gpio::{Bias, Level};
use perch_device::key::Key;
use perch_site::config::Limits;
use perch_studio::config::{Camera, Ingest, Recording, Relay};
use perch_web::config::{Server, Tls, Webhooks};
use std::path::PathBuf;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`
    pub tls: Tls,
    /// `[live]`
    pub live: Live,
    /// `[recording]`
    pub recording: Recording,
    /// `[ingest]`
    pub ingest: Ingest,
    /// `[button]`
    pub button: Button,
    /// `[lamp]`
    pub lamp: Lamp,
    /// `[limits]`
    pub limits: Limits,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[log]`
    pub log: Log,
    /// `[[camera]]`, at least one: the first is the default of a new stream.
    pub cameras: Vec<Camera>,
    /// `[[relay]]`
    pub relays: Vec<Relay>,
}

/// `[live]`: starting, resuming and segmenting streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Go live when the daemon starts.
    pub autostart: bool,
    /// A stream whose interruption is shorter than this is resumed; 0: never.
    pub resume_seconds: u32,
    /// Length of a segment, seconds.
    pub segment_seconds: f64,
    /// Length of the playlist, seconds.
    pub window_seconds: f64,
}

/// `[button]`: starts and stops a stream without the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    /// The kind of button.
    pub source: ButtonSource,
    /// GPIO chip; `None`: the board's header.
    pub chip: Option<String>,
    /// GPIO line.
    pub line: u32,
    /// Level of the line while it is pressed.
    pub active: Level,
    /// The chip's internal resistor.
    pub bias: Bias,
    /// Keyboard or pedal, for `source = "key"`.
    pub input: Option<PathBuf>,
    /// The key that serves as the button.
    pub key: Key,
    /// A shorter change is a bounce.
    pub debounce_milliseconds: u32,
    /// Holding it this long switches the board off; 0: never.
    pub long_press_seconds: u32,
}

/// `button.source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonSource {
    /// No button.
    Off,
    /// A GPIO line.
    Gpio,
    /// A key of a keyboard or a pedal.
    Key,
}

/// `[lamp]`: shows the state of the board and its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Lamp {
    /// True if a lamp is connected.
    pub enabled: bool,
    /// GPIO chip; `None`: the board's header.
    pub chip: Option<String>,
    /// GPIO line.
    pub line: u32,
    /// Level of the line while it is lit.
    pub active: Level,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Least severe level that is written.
    pub level: tracing::Level,
}
