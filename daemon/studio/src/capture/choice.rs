//! Chooses one camera, one mode and one encoder from the board's report and the configuration, and explains why not the
//! others. Pure: the same report and configuration give the same choice in `perchd probe`, at startup and on the page.
//! It uses capabilities, never the board's name.

use super::libcamera;
use super::source::SourceError;
use crate::config::{self, EncoderKind, SourceKind};
use perch_device::mode::nearest_mode;
use perch_device::probe::{CameraReport, EncoderReport, ProbeReport, ProblemKind};
use perch_device::{Mode, PixelFormat};
use std::path::{Path, PathBuf};

/// The formats that can feed an encoder, best first: fewest bytes to move, MJPEG last because it must be decoded.
const TO_ENCODE: [PixelFormat; 4] =
    [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Yuyv, PixelFormat::Mjpeg];
/// Pixels of the largest picture that the CPU of a small board can code in time.
const SOFTWARE_PIXELS: u64 = 1280 * 720;
/// Buffers on each side of a hardware encoder (`perch_device::v4l2::encoder`).
const ENCODER_BUFFERS: u64 = 4;

/// A source and its encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The origin of the pictures.
    pub source: ChosenSource,
    /// The encoder of the pictures.
    pub encoder: ChosenEncoder,
}

/// The origin of the pictures.
#[derive(Clone, Debug, PartialEq)]
pub enum ChosenSource {
    /// Colour bars with the time, in the configured size.
    TestPattern,
    /// The configured child process.
    Command,
    /// A camera and the mode to run it in.
    V4l2 {
        /// The camera.
        camera: CameraReport,
        /// The mode nearest to the requested one.
        mode: Mode,
    },
    /// A CSI camera whose pictures come through libcamera, by its program (`super::libcamera`).
    Libcamera {
        /// The camera.
        camera: CameraReport,
        /// Path of `rpicam-vid`.
        program: PathBuf,
        /// Its number, from 0, among the cameras that need libcamera.
        number: usize,
        /// True if the board has no encoder that the program could use.
        codes_in_software: bool,
    },
}

/// The encoder of the pictures.
#[derive(Clone, Debug, PartialEq)]
pub enum ChosenEncoder {
    /// The source gives coded pictures.
    Source,
    /// The board's encoder.
    V4l2M2m(EncoderReport),
    /// OpenH264 on the CPU.
    Software,
}

/// A choice, or why there is none, with the reasons against the others.
#[derive(Debug)]
pub struct Verdict {
    /// The source and encoder to open, or an error that says what is missing and what the owner can do.
    pub choice: Result<Choice, SourceError>,
    /// Why the others were not chosen, a sentence each.
    pub reasons: Vec<String>,
}

/// An encoder that failed recently.
#[derive(Clone, Debug)]
pub struct Excluded {
    /// Its node.
    pub path: PathBuf,
    /// The reason, in words.
    pub why: String,
}

/// True if the choice depends on the board.
pub fn asks_the_board(wanted: &config::Camera) -> bool {
    match wanted.source {
        SourceKind::Auto | SourceKind::V4l2 => true,
        SourceKind::Command => false,
        SourceKind::TestPattern => matches!(wanted.encoder, EncoderKind::Auto | EncoderKind::V4l2M2m),
    }
}

/// Makes the choice. Encoders in `excluded` are not considered.
pub fn choose(board: &ProbeReport, wanted: &config::Camera, excluded: &[Excluded]) -> Verdict {
    let mut chooser = Chooser { board, wanted, excluded, reasons: Vec::new() };
    let choice = chooser.choose();
    Verdict { choice, reasons: chooser.reasons }
}

impl Choice {
    /// Describes the choice in words.
    pub fn describe(&self) -> String {
        let source = match &self.source {
            ChosenSource::TestPattern => "the test pattern".to_owned(),
            ChosenSource::Command => "the configured command".to_owned(),
            ChosenSource::V4l2 { camera, mode } => format!("{}, {mode}", camera.name()),
            ChosenSource::Libcamera { camera, .. } => format!("{} through rpicam-vid", camera.name()),
        };
        let encoder = match &self.encoder {
            ChosenEncoder::Source if self.source == ChosenSource::Command => "by the command".to_owned(),
            ChosenEncoder::Source if matches!(self.source, ChosenSource::Libcamera { .. }) => {
                "by that program".to_owned()
            }
            ChosenEncoder::Source => "by the camera itself".to_owned(),
            ChosenEncoder::V4l2M2m(encoder) => format!("by {}", name_of(encoder)),
            ChosenEncoder::Software => "in software (OpenH264)".to_owned(),
        };
        format!("{source}, coded {encoder}")
    }
}

fn name_of(encoder: &EncoderReport) -> String {
    format!("{} ({})", encoder.card, encoder.path.display())
}

struct Chooser<'a> {
    board: &'a ProbeReport,
    wanted: &'a config::Camera,
    excluded: &'a [Excluded],
    reasons: Vec<String>,
}

impl<'a> Chooser<'a> {
    fn choose(&mut self) -> Result<Choice, SourceError> {
        match self.wanted.source {
            SourceKind::Command => {
                Ok(Choice { source: ChosenSource::Command, encoder: ChosenEncoder::Source })
            }
            SourceKind::TestPattern => self.test_pattern(),
            SourceKind::V4l2 => self.camera().and_then(|camera| self.with_camera(camera)),
            SourceKind::Auto => match self.camera() {
                Ok(camera) => self.with_camera(camera),
                // The daemon waits for a camera that the configuration names; the test pattern would hide that it is
                // missing.
                Err(error) if self.wanted.device.is_some() => Err(error),
                Err(error) => {
                    self.say(format!("The test pattern stands in: {error}."));
                    self.test_pattern()
                }
            },
        }
    }

    fn say(&mut self, reason: String) {
        self.reasons.push(reason);
    }

    /// The camera that the configuration names, or the first usable one.
    fn camera(&mut self) -> Result<&'a CameraReport, SourceError> {
        let device = self.wanted.device.as_deref();
        let mut found = None;
        for camera in
            self.board.cameras.iter().filter(|camera| device.is_none_or(|device| is_at(camera, device)))
        {
            if camera.needs_libcamera && self.board.libcamera_program.is_none() {
                self.say(format!(
                    "{} is a CSI camera that gives raw sensor data only; its pictures come through libcamera: {}.",
                    camera.name(),
                    libcamera::what_to_install(self.board)
                ));
            } else if found.is_none() {
                found = Some(camera);
            } else {
                self.say(format!(
                    "{} was not taken: another camera comes first. Name it with device.",
                    camera.name()
                ));
            }
        }
        for problem in &self.board.problems {
            if Some(problem.path.as_path()) != device {
                self.say(format!("{} could not be asked: {}", problem.path.display(), problem.detail));
            }
        }
        found.ok_or_else(|| self.no_camera(device))
    }

    fn no_camera(&self, device: Option<&Path>) -> SourceError {
        let problem =
            self.board.problems.iter().find(|problem| device.is_none_or(|device| device == problem.path));
        let needs_libcamera = self
            .board
            .cameras
            .iter()
            .any(|camera| camera.needs_libcamera && device.is_none_or(|device| is_at(camera, device)));
        match (problem, device) {
            (Some(problem), _) => match problem.kind {
                ProblemKind::Permission => SourceError::Permission(problem.detail.clone()),
                ProblemKind::Busy => SourceError::Busy(problem.detail.clone()),
                ProblemKind::Other => SourceError::Failed(problem.detail.clone()),
            },
            (None, _) if needs_libcamera => {
                let install = libcamera::what_to_install(self.board);
                SourceError::Mode(format!("this CSI camera needs libcamera: {install}"))
            }
            (None, Some(device)) => SourceError::Missing(format!(
                "{} is not there: plug it in, or name one that `perchd probe` lists",
                device.display()
            )),
            (None, None) => {
                SourceError::Missing("plug one in; `perchd probe` lists what is there".to_owned())
            }
        }
    }

    fn test_pattern(&mut self) -> Result<Choice, SourceError> {
        let (width, height) = (self.wanted.width, self.wanted.height);
        let wants_hardware = matches!(self.wanted.encoder, EncoderKind::Auto | EncoderKind::V4l2M2m);
        let hardware = if wants_hardware { self.hardware(width, height) } else { None };
        let encoder = match (hardware, self.wanted.encoder) {
            (Some(encoder), _) => ChosenEncoder::V4l2M2m(encoder.clone()),
            (None, EncoderKind::V4l2M2m) => return Err(self.no_hardware()),
            (None, _) => self.software(width, height),
        };
        Ok(Choice { source: ChosenSource::TestPattern, encoder })
    }

    fn with_camera(&mut self, camera: &CameraReport) -> Result<Choice, SourceError> {
        if camera.needs_libcamera {
            return self.through_libcamera(camera);
        }
        let choice = match self.wanted.encoder {
            EncoderKind::Auto => self.coded_by_camera(camera).or_else(|| {
                self.say(format!("{} does not code H.264 itself.", camera.name()));
                self.coded_by_hardware(camera).or_else(|| self.coded_by_software(camera))
            }),
            EncoderKind::None => Some(self.coded_by_camera(camera).ok_or_else(|| {
                SourceError::Mode(format!(
                    "{} does not code H.264 itself: use encoder = \"auto\"",
                    camera.name()
                ))
            })?),
            EncoderKind::V4l2M2m => {
                let Some(choice) = self.coded_by_hardware(camera) else { return Err(self.no_hardware()) };
                Some(choice)
            }
            EncoderKind::Software => self.coded_by_software(camera),
        };
        choice.ok_or_else(|| {
            let formats: Vec<String> =
                camera.formats.iter().map(|format| format.fourcc.to_string()).collect();
            SourceError::Mode(format!(
                "{} gives {} only; Perch takes H.264, NV12, YU12, YUYV and MJPEG",
                camera.name(),
                formats.join(", ")
            ))
        })
    }

    fn through_libcamera(&self, camera: &CameraReport) -> Result<Choice, SourceError> {
        let program = self.board.libcamera_program.clone().ok_or_else(|| self.no_camera(None))?;
        if matches!(self.wanted.encoder, EncoderKind::Software | EncoderKind::V4l2M2m) {
            return Err(SourceError::Mode(format!(
                "{} comes through rpicam-vid, which codes H.264 itself: use encoder = \"auto\"",
                camera.name()
            )));
        }
        let mut through_it = self.board.cameras.iter().filter(|camera| camera.needs_libcamera);
        let number = through_it.position(|other| other.path == camera.path).unwrap_or_default();
        let codes_in_software = libcamera::codes_in_software(self.board);
        let source = ChosenSource::Libcamera { camera: camera.clone(), program, number, codes_in_software };
        Ok(Choice { source, encoder: ChosenEncoder::Source })
    }

    fn coded_by_camera(&mut self, camera: &CameraReport) -> Option<Choice> {
        let mode = self.nearest(camera, PixelFormat::H264, (self.wanted.width, self.wanted.height))?;
        Some(self.chosen(camera, mode, ChosenEncoder::Source))
    }

    fn coded_by_hardware(&mut self, camera: &CameraReport) -> Option<Choice> {
        let (width, height) = (self.wanted.width, self.wanted.height);
        let encoder = self.hardware(width, height)?;
        // Other formats are converted to one that the encoder takes, which costs the CPU a copy.
        let as_it_comes = |format: PixelFormat| encoder.takes(format);
        let mode = self.best_mode(camera, (width, height), as_it_comes)?;
        Some(self.chosen(camera, mode, ChosenEncoder::V4l2M2m(encoder.clone())))
    }

    fn coded_by_software(&mut self, camera: &CameraReport) -> Option<Choice> {
        let mode = self.best_mode(camera, (self.wanted.width, self.wanted.height), |_| true)?;
        let encoder = self.software(mode.width, mode.height);
        Some(self.chosen(camera, mode, encoder))
    }

    fn chosen(&mut self, camera: &CameraReport, mode: Mode, encoder: ChosenEncoder) -> Choice {
        let config::Camera { width, height, frames_per_second, .. } = *self.wanted;
        if (mode.width, mode.height) != (width, height) || mode.frames_per_second < frames_per_second - 0.5 {
            self.say(format!(
                "{} does not give {width}x{height} at {frames_per_second} frames per second; the nearest is {mode}.",
                camera.name()
            ));
        }
        if camera.interlaced {
            let name = camera.name();
            self.say(if mode.format == PixelFormat::H264 {
                format!("{name} gives interlaced H.264, which not every player shows without a comb.")
            } else {
                format!("{name} gives interlaced pictures: one field of each is shown, which has half of the rows.")
            });
        }
        Choice { source: ChosenSource::V4l2 { camera: camera.clone(), mode }, encoder }
    }

    /// The camera's best mode: first by size, then by rate, then by the cost of encoding.
    fn best_mode(
        &self,
        camera: &CameraReport,
        size: (u32, u32),
        as_it_comes: impl Fn(PixelFormat) -> bool,
    ) -> Option<Mode> {
        let wanted = self.wanted.frames_per_second;
        let modes = TO_ENCODE.iter().filter_map(|format| self.nearest(camera, *format, size));
        modes.min_by(|a, b| {
            let off = |mode: &Mode| mode.width.abs_diff(size.0) + mode.height.abs_diff(size.1);
            // Rounded: one more frame per second is not worth decoding JPEG.
            let short = |mode: &Mode| (wanted - mode.frames_per_second).max(0.0).round() as u32;
            (off(a), short(a), !as_it_comes(a.format)).cmp(&(off(b), short(b), !as_it_comes(b.format)))
        })
    }

    fn nearest(&self, camera: &CameraReport, format: PixelFormat, size: (u32, u32)) -> Option<Mode> {
        nearest_mode(&camera.formats, format, size.0, size.1, self.wanted.frames_per_second)
    }

    /// The board's H.264 encoder for pictures of this size, if it has one.
    fn hardware(&mut self, width: u32, height: u32) -> Option<&'a EncoderReport> {
        let mut none = true;
        for encoder in self.board.encoders.iter().filter(|encoder| encoder.codes_h264()) {
            none = false;
            match self.why_not(encoder, width, height) {
                None => return Some(encoder),
                Some(why) => self.say(format!("{} was not taken: {why}.", name_of(encoder))),
            }
        }
        if none {
            self.say("This board has no H.264 encoder.".to_owned());
        }
        None
    }

    fn why_not(&self, encoder: &EncoderReport, width: u32, height: u32) -> Option<String> {
        if let Some(excluded) = self.excluded.iter().find(|excluded| excluded.path == encoder.path) {
            return Some(excluded.why.clone());
        }
        if !TO_ENCODE.iter().any(|format| encoder.takes(*format)) {
            return Some("it takes no picture format that Perch has".to_owned());
        }
        if let Some((most_width, most_height)) = encoder.largest
            && (width > most_width || height > most_height)
        {
            return Some(format!(
                "it codes {most_width}x{most_height} at most, {width}x{height} is asked for"
            ));
        }
        let memory = self.board.contiguous_memory?;
        let needed = contiguous_bytes(width, height);
        (memory.total < needed).then(|| {
            format!(
                "too little contiguous memory for {height}p: it needs about {} MB of the {} MB there are; raise cma= in the \
                 kernel's command line, or ask for a smaller picture",
                needed >> 20,
                memory.total >> 20
            )
        })
    }

    /// The error if the configuration demands the hardware encoder; the last reason says what is wrong.
    fn no_hardware(&mut self) -> SourceError {
        let why = self.reasons.pop().unwrap_or_default();
        SourceError::Mode(format!("{why} Use encoder = \"auto\" or \"software\"."))
    }

    fn software(&mut self, width: u32, height: u32) -> ChosenEncoder {
        if u64::from(width) * u64::from(height) > SOFTWARE_PIXELS {
            self.say(format!(
                "{width}x{height} is much to code in software; if pictures are lost, ask for 1280x720 or less."
            ));
        }
        ChosenEncoder::Software
    }
}

/// True if a camera is the one at `device`: its node or one of udev's links to it.
fn is_at(camera: &CameraReport, device: &Path) -> bool {
    let links = [camera.identity.by_id.as_deref(), camera.identity.by_path.as_deref()];
    camera.path == device || links.contains(&Some(device))
}

/// Contiguous memory that an encoder takes, bytes: its frames in 4:2:0, and the same number of coded pictures.
fn contiguous_bytes(width: u32, height: u32) -> u64 {
    // Heights are rounded up to whole macroblocks, rows to 64 bytes.
    let pixels = u64::from(width.next_multiple_of(64)) * u64::from(height.next_multiple_of(16));
    let frame = pixels * 3 / 2;
    let coded = (pixels * 3 / 4).max(512 << 10);
    ENCODER_BUFFERS * (frame + coded)
}

#[cfg(test)]
mod tests;
