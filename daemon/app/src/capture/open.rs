//! From a camera's configuration to its running source.

use super::command::CommandSource;
use super::encoded::Encoded;
use super::software::{SoftwareEncoder, SoftwareSettings};
use super::source::{CodedSource, Opener, SourceError};
use super::test_pattern::TestPattern;
use crate::clock::Clock;
use crate::config::{self, SourceKind};
use std::sync::Arc;

/// Opens what `[[camera]]` describes.
pub struct ConfiguredCamera {
    camera: config::Camera,
    clock: Arc<dyn Clock>,
}

impl ConfiguredCamera {
    /// `camera` is validated.
    pub fn new(camera: config::Camera, clock: Arc<dyn Clock>) -> Self {
        Self { camera, clock }
    }

    fn test_pattern(&self) -> Result<Box<dyn CodedSource>, SourceError> {
        let config::Camera {
            width, height, frames_per_second, bitrate_kbps, keyframe_interval_seconds, ..
        } = self.camera;
        let source = TestPattern::new(width, height, frames_per_second, self.clock.clone())?;
        let settings =
            SoftwareSettings { width, height, frames_per_second, bitrate_kbps, keyframe_interval_seconds };
        Ok(Box::new(Encoded::new(source, SoftwareEncoder::new(settings)?)))
    }
}

impl Opener for ConfiguredCamera {
    fn open(&mut self) -> Result<Box<dyn CodedSource>, SourceError> {
        match self.camera.source {
            SourceKind::Command => Ok(Box::new(CommandSource::start(&self.camera, self.clock.clone())?)),
            SourceKind::TestPattern | SourceKind::Auto => self.test_pattern(),
            SourceKind::V4l2 => Err(SourceError::Missing("V4L2 cameras are not wired up yet".to_owned())),
        }
    }
}
