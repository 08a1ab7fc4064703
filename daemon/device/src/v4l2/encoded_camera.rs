//! A camera whose frames go through an encoder: without a copy if both drivers allow it, else with one.
//!
//! Zero-copy: the camera's buffers are exported as DMABUF files and the encoder reads them in place; a buffer is lent to the encoder until the
//! encoder returns it. Drivers refuse buffers one by one and only while streaming (an encoder that needs contiguous memory takes the buffers
//! that happen to be contiguous), so a refusal restarts the encoder with copies. Calls block with a timeout, on the capture thread.

use super::capture::{Camera, Frame};
use super::coding::Coding;
use super::encoder::{CodedPicture, Encoder, EncoderSettings, Input};
use super::format::Format;
use super::poll::{Readiness, wait};
use super::verdict::Losses;
use crate::error::DeviceError;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use v4l::FourCC;

/// A camera and an encoder that stream together.
#[derive(Debug)]
pub struct EncodedCamera {
    // Dropped first: the encoder must release the camera's buffers before they are freed.
    encoder: Encoder,
    lending: Option<Lending>,
    camera: Camera,
    encoder_path: PathBuf,
    /// Settings for an encoder that gets copies.
    settings: EncoderSettings<'static>,
    /// Buffers dropped by earlier encoders of this camera.
    discarded_before: u64,
    draining: bool,
}

/// The camera's buffers as the encoder sees them.
#[derive(Debug)]
struct Lending {
    exported: Vec<OwnedFd>,
    /// The frames that the encoder is reading, by their index in the queue.
    lent: Vec<Option<Frame>>,
    /// True once a coded picture has come out.
    proven: bool,
}

impl EncodedCamera {
    /// An encoder that took frames and returned nothing for this long is stuck. Pictures must be back within five
    /// seconds, and closing a stuck encoder takes some of them.
    pub const PATIENCE: Duration = Duration::from_secs(1);

    /// Joins a running camera and the encoder at `encoder_path`, which has to take the camera's format. `gives` is H.264 except in tests.
    /// Frames are imported if `import` allows it and both drivers can.
    pub fn open(
        camera: Camera,
        encoder_path: &Path,
        gives: FourCC,
        coding: Coding,
        import: bool,
    ) -> Result<Self, DeviceError> {
        // The driver chooses its own rows for copies.
        let takes = Format { bytes_per_line: 0, size_image: 0, ..camera.format() };
        let settings = EncoderSettings { gives, takes, input: Input::Copied, coding };
        if import {
            match Self::open_importing(&camera, encoder_path, settings) {
                Ok((encoder, lending)) => {
                    return Ok(Self::new(encoder, Some(lending), camera, encoder_path, settings));
                }
                // An encoder that is missing, busy or out of memory fails again below, and that error is returned.
                Err(error) => tracing::info!(%error, "frames are copied to the encoder"),
            }
        }
        let encoder = Encoder::open(encoder_path, &settings)?;
        Ok(Self::new(encoder, None, camera, encoder_path, settings))
    }

    fn new(
        encoder: Encoder,
        lending: Option<Lending>,
        camera: Camera,
        encoder_path: &Path,
        settings: EncoderSettings<'static>,
    ) -> Self {
        let encoder_path = encoder_path.into();
        Self { encoder, lending, camera, encoder_path, settings, discarded_before: 0, draining: false }
    }

    fn open_importing(
        camera: &Camera,
        encoder_path: &Path,
        settings: EncoderSettings<'static>,
    ) -> Result<(Encoder, Lending), DeviceError> {
        let exported = camera.export()?;
        let (takes, input) = (camera.format(), Input::Imported(&exported));
        let encoder = Encoder::open(encoder_path, &EncoderSettings { takes, input, ..settings })?;
        let lent = exported.iter().map(|_| None).collect();
        Ok((encoder, Lending { exported, lent, proven: false }))
    }

    /// The camera.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// The encoder.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// True if the encoder reads frames in the camera's buffers.
    pub fn is_zero_copy(&self) -> bool {
        self.lending.is_some()
    }

    /// Losses of camera and encoder since the start.
    pub fn losses(&self) -> Losses {
        let (camera, encoder) = (self.camera.losses(), self.encoder.losses());
        Losses { discarded: camera.discarded + self.discarded_before + encoder.discarded, ..camera }
    }

    /// Asks for the next frame to become an IDR; `false` when the encoder has no such control.
    pub fn force_key_frame(&self) -> bool {
        self.encoder.force_key_frame()
    }

    /// Ends the input: [`EncodedCamera::next`] then returns the pictures that the encoder still holds.
    pub fn finish(&mut self) {
        if !std::mem::replace(&mut self.draining, true) {
            self.encoder.begin_drain();
        }
    }

    /// The next coded picture, waiting for `timeout` at most. `clock` reads the monotonic clock.
    pub fn next(
        &mut self,
        timeout: Duration,
        clock: &dyn Fn() -> Duration,
    ) -> Result<Option<CodedPicture>, DeviceError> {
        let mut now = clock();
        let deadline = now + timeout;
        let mut dead = None;
        loop {
            self.take_back()?;
            self.feed(now)?;
            if let Some(coded) = self.encoder.next_coded(now)? {
                if let Some(lending) = &mut self.lending {
                    lending.proven = true;
                }
                return Ok(Some(coded));
            }
            if let Some(error) = dead {
                return Err(error);
            }
            if let Err(error) = self.encoder.check(now, Self::PATIENCE) {
                // An encoder that never returned a picture may be unable to read imported memory; one that did is stuck.
                if self.lending.as_ref().is_none_or(|lending| lending.proven) {
                    return Err(error);
                }
                self.copy_instead(&error)?;
            }
            if now >= deadline {
                return Ok(None);
            }
            dead = self.wait(deadline.saturating_sub(now))?;
            now = clock();
        }
    }

    /// Waits for camera or encoder. Returns an error to report if a queue is dead, unless the next dequeue explains it
    /// better.
    fn wait(&mut self, timeout: Duration) -> Result<Option<DeviceError>, DeviceError> {
        let takes_frames = self.encoder.has_room() && !self.draining;
        let for_camera = Readiness { capture: takes_frames, ..Readiness::default() };
        let for_encoder = Readiness { capture: true, output: true, error: false };
        let devices = [(self.camera.device(), for_camera), (self.encoder.device(), for_encoder)];
        let [camera, encoder] = wait(devices, timeout)?;
        Ok(if encoder.is_dead() {
            Some(self.encoder.failed())
        } else if camera.is_dead() {
            Some(self.camera.failed())
        } else {
            None
        })
    }

    /// Returns to the camera the buffers that the encoder has read.
    fn take_back(&mut self) -> Result<(), DeviceError> {
        while let Some(index) = self.encoder.reclaim()? {
            let lending = self.lending.as_mut();
            if let Some(frame) = lending.and_then(|lending| lending.lent.get_mut(index as usize)?.take()) {
                self.camera.release(frame)?;
            }
        }
        Ok(())
    }

    /// Moves the camera's frames to the encoder.
    fn feed(&mut self, now: Duration) -> Result<(), DeviceError> {
        while !self.draining
            && self.encoder.has_room()
            && let Some(frame) = self.camera.next_frame(now)?
        {
            let Some(lending) = &mut self.lending else {
                self.copy(frame, now)?;
                continue;
            };
            let index = frame.index();
            let at = index as usize;
            let imported = match lending.exported.get(at) {
                Some(dmabuf) => self.encoder.submit_import(index, dmabuf.as_fd(), frame.captured_at, now),
                None => Err(self.camera.failed()), // unreachable: each buffer was exported
            };
            match imported {
                Ok(()) => lending.lent[at] = Some(frame),
                Err(error) => {
                    self.copy_instead(&error)?;
                    self.copy(frame, now)?;
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self, frame: Frame, now: Duration) -> Result<(), DeviceError> {
        if let Some(picture) = self.camera.picture(&frame) {
            self.encoder.submit(&picture, frame.captured_at, now)?;
        }
        self.camera.release(frame)
    }

    /// Restarts the encoder with copies. The stream continues with an IDR; frames inside the old encoder are lost.
    fn copy_instead(&mut self, error: &DeviceError) -> Result<(), DeviceError> {
        tracing::info!(%error, "the encoder cannot read the camera's buffers: frames are copied to it");
        let lent = self.lending.take().map_or_else(Vec::new, |lending| lending.lent);
        self.discarded_before += self.encoder.losses().discarded;
        self.encoder = Encoder::open(&self.encoder_path, &self.settings)?;
        lent.into_iter().flatten().try_for_each(|frame| self.camera.release(frame))
    }
}
