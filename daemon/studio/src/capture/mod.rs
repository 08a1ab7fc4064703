//! From a camera to the broadcast: sources, encoders, and the supervisor that rebuilds them when they fail.
//! For each camera, one thread owns all its kernel buffers and child processes; the rest of the daemon holds handles.

pub mod ability;
pub mod choice;
mod command;
pub mod controls;
mod deinterlace;
mod encoded;
mod encoder_record;
mod i420;
mod libcamera;
pub mod microphones;
mod mjpeg;
pub mod open;
mod received;
mod software;
pub mod sound;
pub mod source;
mod stand_in;
pub mod status;
pub mod supervisor;
mod test_pattern;
#[cfg(test)]
pub mod testing;
mod v4l2;
mod with_sound;
