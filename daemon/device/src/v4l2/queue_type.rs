//! The type of a device's queue.

use v4l::v4l_sys as sys;

/// One of a device's queues, and which of the two interfaces it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueType {
    /// The direction of the data.
    pub direction: Direction,
    /// True for the multi-planar interface (as in bcm2835-codec).
    pub multi_planar: bool,
}

/// Which way buffers carry data, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device to us: a camera's frames, an encoder's coded pictures.
    Capture,
    /// From us to the device: an encoder's frames.
    Output,
}

impl QueueType {
    pub(super) fn raw(self) -> u32 {
        match (self.direction, self.multi_planar) {
            (Direction::Capture, false) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
            (Direction::Capture, true) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
            (Direction::Output, false) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT,
            (Direction::Output, true) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
        }
    }
}
