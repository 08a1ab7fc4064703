//! Pictures of any content at any times, cut into segments: a demuxer that we did not write gives back the same NAL units.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::h264::annex_b::{START_CODE, nal_units};
use perch_media::hls::{CutterConfig, Segmenter};
use perch_media::time::{MediaTime, Times};
use std::time::Duration;

#[path = "../../media/tests/media/demuxer.rs"]
mod demuxer;

/// Its first two NAL units are parameter sets.
const SAMPLE: &[u8] = include_bytes!("../../media/tests/samples/three-slices.h264");

/// What the fuzzer says of one picture.
struct Picture<'a> {
    is_idr: bool,
    replugged: bool,
    step: i64,
    payload: &'a [u8],
}

fuzz_target!(|input: &[u8]| {
    let mut segmenter = Segmenter::new(
        CutterConfig {
            segment: Duration::from_secs(1),
            target_duration: 1,
            part: Duration::from_millis(250),
        },
        7,
    );
    let mut assembler = new_assembler(0);
    let (mut now, mut epoch) = (1_i64 << 32, 0);
    let (mut pushed, mut segments) = (Vec::new(), Vec::new());
    let mut rest = input;
    while let Some((picture, after)) = read_picture(rest) {
        rest = after;
        now += picture.step;
        if picture.replugged {
            epoch += 1;
            assembler = new_assembler(epoch);
        }
        let data = [&START_CODE[..], &slice(&picture)].concat();
        if let Ok(Some(unit)) = assembler.push_picture(&data.into(), Times::at(MediaTime::from_ticks(now))) {
            let before = segmenter.counters();
            segments.extend(segmenter.push(&unit).expect("too little data for an error"));
            if segmenter.counters().before_entry == before.before_entry {
                pushed.push(unit);
            }
        }
    }
    segments.extend(segmenter.finish().expect("memory does not fail"));

    let mut demuxer = demuxer::Demuxer::default();
    let mut pushed = pushed.iter();
    for (sequence, segment) in (7..).zip(&segments) {
        let found = demuxer.read(&segment.data);
        assert_eq!((segment.sequence, found.tables), (sequence, 1));
        assert!(found.pes[0].random_access == segment.independent && found.pes[0].discontinuity == segment.discontinuity);
        for pes in &found.pes {
            let unit = pushed.next().expect("no more pictures than were pushed");
            assert!(pes.data.ends_with(&unit.data));
            assert_eq!(nal_units(&pes.data).count(), 1 + own_nal_units(unit));
        }
    }
    assert!(pushed.next().is_none());
});

/// Those of the picture, and the parameter sets that go before an IDR.
fn own_nal_units(unit: &AccessUnit) -> usize {
    nal_units(&unit.data).count() + if unit.is_idr() { 2 } else { 0 }
}

fn new_assembler(epoch: u32) -> AccessUnitAssembler {
    let mut assembler = AccessUnitAssembler::new(epoch);
    let sets = nal_units(SAMPLE).nth(1).expect("the picture parameter set").with_start_code.end;
    let none = assembler.push_picture(&Bytes::from_static(&SAMPLE[..sets]), Times::default());
    assert!(matches!(none, Ok(None)));
    assembler
}

fn read_picture(input: &[u8]) -> Option<(Picture<'_>, &[u8])> {
    let (&[flags, step, length_high, length_low], rest) = input.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]) % 2000).min(rest.len());
    let (payload, rest) = rest.split_at(length);
    let picture = Picture {
        is_idr: flags & 1 != 0,
        replugged: flags & 0x0e == 0x0e,
        step: (i64::from(step) - 16) * 100,
        payload,
    };
    Some((picture, rest))
}

/// A slice with that payload: emulation prevention, and an end that is not zero.
fn slice(picture: &Picture<'_>) -> Vec<u8> {
    let mut unit = vec![if picture.is_idr { 0x65 } else { 0x41 }, 0x80];
    for &byte in picture.payload {
        if byte <= 3 && unit.ends_with(&[0, 0]) {
            unit.push(3);
        }
        unit.push(byte);
    }
    unit.push(0x80);
    unit
}
