//! B-frames out of a camera program: as MPEG-TS they keep the program's own times, bare they get them from their order in the stream. What
//! ffprobe and Chromium make of it decides.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::path::Path;
use std::process::Command;
use support::{Daemon, browser};

/// Pictures a second.
const RATE: u32 = 25;
/// The program's picture is grey, 2 levels lighter with each of 100 pictures, then dark again.
const LEVELS: i64 = 100;

/// Forty seconds of x264 with B-frames as MPEG-TS.
fn clip(folder: &Path) -> String {
    let file = folder.join("clip.ts").to_str().unwrap().to_owned();
    let source =
        format!("nullsrc=s=160x90:r={RATE}:d=40,geq=lum=24+2*mod(N\\,{LEVELS}):cb=128:cr=128,format=yuv420p");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", &source])
        .args(["-c:v", "libx264", "-bf", "3", "-g", "50", "-preset", "fast", "-f", "mpegts", &file])
        .status();
    assert!(made.unwrap().success());
    file
}

/// A camera whose program plays the clip at its own pace in this container.
fn camera(clip: &str, format: &str) -> String {
    format!(
        r#"
[live]
autostart = true
[[camera]]
name = "front"
source = "command"
width = 160
height = 90
frames_per_second = {RATE}
command = ["ffmpeg", "-loglevel", "error", "-nostdin", "-re", "-i", "{clip}", "-c", "copy", "-f", "{format}", "-"]
"#
    )
}

/// Presentation times of the pictures in order of decoding, in ticks since the first, by ffprobe.
fn presentation_times(file: &Path) -> Vec<i64> {
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-select_streams", "v", "-show_entries", "packet=pts", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let times: Vec<i64> = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    times.iter().map(|time| time - times[0]).collect()
}

/// The first `count` segments of the stream in one file.
fn record(daemon: &Daemon, count: u64, file: &Path) {
    let read = |path: &str| m3u8_rs::parse_media_playlist_res(&daemon.get(path).body).unwrap();
    let first = read("/media/live/index.m3u8").media_sequence;
    let playlist = read(&format!("/media/live/index.m3u8?_HLS_msn={}", first + count - 1));
    let segments = playlist.segments.iter().take(count as usize);
    let bytes: Vec<u8> =
        segments.flat_map(|segment| daemon.get(&format!("/media/live/{}", segment.uri)).body).collect();
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_transport_streams_presentation_times_are_the_programs_own() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path());
    let daemon = Daemon::ready(&camera(&clip, "mpegts"));
    let recorded = dir.path().join("recorded.ts");
    record(&daemon, 3, &recorded);
    let (theirs, ours) = (presentation_times(Path::new(&clip)), presentation_times(&recorded));
    assert!(ours.len() > 50 && ours.windows(2).any(|pair| pair[1] < pair[0]), "B-frames: {ours:?}");
    assert_eq!(ours, theirs[..ours.len()]);
}

#[test]
fn bare_b_frames_are_presented_in_the_right_order() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path());
    let daemon = Daemon::ready(&camera(&clip, "h264"));
    let recorded = dir.path().join("recorded.ts");
    record(&daemon, 3, &recorded);
    let order = |times: &[i64]| {
        let mut order: Vec<_> = (0..times.len()).collect();
        order.sort_by_key(|at| times[*at]);
        order
    };
    let (theirs, ours) = (presentation_times(Path::new(&clip)), presentation_times(&recorded));
    assert!(ours.len() > 50 && ours.windows(2).any(|pair| pair[1] < pair[0]), "B-frames: {ours:?}");
    assert_eq!(order(&ours), order(&theirs[..ours.len()]));
}

#[test]
fn chromium_shows_them_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::ready(&camera(&clip(dir.path()), "mpegts"));
    let seen = browser::plays(&daemon, "order", 8);
    let pictures: Vec<(i64, i64)> = seen
        .as_array()
        .unwrap()
        .iter()
        .map(|picture| {
            let time = (picture["time"].as_f64().unwrap() * f64::from(RATE)).round() as i64;
            // Limited range to full range, as a canvas gives it, and back.
            let luma = picture["grey"].as_f64().unwrap() * 219.0 / 255.0 + 16.0;
            (time, ((luma - 24.0) / 2.0).round() as i64)
        })
        .collect();
    assert!(pictures.len() > 30, "{pictures:?}");
    // The number in each picture goes on with its time; codecs and colour conversion may be one level off.
    let wrong = pictures.windows(2).filter(|pair| {
        let ([time, level], [next_time, next_level]) = ([pair[0].0, pair[0].1], [pair[1].0, pair[1].1]);
        let off = (next_level - level - (next_time - time)).rem_euclid(LEVELS);
        off.min(LEVELS - off) > 1
    });
    assert_eq!(wrong.count(), 0, "{pictures:?}");
}
