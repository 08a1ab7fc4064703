//! Video for Linux: buffer queues, cameras, stateful memory-to-memory encoders.
//!
//! The kernel's structures, request numbers, the raw call and the value types (`FourCC`, frame sizes and intervals) come from the crate
//! `v4l`. Its `Device` and `Stream` are not used: files are opened without `O_CLOEXEC` (a child process
//! would keep the camera), names that are not UTF-8 and unknown enum values panic, enumerations have no bound, streams panic
//! when dropped on errors other than `ENODEV`, and there are neither multi-planar queues nor `EXPBUF`.

pub mod capture;
pub mod coding;
pub mod controls;
pub mod encoded_camera;
pub mod encoder;
pub mod format;
pub mod ioctl;
mod kernel;
pub mod layout;
mod pending;
pub mod poll;
pub mod queue;
pub mod queue_type;
pub mod verdict;
