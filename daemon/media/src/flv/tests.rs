//! What is written, read by hand and by ffprobe.

use super::amf0::{self, Value};
use super::*;
use crate::access_unit::{AccessUnit, AccessUnitAssembler};
use crate::audio_format::AudioFormat;
use crate::h264::avcc::length_prefixed;
use crate::mpegts::{Demuxer, Found};
use crate::time::{MediaDuration, MediaTime, Times};
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new(program).args(arguments).output().expect("ffmpeg is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Two seconds of x264 with B-frames and AAC, as Perch would get them of a program.
fn clip(folder: &Path) -> (Vec<AccessUnit>, Vec<(MediaTime, bytes::Bytes)>) {
    let file = folder.join("clip.ts");
    let file = file.to_str().expect("a plain path");
    let inputs = ["-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2:r=48000"];
    let coding =
        ["-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"];
    run("ffmpeg", &[&["-v", "error", "-y"], &inputs[..], &coding, &["-f", "mpegts", file]].concat());
    let (mut demuxer, mut assembler) = (Demuxer::new(), AccessUnitAssembler::new(0));
    let (mut pictures, mut sound) = (Vec::new(), Vec::new());
    demuxer.push(&std::fs::read(file).expect("ffmpeg wrote it"));
    demuxer.flush();
    while let Some(found) = demuxer.next_found() {
        match found {
            Found::Picture(picture) => {
                let times = Times { pts: picture.pts, dts: picture.dts };
                pictures
                    .extend(assembler.push_picture(&picture.data, times).expect("x264's pictures are good"));
            }
            Found::Sound(frame) => sound.push((frame.times.pts, frame.data)),
            Found::Lost => panic!("nothing is lost in a file"),
        }
    }
    pictures.extend(assembler.flush());
    (pictures, sound)
}

/// A tag of a file (§E.4.1), and the length that follows it.
fn put_tag(file: &mut Vec<u8>, kind: u8, timestamp: u32, body: &[u8]) {
    let [highest, time @ ..] = timestamp.to_be_bytes();
    let begun = file.len();
    file.push(kind);
    file.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    file.extend_from_slice(&time);
    file.extend_from_slice(&[highest, 0, 0, 0]);
    file.extend_from_slice(body);
    file.extend_from_slice(&((file.len() - begun) as u32).to_be_bytes());
}

#[test]
fn ffprobe_finds_every_picture_and_every_frame_of_sound_at_its_time() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (pictures, sound) = clip(folder.path());
    let format = AudioFormat::new(48_000, 2).expect("AAC has it");
    let line = Line::from(pictures[0].times.dts);
    let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    let metadata =
        Metadata { video: &pictures[0].format, frames_per_second: 25.0, video_kbps: 300, audio: format };
    put_tag(&mut file, 18, 0, &metadata.body());
    put_tag(&mut file, 9, 0, &avc_sequence_header(&pictures[0].format));
    put_tag(&mut file, 8, 0, &aac_sequence_header(&format));
    // Times that have passed 2^24 ms, which the tag keeps in a byte of its own.
    let late = 0x0100_0000 - 500;
    for unit in &pictures {
        let stamp = line.stamp(unit.times);
        put_tag(&mut file, 9, stamp.timestamp + late, &avc_picture(unit, stamp.composition));
    }
    for (pts, frame) in &sound {
        put_tag(&mut file, 8, line.stamp(Times::at(*pts)).timestamp + late, &raw_aac_frame(frame));
    }
    let path = folder.path().join("made.flv");
    std::fs::write(&path, file).expect("it can be written");
    let path = path.to_str().expect("a plain path");

    let shown = |kind: &str, entries: &str| {
        let arguments =
            ["-v", "error", "-select_streams", kind, "-show_entries", entries, "-of", "csv=p=0", path];
        String::from_utf8(run("ffprobe", &arguments)).expect("ffprobe writes text")
    };
    let times = |kind: &str| -> Vec<(f64, f64)> {
        let seconds = |text: &str| text.parse::<f64>().expect("a time") - f64::from(late) / 1000.0;
        let lines = shown(kind, "packet=pts_time,dts_time");
        let pair = |line: &str| {
            let (pts, dts) = line.split_once(',').expect("two times");
            (seconds(pts), seconds(dts.trim_end_matches(',')))
        };
        lines.lines().map(pair).collect()
    };
    let from = |time: MediaTime| (time - pictures[0].times.dts).as_seconds();
    let is_near = |a: f64, b: f64| (a - b).abs() <= 0.001;
    let found = times("v");
    assert_eq!((found.len(), pictures.len()), (50, 50));
    for ((pts, dts), unit) in found.iter().zip(&pictures) {
        assert!(
            is_near(*pts, from(unit.times.pts)) && is_near(*dts, from(unit.times.dts)),
            "{pts} {dts} {unit:?}"
        );
    }
    let found = times("a");
    assert_eq!(found.len(), sound.len());
    assert!(found.iter().zip(&sound).all(|((pts, _), (time, _))| is_near(*pts, from(*time))));
    assert_eq!(shown("v", "stream=codec_name,width,height").trim(), "h264,160,90");
    assert_eq!(shown("a", "stream=codec_name,sample_rate,channels").trim(), "aac,48000,2");
    // A decoder has nothing to complain about.
    let complaints = Command::new("ffmpeg").args(["-v", "warning", "-i", path, "-f", "null", "-"]).output();
    let complaints = String::from_utf8(complaints.expect("ffmpeg is installed").stderr).expect("text");
    assert_eq!(complaints.lines().filter(|line| line.contains("rror")).count(), 0, "{complaints}");
}

#[test]
fn metadata_says_what_is_known() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (pictures, _) = clip(folder.path());
    let audio = AudioFormat::new(44_100, 1).expect("AAC has it");
    let metadata = Metadata { video: &pictures[0].format, frames_per_second: 0.0, video_kbps: 0, audio };
    let values = amf0::read(&metadata.body()).expect("it can be read");
    assert_eq!(values[0].as_str(), Some("onMetaData"));
    assert_eq!(values[1].get("width"), Some(&Value::Number(160.0)));
    assert_eq!(values[1].get("stereo"), Some(&Value::Boolean(false)));
    assert_eq!((values[1].get("framerate"), values[1].get("videodatarate")), (None, None));
}

proptest! {
    #[test]
    fn times_are_right_to_the_millisecond_and_wrap(dts in 0i64..1 << 45, ahead in 0i64..900_000, zero in 0i64..1 << 33) {
        let at = MediaTime::from_ticks;
        let line = Line::from(at(zero));
        let stamp = line.stamp(Times { dts: at(zero + dts), pts: at(zero + dts + ahead) });
        prop_assert_eq!(stamp.timestamp, (dts / 90) as u32);
        let presented = dts / 90 + i64::from(stamp.composition);
        prop_assert!((0..90).contains(&(dts + ahead - presented * 90)));
        let later = line.stamp(Times::at(at(zero + dts) + MediaDuration::from_millis(1)));
        prop_assert_eq!(later.timestamp, stamp.timestamp.wrapping_add(1));
    }

    #[test]
    fn a_picture_keeps_its_nal_units(data in prop::collection::vec(0u8..4, 0..200), composition in -0x80_0000..0x80_0000i32) {
        let unit = AccessUnit {
            times: Times::at(MediaTime::from_ticks(0)),
            entry: crate::access_unit::Entry::None,
            data: data.into(),
            format: std::sync::Arc::new(format()),
            epoch: 0,
            sound: None,
        };
        let body = avc_picture(&unit, composition);
        prop_assert_eq!(&body[..2], &[0x27, 1]);
        prop_assert_eq!(i32::from_be_bytes([body[2], body[3], body[4], 0]) >> 8, composition);
        let units: Vec<u8> = length_prefixed(&unit.data).flat_map(|(length, unit)| [&length[..], unit].concat()).collect();
        prop_assert_eq!(&body[5..], &units[..]);
    }
}

fn format() -> crate::access_unit::VideoFormat {
    crate::access_unit::VideoFormat {
        sps: [0x67, 66, 0xc0, 30].as_slice().into(),
        pps: [0x68, 0xce].as_slice().into(),
        further_pps: Vec::new(),
        width: 640,
        height: 360,
        profile: 66,
        constraints: 0xc0,
        level: 30,
        frames_per_second: None,
        chroma: crate::h264::sps::Chroma::Yuv420,
        bit_depth: 8,
        may_be_interlaced: false,
    }
}
