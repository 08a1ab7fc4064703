//! MPEG-TS out of access units, read back by a demuxer that we did not write.

use crate::demuxer::{Demuxed, Demuxer};
use crate::h264_writer::{Sps, picture, pps};
use bytes::Bytes;
use mpeg2ts_reader::StreamType;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::h264::annex_b::nal_units;
use perch_media::mpegts::{DECODING_DELAY, Muxer, PACKET_BYTES, VIDEO_PID};
use perch_media::time::{MediaDuration, MediaTime, Times};
use proptest::prelude::*;
use std::sync::Arc;

const MAX_PCR_DISTANCE: u64 = 27_000_000 / 10;

/// Pictures of these sizes, every `gop`th an IDR, `interval` ticks apart from `start` on.
fn units(start: i64, interval: i64, gop: u32, bytes: &[usize]) -> Vec<AccessUnit> {
    let mut assembler = AccessUnitAssembler::new(0);
    let parameter_sets = crate::h264_writer::annex_b(&[Sps::default().nal_unit(), pps(0)]);
    assembler.push_picture(&parameter_sets.into(), Times::default()).unwrap();
    (0_u32..)
        .zip(bytes)
        .map(|(number, &bytes)| {
            let slices = picture(number % gop == 0, number, 1, bytes);
            let at = MediaTime::from_ticks(start + i64::from(number) * interval);
            assembler
                .push_picture(&crate::h264_writer::annex_b(&slices).into(), Times::at(at))
                .unwrap()
                .unwrap()
        })
        .collect()
}

fn mux(units: &[AccessUnit]) -> Demuxed {
    let mut muxer = Muxer::new();
    let mut out = Vec::new();
    muxer.write_tables(&mut out);
    for unit in units {
        muxer.write(unit, &mut out);
    }
    Demuxer::default().read(&out)
}

/// What a decoder must be given for a picture: delimiter, parameter sets before an IDR, the picture.
fn expected_nal_units(unit: &AccessUnit) -> Vec<Vec<u8>> {
    let mut expected = vec![vec![9, 0xf0]];
    if unit.is_idr() {
        expected.extend(unit.format.parameter_sets().map(|set| set.to_vec()));
    }
    expected.extend(nal_units(&unit.data).map(|unit| unit.bytes.to_vec()));
    expected
}

fn check_pictures(units: &[AccessUnit], found: &Demuxed) {
    assert_eq!(found.pes.len(), units.len());
    for (unit, pes) in units.iter().zip(&found.pes) {
        let got: Vec<Vec<u8>> = nal_units(&pes.data).map(|unit| unit.bytes.to_vec()).collect();
        assert_eq!(got, expected_nal_units(unit));
        assert!(pes.data.ends_with(&unit.data), "the picture's bytes are untouched");
        assert_eq!(pes.pts, (unit.times.pts + DECODING_DELAY).wrapped());
        assert_eq!(pes.dts, (unit.times.dts + DECODING_DELAY).wrapped());
        assert_eq!(pes.random_access, unit.is_idr());
    }
}

/// The PCR never runs back, is never late, and never ahead of the picture that follows it.
fn check_clock(found: &Demuxed) {
    for pair in found.pcr.windows(2) {
        let step = (pair[1].0 + (300 << 33) - pair[0].0) % (300 << 33);
        assert!(step > 0 && step <= MAX_PCR_DISTANCE, "PCR {pair:?}");
    }
    for &(pcr, next) in &found.pcr {
        if let Some(pes) = found.pes.get(next) {
            let lead = (pes.dts + (1 << 33) - pcr / 300) % (1 << 33);
            assert!(
                lead.cast_signed() >= DECODING_DELAY.ticks() && lead < 1 << 32,
                "PCR {pcr}, DTS {}",
                pes.dts
            );
        }
    }
}

#[test]
fn a_segment_opens_with_its_tables_and_says_what_is_in_it() {
    let found = mux(&units(0, 3000, 30, &[5000, 200]));
    assert_eq!(found.tables, 1);
    assert_eq!(found.streams, [(VIDEO_PID, StreamType::H264)]);
    assert_eq!(found.pcr.first().map(|(_, before)| *before), Some(0));
}

#[test]
fn every_length_of_picture_fits() {
    let sizes: Vec<usize> = (0..800).collect();
    for gop in [1, 7] {
        let units = units(90_000, 3000, gop, &sizes);
        let found = mux(&units);
        check_pictures(&units, &found);
        check_clock(&found);
    }
}

#[test]
fn times_go_through_the_wrap_of_33_bits() {
    let units = units((1 << 33) - 30_000, 3000, 30, &[100; 40]);
    let found = mux(&units);
    check_pictures(&units, &found);
    check_clock(&found);
    assert!(found.pes.last().unwrap().pts < found.pes[0].pts);
}

#[test]
fn a_slow_camera_gets_its_clock_between_the_pictures() {
    let units = units(0, 90_000, 2, &[100; 5]); // one picture a second
    let found = mux(&units);
    check_pictures(&units, &found);
    check_clock(&found);
    assert!(found.pcr.len() >= 4 * 10);
}

#[test]
fn counters_go_on_across_segments_and_a_seam_is_marked_once() {
    let (before, after) = (units(0, 3000, 30, &[1000; 3]), units(900_000, 3000, 30, &[1000; 3]));
    let mut muxer = Muxer::new();
    let mut demuxer = Demuxer::default();
    let mut segment = |muxer: &mut Muxer, units: &[AccessUnit]| {
        let mut out = Vec::new();
        muxer.write_tables(&mut out);
        for unit in units {
            muxer.write(unit, &mut out);
        }
        demuxer.read(&out)
    };
    let found = segment(&mut muxer, &before);
    assert!(found.pes.iter().all(|pes| !pes.discontinuity));
    muxer.mark_seam();
    let found = segment(&mut muxer, &after);
    check_pictures(&after, &found);
    let marks: Vec<_> = found.pes.iter().map(|pes| pes.discontinuity).collect();
    assert_eq!(marks, [true, false, false]);
}

#[test]
fn parameter_sets_that_change_between_idrs_are_written_where_they_change() {
    let mut units = units(0, 3000, 30, &[100; 3]);
    let mut format = (*units[1].format).clone();
    format.pps = Bytes::from(pps(5));
    units[1].format = Arc::new(format);
    units[2].format = Arc::clone(&units[1].format);
    let found = mux(&units);
    let sets = |pes: usize| nal_units(&found.pes[pes].data).filter(|unit| unit.bytes == pps(5)).count();
    assert_eq!((sets(0), sets(1), sets(2)), (0, 1, 0));
}

#[test]
fn b_frames_get_a_decoding_time_of_their_own() {
    let mut units = units(0, 3000, 30, &[100; 2]);
    units[1].times.pts = units[1].times.pts + MediaDuration::from_ticks(6000);
    let found = mux(&units);
    check_pictures(&units, &found);
}

#[test]
fn the_stream_costs_less_than_three_percent_at_720p30_and_4_megabits() {
    // An IDR of 80 kB every two seconds, the rest shared evenly but for a ripple, as rate control leaves it.
    let bytes: Vec<usize> =
        (0..300).map(|number| if number % 60 == 0 { 80_000 } else { 15_500 + number * 37 % 900 }).collect();
    let units = units(0, 3000, 60, &bytes);
    let elementary: usize = units.iter().map(|unit| unit.data.len()).sum();
    let mut muxer = Muxer::new();
    let mut out = Vec::new();
    for unit in &units {
        if unit.is_idr() {
            muxer.write_tables(&mut out);
        }
        muxer.write(unit, &mut out);
    }
    assert_eq!(out.len() % PACKET_BYTES, 0);
    let ratio = out.len() as f64 / elementary as f64;
    assert!(ratio <= 1.030, "{ratio}");
}

proptest! {
    #[test]
    fn what_is_muxed_is_demuxed(
        start in 0i64..1 << 34,
        interval in 300i64..170_000,
        gop in 1u32..20,
        bytes in prop::collection::vec(0usize..2000, 1..30),
    ) {
        let units = units(start, interval, gop, &bytes);
        let found = mux(&units);
        check_pictures(&units, &found);
        check_clock(&found);
    }
}
