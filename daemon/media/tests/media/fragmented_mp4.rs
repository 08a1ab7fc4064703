//! Fragmented MP4, against ffprobe and ffmpeg as demuxers that we did not write, and against our own scanner on files that are cut or damaged.

use crate::reordering::{PERIOD, RATE, assemble, clip_with_container, run};
use bytes::Bytes;
use perch_media::access_unit::AccessUnit;
use perch_media::audio_format::AudioFormat;
use perch_media::cmaf::{FragmentBuilder, Scanned, Scanner, init_segment};
use perch_media::recording::{Break, Fragment, Mark};
use perch_media::sample::AudioFrame;
use perch_media::time::{MediaDuration, MediaTime, Times};
use proptest::prelude::*;
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, LazyLock};

const FRAME: MediaDuration = MediaDuration::from_ticks(PERIOD);

/// A part with a fragment for each so many pictures, and what it should hold.
pub(crate) fn part(units: &[AccessUnit], sound: &[AudioFrame], pictures: usize) -> (Vec<u8>, Vec<Fragment>) {
    let format = &units[0].format;
    let sound_format = sound.first().map(|frame| *frame.format);
    let mut file = init_segment(format, sound_format);
    let mut builder = FragmentBuilder::new(Arc::clone(format), sound_format);
    let (mut fragments, mut sound) = (Vec::new(), sound.iter().peekable());
    for (number, some) in units.chunks(pictures).enumerate() {
        for unit in some {
            builder.push_video(unit, FRAME);
            while let Some(frame) = sound.next_if(|frame| frame.times.dts <= unit.times.dts) {
                builder.push_audio(frame);
            }
        }
        let mark = Mark {
            begins_segment: number % 2 == 0,
            is_independent: some[0].is_entry(),
            before: if number == 3 { Break::Gap } else { Break::None },
            stream_offset_ms: number as u64 * 1000,
            wall_ms: -5,
        };
        let at = file.len() as u64;
        fragments.extend(builder.finish(mark, at, &mut file));
    }
    assert!(builder.finish(Mark::default(), 0, &mut file).is_none(), "nothing is left");
    (file, fragments)
}

/// `name=value` of each packet that ffprobe finds, in the file's order.
pub(crate) fn packets(path: &Path, stream: &str) -> Vec<(f64, f64, f64, usize, bool)> {
    let arguments = format!(
        "-select_streams {stream} -show_entries packet=pts_time,dts_time,duration_time,size,flags -of csv=p=0 {}",
        path.display()
    );
    let said = String::from_utf8(run("ffprobe", &arguments)).unwrap();
    let read = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let number = |at: usize| fields[at].parse().unwrap_or_else(|_| panic!("{line}"));
        // ffprobe 5.1 knows no duration of a file's first frame of sound.
        let duration = if fields[2] == "N/A" { f64::NAN } else { number(2) };
        (number(0), number(1), duration, fields[3].parse().unwrap(), fields[4].starts_with('K'))
    };
    // Side data stand in lines of their own.
    said.lines().filter(|line| line.matches(',').count() >= 4).map(read).collect()
}

/// A hash for each packet of the video track.
pub(crate) fn hashes(path: &str) -> Vec<String> {
    let said =
        String::from_utf8(run("ffmpeg", &format!("-i {path} -map 0:v -c copy -f framehash -"))).unwrap();
    let lines = said.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

pub(crate) fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-4
}

#[test]
fn foreign_demuxers_find_the_encoders_pictures_byte_for_byte_and_at_their_times() {
    for (name, options) in [("mp4-plain", "-bf 0 -g 30"), ("mp4-b", "-bf 2 -g 30")] {
        let (stream, order, container) = clip_with_container(name, options);
        let (units, _) = assemble(&stream, |_| 0);
        let (file, fragments) = part(&units, &[], 30);
        let path = container.with_file_name("part.mp4");
        std::fs::write(&path, &file).unwrap();
        let found = packets(&path, "v");
        assert_eq!(found.len(), units.len());
        let first = order.iter().min().unwrap();
        let (shown_first, ..) = found.iter().copied().reduce(|a, b| if a.0 < b.0 { a } else { b }).unwrap();
        for (number, ((pts, dts, duration, size, is_key), frame)) in found.iter().zip(&order).enumerate() {
            let step = 1.0 / RATE as f64;
            assert!(close(*dts, number as f64 * step), "{number}: {dts}");
            assert!(close(*pts - shown_first, (frame - first) as f64 * step), "{number}: {pts}");
            assert!(close(*duration, step));
            assert_eq!(*is_key, number % 30 == 0);
            let sample = fragments[number / 30].video.samples[number % 30];
            assert_eq!((sample.bytes as usize, sample.is_key), (*size, *is_key));
        }
        assert_eq!(hashes(&path.display().to_string()), hashes(&container.display().to_string()));
        let overhead = file.len() - units.iter().map(|unit| unit.data.len()).sum::<usize>();
        assert!(overhead < 800 + 4 * 250 + 16 * units.len(), "{overhead} bytes for {} pictures", units.len());
        std::fs::remove_dir_all(container.parent().unwrap()).unwrap();
    }
}

/// Three seconds of a tone as ffmpeg codes it, in frames without their ADTS headers.
pub(crate) static TONE: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let coded = run("ffmpeg", "-f lavfi -i sine=r=44100:d=3 -ac 2 -c:a aac -f adts -");
    let (mut rest, mut frames) = (&coded[..], Vec::new());
    while let [_, _, _, high, middle, low, ..] = *rest {
        // aac_frame_length (ISO/IEC 14496-3 §1.A.2.2.1), the header's 7 bytes included.
        let length = usize::from(high & 3) << 11 | usize::from(middle) << 3 | usize::from(low) >> 5;
        frames.push(Bytes::copy_from_slice(&rest[7..length]));
        rest = &rest[length..];
    }
    frames
});

pub(crate) fn sound(begins: i64) -> Vec<AudioFrame> {
    let format = Arc::new(AudioFormat::new(44_100, 2).unwrap());
    let frame = |(number, data): (usize, &Bytes)| AudioFrame {
        times: Times::at(MediaTime::from_ticks(begins) + format.offset(number as u64)),
        epoch: 0,
        data: data.clone(),
        format: Arc::clone(&format),
    };
    TONE.iter().enumerate().map(frame).collect()
}

pub(crate) static UNITS: LazyLock<Vec<AccessUnit>> = LazyLock::new(|| {
    let (stream, _, container) = clip_with_container("mp4-units", "-bf 0 -g 30");
    std::fs::remove_dir_all(container.parent().unwrap()).unwrap();
    assemble(&stream, |_| 0).0
});

#[test]
fn sound_is_a_second_track_in_step_with_the_pictures() {
    let path = std::env::temp_dir().join(format!("perch-mp4-sound-{}.mp4", std::process::id()));
    for begins in [0, 45_000] {
        std::fs::write(&path, part(&UNITS, &sound(begins), 30).0).unwrap();
        let found = packets(&path, "a");
        assert!(found.len() >= TONE.len() - 1, "{}", found.len());
        for (number, (pts, _, duration, size, _)) in found.iter().enumerate() {
            let expected = begins as f64 / 90_000.0 + number as f64 * 1024.0 / 44_100.0;
            assert!((pts - expected).abs() < 0.001, "{number}: {pts} {expected}");
            assert!(number == 0 || (duration - 1024.0 / 44_100.0).abs() < 0.001);
            assert_eq!(*size, TONE[number].len());
        }
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_hole_in_the_sound_stays_one_and_a_seam_is_none_in_either_track() {
    let mut with_hole = sound(0);
    with_hole.drain(40..80);
    let (_, fragments) = part(&UNITS, &with_hole, 30);
    let sounds = || fragments.iter().filter_map(|fragment| fragment.audio.as_ref());
    let last = sounds().next_back().unwrap();
    let end = (last.decode_time + last.duration()) as f64 / 44_100.0;
    assert!((end - TONE.len() as f64 * 1024.0 / 44_100.0).abs() < 0.03, "{end}");

    // The source begins anew an hour later, picture and sound alike.
    let mut units = UNITS.clone();
    let mut frames = sound(0);
    let later = MediaDuration::from_millis(3_600_000);
    for unit in &mut units[60..] {
        unit.times = Times::at(unit.times.pts + later);
    }
    for frame in frames.iter_mut().filter(|frame| frame.times.pts.ticks() >= 60 * PERIOD) {
        frame.times = Times::at(frame.times.pts + later);
    }
    let (_, fragments) = part(&units, &frames, 30);
    let pictures: u64 = fragments.iter().map(|fragment| fragment.video.duration()).sum();
    assert_eq!(pictures, units.len() as u64 * PERIOD as u64);
    let last = fragments.iter().filter_map(|fragment| fragment.audio.as_ref()).next_back().unwrap();
    let end = (last.decode_time + last.duration()) as f64 / 44_100.0;
    assert!((end - 3.0).abs() < 0.05, "{end}");
}

#[test]
fn a_part_goes_on_after_a_restart() {
    let (mut file, before) = part(&UNITS[..60], &sound(0)[..86], 30);
    let (video, audio) = (before[1].video.clone(), before[1].audio.clone().unwrap());
    let format = Arc::clone(&UNITS[0].format);
    let mut builder = FragmentBuilder::going_on(
        format,
        Some(AudioFormat::new(44_100, 2).unwrap()),
        2,
        video.decode_time + video.duration(),
        audio.decode_time + audio.duration(),
    );
    builder.push_video(&UNITS[60], FRAME);
    let at = file.len() as u64;
    let mark = Mark { before: Break::Seam, ..Mark::default() };
    let after = builder.finish(mark, at, &mut file).unwrap();
    assert_eq!(after.video.decode_time, 60 * PERIOD as u64);
    assert_eq!(scan(&file).0, [&before[..], &[after]].concat());
}

fn scan(file: &[u8]) -> (Vec<Fragment>, u64) {
    let mut scanner = Scanner::new(Cursor::new(file)).unwrap();
    let found: Vec<Scanned> = scanner.by_ref().map(Result::unwrap).collect();
    let end = scanner.at();
    for scanned in &found {
        assert!(scanner.is_sound(scanned).unwrap());
    }
    (found.into_iter().map(|scanned| scanned.fragment).collect(), end)
}

#[test]
fn samples_that_never_reached_the_card_are_noticed() {
    let (mut file, fragments) = part(&UNITS, &[], 30);
    let last = fragments.last().unwrap();
    let middle = (last.at + u64::from(last.video.data_at)) as usize + 500;
    file[middle..middle + 100].fill(0);
    let mut scanner = Scanner::new(Cursor::new(&file)).unwrap();
    let found: Vec<Scanned> = scanner.by_ref().map(Result::unwrap).collect();
    let sound: Vec<_> = found.iter().map(|scanned| scanner.is_sound(scanned).unwrap()).collect();
    assert_eq!(sound, [true, true, true, false]);
}

#[test]
fn a_damaged_time_is_told_and_the_pictures_follow_those_before() {
    // Impossible, a little too late, too early.
    for damage in [(0, 0x80), (6, 0x40), (7, 1)] {
        let (mut file, fragments) = part(&UNITS, &[], 30);
        let third = fragments[2].at as usize;
        let time = third + file[third..].windows(4).position(|kind| kind == b"tfdt").unwrap() + 8;
        file[time + damage.0] ^= damage.1;
        assert_eq!(scan(&file), (fragments.clone(), file.len() as u64));
        let found: Vec<_> = Scanner::new(Cursor::new(&file)).unwrap().map(Result::unwrap).collect();
        let wrong: Vec<_> = found.iter().map(|scanned| scanned.has_wrong_time).collect();
        assert_eq!(wrong, [false, false, true, false], "{damage:?}");
        // Gone on with from the middle, as recovery does.
        let mut scanner = Scanner::new(Cursor::new(&file)).unwrap();
        scanner.go_to(fragments[1].at, fragments[1].video.decode_time);
        assert!(scanner.map(|found| found.unwrap().fragment).eq(fragments[1..].iter().cloned()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_scanned_wherever_the_file_ends(pictures in 1..50_usize, part_of in 0.0..1.0, with_sound: bool) {
        let sound = if with_sound { sound(0) } else { Vec::new() };
        let (file, fragments) = part(&UNITS, &sound, pictures);
        prop_assert_eq!(scan(&file), (fragments.clone(), file.len() as u64));
        let cut = &file[..(file.len() as f64 * part_of) as usize];
        let Ok(mut scanner) = Scanner::new(Cursor::new(cut)) else {
            prop_assert!(cut.len() < fragments[0].at as usize);
            return Ok(());
        };
        let whole: Vec<_> = scanner.by_ref().map(|found| found.unwrap().fragment).collect();
        prop_assert_eq!(&whole[..], &fragments[..whole.len()]);
        let next = fragments.get(whole.len()).map_or(file.len(), |fragment| (fragment.at + u64::from(fragment.bytes)) as usize);
        prop_assert!(cut.len() < next || whole.len() == fragments.len());
    }

    #[test]
    fn damage_is_survived(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..64)) {
        let (mut file, _) = part(&UNITS, &sound(0), 30);
        let at = at.index(file.len());
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
        if let Ok(mut scanner) = Scanner::new(Cursor::new(&file)) {
            let found: Vec<Scanned> = scanner.by_ref().map(Result::unwrap).collect();
            for scanned in &found {
                scanner.is_sound(scanned).unwrap();
            }
        }
    }
}
