//! Cameras, encoders, buttons and lamps of the Linux kernel.
//!
//! What is here: V4L2 capture and stateful memory-to-memory encoding (Linux media userspace API, "Video for Linux API" and
//! "Memory-to-Memory Stateful Video Encoder Interface"), what a board can do ([`probe`]), and news of devices that come and
//! go ([`hotplug`]); buttons on GPIO lines ([`gpio`]) and keyboards ([`key`]), what is pressed on them ([`press`]), and lamps; and, because they take
//! `unsafe` too, memory that the kernel can send without copying it ([`kernel_memory`]), the heap's manners ([`heap`]) and the program's own
//! pages ([`program_text`]). Everything blocks with a timeout at most, and every timeout and clock reading is passed in.
//!
//! Must not be here: tokio, HTTP, and any policy of what to stream.
#![allow(
    unsafe_code,
    reason = "this is the one crate that talks to the kernel by ioctl and mmap; each block has its SAFETY line"
)]

pub mod contact;
pub mod error;
pub mod gpio;
pub mod heap;
pub mod hotplug;
pub mod identity;
pub mod kernel_memory;
pub mod key;
pub mod memory;
pub mod mode;
pub mod press;
pub mod probe;
pub mod program_text;
pub mod v4l2;

pub use error::DeviceError;
pub use mode::{Mode, PixelFormat};
/// Four-character code of a pixel or coded format.
pub use v4l::FourCC;
