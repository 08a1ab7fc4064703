//! The configuration's values as plain data, checked before they get here. Design §3 fixes names and units.

use perch_device::gpio::{Bias, Level};
use perch_device::key::Key;
use perch_site::config::Limits;
use perch_studio::config::Camera;
use perch_web::config::Server;
use std::path::PathBuf;

/// The whole configuration.
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

/// `[log]`: what is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Least severe level that is still written.
    pub level: tracing::Level,
}
