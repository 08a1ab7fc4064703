//! Microphones: which there are ([`list`]), and their samples with the time at which they were taken ([`Microphone`]).
//!
//! Sound comes from ALSA's `hw` devices, which are the kernel's own: plug-ins of alsa-lib would resample, mix, and hide the times. Must not be here: resampling,
//! coding, and the choice of a microphone.

mod capture;
mod error;
mod examine;
mod list;
mod samples;

pub use capture::{Block, Microphone, MicrophoneFormat, Stamp};
pub use error::MicrophoneError;
pub use examine::examine;
pub use list::{MicrophoneReport, list, usb_device_of_camera};
pub use samples::Planes;
