//! Sound that Perch codes itself: samples in, AAC-LC frames out.
//!
//! A microphone's samples go this way: `microphone` (the thread) → `line` (where they lie in time) → `resampler` → `aac`; `track` joins them.
//! Must not be here: sound that a program delivers already coded (`supervisor::container`), devices (`perch-device`).

mod aac;
mod levels;
mod line;
mod microphone;
mod resampler;
mod sound_clock;
mod tone;
mod track;

pub(super) use microphone::{MicrophoneSound, Wanted};
pub(super) use tone::{BEEP, Tone};
pub use track::{Track, TrackError};
