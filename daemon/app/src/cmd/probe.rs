//! `perchd probe`: this board's cameras, encoders and GPIO chips, what each configured camera would use, and why not something
//! else. It shows the daemon's own decision (`perch_studio::capture::choice`), as text or, with `--json`, as JSON.

use crate::config::{self, Config, EncoderKind, SourceKind};
use perch_device::contact::ContactError;
use perch_device::gpio::{self, ChipReport};
use perch_device::microphone::{self, MicrophoneReport};
use perch_device::mode::{FormatReport, FrameSizes, SizeReport};
use perch_device::probe::{CameraReport, EncoderReport, ProbeReport};
use perch_studio::capture::choice::{self, Verdict};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Everything that is printed. The field names are the `--json` interface.
#[derive(Serialize)]
struct Shown {
    cameras: Vec<ShownCamera>,
    encoders: Vec<ShownEncoder>,
    microphones: Vec<ShownMicrophone>,
    /// Memory that encoders share; null if the kernel has no such allocator.
    contiguous_memory: Option<ShownMemory>,
    /// The chips for the button and the lamp.
    gpio_chips: Vec<ShownChip>,
    /// The Raspberry Pi whose header is driven through its registers; null on other boards.
    gpio_header: Option<String>,
    /// Device files that could not be queried.
    problems: Vec<ShownProblem>,
    /// The choice for each `[[camera]]` of the configuration.
    configured: Vec<Configured>,
}

#[derive(Serialize)]
struct ShownCamera {
    device: PathBuf,
    name: String,
    driver: String,
    /// The path for the configuration: it stays the same when the device's number changes.
    stable_device: Option<PathBuf>,
    needs_libcamera: bool,
    /// True if each picture has two fields, taken at different moments.
    interlaced: bool,
    formats: Vec<ShownFormat>,
}

#[derive(Serialize)]
struct ShownFormat {
    fourcc: String,
    description: String,
    /// True if Perch can use it.
    usable: bool,
    modes: Vec<ShownMode>,
}

#[derive(Serialize)]
struct ShownMode {
    /// Width in pixels; the smallest of a range.
    width: u32,
    height: u32,
    /// The largest size of a range.
    up_to: Option<(u32, u32)>,
    frames_per_second: Vec<f64>,
}

#[derive(Serialize)]
struct ShownEncoder {
    device: PathBuf,
    name: String,
    driver: String,
    multi_planar: bool,
    takes: Vec<String>,
    gives: Vec<String>,
    /// The largest picture, in pixels.
    largest: Option<(u32, u32)>,
}

#[derive(Serialize)]
struct ShownMicrophone {
    /// The name for the configuration.
    device: String,
    name: String,
    /// Where it is plugged in, if that is USB: `1-1.2` is port 2 of the hub in port 1 of bus 1.
    usb: Option<String>,
    /// What is wrong with it, and the remedy; null if it can be heard.
    problem: Option<String>,
}

#[derive(Serialize)]
struct ShownMemory {
    total_bytes: u64,
    free_bytes: u64,
}

#[derive(Serialize)]
struct ShownChip {
    device: PathBuf,
    name: String,
    label: String,
    lines: u32,
}

#[derive(Serialize)]
struct ShownProblem {
    /// Null if `detail` names it.
    device: Option<PathBuf>,
    detail: String,
}

/// GPIO for a button and a lamp.
#[derive(Default)]
struct Gpio {
    header: Option<String>,
    chips: Vec<ChipReport>,
    problems: Vec<ContactError>,
}

impl Gpio {
    fn probe() -> Self {
        let (chips, problems) = gpio::chips();
        Self { header: gpio::header(), chips, problems }
    }
}

#[derive(Serialize)]
struct Configured {
    name: String,
    source: SourceKind,
    encoder: EncoderKind,
    /// The choice in words; null if nothing can be used.
    choice: Option<String>,
    /// What is missing and what the owner can do; null if something can be used.
    error: Option<String>,
    /// Why the others were not chosen.
    reasons: Vec<String>,
}

/// Probes the board and prints the result.
pub(super) fn print(config: &Config, json: bool) -> anyhow::Result<()> {
    let report = perch_device::probe::probe();
    let microphones: Vec<_> = microphone::list().iter().map(ShownMicrophone::listened_to).collect();
    let shown = Shown::new(&report, microphones, &Gpio::probe(), &config.cameras);
    let text = if json { serde_json::to_string_pretty(&shown)? + "\n" } else { shown.to_text() };
    super::say(&text);
    Ok(())
}

impl Shown {
    fn new(
        report: &ProbeReport,
        microphones: Vec<ShownMicrophone>,
        gpio: &Gpio,
        cameras: &[config::Camera],
    ) -> Self {
        let nodes = report.problems.iter().map(|problem| ShownProblem {
            device: Some(problem.path.clone()),
            detail: problem.detail.clone(),
        });
        let chips =
            gpio.problems.iter().map(|problem| ShownProblem { device: None, detail: problem.to_string() });
        Self {
            cameras: report.cameras.iter().map(ShownCamera::from).collect(),
            encoders: report.encoders.iter().map(ShownEncoder::from).collect(),
            microphones,
            contiguous_memory: report
                .contiguous_memory
                .map(|memory| ShownMemory { total_bytes: memory.total, free_bytes: memory.free }),
            gpio_chips: gpio.chips.iter().map(ShownChip::from).collect(),
            gpio_header: gpio.header.clone(),
            problems: nodes.chain(chips).collect(),
            configured: cameras.iter().map(|camera| Configured::new(report, camera)).collect(),
        }
    }

    fn to_text(&self) -> String {
        let mut text = Text::default();
        text.list("Cameras", &self.cameras, "none found", ShownCamera::write);
        text.list("Encoders", &self.encoders, "none: H.264 is coded in software", ShownEncoder::write);
        text.list("Microphones", &self.microphones, "none found", ShownMicrophone::write);
        if let Some(memory) = &self.contiguous_memory {
            let mb = |bytes: u64| bytes >> 20;
            let (free, total) = (mb(memory.free_bytes), mb(memory.total_bytes));
            text.line(0, &format!("Contiguous memory for encoders: {free} MB free of {total} MB"));
        }
        text.list("GPIO chips, for a button and a lamp", &self.gpio_chips, "none found", ShownChip::write);
        if let Some(model) = &self.gpio_header {
            text.line(1, &format!("the header is that of a {model}: lines have their GPIO (BCM) numbers"));
        }
        if !self.problems.is_empty() {
            text.list("Could not be queried", &self.problems, "", |problem, text| match &problem.device {
                Some(device) => text.line(1, &format!("{}: {}", device.display(), problem.detail)),
                None => text.line(1, &problem.detail),
            });
        }
        for configured in &self.configured {
            configured.write(&mut text);
        }
        text.0
    }
}

impl From<&CameraReport> for ShownCamera {
    fn from(camera: &CameraReport) -> Self {
        Self {
            device: camera.path.clone(),
            name: camera.identity.card.clone(),
            driver: camera.identity.driver.clone(),
            stable_device: camera.identity.stable_path().map(ToOwned::to_owned),
            needs_libcamera: camera.needs_libcamera,
            interlaced: camera.interlaced,
            formats: camera.formats.iter().map(ShownFormat::from).collect(),
        }
    }
}

impl From<&FormatReport> for ShownFormat {
    fn from(format: &FormatReport) -> Self {
        Self {
            fourcc: format.fourcc.to_string(),
            description: format.description.clone(),
            usable: format.pixel_format().is_some(),
            modes: format.sizes.iter().map(ShownMode::from).collect(),
        }
    }
}

impl From<&SizeReport> for ShownMode {
    fn from(size: &SizeReport) -> Self {
        let frames_per_second =
            size.frames_per_second.iter().map(|rate| (rate * 100.0).round() / 100.0).collect();
        match size.sizes {
            FrameSizes::Discrete { width, height } => Self { width, height, up_to: None, frames_per_second },
            FrameSizes::Stepwise { width, height } => {
                Self { width: width.0, height: height.0, up_to: Some((width.1, height.1)), frames_per_second }
            }
        }
    }
}

impl From<&ChipReport> for ShownChip {
    fn from(chip: &ChipReport) -> Self {
        Self {
            device: chip.path.clone(),
            name: chip.name.clone(),
            label: chip.label.clone(),
            lines: chip.lines,
        }
    }
}

impl ShownChip {
    fn write(&self, text: &mut Text) {
        text.line(1, &format!("{} ({}), lines 0 to {}", self.name, self.label, self.lines.saturating_sub(1)));
    }
}

impl From<&EncoderReport> for ShownEncoder {
    fn from(encoder: &EncoderReport) -> Self {
        let words = |codes: &[perch_device::FourCC]| codes.iter().map(ToString::to_string).collect();
        Self {
            device: encoder.path.clone(),
            name: encoder.card.clone(),
            driver: encoder.driver.clone(),
            multi_planar: encoder.multi_planar,
            takes: words(&encoder.takes),
            gives: words(&encoder.gives),
            largest: encoder.largest,
        }
    }
}

impl ShownMicrophone {
    /// Opens it and listens for a moment.
    fn listened_to(report: &MicrophoneReport) -> Self {
        Self {
            device: report.name.clone(),
            name: report.card.clone(),
            usb: report.usb_path().map(ToOwned::to_owned),
            problem: microphone::examine(report),
        }
    }

    fn write(&self, text: &mut Text) {
        let usb = self.usb.as_ref().map_or_else(String::new, |usb| format!(" (USB {usb})"));
        text.line(1, &format!("{}{usb}", self.name));
        text.line(2, &format!("microphone = \"{}\"", self.device));
        if let Some(problem) = &self.problem {
            text.line(2, &format!("cannot be heard: {problem}"));
        }
    }
}

impl Configured {
    fn new(report: &ProbeReport, camera: &config::Camera) -> Self {
        let Verdict { choice, reasons } = choice::choose(report, camera, &[]);
        let (choice, error) = match choice {
            Ok(choice) => (Some(choice.describe()), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            name: camera.name.clone(),
            source: camera.source,
            encoder: camera.encoder,
            choice,
            error,
            reasons,
        }
    }

    fn write(&self, text: &mut Text) {
        let outcome = match (&self.choice, &self.error) {
            (Some(choice), _) => format!("Camera \"{}\" would run with {choice}", self.name),
            (None, Some(error)) => format!("Camera \"{}\" cannot run: {error}", self.name),
            (None, None) => return,
        };
        text.line(0, &outcome);
        for reason in &self.reasons {
            text.line(1, reason);
        }
    }
}

impl ShownCamera {
    fn write(&self, text: &mut Text) {
        text.line(1, &format!("{} ({}, {})", self.name, self.device.display(), self.driver));
        if let Some(stable) = &self.stable_device {
            text.line(2, &format!("device = \"{}\"", stable.display()));
        }
        if self.needs_libcamera {
            text.line(2, "comes through libcamera, by rpicam-vid");
        }
        if self.interlaced {
            text.line(2, "interlaced");
        }
        for format in &self.formats {
            let modes: Vec<String> = format.modes.iter().map(ShownMode::in_words).collect();
            let note = if format.usable { "" } else { " (Perch cannot use it)" };
            text.line(2, &format!("{}{note}  {}", format.fourcc, modes.join(", ")));
        }
    }
}

impl ShownMode {
    fn in_words(&self) -> String {
        let mut words = format!("{}x{}", self.width, self.height);
        if let Some((width, height)) = self.up_to {
            let _ = write!(words, " to {width}x{height}");
        }
        if let Some(fastest) = self.frames_per_second.first() {
            let _ = write!(words, " at {fastest}");
        }
        words
    }
}

impl ShownEncoder {
    fn write(&self, text: &mut Text) {
        text.line(1, &format!("{} ({}, {})", self.name, self.device.display(), self.driver));
        let planes = if self.multi_planar { "multi-planar" } else { "single-planar" };
        text.line(2, &format!("codes {} from {}, {planes}", self.gives.join(", "), self.takes.join(", ")));
        if let Some((width, height)) = self.largest {
            text.line(2, &format!("up to {width}x{height}"));
        }
    }
}

/// Indented lines of at most 110 characters.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, words: &str) {
        let indent = "  ".repeat(depth);
        let mut column = usize::MAX;
        for word in words.split(' ') {
            if column.saturating_add(word.chars().count() + 1) > 110 {
                if column != usize::MAX {
                    self.0.push('\n');
                    self.0.push_str("    ");
                }
                self.0.push_str(&indent);
                column = indent.len();
            } else {
                self.0.push(' ');
                column += 1;
            }
            self.0.push_str(word);
            column += word.chars().count();
        }
        self.0.push('\n');
    }

    fn list<T>(&mut self, title: &str, items: &[T], empty: &str, mut write: impl FnMut(&T, &mut Self)) {
        self.line(0, title);
        if items.is_empty() {
            self.line(1, empty);
        }
        for item in items {
            write(item, self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_device::FourCC;
    use perch_device::identity::Identity;
    use perch_device::memory::ContiguousMemory;

    fn board() -> ProbeReport {
        let size = SizeReport {
            sizes: FrameSizes::Discrete { width: 1280, height: 720 },
            frames_per_second: vec![30_000.0 / 1001.0, 15.0],
        };
        let format = |code: [u8; 4]| FormatReport {
            fourcc: FourCC::new(&code),
            description: "Motion-JPEG".into(),
            sizes: vec![size.clone()],
        };
        ProbeReport {
            cameras: vec![CameraReport {
                path: "/dev/video2".into(),
                identity: Identity {
                    by_id: Some("/dev/v4l/by-id/usb-C270".into()),
                    by_path: None,
                    bus_info: "usb-1".into(),
                    card: "C270".into(),
                    driver: "uvcvideo".into(),
                    node_index: 0,
                },
                formats: vec![format(*b"MJPG"), format(*b"GREY")],
                needs_libcamera: false,
                interlaced: false,
            }],
            contiguous_memory: Some(ContiguousMemory { total: 64 << 20, free: 60 << 20 }),
            ..ProbeReport::default()
        }
    }

    #[test]
    fn a_person_reads_what_would_run_and_why_not_otherwise() {
        let chip = ChipReport {
            path: "/dev/gpiochip0".into(),
            name: "gpiochip0".into(),
            label: "pinctrl-bcm2711".into(),
            lines: 58,
        };
        let gpio = Gpio { header: Some("Raspberry Pi 4 B".into()), chips: vec![chip], problems: Vec::new() };
        let webcam = ShownMicrophone {
            device: "hw:CARD=C270,DEV=0".into(),
            name: "C270".into(),
            usb: Some("1-1.2".into()),
            problem: Some("it delivers silence".into()),
        };
        let text = Shown::new(&board(), vec![webcam], &gpio, &[config::Camera::default()]).to_text();
        let expected = "\
Cameras
  C270 (/dev/video2, uvcvideo)
    device = \"/dev/v4l/by-id/usb-C270\"
    MJPG  1280x720 at 29.97
    GREY (Perch cannot use it)  1280x720 at 29.97
Encoders
  none: H.264 is coded in software
Microphones
  C270 (USB 1-1.2)
    microphone = \"hw:CARD=C270,DEV=0\"
    cannot be heard: it delivers silence
Contiguous memory for encoders: 60 MB free of 64 MB
GPIO chips, for a button and a lamp
  gpiochip0 (pinctrl-bcm2711), lines 0 to 57
  the header is that of a Raspberry Pi 4 B: lines have their GPIO (BCM) numbers
Camera \"front\" would run with C270 (/dev/video2), MJPEG 1280x720 at 29.97 frames per second, coded in software
    (OpenH264)
  C270 (/dev/video2) does not code H.264 itself.
  This board has no H.264 encoder.
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_program_reads_the_same_as_json() {
        let mut missing = config::Camera { device: Some("/dev/video9".into()), ..config::Camera::default() };
        missing.name = "back".into();
        let shown = Shown::new(&board(), Vec::new(), &Gpio::default(), &[config::Camera::default(), missing]);
        let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&shown).unwrap()).unwrap();
        assert_eq!(json["cameras"][0]["stable_device"], "/dev/v4l/by-id/usb-C270");
        assert_eq!(json["cameras"][0]["formats"][0]["modes"][0]["width"], 1280);
        assert_eq!(json["configured"][0]["error"], serde_json::Value::Null);
        assert!(json["configured"][1]["error"].as_str().unwrap().contains("/dev/video9"));
    }
}
