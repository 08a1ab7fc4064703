//! `perch.toml` after validation: plain data with every default filled in (design §3).
//!
//! [`values`] holds the data; [`schema`] describes each key once, with its accepted values and default; [`accept`] turns one TOML
//! value into one Rust value, or says what it accepts; [`read`] merges flags, environment, file and defaults and collects every
//! [`problem`]; [`example()`] writes the documented file. The rest of the daemon gets only checked values. No clock and no
//! hardware here.

mod accept;
mod example;
#[cfg(test)]
mod manual;
mod problem;
mod read;
mod schema;
mod values;

pub use example::example;
#[cfg(test)]
pub use manual::manual;
pub use read::{FlagValue, Sources};
pub use values::{Button, ButtonSource, Config, Lamp};

pub use perch_studio::config::{Camera, EncoderKind, SourceKind};
