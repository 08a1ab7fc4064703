//! Recordings in players that others wrote: Chromium's video element, hls.js, Shaka Player, VLC, ffprobe and mediainfo. All of them find the length that
//! the index says, to a picture. And a live stream in VLC.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rustix::process::geteuid;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::people::{NO_LIMITS, Person};
use support::{Daemon, TEST_PATTERN, browser, program, recorded, run};

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

/// A VLC that is stopped after so many seconds.
fn vlc_for(seconds: u32, dir: &Path) -> Command {
    let mut vlc = Command::new("timeout");
    vlc.arg(seconds.to_string()).args(["vlc", "--intf", "dummy", "--no-color", "--no-plugins-cache"]);
    vlc.env("HOME", dir).current_dir(dir);
    if geteuid().is_root() {
        vlc.uid(NOBODY).gid(NOBODY);
    }
    vlc
}

/// Pictures that VLC's demuxer and packetizer find in a file or at an address, from this second on: it begins with the key frame before.
fn vlc(dir: &Path, source: &str, from: f64) -> u64 {
    let out = dir.join("out.h264");
    let mut vlc = vlc_for(60, dir);
    vlc.args(["--no-sout-audio", "--sout"])
        .arg(format!("#std{{access=file{{append}},mux=dummy,dst={}}}", out.display()))
        .args(["--start-time", &from.to_string(), source, "vlc://quit"]);
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
    assert!(report.as_object().unwrap().values().all(|seen| !seen.is_null()), "{report}");
    check(recording, &report, to - from);
}

/// Holds what the players have seen against the index; `clip`: seconds of the clip.
fn check(recording: &Recording, report: &Value, clip: f64) {
    let seconds = recording.seconds;
    for (what, length, delay) in [
        ("whole", seconds, 0.0),
        ("clip", clip, 0.0),
        ("shaka", seconds, recording.delay),
        ("hls", seconds, recording.delay),
    ] {
        let seen = &report[what];
        if seen.is_null() {
            continue;
        }
        // That of the playlist, and the end of the last picture once a player has all of it.
        let duration = seen["duration"].as_f64().unwrap();
        let end = if duration > length + delay / 2.0 { length + delay } else { length };
        recording.is_close(duration, end, what);
        recording.is_close(seen["ended"].as_f64().unwrap(), length + delay, what);
        for seek in seen["sought"].as_array().unwrap() {
            recording.is_close(seek["shown"].as_f64().unwrap(), seek["at"].as_f64().unwrap(), what);
        }
    }
}

/// Pictures that ffprobe finds.
fn ffprobe(source: &str) -> u64 {
    let entries = ["-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets"];
    let args = [&["-v", "error"][..], &entries, &["-of", "csv=p=0", source]].concat();
    let counted = String::from_utf8(run("ffprobe", &args, Path::new("/")).stdout).unwrap();
    counted.lines().next().unwrap().trim_matches(',').parse().unwrap()
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

/// A camera whose pictures become larger after three seconds: the recording goes on in another part.
#[test]
fn a_recording_of_two_parts_is_played_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let film = |size: &str, seconds: u32| {
        format!(
            "ffmpeg -v error -nostdin -re -f lavfi -i testsrc2=s={size}:r=15 -t {seconds} -pix_fmt yuv420p -c:v libx264 -preset ultrafast \
             -tune zerolatency -g 15 -f mpegts -"
        )
    };
    let program =
        ["sh".to_owned(), "-c".to_owned(), format!("{}; {}", film("160x120", 3), film("320x240", 60))];
    let camera = "[[camera]]\nname = \"front\"\nsource = \"command\"\nwidth = 160\nheight = 120\nframes_per_second = 15";
    let config = format!("{NO_LIMITS}[recording]\nkeep_free = \"0 MB\"\n{camera}\ncommand = {program:?}\n");
    let daemon = Daemon::start_in(dir.path(), &config);
    let id = program::record(&daemon, "Growing");
    let seen = || daemon.get(&format!("/api/v1/recordings/{id}")).json();
    while seen()["duration_seconds"].as_f64().is_none_or(|seconds| seconds < 10.0) {}
    let owner = Person::login(&daemon, "olga");
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start_in(dir.path(), &config);
    let recording = Recording::find(&daemon, &id, 15.0, false, 0);
    let second = recording
        .part
        .with_file_name(format!("{} part 2.mp4", recording.part.file_stem().unwrap().to_str().unwrap()));
    let pictures: u64 = [&recording.part, &second].map(|part| ffprobe(part.to_str().unwrap())).iter().sum();

    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    for name in ["index.m3u8", "recording.mp4"] {
        let address = daemon.url(&format!("/media/{id}/{name}"));
        assert_eq!(ffprobe(&address), pictures, "{name}");
        // At the pictures' own times.
        let times = ["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"];
        let decoding = [&["-v", "error", "-xerror", "-i", &address][..], &times].concat();
        let decoded = run("ffmpeg", &decoding, Path::new("/"));
        assert_eq!(String::from_utf8_lossy(&decoded.stderr), "", "{name}");
    }
    let by_vlc = vlc(folder.path(), &daemon.url(&format!("/media/{id}/index.m3u8")), 0.0);
    // Where another header comes, VLC 3 throws away what its decoder has not taken yet: the last picture of the first part, and up to nine on a busy machine.
    assert!(by_vlc < pictures && by_vlc + 15 > pictures, "VLC finds {by_vlc} of {pictures}");
    let report = browser::walk("players", [daemon.url(""), id]);
    assert!(!report["shaka"].is_null() && !report["hls"].is_null(), "{report}");
    check(&recording, &report, 0.0);
}

/// VLC 3 buffers a second, whatever a playlist says. Where it began with the first second of a stream, its buffer was empty before each new segment, and
/// it set its clock anew: nine times in 25 s.
#[test]
fn vlc_that_joins_in_the_first_seconds_of_a_stream_plays_it_without_setting_its_clock_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let daemon = Daemon::start(TEST_PATTERN);
    // Answered with the first segment.
    assert_eq!(daemon.get("/media/live/index.m3u8").status, 200);
    let mut vlc = vlc_for(20, dir.path());
    vlc.args(["-vv", "--vout", "dummy", "--aout", "adummy", &daemon.url("/media/live/index.m3u8")]);
    let output = vlc.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&output.stderr);
    let count = |words: &str| said.lines().filter(|line| line.contains(words)).count();
    assert!(count("Stream buffering done") > 0, "it plays: {said}");
    let segments = said.lines().filter(|line| line.contains("Retrieving") && line.contains(".ts")).count();
    let resets = count("ES_OUT_RESET_PCR called");
    // None on a quiet machine; on a busy one VLC is late now and then.
    assert!(segments >= 5 && resets * 2 < segments, "{resets} resets in {segments} segments: {said}");
}
