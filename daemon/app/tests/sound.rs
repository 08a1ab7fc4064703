//! Sound in HLS, as ffprobe, ffmpeg and Chromium find it: AAC out of a camera program's MPEG-TS in time with the picture, also where the program's
//! clock jumps; and the beep that the test pattern makes when it flashes.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Daemon, browser};

/// ffmpeg makes a file.
fn make(arguments: &[&str], file: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-y"])
        .args(arguments)
        .args(["-f", "mpegts"])
        .arg(file)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
}

/// So many seconds of x264 with B-frames and noise coded like this, as MPEG-TS. No two frames are the same, also of clips with other names.
fn clip(folder: &Path, name: &str, seconds: u32, sound: &[&str]) -> PathBuf {
    let file = folder.join(format!("{name}.ts"));
    let seed = name.len();
    let inputs = [
        format!("testsrc=s=160x90:r=25:d={seconds},hue=h={seed}0,noise=alls=20:allf=t:all_seed={seed}"),
        format!("anoisesrc=d={seconds}:r=48000:a=0.2:seed={seed}"),
    ];
    let video = ["-c:v", "libx264", "-bf", "2", "-g", "25", "-preset", "fast", "-pix_fmt", "yuv420p"];
    let sources = ["-f", "lavfi", "-i", &inputs[0], "-f", "lavfi", "-i", &inputs[1]];
    make(&[&sources[..], &video, sound].concat(), &file);
    file
}

/// A camera whose program is this.
fn camera(command: &[&str]) -> String {
    format!(
        "[live]\nautostart = true\n[[camera]]\nname = \"front\"\nsource = \"command\"\nwidth = 160\nheight = 90\n\
         frames_per_second = 25\ncommand = {command:?}\n"
    )
}

/// A camera whose program plays the file at its own pace.
fn playing(file: &Path) -> String {
    let file = file.to_str().unwrap();
    camera(&[
        "ffmpeg",
        "-loglevel",
        "error",
        "-nostdin",
        "-re",
        "-i",
        file,
        "-c",
        "copy",
        "-f",
        "mpegts",
        "-",
    ])
}

/// The first `count` segments of the stream in one file, and the playlist that lists them.
fn record(daemon: &Daemon, count: u64, file: &Path) -> m3u8_rs::MediaPlaylist {
    let read = |path: &str| m3u8_rs::parse_media_playlist_res(&daemon.get(path).body).unwrap();
    let mut playlist = read("/media/live/index.m3u8");
    let first = playlist.media_sequence;
    // One after the other: nobody may wait for a segment far ahead.
    for sequence in first + 1..first + count {
        playlist = read(&format!("/media/live/index.m3u8?_HLS_msn={sequence}"));
    }
    let segments = playlist.segments.iter().take(count as usize);
    let bytes: Vec<u8> =
        segments.flat_map(|segment| daemon.get(&format!("/media/live/{}", segment.uri)).body).collect();
    std::fs::write(file, bytes).unwrap();
    playlist
}

/// Presentation times of a file's pictures (`v`) or frames of sound (`a`) in ticks, by ffprobe.
fn times(file: &Path, kind: &str) -> Vec<i64> {
    let output = Command::new("ffprobe")
        .args([
            "-loglevel",
            "error",
            "-select_streams",
            kind,
            "-show_entries",
            "packet=pts",
            "-of",
            "csv=p=0",
        ])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect()
}

/// The source's frames of sound are all there, from the first picture on, and as far from it as in the source, to a millisecond.
fn check_sound(source: &Path, recorded: &Path) {
    let (their_pictures, our_pictures) = (times(source, "v"), times(recorded, "v"));
    let (their_sound, our_sound) = (times(source, "a"), times(recorded, "a"));
    let from = |times: &[i64], zero: i64| times.iter().map(|time| time - zero).collect::<Vec<_>>();
    let (ours, theirs) = (from(&our_pictures, our_pictures[0]), from(&their_pictures, their_pictures[0]));
    assert!(ours.len() > 50, "{ours:?}");
    assert_eq!(ours, theirs[..ours.len()]);
    let (ours, theirs) = (from(&our_sound, our_pictures[0]), from(&their_sound, their_pictures[0]));
    let skipped = theirs.iter().position(|time| (time - ours[0]).abs() <= 90).expect("the sound is in time");
    assert!(ours.len() > 80 && skipped < 12, "{} frames, {skipped} left out", ours.len());
    assert!(ours.iter().zip(&theirs[skipped..]).all(|(ours, theirs)| (ours - theirs).abs() <= 90));
}

#[test]
fn sound_goes_with_its_picture_into_the_segments() {
    for rate in ["48000", "44100"] {
        let dir = tempfile::tempdir().unwrap();
        let clip = clip(dir.path(), "clip", 20, &["-c:a", "aac", "-ar", rate]);
        let daemon = Daemon::ready(&playing(&clip));
        let recorded = dir.path().join("recorded.ts");
        let playlist = record(&daemon, 4, &recorded);
        assert!(
            playlist.segments.iter().all(|segment| !segment.discontinuity),
            "it is there from the first segment on"
        );
        check_sound(&clip, &recorded);
        let multivariant = daemon.get("/media/live/main.m3u8").text();
        assert!(multivariant.contains(",mp4a.40.2\""), "{multivariant}");
        assert_eq!(
            daemon.get("/api/v1/cameras/front/snapshot.jpg").status,
            200,
            "snapshots pass the sound over"
        );
    }
}

#[test]
fn sound_that_is_no_aac_is_left_out_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::ready(&playing(&clip(dir.path(), "clip", 20, &["-c:a", "mp2"])));
    let camera = &daemon.get("/api/v1/cameras").json()["items"][0];
    assert!(camera["detail"].as_str().unwrap().contains("its sound is MPEG audio (MP2 or MP3)"), "{camera}");
    let recorded = dir.path().join("recorded.ts");
    record(&daemon, 2, &recorded);
    assert!(!times(&recorded, "v").is_empty() && times(&recorded, "a").is_empty());
}

#[test]
fn chromium_plays_the_sound() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::ready(&playing(&clip(dir.path(), "clip", 40, &["-c:a", "aac"])));
    let seen = browser::plays(&daemon, "sound", 6);
    let number = |name: &str| seen[name].as_f64().unwrap();
    assert!(number("audioBytes") > 10_000.0 && number("videoBytes") > 10_000.0, "{seen}");
    assert_eq!(seen["isMuted"], false, "{seen}");
    // A slow machine may make it wait for a segment.
    let complaints = seen["complaints"].as_array().unwrap().iter();
    assert_eq!(
        complaints.filter(|complaint| *complaint != "player: bufferStalledError").count(),
        0,
        "{seen}"
    );
}

const BEEPING: &str = r#"
[live]
autostart = true
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 180
frames_per_second = 25
tone = true
"#;

/// What a filter of ffmpeg prints about a file. Times are from its beginning: ffmpeg prints six digits.
fn measured(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-i"])
        .arg(file)
        .args(arguments)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// The numbers that follow `name` in a text.
fn numbers_after(text: &str, name: &str) -> Vec<f64> {
    let numbers = text.split(name).skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        rest[..end].parse().ok()
    });
    numbers.collect()
}

#[test]
fn the_test_pattern_beeps_while_it_flashes() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::ready(BEEPING);
    let recorded = dir.path().join("recorded.ts");
    record(&daemon, 5, &recorded);
    // A beep is audible (-30 dB) from 12 ms after the beginning of its second until 88 ms after it. Silence lasts until a beep begins.
    // The lowest eighth of the picture is the lane that flashes. One run for both: their times are from the beginning of what is read.
    let sound = "silencedetect=noise=-30dB:d=0.5";
    let picture = "crop=iw:ih/8:0:ih*7/8,signalstats,metadata=mode=print:key=lavfi.signalstats.YAVG";
    let seen = measured(&recorded, &["-af", sound, "-vf", picture]);
    let mut beeps: Vec<_> = numbers_after(&seen, "silence_end: ").iter().map(|end| end - 0.012).collect();
    // The last silence ends with the file.
    beeps.pop();
    let (times, levels) = (numbers_after(&seen, "pts_time:"), numbers_after(&seen, "YAVG="));
    assert!(times.len() == levels.len() && times.len() > 100, "{seen}");
    assert!(beeps.len() >= 4, "{seen}");
    let mut flashes = 0;
    for (time, level) in times.iter().zip(&levels) {
        // Pictures at the very edge of a flash are left out: the beginning of a beep is measured to some milliseconds.
        match (time - beeps[0]).rem_euclid(1.0) {
            0.01..0.09 => flashes += usize::from(*level > 120.0),
            0.11..0.99 => assert!(*level < 120.0, "a flash at {time} without its beep: {beeps:?}"),
            _ => {}
        }
    }
    // Two pictures of each flash at least, but for those that a busy machine leaves out.
    assert!(flashes >= beeps.len(), "{flashes} bright pictures for {beeps:?}");
    assert!(beeps.windows(2).all(|pair| (pair[1] - pair[0] - 1.0).abs() < 0.005), "{beeps:?}");
}

/// Packets of one kind: presentation time in ticks, and a hash of the bytes.
fn packets(file: &Path, kind: &str) -> Vec<(i64, String)> {
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-select_streams", kind, "-show_data_hash", "md5"])
        .args(["-show_entries", "packet=pts,data_hash", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Side data breaks ffprobe's lines.
    let fields: Vec<_> = text.split([',', '\n']).filter(|field| !field.is_empty()).collect();
    fields.chunks_exact(2).map(|pair| (pair[0].parse().unwrap(), pair[1].to_owned())).collect()
}

/// How much later than in the source its pictures and its sound come, in ticks, for each packet of it that was recorded.
fn delays(source: &Path, recorded: &Path, kind: &str) -> Vec<i64> {
    let theirs: HashMap<_, _> = packets(source, kind).into_iter().map(|(pts, hash)| (hash, pts)).collect();
    let ours = packets(recorded, kind);
    ours.iter().filter_map(|(pts, hash)| Some(pts - theirs.get(hash)?)).collect()
}

/// A program that plays one clip and then another, at their own pace; their times begin at these seconds.
fn playing_with_times(parts: &[(&Path, u32)]) -> String {
    let play = |(file, begin): &(&Path, u32)| {
        let file = file.to_str().unwrap();
        let times = format!("-output_ts_offset {begin} -muxdelay 0 -muxpreload 0");
        format!("ffmpeg -loglevel error -nostdin -re -i {file} -c copy {times} -f mpegts -")
    };
    let script: Vec<_> = parts.iter().map(play).collect();
    camera(&["sh", "-c", &script.join("; ")])
}

/// Pictures and sound of the source were recorded, all as much later as each other, to a millisecond.
fn check_together(source: &Path, recorded: &Path) {
    let [pictures, sound] = ["v", "a"].map(|kind| delays(source, recorded, kind));
    assert!(pictures.len() >= 25 && sound.len() >= 40, "{pictures:?} {sound:?}");
    let all = || pictures.iter().chain(&sound);
    assert!(all().max().unwrap() - all().min().unwrap() <= 90, "{pictures:?} {sound:?}");
}

#[test]
fn a_jump_of_the_programs_clock_is_no_stall_and_parts_no_sound_from_its_picture() {
    for (before, after) in [(100, 3700), (7200, 3600), (3600, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = ["first", "second"]
            .map(|name| clip(dir.path(), name, if name == "first" { 4 } else { 30 }, &["-c:a", "aac"]));
        let daemon = Daemon::ready(&playing_with_times(&[(&one, before), (&two, after)]));
        let recorded = dir.path().join("recorded.ts");
        record(&daemon, 6, &recorded);
        check_together(&one, &recorded);
        check_together(&two, &recorded);
        for kind in ["v", "a"] {
            let mut times = times(&recorded, kind);
            times.sort_unstable();
            let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(longest < 10 * 90_000, "the jump reaches the viewers: {longest}");
        }
        assert_eq!(daemon.metric("perch_source_reopened_total"), 0, "it is no failure of the camera");
    }
}

#[test]
fn times_that_wrap_after_33_bits_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), "clip", 30, &["-c:a", "aac"]);
    // 2^33 ticks are 95,443.7 s.
    let daemon = Daemon::ready(&playing_with_times(&[(&clip, 95_441)]));
    let recorded = dir.path().join("recorded.ts");
    let playlist = record(&daemon, 5, &recorded);
    assert!(playlist.segments.iter().all(|segment| !segment.discontinuity));
    check_together(&clip, &recorded);
    check_sound(&clip, &recorded);
}
