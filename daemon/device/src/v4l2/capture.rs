//! A camera: format, rate, buffers, and its frames. Broken frames are dropped here and counted.
//!
//! Linux media userspace API, "Video Capture Interface". `crate::mode` decides which mode to ask for.

use super::format::{Colorimetry, Field, Format};
use super::ioctl::{Memory, VideoDevice};
use super::layout::{Layout, Picture};
use super::poll::{Readiness, wait};
use super::queue::{Dequeued, Queue};
use super::queue_type::{Direction, QueueType};
use super::verdict::{FrameHistory, Losses, Verdict};
use crate::error::DeviceError;
use crate::mode::{Mode, PixelFormat};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use v4l::capability::Flags;
use v4l::v4l_sys as sys;

/// A streaming camera. Dropping it stops the stream.
#[derive(Debug)]
pub struct Camera {
    device: Arc<VideoDevice>,
    queue: Queue,
    name: String,
    mode: Mode,
    format: Format,
    /// None for coded formats.
    layout: Option<Layout>,
    history: FrameHistory,
    losses: Losses,
    /// True if something was lost since the last good frame.
    after_loss: bool,
}

/// A good buffer that the camera has filled. Return it with [`Camera::release`], or the camera runs out of buffers.
#[derive(Debug)]
#[must_use = "the camera needs its buffer back"]
pub struct Frame {
    index: u32,
    start: usize,
    end: usize,
    /// When it was captured, on the monotonic clock.
    pub captured_at: Duration,
    /// True if frames before it were lost: the driver's sequence numbers have a gap, or buffers were broken. Raw frames
    /// do not suffer; see [`super::encoder::CodedPicture::after_loss`] for coded ones.
    pub after_loss: bool,
}

impl Frame {
    /// The buffer's index in the camera's queue.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Payload, in bytes.
    pub fn bytes_used(&self) -> usize {
        self.end - self.start
    }
}

impl Camera {
    /// Three frames may be held by us or the encoder while the camera fills a fourth, so that a slow moment loses none.
    const BUFFERS: u32 = 4;
    /// One buffer is filled while the other is read.
    const FEWEST_BUFFERS: u32 = 2;
    /// Most buffers that one call dequeues, so that the caller gets to check its deadline.
    const BURST: usize = 8;

    /// Opens a camera and starts it in exactly this format and size. The rate is a wish. Pictures are progressive if
    /// the camera can do that.
    pub fn open(path: &Path, wanted: &Mode) -> Result<Self, DeviceError> {
        let device = Arc::new(VideoDevice::open(path)?);
        let capability = device.capability()?;
        let kind = capture_queue(capability.flags).ok_or_else(|| DeviceError::Unsupported {
            path: path.into(),
            lacks: "is no camera (it cannot capture with streaming buffers)".into(),
        })?;
        let format = set_format(&device, kind, wanted)?;
        let got = PixelFormat::from_fourcc(format.fourcc);
        if got != Some(wanted.format) || (format.width, format.height) != (wanted.width, wanted.height) {
            return Err(DeviceError::Mode {
                path: path.into(),
                wanted: wanted.to_string(),
                nearest: format!(
                    "the nearest it can is {} {}x{}",
                    format.fourcc, format.width, format.height
                ),
            });
        }
        let layout = Layout::new(&format, format.width, format.height);
        if wanted.format.is_raw() && layout.is_none() {
            return Err(device.lied("setting the format", format!("{format:?} holds no {wanted}")));
        }
        let interval = frame_interval(wanted.frames_per_second);
        let frames_per_second =
            device.set_frame_interval(kind, interval).and_then(rate_of).unwrap_or(wanted.frames_per_second);
        let mut queue = Queue::allocate(
            &device,
            kind,
            Memory::Mmap,
            Self::BUFFERS,
            Self::FEWEST_BUFFERS,
            format.size_image,
        )?;
        queue.enqueue_all()?;
        queue.start()?;
        let mode = Mode { frames_per_second, ..*wanted };
        let name = capability.card;
        Ok(Self {
            device,
            queue,
            name,
            mode,
            format,
            layout,
            history: FrameHistory::default(),
            losses: Losses::default(),
            after_loss: false,
        })
    }

    /// The product's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.device.path()
    }

    /// The mode in force; its rate is the driver's answer.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The format of its buffers.
    pub fn format(&self) -> Format {
        self.format
    }

    /// True if its pictures consist of two fields that were taken at different moments.
    pub fn is_interlaced(&self) -> bool {
        self.format.field == Field::Interlaced
    }

    /// Its colour space, to be passed on to the encoder.
    pub fn colorimetry(&self) -> Colorimetry {
        self.format.colorimetry
    }

    /// The open file, to wait on together with an encoder's.
    pub fn device(&self) -> &VideoDevice {
        &self.device
    }

    /// Losses since the start.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// Number of its buffers.
    pub fn buffers(&self) -> usize {
        self.queue.len()
    }

    /// Waits for a frame, `timeout` at most.
    pub fn wait(&self, timeout: Duration) -> Result<Readiness, DeviceError> {
        let interest = Readiness { capture: true, ..Readiness::default() };
        wait([(&self.device, interest)], timeout).map(|[ready]| ready)
    }

    /// The next good frame, without waiting; broken ones are dropped and counted. `now` is the monotonic time.
    pub fn next_frame(&mut self, now: Duration) -> Result<Option<Frame>, DeviceError> {
        let minimum = self.layout.map_or(1, |layout| layout.minimum_bytes());
        for _ in 0..Self::BURST {
            let Dequeued::Buffer(info) = self.queue.dequeue()? else { return Ok(None) };
            let lost = self.history.lost_before(info.sequence);
            self.losses.lost_frames += u64::from(lost);
            let verdict = Verdict::of(&info, minimum, self.queue.capacity(info.index));
            self.after_loss |= lost > 0 || verdict != Verdict::Good;
            if verdict != Verdict::Good {
                self.losses.discarded += 1;
                self.queue.enqueue(info.index, 0, Duration::ZERO)?;
                continue;
            }
            let (captured_at, jumped) = self.history.captured_at(info.timestamp, now);
            self.losses.time_jumps += u64::from(jumped);
            let (start, end) = (info.data_offset as usize, info.bytes_used as usize);
            let after_loss = std::mem::take(&mut self.after_loss);
            return Ok(Some(Frame { index: info.index, start, end, captured_at, after_loss }));
        }
        Ok(None)
    }

    /// The error to report when [`wait`] reported one but [`Camera::next_frame`] found neither a frame nor a reason:
    /// the queue is dead.
    pub fn failed(&self) -> DeviceError {
        DeviceError::Gone { path: self.device.path().into(), operation: "waiting for a picture" }
    }

    /// The frame's bytes: a coded picture, or the planes one after the other.
    pub fn bytes(&self, frame: &Frame) -> &[u8] {
        self.queue.bytes(frame.index).get(frame.start..frame.end).unwrap_or_default()
    }

    /// The frame's planes; `None` for coded formats.
    pub fn picture(&self, frame: &Frame) -> Option<Picture<'_>> {
        self.layout?.picture(self.bytes(frame))
    }

    /// Position of the rows in its buffers; `None` for coded formats.
    pub fn layout(&self) -> Option<Layout> {
        self.layout
    }

    /// Returns the frame's buffer to the camera.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a frame that was given back cannot be looked at again"
    )]
    pub fn release(&mut self, frame: Frame) -> Result<(), DeviceError> {
        self.queue.enqueue(frame.index, 0, Duration::ZERO)
    }

    /// Exports all buffers as DMABUF files in the queue's order, for an encoder that reads frames in place. Fails if
    /// the driver cannot export.
    pub fn export(&self) -> Result<Vec<OwnedFd>, DeviceError> {
        (0..self.queue.len()).map(|index| self.queue.export(index as u32)).collect()
    }

    /// Sets bitrate (bit/s) and key-frame interval (frames) of a camera that codes H.264 itself; skips controls that it
    /// lacks.
    pub fn set_coding(&self, bitrate: u32, keyframe_interval: u32) {
        for (control, value) in [
            (sys::V4L2_CID_MPEG_VIDEO_BITRATE, bitrate),
            (sys::V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, keyframe_interval),
            (sys::V4L2_CID_MPEG_VIDEO_GOP_SIZE, keyframe_interval),
        ] {
            if let Some(range) = self.device.control_range(control) {
                let value = i32::try_from(value).unwrap_or(i32::MAX).min(range.maximum).max(range.minimum);
                if let Err(error) = self.device.set_control(control, value) {
                    tracing::debug!(%error, control, value, "the camera refuses a coding control");
                }
            }
        }
    }

    /// Asks a camera that codes H.264 itself for an IDR; `false` when it has no such control.
    pub fn force_key_frame(&self) -> bool {
        self.device.set_control(sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 1).is_ok()
    }
}

/// Asks for progressive pictures, else for interlaced ones; an error if the camera gives neither.
fn set_format(device: &VideoDevice, kind: QueueType, wanted: &Mode) -> Result<Format, DeviceError> {
    let progressive = Format::new(wanted.format, wanted.width, wanted.height);
    let mut format = device.set_format(kind, &progressive)?;
    if matches!(format.field, Field::Other(_)) {
        format = device.set_format(kind, &Format { field: Field::Interlaced, ..progressive })?;
    }
    match format.field {
        Field::Progressive | Field::Interlaced => Ok(format),
        Field::Other(_) => Err(DeviceError::Unsupported {
            path: device.path().into(),
            lacks: format!("gives {}; Perch takes progressive and interlaced pictures", format.field),
        }),
    }
}

/// The queue from which a node with these capabilities captures; `None` if it does not. A memory-to-memory device is
/// not a camera, but a node that can also be written to (v4l2loopback) is one.
pub(crate) fn capture_queue(flags: Flags) -> Option<QueueType> {
    let m2m = flags.intersects(Flags::VIDEO_M2M | Flags::VIDEO_M2M_MPLANE);
    let captures = flags.intersects(Flags::VIDEO_CAPTURE | Flags::VIDEO_CAPTURE_MPLANE);
    if !captures || m2m || !flags.contains(Flags::STREAMING) {
        return None;
    }
    let multi_planar = !flags.contains(Flags::VIDEO_CAPTURE);
    Some(QueueType { direction: Direction::Capture, multi_planar })
}

/// The frame interval of a rate, which is rounded to thousandths of a frame per second.
pub(crate) fn frame_interval(frames_per_second: f64) -> v4l::Fraction {
    let thousandths = (frames_per_second * 1000.0).round().clamp(1.0, 1_000_000.0) as u32;
    v4l::Fraction::new(1000, thousandths)
}

/// The rate of an interval; `None` if it makes no sense.
pub(crate) fn rate_of(interval: v4l::Fraction) -> Option<f64> {
    let rate = f64::from(interval.denominator) / f64::from(interval.numerator);
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_told_from_encoders_and_from_nodes_that_do_not_stream() {
        assert_eq!(
            capture_queue(Flags::VIDEO_CAPTURE | Flags::STREAMING).map(|queue| queue.multi_planar),
            Some(false)
        );
        let mplane = Flags::VIDEO_CAPTURE_MPLANE | Flags::STREAMING;
        assert_eq!(capture_queue(mplane).map(|queue| queue.multi_planar), Some(true));
        assert_eq!(capture_queue(Flags::VIDEO_M2M | Flags::STREAMING), None);
        assert!(
            capture_queue(Flags::VIDEO_CAPTURE | Flags::VIDEO_OUTPUT | Flags::STREAMING).is_some(),
            "v4l2loopback"
        );
        assert_eq!(capture_queue(Flags::VIDEO_CAPTURE | Flags::READ_WRITE), None);
        assert_eq!(capture_queue(Flags::META_CAPTURE | Flags::STREAMING), None);
    }

    #[test]
    fn rates_and_intervals_are_each_others_inverse() {
        for rate in [5.0, 14.985, 29.97, 30.0, 60.0] {
            let back = rate_of(frame_interval(rate)).unwrap();
            assert!((back - rate).abs() < 0.001, "{rate} {back}");
        }
        assert_eq!(rate_of(v4l::Fraction::new(0, 1)), None);
        assert_eq!(rate_of(v4l::Fraction::new(1, 0)), None);
    }
}
