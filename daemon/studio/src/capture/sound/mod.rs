//! Sound that Perch codes itself: samples in, AAC-LC frames out.
//!
//! Must not be here: sound that a program delivers already coded (`supervisor::container`), devices (`perch-device`).

mod aac;
mod tone;

pub(super) use tone::{BEEP, Tone};
