//! The command line of `rpicam-vid`, by which the pictures of CSI cameras come, coded.
//!
//! Must not be here: which camera (`choice`), running a child (`command`).

use crate::config;
use std::path::Path;

/// What it is to be started with for camera `number` (from 0). A Raspberry Pi that has an H.264 encoder lets it code, a Pi 5 has x264 do it in
/// `rpicam-vid`'s process; that is what `--low-latency` and `--libav-format` are for
/// (<https://www.raspberrypi.com/documentation/computers/camera_software.html>).
pub fn command(program: &Path, number: usize, wanted: &config::Camera) -> Vec<String> {
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
        ("--libav-format", "h264".to_owned()),
        ("--verbose", "0".to_owned()),
        ("--output", "-".to_owned()),
    ];
    let flags = ["--nopreview", "--inline", "--flush", "--low-latency"].map(str::to_owned);
    std::iter::once(program.to_string_lossy().into_owned())
        .chain(flags)
        .chain(options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing;

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
        let line = command(Path::new("/usr/bin/rpicam-vid"), 1, &wanted).join(" ");
        assert!(line.starts_with("/usr/bin/rpicam-vid --nopreview --inline "), "{line}");
        assert!(
            line.contains("--camera 1 --timeout 0 --width 1280 --height 720 --framerate 25 --codec h264"),
            "{line}"
        );
        assert!(line.contains("--bitrate 3000000 --intra 50 ") && line.ends_with("--output -"), "{line}");
    }
}
