//! Cameras, microphones, encoders, buttons and lamps of the Linux kernel.
//!
//! What is here: V4L2 capture and stateful memory-to-memory encoding (Linux media userspace API, "Video for Linux API" and
//! "Memory-to-Memory Stateful Video Encoder Interface"), what a board can do ([`probe`]), and uevents of devices that come and
//! go ([`hotplug`]); sound of ALSA devices ([`microphone`]); what the kernel tells of a disk ([`block`]); buttons on GPIO lines ([`gpio`]) and keyboards ([`key`]), presses of them ([`press`]), and lamps. Also, because they need
//! `unsafe`: memory ([`memory`]), the time zone ([`local_time`]), child processes ([`child`]), what sockets hold ([`socket`]), and one call of the
//! software encoder ([`openh264`]). Nothing blocks without a timeout, and every timeout and clock reading is an argument.
//!
//! Must not be here: tokio, HTTP, and any policy of what to stream.
#![allow(
    unsafe_code,
    reason = "this is the one crate that talks to the kernel by ioctl and mmap; each block has its SAFETY line"
)]

pub mod block;
pub mod child;
pub mod contact;
pub mod error;
pub mod gpio;
pub mod hotplug;
pub mod identity;
pub mod key;
pub mod local_time;
pub mod memory;
pub mod microphone;
pub mod mode;
pub mod openh264;
pub mod press;
pub mod probe;
pub mod socket;
pub mod v4l2;

pub use error::DeviceError;
pub use mode::{Mode, PixelFormat};
/// Four-character code of a pixel or coded format.
pub use v4l::FourCC;
pub use v4l2::encoder::CodedPicture;
pub use v4l2::layout::{Picture, Plane};
