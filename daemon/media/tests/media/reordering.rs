//! B-frames in byte streams without times: presentation times against those that ffprobe reads from the same clip in a container.

use crate::h264_writer::annex_b;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler, Entry};
use perch_media::h264::annex_b::nal_units;
use perch_media::time::MediaTime;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Frames per second of the clips, and ticks from frame to frame.
pub(crate) const RATE: i64 = 30;
pub(crate) const PERIOD: i64 = MediaTime::HZ / RATE;

/// Runs ffmpeg or ffprobe; its standard output.
pub(crate) fn run(program: &str, arguments: &str) -> Vec<u8> {
    let output = Command::new(program)
        .args(["-v", "error"])
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("`make test` installs ffmpeg");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Four seconds of moving pictures as x264 codes them with these options; the NAL units of each access unit, in decoding order, and each
/// one's presentation time in frames, by ffprobe.
fn clip(name: &str, options: &str) -> (Vec<u8>, Vec<i64>) {
    let (stream, order, container) = clip_with_container(name, options);
    std::fs::remove_dir_all(container.parent().unwrap()).unwrap();
    (stream, order)
}

/// Likewise, with a container (Matroska) of the same pictures, alone in a folder that the caller removes.
pub(crate) fn clip_with_container(name: &str, options: &str) -> (Vec<u8>, Vec<i64>, PathBuf) {
    let directory = std::env::temp_dir().join(format!("perch-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = |ending: &str| directory.join(format!("clip.{ending}")).display().to_string();
    let (container, bytes) = (file("mkv"), file("h264"));
    run(
        "ffmpeg",
        &format!(
            "-y -f lavfi -i testsrc2=s=160x96:r={RATE} -t 4 -c:v libx264 -preset veryfast {options} {container}"
        ),
    );
    run("ffmpeg", &format!("-y -i {container} -c copy -f h264 {bytes}"));
    let probed =
        run("ffprobe", &format!("-select_streams v -show_entries packet=pts_time -of csv=p=0 {container}"));
    let order = String::from_utf8(probed)
        .unwrap()
        .lines()
        .map(|line| (line.trim_matches(',').parse::<f64>().unwrap() * RATE as f64).round() as i64)
        .collect();
    (std::fs::read(bytes).unwrap(), order, container.into())
}

/// The access units of a stream of which each picture comes a period after the one before, as programs write.
pub(crate) fn assemble(stream: &[u8], late: impl Fn(i64) -> i64) -> (Vec<AccessUnit>, AccessUnitAssembler) {
    let mut assembler = AccessUnitAssembler::with_frame_rate(0, Some(RATE as f64));
    let (mut units, mut number, mut picture) = (Vec::new(), 0_i64, Vec::new());
    for unit in nal_units(stream) {
        picture.push(unit.bytes.to_vec());
        if unit.unit_type().is_slice() {
            let now = MediaTime::from_ticks(number * PERIOD + late(number));
            assembler.push_bytes(annex_b(&std::mem::take(&mut picture)).into(), now..=now);
            units.extend(std::iter::from_fn(|| assembler.next_unit()));
            number += 1;
        }
    }
    units.extend(assembler.flush());
    (units, assembler)
}

fn check_times(units: &[AccessUnit]) {
    assert!(units.windows(2).all(|pair| pair[0].times.dts < pair[1].times.dts), "decoding goes forward");
    assert!(
        units.iter().all(|unit| unit.times.pts >= unit.times.dts),
        "nothing is shown before it is decoded"
    );
}

/// Each picture's presentation time in frames after the first one that is shown.
fn shown(units: &[AccessUnit]) -> Vec<f64> {
    let first = units.iter().map(|unit| unit.times.pts.ticks()).min().unwrap();
    units.iter().map(|unit| (unit.times.pts.ticks() - first) as f64 / PERIOD as f64).collect()
}

#[test]
fn b_frames_are_shown_when_ffprobe_says_they_are() {
    for (name, options) in [
        ("one", "-bf 1 -g 30 -x264-params slices=1:b-adapt=0"),
        ("two", "-bf 2 -g 30 -x264-params slices=1"),
        ("pyramid", "-bf 3 -g 60 -x264-params slices=1:b-adapt=0:b-pyramid=normal"),
        ("many", "-bf 8 -g 60 -x264-params slices=1:b-adapt=0:b-pyramid=strict"),
        ("open", "-bf 3 -g 30 -x264-params slices=1:open-gop=1:b-adapt=0:scenecut=0"),
        ("none", "-bf 0 -g 30 -x264-params slices=1"),
    ] {
        let (stream, order) = clip(name, options);
        let (units, _) = assemble(&stream, |_| 0);
        assert_eq!(units.len(), order.len(), "{name}");
        check_times(&units);
        let first = order.iter().min().unwrap();
        for (number, (shown, expected)) in shown(&units).into_iter().zip(&order).enumerate() {
            assert!(
                (shown - (expected - first) as f64).abs() < 0.02,
                "{name}: picture {number} is shown at frame {shown}, not {}",
                expected - first
            );
        }
    }
}

#[test]
fn b_frames_stay_in_order_when_their_arrival_is_uneven() {
    let (stream, order) = clip("uneven", "-bf 3 -g 60 -x264-params slices=1:b-adapt=0:b-pyramid=normal");
    // Jitter, and a second that is held back and comes at once.
    let late = |number: i64| {
        (number * 7919 % 5) * 500 + if (40..70).contains(&number) { (70 - number) * PERIOD } else { 0 }
    };
    let (units, _) = assemble(&stream, late);
    check_times(&units);
    assert_eq!(units.len(), order.len());
    let mut by_time: Vec<_> = units.iter().map(|unit| unit.times.pts).zip(&order).collect();
    by_time.sort();
    assert!(
        by_time.windows(2).all(|pair| pair[0].1 < pair[1].1),
        "the order is ffprobe's: {:?}",
        by_time.windows(2).find(|pair| pair[0].1 >= pair[1].1)
    );
    assert!(by_time.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn an_open_gop_is_entered_at_its_i_pictures_and_leading_pictures_are_dropped() {
    let (stream, _) = clip("entered", "-bf 3 -g 30 -x264-params slices=1:open-gop=1:b-adapt=0:scenecut=0");
    let (units, _) = assemble(&stream, |_| 0);
    let entries: Vec<_> = units.iter().filter(|unit| unit.is_entry()).map(|unit| unit.entry).collect();
    assert!(entries.len() >= 3, "{entries:?}");
    assert_eq!(entries[0], Entry::Idr);
    assert!(entries[1..].iter().all(|&entry| entry == Entry::RecoveryPoint { frames: 0 }), "{entries:?}");
    // A reader that joins behind the IDR.
    let idr = nal_units(&stream).find(|unit| unit.bytes[0] & 0x1f == 5).unwrap().with_start_code;
    let cut = [&stream[..idr.start], &stream[idr.end..]].concat();
    let (units, assembler) = assemble(&cut, |_| 0);
    assert_eq!(units[0].entry, Entry::RecoveryPoint { frames: 0 });
    assert!(units.iter().all(|unit| unit.times.pts >= units[0].times.pts));
    assert!(assembler.counters().before_entry > 20);
    check_times(&units);
}

#[test]
fn gradual_refresh_is_told_and_is_no_entry() {
    let (stream, _) = clip("refresh", "-bf 0 -x264-params slices=1:intra-refresh=1:keyint=30:scenecut=0");
    let (units, assembler) = assemble(&stream, |_| 0);
    assert_eq!(units.iter().filter(|unit| unit.is_entry()).count(), 1, "the first IDR");
    assert!(units.iter().any(|unit| matches!(unit.entry, Entry::RecoveryPoint { frames: 1.. })));
    assert!(assembler.counters().gradual_refreshes > 0);
}
