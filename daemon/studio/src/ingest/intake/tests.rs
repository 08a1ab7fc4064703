//! Publications as programs send them, good and bad, in virtual time.

use super::*;
use crate::capture::testing;
use bytes::Bytes;
use perch_media::access_unit::AccessUnit;
use perch_media::audio_format::AudioFormat;
use perch_media::flv;
use proptest::prelude::*;

const MOST: Most = Most { kbps: 8000 };
const START: Duration = Duration::from_secs(1000);

fn intake() -> Intake {
    Intake::new(MOST, Arc::default(), START)
}

fn milliseconds(n: u64) -> Duration {
    START + Duration::from_millis(n)
}

/// Pictures of 32x32; the first is an IDR.
fn units(count: usize) -> Vec<AccessUnit> {
    let mut assembler = AccessUnitAssembler::new(0);
    let push = |data: &Bytes| assembler.push_picture(data, time::Times::default()).unwrap().unwrap();
    testing::coded_pictures(count).iter().map(push).collect()
}

fn sequence_header(units: &[AccessUnit]) -> Vec<u8> {
    flv::avc_sequence_header(&units[0].format)
}

/// Samples that are ready: true for sound, and times in milliseconds from the first.
fn taken(intake: &mut Intake) -> Vec<(bool, i64, i64)> {
    let from = |time: MediaTime| (time - MediaTime::from_monotonic(START)).ticks() / 90;
    let all = intake.take();
    all.iter()
        .map(|sample| (sample.audio().is_some(), from(sample.times().dts), from(sample.times().pts)))
        .collect()
}

#[test]
fn a_stream_begins_at_its_first_key_frame_and_keeps_bytes_and_composition_times() {
    let (mut intake, units) = (intake(), units(4));
    // Pictures before the headers, and one that is no key frame.
    intake.video(0, flv::avc_picture(&units[1], 0), START).unwrap();
    intake.video(0, sequence_header(&units), START).unwrap();
    intake.video(0, flv::avc_picture(&units[1], 0), START).unwrap();
    assert!(!intake.is_ready());
    let composition = [80, 160, 40, 0];
    for (n, unit) in (0..4).zip(&units) {
        let body = flv::avc_picture(unit, composition[n as usize]);
        intake.video(1000 + 40 * n, body, milliseconds(40 * u64::from(n))).unwrap();
    }
    assert!(intake.is_ready());
    let samples = intake.take();
    let bytes = |unit: &AccessUnit| unit.data.clone();
    assert!(samples.iter().zip(&units).all(|(sample, unit)| bytes(sample.video().unwrap()) == unit.data));
    let times: Vec<_> = samples
        .iter()
        .map(|sample| (sample.times().dts - samples[0].times().dts, sample.times().pts - sample.times().dts))
        .map(|(dts, ahead)| (dts.ticks() / 90, ahead.ticks() / 90))
        .collect();
    assert_eq!(times, [(0, 80), (40, 160), (80, 40), (120, 0)]);
    assert!(samples[0].video().unwrap().is_entry());
    assert_eq!(intake.counters.discarded.load(Ordering::Relaxed), 2);
}

#[test]
fn sound_goes_with_its_pictures() {
    let (mut intake, units) = (intake(), units(3));
    let format = AudioFormat::new(48_000, 2).unwrap();
    intake.video(0, sequence_header(&units), START).unwrap();
    intake.sound(0, flv::aac_sequence_header(&format), START).unwrap();
    intake.video(0, flv::avc_picture(&units[0], 0), START).unwrap();
    assert!(!intake.is_ready(), "waits for the sound that was announced");
    for n in 0..3_u32 {
        intake.sound(n * 21, flv::raw_aac_frame(&[1, 2, 3]), milliseconds(5)).unwrap();
    }
    intake.video(40, flv::avc_picture(&units[1], 0), milliseconds(40)).unwrap();
    let samples = intake.take();
    assert_eq!(samples[0].video().unwrap().sound.as_deref(), Some(&format));
    assert_eq!(samples[1].data()[..], [1, 2, 3]);
    // Frames of 1,024 samples, whatever their milliseconds say.
    let times: Vec<_> =
        samples.iter().map(|sample| (sample.times().dts - samples[0].times().dts).ticks()).collect();
    assert_eq!(times, [0, 0, 1920, 3840, 3600]);
    let odd = AudioFormat::new(22_050, 6).unwrap();
    intake.sound(100, flv::aac_sequence_header(&odd), milliseconds(100)).unwrap();
    intake.sound(100, flv::raw_aac_frame(&[4]), milliseconds(100)).unwrap();
    assert_eq!(*intake.take()[0].audio().unwrap().format, odd);
}

#[test]
fn a_connection_that_follows_goes_on_after_a_seam() {
    let (mut intake, units) = (intake(), units(2));
    let mut seen = Vec::new();
    for (connection, late) in [(0, 0), (1, 5000), (2, 5100)] {
        intake.begin(milliseconds(late));
        // Each begins its time anew, and has no headers of the one before.
        intake.video(0, flv::avc_picture(&units[0], 0), milliseconds(late)).unwrap();
        assert!(!intake.is_ready());
        intake.video(7, sequence_header(&units), milliseconds(late)).unwrap();
        for n in 0..2 {
            let body = flv::avc_picture(&units[n as usize], 0);
            intake.video(7 + 40 * n, body, milliseconds(late + 40 * u64::from(n))).unwrap();
        }
        let samples = intake.take();
        assert!(samples.iter().all(|sample| sample.epoch() == connection));
        seen.extend(samples.iter().map(|sample| sample.times().dts));
    }
    let steps: Vec<_> = seen.windows(2).map(|pair| (pair[1] - pair[0]).ticks() / 90).collect();
    assert_eq!(steps, [40, 4960, 40, 60, 40]);
    assert_eq!(intake.counters.seams.load(Ordering::Relaxed), 2);
}

#[test]
fn times_that_jump_or_go_back_do_not_tear_the_stream() {
    let (mut intake, units) = (intake(), units(1));
    intake.video(0, sequence_header(&units), START).unwrap();
    let mut times = Vec::new();
    for (n, timestamp) in [0, 40, 3_600_000, 3_600_040, 100, 140, 140, 5].into_iter().enumerate() {
        let now = milliseconds(40 * n as u64);
        intake.video(timestamp, flv::avc_picture(&units[0], 0), now).unwrap();
        times.extend(taken(&mut intake).into_iter().map(|(_, dts, _)| dts));
    }
    assert_eq!(times.len(), 8);
    assert!(times.is_sorted() && *times.last().unwrap() < 400, "{times:?}");
}

#[test]
fn other_parameter_sets_in_mid_stream_are_another_format() {
    let (mut intake, small) = (intake(), units(1));
    let mut assembler = AccessUnitAssembler::new(0);
    let coded = testing::white_over_black(64, 48);
    let large = assembler.push_picture(&coded, time::Times::default()).unwrap().unwrap();
    for (n, unit) in [&small[0], &large, &small[0]].into_iter().enumerate() {
        let (at, now) = (40 * n as u32, milliseconds(40 * n as u64));
        intake.video(at, flv::avc_sequence_header(&unit.format), now).unwrap();
        intake.video(at, flv::avc_picture(unit, 0), now).unwrap();
    }
    let widths: Vec<_> = intake.take().iter().map(|sample| sample.video().unwrap().format.width).collect();
    assert_eq!(widths, [32, 64, 32]);
}

#[test]
fn key_frames_that_are_far_apart_are_told() {
    let (mut intake, units) = (intake(), units(2));
    intake.video(0, sequence_header(&units), START).unwrap();
    let mut picture = |unit: &AccessUnit, at: u32| {
        intake.video(at, flv::avc_picture(unit, 0), milliseconds(at.into())).unwrap();
        intake.advice().cloned()
    };
    assert_eq!([0, 2000, 6000].map(|at| picture(&units[0], at)), [None, None, None]);
    assert_eq!(picture(&units[1], 12_000), None);
    let advice = picture(&units[0], 14_300).unwrap();
    assert!(advice.starts_with("its key frames are up to 8 s apart"), "{advice}");
    assert!(picture(&units[0], 15_000).is_some(), "it is said for as long as the connection lasts");
}

#[test]
fn a_publisher_that_is_faster_than_time_gets_ahead() {
    let (mut intake, units) = (intake(), units(1));
    intake.video(0, sequence_header(&units), START).unwrap();
    for n in 0..100 {
        intake.video(40 * n, flv::avc_picture(&units[0], 0), START).unwrap();
    }
    assert_eq!(intake.ahead(START).as_millis(), 99 * 40);
    assert_eq!(intake.ahead(milliseconds(3000)).as_millis(), 960);
    assert_eq!(intake.ahead(milliseconds(9000)), Duration::ZERO);
}

#[test]
fn what_cannot_be_shown_is_refused_in_words() {
    let units = units(2);
    let refused = |messages: &mut dyn FnMut(&mut Intake, Duration) -> Result<(), Refusal>| {
        let mut intake = intake();
        (0..2500)
            .find_map(|n| messages(&mut intake, milliseconds(10 * n)).err())
            .map(|refusal| refusal.to_string())
            .unwrap_or_default()
    };
    let sound = &mut |intake: &mut Intake, now| intake.sound(0, vec![0xaf, 1, 0], now);
    assert!(refused(sound).starts_with("no picture came within 20 s"));
    let no_key_frame = &mut |intake: &mut Intake, now| {
        intake.video(0, sequence_header(&units), now)?;
        intake.video(0, flv::avc_picture(&units[1], 0), now)
    };
    assert!(refused(no_key_frame).starts_with("no key frame came within 20 s"));
    let hevc = &mut |intake: &mut Intake, now| intake.video(0, b"\x90hvc1\x01".to_vec(), now);
    assert_eq!(refused(hevc), "H.265 (HEVC) is not supported: send H.264 (AVC)");
    let mp3 = &mut |intake: &mut Intake, now| intake.sound(0, b"\x2f\xff\xfb".to_vec(), now);
    assert_eq!(refused(mp3), "sound in MP3 is not supported: send AAC");
    // 20 kB in 10 ms are 16 Mb/s.
    let fat = &mut |intake: &mut Intake, now| intake.sound(0, [0xaf, 2].repeat(10_000), now);
    assert!(refused(fat).starts_with("it sends more than 8000 kb/s"));
    let flood = &mut |intake: &mut Intake, now| (0..20).try_for_each(|_| intake.sound(0, Vec::new(), now));
    assert!(refused(flood).starts_with("it sends more than 1000 messages a second"));
    let broken = &mut |intake: &mut Intake, now| {
        intake.video(0, vec![0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 0xff, 0], now)
    };
    assert!(refused(broken).starts_with("the headers"));
    let announced = Facts { kbps: 9000, ..Facts::default() };
    assert_eq!(intake().take_facts(announced), Err(Refusal::Bitrate(8000)));
}

#[test]
fn a_picture_that_is_broken_costs_the_pictures_up_to_the_next_key_frame() {
    let (mut intake, units) = (intake(), units(2));
    intake.video(0, sequence_header(&units), START).unwrap();
    let [key, other] = [0, 1].map(|n| flv::avc_picture(&units[n], 0));
    let mut torn = other.clone();
    torn[5..9].fill(0xff);
    for (n, body) in [&key, &other, &torn, &other, &key, &other].into_iter().enumerate() {
        intake.video(40 * n as u32, body.clone(), milliseconds(40 * n as u64)).unwrap();
    }
    let times: Vec<_> = taken(&mut intake).iter().map(|(_, dts, _)| *dts).collect();
    assert_eq!(times, [0, 40, 160, 200]);
    assert_eq!(intake.counters.discarded.load(Ordering::Relaxed), 2);
}

proptest! {
    #[test]
    fn whatever_comes_times_of_a_track_only_increase(
        messages in prop::collection::vec((any::<bool>(), 0usize..4, any::<u32>(), 0u64..500, any::<bool>()), 1..60),
        noise in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (mut intake, units) = (intake(), units(2));
        let format = AudioFormat::new(44_100, 1).unwrap();
        let (mut now, mut last) = (START, [None; 2]);
        for (is_sound, kind, timestamp, step, again) in messages {
            now += Duration::from_millis(step);
            if again {
                intake.begin(now);
            }
            let body = match (kind, is_sound) {
                (0, false) => sequence_header(&units),
                (1 | 2, false) => flv::avc_picture(&units[kind - 1], (timestamp % 200).cast_signed() - 50),
                (0, true) => flv::aac_sequence_header(&format),
                (1 | 2, true) => flv::raw_aac_frame(&noise),
                _ => noise.clone(),
            };
            let taken = if is_sound { intake.sound(timestamp, body, now) } else { intake.video(timestamp, body, now) };
            if taken.is_err() {
                break;
            }
            for sample in intake.take() {
                let track = usize::from(sample.audio().is_some());
                let times = sample.times();
                prop_assert!(last[track] < Some(times.dts) && times.pts >= times.dts, "{:?} {:?}", last, times);
                last[track] = Some(times.dts);
            }
        }
    }
}
