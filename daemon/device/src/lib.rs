//! Cameras and encoders of the Linux kernel.
#![allow(
    unsafe_code,
    reason = "this is the one crate that talks to the kernel by ioctl and mmap; each block has its SAFETY line"
)]
