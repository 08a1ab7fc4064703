//! A stateful memory-to-memory encoder: raw frames in, coded pictures out.
//!
//! Linux media userspace API, "Memory-to-Memory Stateful Video Encoder Interface". Frames are copied into the driver's buffers, or
//! read in place from the camera's (DMABUF). The known faults of bcm2835-codec are handled in `coding` and here, each with its issue number.
//! [`Encoder::check`] detects a stuck encoder; the caller then drops it and opens another.

use super::coding::{Coding, coded_buffer_bytes};
use super::format::Format;
use super::ioctl::{Memory, VideoDevice};
use super::layout::{Layout, Picture};
use super::pending::Pending;
use super::queue::{Dequeued, Queue};
use super::queue_type::{Direction, QueueType};
use super::verdict::{Losses, Verdict};
use crate::error::DeviceError;
use crate::mode::PixelFormat;
use crate::probe::memory_to_memory;
use crate::v4l2::capture::frame_interval;
use bytes::Bytes;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use v4l::FourCC;
use v4l::v4l_sys as sys;

/// How frames get into an encoder.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Copied into the driver's buffers, as many as its memory allows.
    Copied,
    /// Read in place from another driver's buffers, which are all exported.
    Imported(&'a [OwnedFd]),
}

/// Settings for opening an encoder.
#[derive(Clone, Copy, Debug)]
pub struct EncoderSettings<'a> {
    /// Coded format; `H264` except in tests.
    pub gives: FourCC,
    /// The frames' format, visible size and colours. Stride and buffer size are the camera's for [`Input::Imported`], otherwise 0.
    pub takes: Format,
    /// How frames get into the encoder.
    pub input: Input<'a>,
    /// Bitrate and key-frame interval to aim at.
    pub coding: Coding,
}

/// A coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodedPicture {
    /// Annex B. The first picture also carries the parameter sets, or they come before it in a buffer of their own.
    pub data: Bytes,
    /// When its frame was captured, on the monotonic clock.
    pub captured_at: Duration,
    /// True if a coded picture before this one was lost. Pictures that refer to it decode to smear, so nothing before
    /// the next IDR can be used.
    pub after_loss: bool,
}

/// A streaming encoder. Dropping it stops the stream.
#[derive(Debug)]
pub struct Encoder {
    device: Arc<VideoDevice>,
    name: String,
    /// Queue for raw frames.
    output: Queue,
    /// Queue of coded pictures.
    capture: Queue,
    format: Format,
    layout: Layout,
    pending: Pending,
    losses: Losses,
    /// True if a coded picture was lost since the last one that was returned.
    after_loss: bool,
    draining: bool,
}

impl Encoder {
    /// One frame is coded, one is filled, and two absorb jitter.
    const OUTPUT_BUFFERS: u32 = 4;
    const CAPTURE_BUFFERS: u32 = 4;
    /// With one buffer on each side an encoder still codes, but nothing overlaps.
    const FEWEST_BUFFERS: u32 = 1;
    /// Frames that an encoder may hold before silence means that it is stuck.
    const HELD_BACK: u32 = 3;
    /// Most buffers that one call dequeues, so that the caller gets to check its deadline.
    const BURST: usize = 8;

    /// Opens the encoder and starts it: formats of both queues, controls, buffers of both queues, STREAMON of both.
    pub fn open(path: &Path, settings: &EncoderSettings<'_>) -> Result<Self, DeviceError> {
        let device = Arc::new(VideoDevice::open(path)?);
        let capability = device.capability()?;
        let multi_planar = memory_to_memory(capability.flags)
            .ok_or_else(|| unsupported(&device, "is no encoder (no memory-to-memory device)".into()))?;
        let output_kind = QueueType { direction: Direction::Output, multi_planar };
        let capture_kind = QueueType { direction: Direction::Capture, multi_planar };
        let Format { width, height, .. } = settings.takes;

        let mut coded = Format { fourcc: settings.gives, ..Format::new(PixelFormat::H264, width, height) };
        coded.colorimetry = settings.takes.colorimetry;
        coded.size_image = coded_buffer_bytes(width, height);
        let answer = device.set_format(capture_kind, &coded)?;
        if answer.fourcc != settings.gives {
            return Err(unsupported(&device, format!("does not code {}", settings.gives)));
        }
        let format = device.set_format(output_kind, &settings.takes)?;
        let layout = input_layout(&device, &format, settings)?;
        if (format.width, format.height) != (width, height)
            && let Err(error) = device.set_crop(output_kind, width, height)
        {
            // bcm2835-codec crops to the requested size by itself; other encoders then show the padding.
            tracing::debug!(%error, "the encoder cannot be told the visible size");
        }
        device.set_frame_interval(output_kind, frame_interval(settings.coding.frames_per_second));
        settings.coding.apply(&device, width, height);
        // Setting the raw format may have reset the coded one and its buffer size: set it again.
        let coded = device.set_format(capture_kind, &coded)?;

        let (memory, wanted, needed) = match settings.input {
            Input::Copied => (Memory::Mmap, Self::OUTPUT_BUFFERS, Self::FEWEST_BUFFERS),
            Input::Imported(buffers) => (Memory::Dmabuf, buffers.len() as u32, buffers.len() as u32),
        };
        let mut output = Queue::allocate(&device, output_kind, memory, wanted, needed, format.size_image)?;
        let mut capture = Queue::allocate(
            &device,
            capture_kind,
            Memory::Mmap,
            Self::CAPTURE_BUFFERS,
            Self::FEWEST_BUFFERS,
            coded.size_image,
        )?;
        if let Input::Imported(buffers) = settings.input {
            try_import(&mut output, buffers, format.size_image)?;
        }
        capture.enqueue_all()?;
        output.start()?;
        capture.start()?;
        Ok(Self {
            device,
            name: capability.card,
            output,
            capture,
            format,
            layout,
            pending: Pending::default(),
            losses: Losses::default(),
            after_loss: false,
            draining: false,
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

    /// The open file, to wait on together with a camera's.
    pub fn device(&self) -> &VideoDevice {
        &self.device
    }

    /// The format of its input buffers.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Buffers dropped since the start.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// True if it can take a frame now. Call [`Encoder::reclaim`] first to free buffers that it has read.
    pub fn has_room(&self) -> bool {
        !self.draining && self.output.free().is_some()
    }

    /// Number of frames inside.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Copies a frame in; `false` when there is no room, or the frame has another format or size than the encoder was opened for.
    pub fn submit(
        &mut self,
        picture: &Picture<'_>,
        captured_at: Duration,
        now: Duration,
    ) -> Result<bool, DeviceError> {
        let Some(index) = self.output.free().filter(|_| !self.draining) else { return Ok(false) };
        if !self.layout.copy_from(picture, self.output.bytes_mut(index)) {
            return Ok(false);
        }
        let bytes_used = self.format.size_image.min(self.output.capacity(index) as u32);
        let stamp = Pending::stamp(captured_at);
        self.output.enqueue(index, bytes_used, stamp)?;
        self.pending.submitted(stamp, now);
        Ok(true)
    }

    /// Lets the encoder read a frame from the camera's buffer `index`, exported as `dmabuf`. The buffer belongs to the encoder until
    /// [`Encoder::reclaim`] returns `index`.
    pub fn submit_import(
        &mut self,
        index: u32,
        dmabuf: BorrowedFd<'_>,
        captured_at: Duration,
        now: Duration,
    ) -> Result<(), DeviceError> {
        let stamp = Pending::stamp(captured_at);
        let size = self.format.size_image;
        self.output.enqueue_import(index, dmabuf, size, size, stamp)?;
        self.pending.submitted(stamp, now);
        Ok(())
    }

    /// An input buffer that the encoder has read, without waiting.
    pub fn reclaim(&mut self) -> Result<Option<u32>, DeviceError> {
        match self.output.dequeue()? {
            Dequeued::Buffer(info) => Ok(Some(info.index)),
            Dequeued::Nothing | Dequeued::Drained => Ok(None),
        }
    }

    /// The next coded picture, without waiting; broken ones are dropped and counted.
    pub fn next_coded(&mut self, now: Duration) -> Result<Option<CodedPicture>, DeviceError> {
        for _ in 0..Self::BURST {
            let Dequeued::Buffer(info) = self.capture.dequeue()? else { return Ok(None) };
            let verdict = Verdict::of(&info, 1, self.capture.capacity(info.index));
            let copies = info.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK == sys::V4L2_BUF_FLAG_TIMESTAMP_COPY;
            let last = info.flags & sys::V4L2_BUF_FLAG_LAST != 0;
            let coded = (verdict == Verdict::Good).then(|| {
                let bytes =
                    &self.capture.bytes(info.index)[info.data_offset as usize..info.bytes_used as usize];
                Bytes::copy_from_slice(bytes)
            });
            if !last {
                self.capture.enqueue(info.index, 0, Duration::ZERO)?;
            }
            if let Some(data) = coded {
                let captured_at = self.pending.coded(info.timestamp, copies, now);
                let after_loss = std::mem::take(&mut self.after_loss);
                return Ok(Some(CodedPicture { data, captured_at, after_loss }));
            }
            if last {
                return Ok(None); // an empty last buffer only marks the end of the drain
            }
            // A broken picture still shows that the encoder works.
            self.pending.coded(info.timestamp, copies, now);
            self.losses.discarded += 1;
            self.after_loss = true;
        }
        Ok(None)
    }

    /// An error when frames have gone in for longer than `patience` and nothing came out: drop this encoder and open another.
    pub fn check(&self, now: Duration, patience: Duration) -> Result<(), DeviceError> {
        let frames = Self::HELD_BACK.min(self.output.len() as u32);
        match self.pending.stuck(now, patience, frames) {
            None => Ok(()),
            Some(waited) => Err(DeviceError::Stuck {
                path: self.device.path().into(),
                pending: self.pending.len() as u32,
                waited,
            }),
        }
    }

    /// The error to report when a wait reported one and there was nothing to dequeue.
    pub fn failed(&self) -> DeviceError {
        self.device.lied("coding", "its queues are in error".into())
    }

    /// Asks for the next frame to become an IDR; `false` when the encoder has no such control.
    pub fn force_key_frame(&self) -> bool {
        self.device.set_control(sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 1).is_ok()
    }

    /// Ends the input. [`Encoder::next_coded`] then returns the pictures inside; bcm2835-codec may lose the last ones (raspberrypi/linux issue
    /// 5059) or hang (issue 4606), so the caller waits with a deadline. `false` when the encoder cannot drain.
    pub fn begin_drain(&mut self) -> bool {
        self.draining = true;
        self.device.stop_encoder().is_ok()
    }
}

/// Queues every buffer once, so that the driver maps it and can refuse it before a frame depends on it; stopping returns them.
fn try_import(output: &mut Queue, buffers: &[OwnedFd], size: u32) -> Result<(), DeviceError> {
    for (index, buffer) in (0..).zip(buffers) {
        output.enqueue_import(index, buffer.as_fd(), size, size, Duration::ZERO)?;
    }
    output.stop()
}

fn unsupported(device: &VideoDevice, lacks: String) -> DeviceError {
    DeviceError::Unsupported { path: device.path().into(), lacks }
}

/// The position of the rows in the encoder's buffers; an error when it cannot take such frames, or cannot read them
/// where the camera puts them.
fn input_layout(
    device: &VideoDevice,
    answer: &Format,
    settings: &EncoderSettings,
) -> Result<Layout, DeviceError> {
    let Format { fourcc, width, height, .. } = settings.takes;
    if answer.fourcc != fourcc || answer.width < width || answer.height < height {
        return Err(DeviceError::Mode {
            path: device.path().into(),
            wanted: format!("{fourcc} {width}x{height}"),
            nearest: format!("the nearest it can is {} {}x{}", answer.fourcc, answer.width, answer.height),
        });
    }
    let layout = Layout::new(answer, width, height)
        .ok_or_else(|| device.lied("setting the format", format!("{answer:?} holds no {width}x{height}")))?;
    if matches!(settings.input, Input::Imported(_)) {
        let theirs = Layout::new(&settings.takes, width, height);
        let importable = theirs.is_some_and(|theirs| theirs.same_places(&layout))
            && settings.takes.size_image >= answer.size_image;
        if !importable {
            return Err(unsupported(
                device,
                "wants a picture's rows elsewhere than the camera puts them".into(),
            ));
        }
    }
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> VideoDevice {
        VideoDevice::open(Path::new("/dev/null")).unwrap()
    }

    fn settings(takes: Format, input: Input<'_>) -> EncoderSettings<'_> {
        let coding = Coding { bitrate: 1_000_000, keyframe_interval: 30, frames_per_second: 30.0 };
        EncoderSettings { gives: FourCC::new(b"H264"), takes, input, coding }
    }

    fn nv12(width: u32, height: u32, bytes_per_line: u32, rows: u32) -> Format {
        let size_image = bytes_per_line * rows * 3 / 2;
        Format { bytes_per_line, size_image, ..Format::new(PixelFormat::Nv12, width, height) }
    }

    #[test]
    fn frames_are_imported_only_when_every_row_is_where_the_encoder_looks_for_it() {
        let camera = nv12(1920, 1080, 1920, 1080);
        let import = settings(camera, Input::Imported(&[]));
        assert!(input_layout(&device(), &camera, &import).is_ok());
        let padded_rows = nv12(1920, 1080, 1952, 1080);
        assert!(input_layout(&device(), &padded_rows, &import).is_err(), "other stride");
        let padded_height = Format { height: 1088, ..nv12(1920, 1080, 1920, 1088) };
        assert!(input_layout(&device(), &padded_height, &import).is_err(), "chroma elsewhere");
        assert!(input_layout(&device(), &padded_height, &settings(camera, Input::Copied)).is_ok());
        let larger = Format { size_image: camera.size_image + 1, ..camera };
        assert!(input_layout(&device(), &larger, &import).is_err(), "reads past the camera's buffer");
    }

    #[test]
    fn an_encoder_that_answers_with_a_smaller_picture_says_the_nearest() {
        let wanted = settings(nv12(3840, 2160, 0, 0), Input::Copied);
        let error = input_layout(&device(), &nv12(1920, 1080, 1920, 1080), &wanted).unwrap_err();
        assert!(error.to_string().contains("the nearest it can is NV12 1920x1080"), "{error}");
    }
}
