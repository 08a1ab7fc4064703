//! From a camera's configuration to its running source.

use super::choice::{self, Choice, ChosenEncoder, ChosenSource, Verdict};
use super::command::CommandSource;
use super::encoded::Encoded;
use super::software::{SoftwareEncoder, SoftwareSettings};
use super::source::{CodedSource, Opener, SourceError};
use super::status::SelfTest;
use super::test_pattern::TestPattern;
use crate::clock::Clock;
use crate::config::{self, SourceKind};
use perch_device::probe::ProbeReport;
use std::sync::Arc;
use tokio::sync::watch;

/// Opens what `[[camera]]` describes.
pub struct ConfiguredCamera {
    camera: config::Camera,
    clock: Arc<dyn Clock>,
    self_test: watch::Sender<SelfTest>,
}

impl ConfiguredCamera {
    /// `camera` is validated; `self_test` is told at each opening what was chosen and why.
    pub fn new(camera: config::Camera, clock: Arc<dyn Clock>, self_test: watch::Sender<SelfTest>) -> Self {
        Self { camera, clock, self_test }
    }

    /// What to open now: the board may have changed since the last time.
    fn choose(&self) -> Result<Choice, SourceError> {
        // A command needs nothing of the board, and nodes that are not needed are better not opened.
        let board = match self.camera.source {
            SourceKind::Command => ProbeReport::default(),
            _ => perch_device::probe::probe(),
        };
        let Verdict { choice, reasons } = choice::choose(&board, &self.camera, &[]);
        let found = SelfTest { chosen: choice.as_ref().ok().map(Choice::describe), reasons };
        self.self_test.send_if_modified(|known| {
            let is_new = *known != found;
            if is_new {
                let (chosen, reasons) =
                    (found.chosen.as_deref().unwrap_or("nothing"), found.reasons.join(" "));
                tracing::info!(camera = self.camera.name, "self-test: {chosen}. {reasons}");
                *known = found;
            }
            is_new
        });
        choice
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
        let Choice { source, encoder } = self.choose()?;
        match (source, encoder) {
            (ChosenSource::Command, _) => {
                Ok(Box::new(CommandSource::start(&self.camera, self.clock.clone())?))
            }
            (ChosenSource::TestPattern, ChosenEncoder::Software | ChosenEncoder::Source) => {
                self.test_pattern()
            }
            (ChosenSource::V4l2 { .. }, _) | (_, ChosenEncoder::V4l2M2m(_)) => {
                Err(SourceError::Failed("V4L2 devices are not wired up yet".to_owned()))
            }
        }
    }
}
