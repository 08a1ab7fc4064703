//! Which parameter sets go with a picture, and pictures that come with odd company.

use crate::h264_writer::{Slice, Sps, annex_b, nal_unit, picture, pps, pps_of};
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::h264::annex_b::nal_units;
use perch_media::time::{MediaTime, Times};
use std::sync::Arc;

fn idr_of(pps_id: u32, number: u32) -> Vec<u8> {
    let data = vec![3; 9];
    Slice { pps_id, is_idr: true, first_macroblock: 0, frame_num: 0, idr_pic_id: number, data }.nal_unit()
}

fn push(assembler: &mut AccessUnitAssembler, units: &[Vec<u8>], number: i64) -> Option<AccessUnit> {
    let times = Times::at(MediaTime::from_ticks(number * 3000));
    assembler.push_picture(&annex_b(units).into(), times).unwrap()
}

fn parameter_sets(unit: &AccessUnit) -> Vec<Vec<u8>> {
    unit.format.parameter_sets().map(|set| set.to_vec()).collect()
}

/// Repro 05: an SPS and a PPS with id 0, then with id 3.
#[test]
fn the_pps_of_an_sps_that_is_gone_are_not_sent() {
    let mut assembler = AccessUnitAssembler::new(0);
    let zero = push(&mut assembler, &[Sps::default().nal_unit(), pps(0), idr_of(0, 0)], 0).unwrap();
    assert_eq!(parameter_sets(&zero), [Sps::default().nal_unit(), pps(0)]);
    let third = Sps { id: 3, ..Sps::default() }.nal_unit();
    let three = push(&mut assembler, &[third.clone(), pps_of(3, 3), idr_of(3, 1)], 1).unwrap();
    assert_eq!(parameter_sets(&three), [third, pps_of(3, 3)]);
    assert!(three.format.continues(&zero.format), "the pictures are coded alike");
}

#[test]
fn sets_that_alternate_give_the_same_two_formats_again_and_no_seam() {
    let mut assembler = AccessUnitAssembler::new(0);
    let one = Sps { id: 1, ..Sps::default() }.nal_unit();
    let sets = [[Sps::default().nal_unit(), pps(0)].to_vec(), [one, pps_of(1, 1)].to_vec()];
    let formats: Vec<_> = (0..6_u32)
        .map(|number| {
            let which = number % 2;
            let units = [sets[which as usize].clone(), vec![idr_of(which, number)]].concat();
            push(&mut assembler, &units, i64::from(number)).unwrap().format
        })
        .collect();
    assert!(formats.windows(3).all(|three| Arc::ptr_eq(&three[0], &three[2])));
    assert!(formats.windows(2).all(|pair| pair[1].continues(&pair[0])));
}

#[test]
fn another_size_is_another_format_from_the_next_idr_on() {
    let mut assembler = AccessUnitAssembler::new(0);
    let large = push(&mut assembler, &[Sps::default().nal_unit(), pps(0), idr_of(0, 0)], 0).unwrap();
    let small = Sps { width_in_macroblocks: 40, ..Sps::default() }.nal_unit();
    let announced = [vec![small], picture(false, 1, 1, 9)].concat();
    let still_large = push(&mut assembler, &announced, 1).unwrap();
    assert!(Arc::ptr_eq(&still_large.format, &large.format));
    let now_small = push(&mut assembler, &[idr_of(0, 1)], 2).unwrap();
    assert_eq!((now_small.format.width, now_small.format.height), (640, 720));
    assert!(!now_small.format.continues(&large.format));
}

/// Fault 14: encoders of scalable video put a prefix before each slice of the base layer.
#[test]
fn a_prefix_before_a_second_slice_does_not_split_the_picture() {
    let prefix = nal_unit(0x6e, &[0x40, 0x40, 0x07]);
    let mut units = vec![Sps::default().nal_unit(), pps(0)];
    for number in 0..4 {
        for slice in picture(number == 0, number, 3, 60) {
            units.extend([prefix.clone(), slice]);
        }
    }
    let stream = annex_b(&units);
    for chunk_bytes in [1, 7, 64, stream.len()] {
        let mut assembler = AccessUnitAssembler::new(0);
        let mut found = Vec::new();
        for chunk in stream.chunks(chunk_bytes) {
            assembler.push_bytes(chunk.to_vec().into(), MediaTime::default()..=MediaTime::default());
            found.extend(std::iter::from_fn(|| assembler.next_unit()));
        }
        found.extend(assembler.flush());
        let sizes: Vec<_> = found.iter().map(|unit| nal_units(&unit.data).count()).collect();
        assert_eq!(sizes, [6, 6, 6, 6], "in chunks of {chunk_bytes}");
    }
}

#[test]
fn three_seconds_of_slices_before_the_sps_are_dropped_and_counted() {
    let mut assembler = AccessUnitAssembler::new(0);
    let mut units: Vec<_> = (1..=90).flat_map(|number| picture(false, number, 1, 400)).collect();
    units.extend([Sps::default().nal_unit(), pps(0), idr_of(0, 0)]);
    units.extend(picture(false, 1, 1, 9));
    let mut found = Vec::new();
    for chunk in annex_b(&units).chunks(500) {
        assembler.push_bytes(chunk.to_vec().into(), MediaTime::default()..=MediaTime::default());
        found.extend(std::iter::from_fn(|| assembler.next_unit()));
    }
    found.extend(assembler.flush());
    assert_eq!(found.iter().map(AccessUnit::is_idr).collect::<Vec<_>>(), [true, false]);
    assert_eq!(assembler.counters().before_entry, 90);
    assert!(assembler.wants_key_frame() || assembler.counters().entries == 1);
}
