//! From a camera's configuration to its running source: probes the board, decides (`choice`), opens the chosen source.
//!
//! It also remembers which camera ran before and which encoders failed, which the decision takes into account.

use super::choice::{Choice, ChosenEncoder, ChosenSource, asks_the_board, choose};
use super::command::CommandSource;
use super::controls::KeptControls;
use super::deinterlace::Deinterlacer;
use super::encoded::Encoded;
use super::encoder_record::EncoderRecord;
use super::libcamera::LibcameraSource;
use super::microphones::Microphones;
use super::mjpeg::MjpegDecoder;
use super::software::{SoftwareEncoder, SoftwareSettings};
use super::sound::{MicrophoneSound, Tone, Wanted};
use super::source::{CodedSource, Opener, RawSource, SourceError};
use super::stand_in::StandIn;
use super::status::{CaptureCounters, SelfTest};
use super::test_pattern::TestPattern;
use super::v4l2::{CodingCamera, HardwareCoded, HardwareEncoder, RawCamera};
use super::with_sound::WithSound;
use crate::clock::Clock;
use crate::config::{self, SourceKind};
use perch_device::identity::{self, Identity};
use perch_device::microphone::usb_device_of_camera;
use perch_device::probe::{ProbeReport, probe};
use perch_device::v4l2::capture::Camera;
use perch_device::v4l2::coding::Coding;
use perch_device::{Mode, PixelFormat, hotplug::Hotplug};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// After this time without the known camera another one is taken: the owner may have exchanged it.
const EXCHANGED: Duration = Duration::from_secs(10);

/// Opens the camera that `[[camera]]` describes.
pub struct ConfiguredCamera {
    wanted: config::Camera,
    clock: Arc<dyn Clock>,
    counters: Arc<CaptureCounters>,
    encoders: EncoderRecord,
    /// The camera that ran last.
    known: Option<Identity>,
    /// Monotonic time since which it is missing.
    away_since: Option<Duration>,
    hotplug: Hotplug,
    self_test: watch::Sender<SelfTest>,
    controls: KeptControls,
    microphones: Microphones,
}

impl ConfiguredCamera {
    /// `wanted` has been validated. Sources count into `counters`; each opening reports the choice and its reasons to
    /// `self_test`.
    pub fn new(
        wanted: config::Camera,
        clock: Arc<dyn Clock>,
        counters: Arc<CaptureCounters>,
        self_test: watch::Sender<SelfTest>,
    ) -> Self {
        Self {
            wanted,
            clock,
            counters,
            encoders: EncoderRecord::default(),
            known: None,
            away_since: None,
            hotplug: Hotplug::listen(),
            self_test,
            controls: KeptControls::default(),
            microphones: Microphones::default(),
        }
    }

    /// Adds the picture controls that people have set, which are applied at each opening.
    #[must_use]
    pub fn with_controls(self, controls: KeptControls) -> Self {
        Self { controls, ..self }
    }

    /// Adds the microphones' settings and states that people see.
    #[must_use]
    pub fn with_microphones(self, microphones: Microphones) -> Self {
        Self { microphones, ..self }
    }

    fn decide(&mut self) -> Result<Choice, SourceError> {
        let now = self.clock.monotonic();
        let board = if asks_the_board(&self.wanted) { probe() } else { ProbeReport::default() };
        let wanted = match &self.known {
            Some(known) => {
                let is_there = identity::find(known, &board.cameras, |camera| &camera.identity).is_some();
                self.away_since = if is_there { None } else { self.away_since.or(Some(now)) };
                let away_for = now.saturating_sub(self.away_since.unwrap_or(now));
                follow(&self.wanted, known, away_for, &board)?
            }
            None => self.wanted.clone(),
        };
        let verdict = choose(&board, &wanted, &self.encoders.excluded(now));
        let chosen = verdict.choice.as_ref().ok().map(Choice::describe);
        self.tell(SelfTest { chosen, reasons: verdict.reasons });
        verdict.choice
    }

    fn tell(&self, found: SelfTest) {
        self.self_test.send_if_modified(|known| {
            let is_new = *known != found;
            if is_new {
                let (chosen, reasons) =
                    (found.chosen.as_deref().unwrap_or("nothing"), found.reasons.join(" "));
                tracing::info!(camera = self.wanted.name, "self-test: {chosen}. {reasons}");
                *known = found;
            }
            is_new
        });
    }

    fn start(&self, choice: &Choice) -> Result<Box<dyn CodedSource>, SourceError> {
        match &choice.source {
            ChosenSource::Command => Ok(Box::new(CommandSource::start(&self.wanted, self.clock.clone())?)),
            ChosenSource::Libcamera { program, number, codes_in_software, .. } => {
                let (in_software, clock) = (*codes_in_software, self.clock.clone());
                Ok(Box::new(LibcameraSource::start(program, *number, in_software, &self.wanted, clock)?))
            }
            ChosenSource::TestPattern => {
                let config::Camera { width, height, frames_per_second, tone, .. } = self.wanted;
                let pattern = TestPattern::new(width, height, frames_per_second, tone, self.clock.clone())?;
                let mut pattern = self.encoded(pattern, PixelFormat::I420, &choice.encoder)?;
                // A microphone that is named may be measured against the flash.
                let is_microphone_named =
                    matches!(self.wanted.microphone, config::MicrophoneChoice::Device(_));
                if tone && !is_microphone_named {
                    pattern = Box::new(WithSound::new(pattern, Tone::new(self.clock.clone())?));
                }
                Ok(if self.wanted.source == SourceKind::Auto { self.standing_in(pattern) } else { pattern })
            }
            ChosenSource::V4l2 { camera, mode } => self.start_camera(&camera.path, mode, &choice.encoder),
        }
    }

    fn start_camera(
        &self,
        path: &std::path::Path,
        mode: &Mode,
        encoder: &ChosenEncoder,
    ) -> Result<Box<dyn CodedSource>, SourceError> {
        let (clock, counters) = (self.clock.clone(), self.counters.clone());
        if *encoder == ChosenEncoder::Source {
            let coding = self.coding(mode.frames_per_second);
            return Ok(Box::new(CodingCamera::open(path, mode, coding, clock, counters)?));
        }
        let camera = Camera::open(path, mode)?;
        let is_interlaced = camera.is_interlaced();
        match encoder {
            ChosenEncoder::V4l2M2m(report)
                if mode.format.is_raw() && report.takes(mode.format) && !is_interlaced =>
            {
                let coding = self.coding(camera.mode().frames_per_second);
                let record = self.encoders.clone();
                Ok(Box::new(HardwareCoded::open(camera, &report.path, coding, clock, counters, record)?))
            }
            _ => {
                let camera = RawCamera::new(camera, clock, counters.clone());
                match mode.format {
                    PixelFormat::Mjpeg => {
                        let decoder = MjpegDecoder::new(camera, counters)?;
                        self.deinterlaced(decoder, is_interlaced, PixelFormat::I420, encoder)
                    }
                    format => self.deinterlaced(camera, is_interlaced, format, encoder),
                }
            }
        }
    }

    fn deinterlaced<S: RawSource + 'static>(
        &self,
        source: S,
        is_interlaced: bool,
        format: PixelFormat,
        encoder: &ChosenEncoder,
    ) -> Result<Box<dyn CodedSource>, SourceError> {
        if is_interlaced {
            self.encoded(Deinterlacer::new(source), format, encoder)
        } else {
            self.encoded(source, format, encoder)
        }
    }

    /// Joins `source`, whose frames have this format, with the encoder.
    fn encoded<S: RawSource + 'static>(
        &self,
        source: S,
        format: PixelFormat,
        encoder: &ChosenEncoder,
    ) -> Result<Box<dyn CodedSource>, SourceError> {
        let (width, height, frames_per_second) = source.mode();
        if let ChosenEncoder::V4l2M2m(report) = encoder {
            let coding = self.coding(frames_per_second);
            let (clock, counters) = (self.clock.clone(), self.counters.clone());
            let record = self.encoders.clone();
            let encoder =
                HardwareEncoder::open(report, format, (width, height), coding, clock, counters, record)?;
            return Ok(Box::new(Encoded::new(source, encoder)));
        }
        let settings = SoftwareSettings {
            width,
            height,
            frames_per_second,
            bitrate_kbps: self.wanted.bitrate_kbps,
            keyframe_interval_seconds: self.wanted.keyframe_interval_seconds,
        };
        Ok(Box::new(Encoded::new(source, SoftwareEncoder::new(settings)?)))
    }

    fn coding(&self, frames_per_second: f64) -> Coding {
        let interval = (self.wanted.keyframe_interval_seconds * frames_per_second).round().max(1.0);
        Coding {
            bitrate: self.wanted.bitrate_kbps.saturating_mul(1000),
            keyframe_interval: interval as u32,
            frames_per_second,
        }
    }

    fn standing_in(&self, pattern: Box<dyn CodedSource>) -> Box<dyn CodedSource> {
        let wanted = self.wanted.clone();
        let is_camera_there = move || {
            let choice = choose(&probe(), &wanted, &[]).choice;
            choice.is_ok_and(|choice| choice.source != ChosenSource::TestPattern)
        };
        Box::new(StandIn::new(pattern, Box::new(is_camera_there), self.clock.clone()))
    }
}

impl ConfiguredCamera {
    /// Adds the sound of the camera's microphone to its pictures.
    fn with_microphone(&self, pictures: Box<dyn CodedSource>, choice: &Choice) -> Box<dyn CodedSource> {
        let usb = match &choice.source {
            ChosenSource::V4l2 { camera, .. } => usb_device_of_camera(&camera.path),
            _ => None,
        };
        let config::Camera { name, microphone, .. } = &self.wanted;
        let wanted = Wanted { camera: name.clone(), choice: microphone.clone(), usb };
        if !wanted.is_possible() {
            return pictures;
        }
        match MicrophoneSound::start(wanted, self.microphones.of(&self.wanted), self.clock.clone()) {
            Ok(sound) => Box::new(WithSound::new(pictures, sound)),
            Err(error) => {
                tracing::error!(camera = name, "no sound: cannot start its thread: {error}");
                pictures
            }
        }
    }
}

impl Opener for ConfiguredCamera {
    fn open(&mut self) -> Result<Box<dyn CodedSource>, SourceError> {
        let choice = self.decide()?;
        let source = self.start(&choice)?;
        let source = self.with_microphone(source, &choice);
        if let ChosenSource::V4l2 { camera, .. } = choice.source {
            self.controls.apply(&self.wanted.name, &camera.path);
            self.known = Some(camera.identity);
        }
        Ok(source)
    }

    fn wait_for_news(&mut self, timeout: Duration) -> Option<bool> {
        asks_the_board(&self.wanted).then(|| self.hotplug.wait(timeout))
    }
}

/// The configuration with the present node of the camera that ran before. While that camera is missing, no other is
/// taken, because it is likely to come back; after `EXCHANGED` the original configuration applies again, if it finds a
/// camera.
fn follow(
    wanted: &config::Camera,
    known: &Identity,
    away_for: Duration,
    board: &ProbeReport,
) -> Result<config::Camera, SourceError> {
    if let Some(camera) = identity::find(known, &board.cameras, |camera| &camera.identity) {
        return Ok(config::Camera { device: Some(camera.path.clone()), ..wanted.clone() });
    }
    let another =
        || matches!(choose(board, wanted, &[]).choice, Ok(Choice { source: ChosenSource::V4l2 { .. }, .. }));
    if away_for > EXCHANGED && another() {
        return Ok(wanted.clone());
    }
    Err(SourceError::Missing(format!("{} ({}) was unplugged: plug it in again", known.card, known.bus_info)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing;
    use perch_device::probe::CameraReport;
    use std::path::PathBuf;

    fn camera(number: u32, card: &str) -> CameraReport {
        let format = perch_device::mode::FormatReport {
            fourcc: perch_device::PixelFormat::Yuyv.fourcc(),
            description: "YUYV".to_owned(),
            sizes: Vec::new(),
        };
        CameraReport {
            path: PathBuf::from(format!("/dev/video{number}")),
            identity: Identity {
                by_id: None,
                by_path: None,
                bus_info: "usb-1.2".to_owned(),
                card: card.to_owned(),
                driver: "uvcvideo".to_owned(),
                node_index: 0,
            },
            formats: vec![format],
            needs_libcamera: false,
            interlaced: false,
        }
    }

    fn board(cameras: &[CameraReport]) -> ProbeReport {
        ProbeReport { cameras: cameras.to_vec(), ..ProbeReport::default() }
    }

    fn wanted(source: SourceKind, device: Option<&str>) -> config::Camera {
        config::Camera { source, device: device.map(PathBuf::from), ..testing::camera() }
    }

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_camera_is_followed_to_its_new_number() {
        let known = camera(0, "C920").identity;
        for wanted in [wanted(SourceKind::Auto, None), wanted(SourceKind::V4l2, Some("/dev/video0"))] {
            let board = board(&[camera(0, "Brio"), camera(3, "C920")]);
            let followed = follow(&wanted, &known, SECONDS(1), &board).unwrap();
            assert_eq!(followed.device, Some("/dev/video3".into()));
        }
    }

    #[test]
    fn a_camera_that_is_away_is_waited_for_and_another_one_taken_only_after_a_while() {
        let known = camera(0, "C920").identity;
        let wanted = wanted(SourceKind::Auto, None);
        let board_with_another = board(&[camera(0, "Brio")]);
        let error = follow(&wanted, &known, SECONDS(1), &board_with_another).unwrap_err();
        assert!(error.to_string().contains("C920 (usb-1.2) was unplugged"), "{error}");
        assert_eq!(follow(&wanted, &known, SECONDS(11), &board_with_another).unwrap(), wanted);
        assert!(follow(&wanted, &known, SECONDS(11), &board(&[])).is_err(), "the test pattern is no camera");
    }
}
