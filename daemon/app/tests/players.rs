//! Recordings in players that others wrote: Chromium's video element, Shaka Player, VLC's demuxers and mediainfo. All of them find the length that the
//! index says, to a picture.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rustix::process::geteuid;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::people::Person;
use support::{Daemon, browser, program, recorded, run};

/// VLC does not run as root; it runs as `nobody` then.
const NOBODY: u32 = 65_534;

/// A recording that has ended, by its index.
struct Recording {
    id: String,
    seconds: f64,
    /// Pictures a second.
    rate: f64,
    has_sound: bool,
    /// Seconds from the beginning of its playlist to its first picture: pictures wait for those that are decoded before them.
    delay: f64,
    /// Its one part on the card.
    part: PathBuf,
}

impl Recording {
    /// `reordered`: pictures that are decoded before the first one is shown.
    fn find(daemon: &Daemon, id: &str, rate: f64, has_sound: bool, reordered: u8) -> Self {
        let seen = daemon.get(&format!("/api/v1/recordings/{id}")).json();
        assert_eq!(seen["is_growing"], false);
        let name = seen["name"].as_str().unwrap();
        let part = daemon.data_dir.join(format!("recordings/{name}.mp4"));
        let (seconds, delay) = (seen["duration_seconds"].as_f64().unwrap(), f64::from(reordered) / rate);
        Self { id: id.to_owned(), seconds, rate, has_sound, delay, part }
    }

    fn pictures(&self) -> u64 {
        (self.seconds * self.rate).round() as u64
    }

    fn is_close(&self, seconds: f64, expected: f64, what: &str) {
        assert!((seconds - expected).abs() < 1.001 / self.rate, "{what}: {seconds} s, not {expected} s");
    }
}

/// Pictures that VLC's demuxer and packetizer find in a file or at an address, from this second on: it begins with the key frame before.
fn vlc(dir: &Path, source: &str, from: f64) -> u64 {
    let out = dir.join("out.h264");
    let mut vlc = Command::new("timeout");
    vlc.args(["60", "vlc", "--intf", "dummy", "--no-color", "--no-plugins-cache", "--no-sout-audio"])
        .arg("--sout")
        .arg(format!("#std{{access=file{{append}},mux=dummy,dst={}}}", out.display()))
        .args(["--start-time", &from.to_string(), source, "vlc://quit"])
        .env("HOME", dir)
        .current_dir(dir);
    if geteuid().is_root() {
        vlc.uid(NOBODY).gid(NOBODY);
    }
    let output = vlc.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && out.exists(), "VLC, which `make test` installs: {said}");
    let args = [
        "-v",
        "error",
        "-count_packets",
        "-show_entries",
        "stream=nb_read_packets",
        "-of",
        "csv=p=0",
        "out.h264",
    ];
    let counted = String::from_utf8(run("ffprobe", &args, dir).stdout).unwrap();
    std::fs::remove_file(out).unwrap();
    counted.trim().parse().unwrap()
}

fn is_played_by_vlc(daemon: &Daemon, recording: &Recording, dir: &Path) {
    std::fs::copy(&recording.part, dir.join("part.mp4")).unwrap();
    let address = |name: &str| daemon.url(&format!("/media/{}/{name}", recording.id));
    let sources = ["part.mp4".to_owned(), address("recording.mp4"), address("index.m3u8")];
    for source in sources {
        assert_eq!(vlc(dir, &source, 0.0), recording.pictures(), "{source}");
        let half = recording.seconds / 2.0;
        let left = vlc(dir, &source, half) as f64 / recording.rate;
        // VLC goes to a key frame of the file, to a fragment near it in a fragmented one, and to a segment of a playlist.
        let rest = recording.seconds - half;
        assert!(left > rest - 1.0 && left < rest + 2.5, "{source} from {half} s: {left} s");
    }
    let clip = vlc(dir, &address("recording.mp4?from=2.2&to=4.6"), 0.0);
    assert!(clip as f64 >= 2.4 * recording.rate, "a clip and what comes before it: {clip}");
}

fn is_understood_by_mediainfo(daemon: &Daemon, recording: &Recording, dir: &Path) {
    std::fs::copy(&recording.part, dir.join("part.mp4")).unwrap();
    let whole = daemon.get(&format!("/media/{}/recording.mp4", recording.id));
    std::fs::write(dir.join("whole.mp4"), &whole.body).unwrap();
    for file in ["part.mp4", "whole.mp4"] {
        let output = run("mediainfo", &["--Output=JSON", file], dir);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let tracks = said["media"]["track"].as_array().unwrap();
        let track = |kind: &str| tracks.iter().find(|track| track["@type"] == kind);
        let number = |of: &Value, key: &str| -> f64 {
            of[key]
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or_else(|| panic!("{file}: no {key} in {of}"))
        };
        let (general, video) = (track("General").unwrap(), track("Video").unwrap());
        recording.is_close(number(general, "Duration"), recording.seconds, file);
        recording.is_close(number(video, "Duration"), recording.seconds, file);
        assert_eq!(number(video, "FrameCount") as u64, recording.pictures(), "{file}");
        assert_eq!(video["Format"], "AVC", "{file}");
        let sound = track("Audio").map(|audio| audio["Format"].clone());
        assert_eq!(sound, recording.has_sound.then(|| json!("AAC")), "{file}");
    }
}

fn is_played_in_chromium(daemon: &Daemon, recording: &Recording) {
    let (from, to) = (2.2, 4.6);
    let arguments = [daemon.url(""), recording.id.clone(), from.to_string(), to.to_string()];
    let report = browser::walk("players", arguments);
    let seconds = recording.seconds;
    for (what, length, delay) in
        [("whole", seconds, 0.0), ("clip", to - from, 0.0), ("shaka", seconds, recording.delay)]
    {
        let seen = &report[what];
        recording.is_close(seen["duration"].as_f64().unwrap(), length, what);
        recording.is_close(seen["ended"].as_f64().unwrap(), length + delay, what);
        for seek in seen["sought"].as_array().unwrap() {
            recording.is_close(seek["shown"].as_f64().unwrap(), seek["at"].as_f64().unwrap(), what);
        }
    }
}

fn is_played_everywhere(daemon: &Daemon, recording: &Recording) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    is_understood_by_mediainfo(daemon, recording, dir.path());
    is_played_by_vlc(daemon, recording, dir.path());
    is_played_in_chromium(daemon, recording);
}

#[test]
fn a_recording_with_a_seam_is_played_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let id = recorded::make(dir.path(), "public");
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    let recording = Recording::find(&daemon, &id, 15.0, false, 0);
    assert_eq!(recording.pictures(), 300);
    is_played_everywhere(&daemon, &recording);
}

#[test]
fn a_recording_with_b_frames_and_sound_is_played_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let config = program::make(dir.path());
    let daemon = Daemon::start_in(dir.path(), &config);
    let id = program::record(&daemon, "Owl");
    let seen = || daemon.get(&format!("/api/v1/recordings/{id}")).json();
    // Each look lets time pass.
    while seen()["duration_seconds"].as_f64().is_none_or(|seconds| seconds < 8.0) {}
    let owner = Person::login(&daemon, "olga");
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    // For a while after a stream its playlist is that of the live stream: not with a daemon that starts.
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start_in(dir.path(), &config);
    is_played_everywhere(&daemon, &Recording::find(&daemon, &id, program::RATE, true, 2));
}
