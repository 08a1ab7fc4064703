//! CSI cameras through `rpicam-vid`: its command line, and the meaning of its errors for the owner.
//!
//! rpicam-vid uses the H.264 encoder of the driver `bcm2835-codec` if there is one, and otherwise x264 through its
//! libav encoder (a Pi 5). It exits at an option that it does not know, so options that only some builds have are
//! passed only if `--help` names them (<https://www.raspberrypi.com/documentation/computers/camera_software.html>;
//! raspberrypi/rpicam-apps issues 626, 672, 735).
//!
//! Must not be here: the choice of the camera (`choice`), running a child (`command`).

use super::command::CommandSource;
use super::source::{CodedSource, Output, SourceDescription, SourceError};
use crate::clock::Clock;
use crate::config;
use perch_device::probe::ProbeReport;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Time for `--help` to be printed; a slow card has to load the program first.
const HELP: Duration = Duration::from_secs(3);
/// Bytes of its help that are read at most. rpicam-vid prints about 12 KB.
const HELP_BYTES: usize = 64 << 10;
/// The package to install if this board's H.264 encoder codes.
const INSTALL: &str = "install rpicam-apps-core, and Perch takes the camera by itself";
/// The packages to install if rpicam-vid must code in software.
const INSTALL_WITH_ENCODER: &str = "install rpicam-apps-core and, as this board has no H.264 encoder, rpicam-apps-encoder, and Perch takes the \
                                    camera by itself";

/// True if rpicam-vid has no hardware encoder on this board; it supports only one driver.
pub(super) fn codes_in_software(board: &ProbeReport) -> bool {
    !board.encoders.iter().any(|encoder| encoder.driver == "bcm2835-codec" && encoder.codes_h264())
}

/// The Debian packages that the owner needs, as the rest of a sentence.
pub(super) fn what_to_install(board: &ProbeReport) -> &'static str {
    if codes_in_software(board) { INSTALL_WITH_ENCODER } else { INSTALL }
}

/// A running `rpicam-vid`.
pub(super) struct LibcameraSource {
    running: CommandSource,
    codes_in_software: bool,
}

impl LibcameraSource {
    /// Starts `program` for camera `number` (from 0). With `codes_in_software` it is first asked for its options, which
    /// takes up to 3 s.
    pub(super) fn start(
        program: &Path,
        number: usize,
        codes_in_software: bool,
        wanted: &config::Camera,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SourceError> {
        let help = if codes_in_software { help(program, wanted, &clock) } else { String::new() };
        let camera = config::Camera { command: command(program, number, wanted, &help), ..wanted.clone() };
        let running = CommandSource::start(&camera, clock)?;
        Ok(Self { running, codes_in_software })
    }
}

impl CodedSource for LibcameraSource {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        self.running.next(timeout).map_err(|error| explained(error, self.codes_in_software))
    }

    fn force_key_frame(&mut self) {
        self.running.force_key_frame();
    }

    fn finish(&mut self) -> bool {
        self.running.finish()
    }

    fn description(&self) -> SourceDescription {
        self.running.description()
    }
}

/// Names the missing package if rpicam-vid says that it cannot code.
fn explained(error: SourceError, codes_in_software: bool) -> SourceError {
    let lacks_encoder = |words: &str| {
        words.contains("appropriate H.264 codec") || words.to_lowercase().contains("unrecognised codec")
    };
    match error {
        SourceError::Failed(words) if codes_in_software && lacks_encoder(&words) => SourceError::Failed(
            format!("{words}; this board has no H.264 encoder: install rpicam-apps-encoder"),
        ),
        error => error,
    }
}

/// The output of `program --help`; empty when it does not come in time.
fn help(program: &Path, wanted: &config::Camera, clock: &Arc<dyn Clock>) -> String {
    let command = vec![program.to_string_lossy().into_owned(), "--help".to_owned()];
    let camera = config::Camera { command, ..wanted.clone() };
    let Ok(mut asked) = CommandSource::start(&camera, clock.clone()) else { return String::new() };
    let until = clock.monotonic() + HELP;
    let mut text = Vec::new();
    while text.len() < HELP_BYTES && clock.monotonic() < until {
        match asked.next(until.saturating_sub(clock.monotonic())) {
            Ok(Output::Stream { data, .. }) => text.extend_from_slice(&data),
            Ok(_) => {}
            Err(_) => break, // the end of its output
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The command line; `help` names the options that not every build has.
fn command(program: &Path, number: usize, wanted: &config::Camera, help: &str) -> Vec<String> {
    let config::Camera { width, height, frames_per_second, bitrate_kbps, keyframe_interval_seconds, .. } =
        *wanted;
    let pictures_between_idrs = (keyframe_interval_seconds * frames_per_second).round().max(1.0);
    let options = [
        ("--camera", number.to_string()),
        ("--timeout", "0".to_owned()),
        ("--width", width.to_string()),
        ("--height", height.to_string()),
        ("--framerate", frames_per_second.to_string()),
        ("--codec", "h264".to_owned()),
        ("--bitrate", (u64::from(bitrate_kbps) * 1000).to_string()),
        ("--intra", pictures_between_idrs.to_string()),
        ("--verbose", "0".to_owned()),
        ("--output", "-".to_owned()),
    ];
    let knows = |option: &&str| help.split_whitespace().any(|word| word == *option);
    // libav cannot derive a format from the name "-", and x264 looks ahead by 40 pictures by default.
    let format = Some("--libav-format").filter(knows).into_iter().flat_map(|option| [option, "h264"]);
    let low_latency = Some("--low-latency").filter(knows);
    let flags = ["--nopreview", "--inline", "--flush"].into_iter().chain(low_latency).chain(format);
    std::iter::once(program.to_string_lossy().into_owned())
        .chain(flags.map(str::to_owned))
        .chain(options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::{self, boards};
    use crate::clock::SystemClock;
    use perch_device::FourCC;
    use perch_device::probe::EncoderReport;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// Help in the format of boost's `program_options`.
    const FULL_HELP: &str = "Valid options are:\n  -h [ --help ] [=arg(=1)] (=0)  Print this help message\n  \
                             --libav-format arg  Sets the libav encoder output format to use.\n  \
                             --low-latency [=arg(=1)] (=0)  Enables the libav/libx264 low latency presets\n";

    #[test]
    fn what_is_asked_for_is_on_the_command_line() {
        let wanted = config::Camera {
            width: 1280,
            height: 720,
            frames_per_second: 25.0,
            bitrate_kbps: 3000,
            keyframe_interval_seconds: 2.0,
            ..testing::camera()
        };
        let line = command(Path::new("/usr/bin/rpicam-vid"), 1, &wanted, "").join(" ");
        assert!(line.starts_with("/usr/bin/rpicam-vid --nopreview --inline "), "{line}");
        assert!(
            line.contains("--camera 1 --timeout 0 --width 1280 --height 720 --framerate 25 --codec h264"),
            "{line}"
        );
        assert!(line.contains("--bitrate 3000000 --intra 50 ") && line.ends_with("--output -"), "{line}");
    }

    #[test]
    fn options_that_not_every_build_has_are_passed_only_where_help_names_them() {
        let options = |help: &str| {
            let line = command(Path::new("rpicam-vid"), 0, &testing::camera(), help);
            let place = |option| line.iter().position(|word| word == option);
            (place("--libav-format").map(|at| line[at + 1].clone()), place("--low-latency").is_some())
        };
        assert_eq!(options(""), (None, false));
        assert_eq!(options(FULL_HELP), (Some("h264".to_owned()), true));
        let before_november_2024 = FULL_HELP.replace("--low-latency", "--libav-audio");
        assert_eq!(options(&before_november_2024), (Some("h264".to_owned()), false));
        assert_eq!(options("--libav-formats --no-low-latency"), (None, false), "whole words");
    }

    #[test]
    fn only_the_encoder_that_rpicam_vid_knows_spares_it_from_coding_in_software() {
        let other = EncoderReport { driver: "hantro-vpu".into(), ..boards::codec() };
        let decoder = EncoderReport { gives: vec![FourCC::new(b"MJPG")], ..boards::codec() };
        for (encoders, expected) in
            [(vec![], true), (vec![other, decoder], true), (vec![boards::codec()], false)]
        {
            let board = boards::board(vec![boards::csi()], encoders, None);
            assert_eq!(codes_in_software(&board), expected);
            assert_eq!(what_to_install(&board).contains("rpicam-apps-encoder"), expected);
            assert!(what_to_install(&board).contains("rpicam-apps-core"));
        }
    }

    /// A program that prints `help` on request, and otherwise its arguments and `error`.
    fn stand_in(folder: &Path, help: &str, error: &str) -> PathBuf {
        let file = folder.join("rpicam-vid");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" != --help ] || {{ printf '%s' '{help}'; exit 0; }}\necho \"$@\"\necho '{error}' >&2\nexit 255\n"
        );
        std::fs::write(&file, script).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// The arguments that a stand-in was started with, and its error at the end.
    fn run(program: &Path, codes_in_software: bool) -> (String, String) {
        let clock = Arc::new(SystemClock);
        let mut source =
            LibcameraSource::start(program, 0, codes_in_software, &testing::camera(), clock).unwrap();
        let mut arguments = Vec::new();
        loop {
            match source.next(Duration::from_secs(10)) {
                Ok(Output::Stream { data, .. }) => arguments.extend_from_slice(&data),
                Ok(_) => {}
                Err(error) => return (String::from_utf8(arguments).unwrap(), error.to_string()),
            }
        }
    }

    #[test]
    fn the_program_is_asked_for_its_options_where_it_codes_in_software() {
        let folder = tempfile::tempdir().unwrap();
        let program = stand_in(folder.path(), FULL_HELP, "no camera");
        let (arguments, error) = run(&program, true);
        assert!(arguments.contains("--low-latency --libav-format h264 "), "{arguments}");
        assert!(error.contains("no camera") && !error.contains("rpicam-apps-encoder"), "{error}");
        let (arguments, _) = run(&program, false);
        assert!(!arguments.contains("lib") && arguments.contains("--codec h264"), "{arguments}");
    }

    #[test]
    fn a_build_without_an_encoder_is_told_with_the_package_that_brings_one() {
        let folder = tempfile::tempdir().unwrap();
        let program = stand_in(folder.path(), "", "ERROR: *** Unable to find an appropriate H.264 codec ***");
        let (arguments, error) = run(&program, true);
        assert!(!arguments.contains("--libav-format") && !arguments.contains("--low-latency"), "{arguments}");
        assert!(error.contains("install rpicam-apps-encoder"), "{error}");
        assert!(!run(&program, false).1.contains("install"));
    }
}
