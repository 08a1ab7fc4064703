//! Access units (coded pictures, ITU-T H.264 §3.1) as they travel from the encoder to the readers, and how they are
//! made from a source's data.
//!
//! Must not be here: decoding, clocks, waiting.

mod arrival;
mod assembler;
mod decoder_configuration;
mod order;
mod parameter_sets;
mod unit;

pub use assembler::{AccessUnitAssembler, AssemblerCounters};
pub use parameter_sets::AccessUnitError;
pub use unit::{AccessUnit, Entry, VideoFormat};
