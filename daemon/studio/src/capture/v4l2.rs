//! V4L2 cameras and the board's encoder as sources: a camera that codes H.264 itself, a camera whose frames the encoder reads in place, a
//! camera that gives raw frames, and the encoder for other frames.
//!
//! Must not be here: the choice among them (`choice`), the behaviour of drivers (`perch-device`).

use super::encoder_record::EncoderRecord;
use super::i420::I420Buffer;
use super::source::{CodedSource, FrameEncoder, Output, RawFrame, RawSource, SourceDescription, SourceError};
use super::status::CaptureCounters;
use crate::clock::Clock;
use bytes::Bytes;
use perch_device::probe::EncoderReport;
use perch_device::v4l2::capture::{Camera, Frame};
use perch_device::v4l2::coding::Coding;
use perch_device::v4l2::encoded_camera::EncodedCamera;
use perch_device::v4l2::encoder::{Encoder, EncoderSettings, Input};
use perch_device::v4l2::format::Format;
use perch_device::v4l2::poll::{Readiness, wait};
use perch_device::v4l2::verdict::Losses;
use perch_device::{CodedPicture, DeviceError, FourCC, Mode, Picture, PixelFormat, Plane};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The coded format of all sources.
const H264: FourCC = FourCC { repr: *b"H264" };

impl From<DeviceError> for SourceError {
    fn from(error: DeviceError) -> Self {
        let words = error.to_string();
        match error {
            DeviceError::Missing { .. } | DeviceError::Gone { .. } => Self::Missing(words),
            DeviceError::Permission { .. } => Self::Permission(words),
            DeviceError::Busy { .. } => Self::Busy(words),
            DeviceError::Mode { .. } => Self::Mode(words),
            _ => Self::Failed(words),
        }
    }
}

/// Adds the losses of a camera or an encoder to the camera's counters.
struct LossCount {
    counters: Arc<CaptureCounters>,
    counted: Losses,
}

impl LossCount {
    fn new(counters: Arc<CaptureCounters>) -> Self {
        Self { counters, counted: Losses::default() }
    }

    /// `now` are the losses since the device was opened.
    fn update(&mut self, now: Losses) {
        let before = std::mem::replace(&mut self.counted, now);
        if now == before {
            return;
        }
        let add = |counter: &AtomicU64, by: u64| counter.fetch_add(by, Ordering::Relaxed);
        add(&self.counters.discarded, now.discarded - before.discarded);
        add(&self.counters.lost_frames, now.lost_frames - before.lost_frames);
        add(&self.counters.times_changed, now.time_jumps - before.time_jumps);
    }
}

/// Describes the camera in words.
fn describe_camera(camera: &Camera) -> String {
    format!("{} ({}), {}", camera.name(), camera.path().display(), camera.mode().format)
}

fn describe(camera: &Camera, encoder: String) -> SourceDescription {
    let Mode { width, height, frames_per_second, .. } = camera.mode();
    SourceDescription { camera: describe_camera(camera), encoder, width, height, frames_per_second }
}

/// A camera that codes H.264 itself.
pub(super) struct CodingCamera {
    camera: Camera,
    clock: Arc<dyn Clock>,
    losses: LossCount,
}

impl CodingCamera {
    /// Opens the camera. Bitrate and key-frame interval are wishes.
    pub(super) fn open(
        path: &Path,
        mode: &Mode,
        coding: Coding,
        clock: Arc<dyn Clock>,
        counters: Arc<CaptureCounters>,
    ) -> Result<Self, DeviceError> {
        let camera = Camera::open(path, mode)?;
        camera.set_coding(coding.bitrate, coding.keyframe_interval);
        Ok(Self { camera, clock, losses: LossCount::new(counters) })
    }
}

impl CodedSource for CodingCamera {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        let frame = wait_for_frame(&mut self.camera, timeout, &*self.clock)?;
        self.losses.update(self.camera.losses());
        let Some(frame) = frame else { return Ok(Output::Nothing) };
        let data = Bytes::copy_from_slice(self.camera.bytes(&frame));
        let (captured_at, after_loss) = (frame.captured_at, frame.after_loss);
        self.camera.release(frame)?;
        Ok(Output::Picture(CodedPicture { data, captured_at, after_loss }))
    }

    fn force_key_frame(&mut self) {
        self.camera.force_key_frame();
    }

    fn description(&self) -> SourceDescription {
        let mut description = describe(&self.camera, "the camera itself".to_owned());
        if self.camera.is_interlaced() {
            description.camera.push_str(", interlaced");
        }
        description
    }
}

/// The next good frame, waiting for `timeout` at most.
fn wait_for_frame(
    camera: &mut Camera,
    timeout: Duration,
    clock: &dyn Clock,
) -> Result<Option<Frame>, DeviceError> {
    if let Some(frame) = camera.next_frame(clock.monotonic())? {
        return Ok(Some(frame));
    }
    let ready = camera.wait(timeout)?;
    match camera.next_frame(clock.monotonic())? {
        // The dequeue found no reason for the error: the queue is dead.
        None if ready.error => Err(camera.failed()),
        frame => Ok(frame),
    }
}

/// Records a failure of the encoder; failures of the camera are not recorded.
fn note(record: &EncoderRecord, encoder: &Path, error: &DeviceError, clock: &dyn Clock) {
    if error.path() == encoder {
        record.failed(encoder, error.to_string(), clock.monotonic());
    }
}

/// A camera whose frames the board's encoder takes without conversion.
pub(super) struct HardwareCoded {
    source: EncodedCamera,
    clock: Arc<dyn Clock>,
    losses: LossCount,
    record: EncoderRecord,
}

impl HardwareCoded {
    /// Joins a running camera and an encoder that takes its format.
    pub(super) fn open(
        camera: Camera,
        encoder: &Path,
        coding: Coding,
        clock: Arc<dyn Clock>,
        counters: Arc<CaptureCounters>,
        record: EncoderRecord,
    ) -> Result<Self, DeviceError> {
        let source = EncodedCamera::open(camera, encoder, H264, coding, true)
            .inspect_err(|error| note(&record, encoder, error, &*clock))?;
        Ok(Self { source, clock, losses: LossCount::new(counters), record })
    }
}

impl CodedSource for HardwareCoded {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        let clock = &*self.clock;
        let coded = self.source.next(timeout, &|| clock.monotonic());
        let coded =
            coded.inspect_err(|error| note(&self.record, self.source.encoder().path(), error, clock))?;
        self.losses.update(self.source.losses());
        Ok(coded.map_or(Output::Nothing, Output::Picture))
    }

    fn force_key_frame(&mut self) {
        self.source.force_key_frame();
    }

    fn finish(&mut self) -> bool {
        self.source.finish();
        true
    }

    fn description(&self) -> SourceDescription {
        let encoder = self.source.encoder();
        let way = if self.source.is_zero_copy() { ", zero-copy" } else { "" };
        let words = format!("{} ({}){way}", encoder.name(), encoder.path().display());
        describe(self.source.camera(), words)
    }
}

/// A camera that gives raw frames or JPEG files.
pub(super) struct RawCamera {
    camera: Camera,
    /// The frame that is lent to the last caller.
    held: Option<Frame>,
    clock: Arc<dyn Clock>,
    losses: LossCount,
}

impl RawCamera {
    /// Takes over a camera that streams.
    pub(super) fn new(camera: Camera, clock: Arc<dyn Clock>, counters: Arc<CaptureCounters>) -> Self {
        Self { camera, held: None, clock, losses: LossCount::new(counters) }
    }
}

impl RawSource for RawCamera {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError> {
        if let Some(frame) = self.held.take() {
            self.camera.release(frame)?;
        }
        let frame = wait_for_frame(&mut self.camera, timeout, &*self.clock)?;
        self.losses.update(self.camera.losses());
        let Some(frame) = frame else { return Ok(None) };
        let held = self.held.insert(frame);
        let Mode { format, width, height, .. } = self.camera.mode();
        let picture = self.camera.picture(held).unwrap_or_else(|| {
            let file = Plane { data: self.camera.bytes(held), stride: 0 };
            Picture { format, width, height, planes: [file, Plane::default(), Plane::default()] }
        });
        Ok(Some(RawFrame { picture, captured_at: held.captured_at }))
    }

    fn describe(&self) -> String {
        describe_camera(&self.camera)
    }

    fn mode(&self) -> (u32, u32, f64) {
        let Mode { width, height, frames_per_second, .. } = self.camera.mode();
        (width, height, frames_per_second)
    }
}

/// The board's encoder for frames that do not come from a V4L2 camera, or in a format that it does not take.
pub(super) struct HardwareEncoder {
    encoder: Encoder,
    clock: Arc<dyn Clock>,
    /// The format of its input.
    takes: PixelFormat,
    /// Used only if frames come in another format.
    converted: Option<I420Buffer>,
    /// How long to wait for a frame's coded picture before the next frame is fetched.
    linger: Duration,
    losses: LossCount,
    record: EncoderRecord,
}

impl HardwareEncoder {
    /// A frame is left out when the encoder has no room for it after this time.
    const ROOM: Duration = Duration::from_millis(100);

    /// Opens the encoder for frames of this size (pixels) and format.
    pub(super) fn open(
        report: &EncoderReport,
        format: PixelFormat,
        size: (u32, u32),
        coding: Coding,
        clock: Arc<dyn Clock>,
        counters: Arc<CaptureCounters>,
        record: EncoderRecord,
    ) -> Result<Self, DeviceError> {
        let is_taken = format.is_raw() && report.takes(format);
        let takes = if is_taken { format } else { PixelFormat::I420 };
        let (width, height) = size;
        let settings = EncoderSettings {
            gives: H264,
            takes: Format::new(takes, width, height),
            input: Input::Copied,
            coding,
        };
        let encoder = Encoder::open(&report.path, &settings)
            .inspect_err(|error| note(&record, &report.path, error, &*clock))?;
        Ok(Self {
            encoder,
            clock,
            takes,
            converted: (!is_taken).then(|| I420Buffer::new(width, height)),
            // A longer wait would lose frames if fetching one takes time (MJPEG).
            linger: Duration::from_secs_f64(0.25 / coding.frames_per_second.clamp(1.0, 1000.0)),
            losses: LossCount::new(counters),
            record,
        })
    }

    /// Waits until the encoder returns something, `timeout` at most.
    fn wait(&self, timeout: Duration) -> Result<(), DeviceError> {
        let interest = Readiness { capture: true, output: true, error: false };
        let [ready] = wait([(self.encoder.device(), interest)], timeout)?;
        if ready.is_dead() { Err(self.encoder.failed()) } else { Ok(()) }
    }

    /// Collects all finished buffers and pictures.
    fn collect(&mut self, out: &mut Vec<CodedPicture>) -> Result<(), DeviceError> {
        let now = self.clock.monotonic();
        while self.encoder.reclaim()?.is_some() {}
        while let Some(coded) = self.encoder.next_coded(now)? {
            out.push(coded);
        }
        self.losses.update(self.encoder.losses());
        self.encoder.check(now, EncodedCamera::PATIENCE)
    }
}

impl HardwareEncoder {
    /// Codes a picture that is in the encoder's format.
    fn code(
        &mut self,
        picture: &Picture<'_>,
        captured_at: Duration,
        force_key_frame: bool,
        out: &mut Vec<CodedPicture>,
    ) -> Result<(), DeviceError> {
        self.collect(out)?;
        let until = self.clock.monotonic() + Self::ROOM;
        while !self.encoder.has_room() && self.clock.monotonic() < until {
            self.wait(until.saturating_sub(self.clock.monotonic()))?;
            self.collect(out)?;
        }
        if force_key_frame {
            self.encoder.force_key_frame();
        }
        let now = self.clock.monotonic();
        if !self.encoder.submit(picture, captured_at, now)? {
            self.losses.counters.lost_frames.fetch_add(1, Ordering::Relaxed);
        }
        let until = now + self.linger;
        while self.encoder.pending() > 0 && self.clock.monotonic() < until {
            self.wait(until.saturating_sub(self.clock.monotonic()))?;
            self.collect(out)?;
        }
        Ok(())
    }
}

impl FrameEncoder for HardwareEncoder {
    fn encode(
        &mut self,
        frame: &RawFrame<'_>,
        force_key_frame: bool,
        out: &mut Vec<CodedPicture>,
    ) -> Result<(), SourceError> {
        // Taken out of `self`, because the picture borrows it while `self` codes.
        let mut converted = self.converted.take();
        let picture = match &mut converted {
            Some(buffer) if frame.picture.format != self.takes => {
                buffer.convert(&frame.picture).map_err(|error| SourceError::Failed(error.to_string()))?;
                buffer.frame(frame.captured_at).picture
            }
            _ => frame.picture,
        };
        let result = self.code(&picture, frame.captured_at, force_key_frame, out);
        self.converted = converted;
        result.inspect_err(|error| note(&self.record, self.encoder.path(), error, &*self.clock))?;
        Ok(())
    }

    fn describe(&self) -> String {
        format!("{} ({})", self.encoder.name(), self.encoder.path().display())
    }
}
