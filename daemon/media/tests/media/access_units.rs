//! Access units out of whole pictures and out of byte streams, whatever the order and dress of the NAL units.

use crate::h264_writer::{Slice, Sps, annex_b, nal_unit, picture, pps};
use bytes::Bytes;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler, AccessUnitError};
use perch_media::h264::annex_b::nal_units;
use perch_media::h264::picture_splitter::MAX_PICTURE_BYTES;
use perch_media::time::{MediaTime, Times};
use proptest::prelude::*;
use std::sync::Arc;

const AUD: [u8; 2] = [0x09, 0xf0];

/// Made by x264 through `ffmpeg -f lavfi -i testsrc2=s=120x90:r=10 -t 2 -c:v libx264 -preset veryfast -x264-params
/// slices=3:keyint=10:min-keyint=10:scenecut=0:bframes=0:aud=0:crf=38`, with SEI and all parameter sets but the first removed.
const THREE_SLICES: &[u8] = include_bytes!("../samples/three-slices.h264");
/// Its pictures' sizes, as ffprobe found them; the first includes the parameter sets.
const THREE_SLICES_SIZES: [usize; 20] =
    [1029, 311, 413, 330, 262, 311, 318, 342, 253, 386, 1317, 311, 412, 194, 287, 348, 462, 362, 272, 288];

fn at(milliseconds: i64) -> MediaTime {
    MediaTime::from_ticks(milliseconds * 90)
}

fn stream(chunks: impl IntoIterator<Item = Vec<u8>>) -> (Vec<AccessUnit>, AccessUnitAssembler) {
    let mut assembler = AccessUnitAssembler::new(0);
    let mut units = Vec::new();
    for (number, chunk) in (0..).zip(chunks) {
        assembler.push_bytes(chunk.into(), at(number * 10)..=at(number * 10));
        units.extend(std::iter::from_fn(|| assembler.next_unit()));
    }
    units.extend(assembler.flush());
    (units, assembler)
}

fn units_of(data: &[u8]) -> Vec<&[u8]> {
    nal_units(data).map(|unit| unit.bytes).collect()
}

fn push(assembler: &mut AccessUnitAssembler, units: &[Vec<u8>], milliseconds: i64) -> Option<AccessUnit> {
    assembler.push_picture(&annex_b(units).into(), Times::at(at(milliseconds))).unwrap()
}

#[test]
fn a_byte_stream_of_several_slices_is_cut_where_ffprobe_cuts_it() {
    for chunk_bytes in [1, 2, 3, 5, 64, 1000, THREE_SLICES.len()] {
        let (units, assembler) = stream(THREE_SLICES.chunks(chunk_bytes).map(<[u8]>::to_vec));
        let sizes: Vec<_> = units.iter().map(|unit| unit.data.len()).collect();
        let parameter_sets = THREE_SLICES_SIZES[0] - sizes[0];
        assert_eq!(sizes[1..], THREE_SLICES_SIZES[1..], "in chunks of {chunk_bytes}");
        assert!((20..60).contains(&parameter_sets));
        let idrs: Vec<_> = (0..20).filter(|&unit| units[unit].is_idr()).collect();
        assert_eq!(idrs, [0, 10]);
        assert!(units.iter().all(|unit| nal_units(&unit.data).count() == 3));
        assert_eq!(assembler.counters().before_entry, 0);
    }
}

#[test]
fn pictures_of_chunks_that_begin_with_one_are_shared_and_not_copied() {
    let parameter_sets = [Sps::default().nal_unit(), pps(0)];
    let picture = |n: u32| [parameter_sets.to_vec(), picture(n.is_multiple_of(3), n, 1, 500)].concat();
    let mut assembler = AccessUnitAssembler::new(0);
    let (mut places, mut units) = (Vec::new(), Vec::new());
    for n in (0..12).step_by(2) {
        let chunk = annex_b(&[picture(n), picture(n + 1)].concat());
        places.push(chunk.as_ptr_range());
        assembler.push_bytes(chunk.into(), at(0)..=at(80));
        units.extend(std::iter::from_fn(|| assembler.next_unit()));
    }
    units.extend(assembler.flush());
    assert_eq!(units.len(), 12);
    for (number, unit) in units.iter().enumerate() {
        let (chunk, data) = (&places[number / 2], unit.data.as_ptr_range());
        assert!(chunk.start <= data.start && data.end <= chunk.end, "picture {number}");
    }
}

#[test]
fn pictures_that_were_read_together_came_one_after_the_other() {
    let pictures = (0..5).flat_map(|n| picture(n == 0, n, 1, 500));
    let units: Vec<_> =
        [Sps { timing: None, ..Sps::default() }.nal_unit(), pps(0)].into_iter().chain(pictures).collect();
    let mut assembler = AccessUnitAssembler::with_frame_rate(0, Some(25.0));
    assembler.push_bytes(annex_b(&units).into(), at(1000)..=at(1200));
    let times: Vec<_> =
        std::iter::from_fn(|| assembler.next_unit()).map(|unit| unit.times.pts.ticks()).collect();
    assert_eq!(times[0], at(1000).ticks());
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 40 * 90).abs() < 4 * 90, "{times:?}");
    }
}

#[test]
fn a_driver_that_gives_parameter_sets_alone_and_once_is_understood() {
    let mut assembler = AccessUnitAssembler::new(3);
    assert!(push(&mut assembler, &[Sps::default().nal_unit(), pps(0)], 0).is_none());
    let first = push(&mut assembler, &picture(true, 0, 1, 50), 0).expect("an IDR");
    let second = push(&mut assembler, &picture(false, 1, 2, 50), 33).expect("a picture");
    assert_eq!((first.is_idr(), second.is_idr(), first.epoch), (true, false, 3));
    assert_eq!((first.format.width, first.format.height), (1280, 720));
    assert_eq!(first.format.codecs(), "avc1.42c01f");
    assert!(Arc::ptr_eq(&first.format, &second.format));
    assert_eq!(second.times, Times::at(at(33)));
    assert!(!assembler.wants_key_frame());
}

#[test]
fn a_whole_picture_is_shared_and_not_copied() {
    let units = [vec![AUD.to_vec(), Sps::default().nal_unit(), pps(0)], picture(true, 0, 3, 500)].concat();
    let data = Bytes::from(annex_b(&units));
    let unit = AccessUnitAssembler::new(0).push_picture(&data, Times::at(at(0))).unwrap().unwrap();
    assert!(data.as_ptr_range().contains(&unit.data.as_ptr()));
    assert_eq!(units_of(&unit.data), units[3..].iter().map(|unit| &unit[..]).collect::<Vec<_>>());
}

#[test]
fn parameter_sets_between_or_behind_the_pictures_nal_units_are_taken_out() {
    let sei = nal_unit(6, &[5, 1, 9, 0x80]);
    let slices = picture(true, 0, 2, 30);
    let sps = Sps::default().nal_unit();
    let odd = [sei.clone(), sps, slices[0].clone(), vec![12, 0xff, 0x80], slices[1].clone(), pps(0)];
    let unit = push(&mut AccessUnitAssembler::new(0), &odd, 0).unwrap();
    assert_eq!(units_of(&unit.data), [&sei[..], &slices[0], &slices[1]]);
}

#[test]
fn nothing_comes_before_the_first_idr_with_parameter_sets() {
    let mut assembler = AccessUnitAssembler::new(0);
    assert!(push(&mut assembler, &picture(true, 0, 1, 9), 0).is_none());
    assert!(push(&mut assembler, &[Sps::default().nal_unit(), pps(0)], 0).is_none());
    assert!(push(&mut assembler, &picture(false, 1, 1, 9), 33).is_none());
    assert!(assembler.wants_key_frame());
    assert!(push(&mut assembler, &picture(true, 2, 1, 9), 66).is_some());
    assert_eq!(assembler.counters().before_entry, 2);
}

#[test]
fn another_sps_is_another_format_and_the_same_one_again_is_not() {
    let mut assembler = AccessUnitAssembler::new(0);
    let mut idr = |sps: Sps, number| {
        let units = [vec![sps.nal_unit(), pps(0)], picture(true, number, 1, 9)].concat();
        push(&mut assembler, &units, i64::from(number) * 33).unwrap().format
    };
    let small = Sps { width_in_macroblocks: 40, height_in_macroblocks: 30, ..Sps::default() };
    let (first, again, other) = (idr(Sps::default(), 0), idr(Sps::default(), 1), idr(small, 2));
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!((other.width, other.height), (640, 480));
}

#[test]
fn several_picture_parameter_sets_are_kept_by_their_ids() {
    let units = [vec![pps(1), Sps::default().nal_unit(), pps(0), pps(1)], picture(true, 0, 1, 9)].concat();
    let format = push(&mut AccessUnitAssembler::new(0), &units, 0).unwrap().format;
    let sets: Vec<Vec<u8>> = format.parameter_sets().map(|set| set.to_vec()).collect();
    assert_eq!(sets, [Sps::default().nal_unit(), pps(1), pps(0)]);
}

#[test]
fn a_broken_parameter_set_costs_the_pictures_up_to_the_next_idr() {
    let mut assembler = AccessUnitAssembler::new(0);
    let good = [vec![Sps::default().nal_unit(), pps(0)], picture(true, 0, 1, 9)].concat();
    assert!(push(&mut assembler, &good, 0).is_some());
    let broken = annex_b(&[vec![vec![0x67, 66, 0xc0]], picture(true, 1, 1, 9)].concat());
    let error = assembler.push_picture(&broken.into(), Times::at(at(33))).unwrap_err();
    assert!(matches!(error, AccessUnitError::BrokenSps(_)), "{error}");
    assert!(push(&mut assembler, &picture(false, 2, 1, 9), 66).is_none());
    assert!(push(&mut assembler, &picture(true, 3, 1, 9), 99).is_some());
    assert_eq!((assembler.counters().broken_parameter_sets, assembler.counters().before_entry), (1, 1));
}

#[test]
fn buffers_without_h264_and_pictures_beyond_all_measure_are_refused() {
    let mut assembler = AccessUnitAssembler::new(0);
    let noise = assembler.push_picture(&Bytes::from_static(b"no start code here"), Times::at(at(0)));
    assert!(matches!(noise, Err(AccessUnitError::NotH264(18))));
    assert!(matches!(
        assembler.push_picture(&Bytes::new(), Times::at(at(0))),
        Err(AccessUnitError::NotH264(0))
    ));
    let huge = assembler.push_picture(&vec![1; MAX_PICTURE_BYTES + 1].into(), Times::at(at(0)));
    assert!(matches!(huge, Err(AccessUnitError::TooLarge(_))));
    assert_eq!((assembler.counters().not_h264, assembler.counters().too_large), (2, 1));
}

#[test]
fn a_picture_that_does_not_end_is_dropped_and_the_next_idr_is_found() {
    let head = annex_b(&[vec![Sps::default().nal_unit(), pps(0)], picture(true, 0, 1, 9)].concat());
    let endless = vec![vec![0x55; 1 << 16]; MAX_PICTURE_BYTES / (1 << 16) + 3];
    let tail = annex_b(&[picture(false, 1, 1, 9), picture(true, 2, 1, 9), picture(false, 3, 1, 9)].concat());
    let (units, assembler) = stream([vec![head], endless, vec![tail]].concat());
    let idrs: Vec<_> = units.iter().map(AccessUnit::is_idr).collect();
    assert_eq!(idrs, [true, false]);
    let counters = assembler.counters();
    assert_eq!((counters.too_large, counters.before_entry), (1, 1));
}

#[test]
fn a_picture_whose_first_slice_was_lost_is_still_told_from_the_one_before() {
    for bytes in [90, 2] {
        let mut slices =
            [picture(true, 0, 2, bytes), picture(false, 1, 3, bytes), picture(false, 2, 2, bytes)].concat();
        slices.remove(2); // the first slice of the second picture
        let data = annex_b(&[vec![Sps::default().nal_unit(), pps(0)], slices].concat());
        for chunk_bytes in [1, 7, data.len()] {
            let (units, _) = stream(data.chunks(chunk_bytes).map(<[u8]>::to_vec));
            let slices_each: Vec<_> = units.iter().map(|unit| nal_units(&unit.data).count()).collect();
            assert_eq!(slices_each, [2, 2, 2], "{bytes} bytes a slice, {chunk_bytes} a chunk");
        }
    }
}

#[test]
fn b_pictures_are_counted() {
    let mut assembler = AccessUnitAssembler::new(0);
    let units = [vec![Sps::default().nal_unit(), pps(0)], picture(true, 0, 1, 9)].concat();
    push(&mut assembler, &units, 0);
    push(&mut assembler, &picture(false, 1, 1, 9), 33);
    assert_eq!(assembler.counters().b_pictures, 0);
    // first_mb_in_slice 0, slice_type 6, pic_parameter_set_id 0
    push(&mut assembler, &[nal_unit(0x01, &[0b1001_1110, 0x80])], 66);
    assert_eq!(assembler.counters().b_pictures, 1);
}

#[test]
fn a_picture_carries_the_time_at_which_its_first_byte_was_read() {
    let parts = [vec![Sps::default().nal_unit(), pps(0)], picture(true, 0, 1, 9), picture(false, 1, 1, 9)];
    let mut assembler = AccessUnitAssembler::with_frame_rate(0, Some(50.0));
    let mut times = Vec::new();
    for (part, milliseconds) in parts.iter().zip([0, 10, 20]) {
        assembler.push_bytes(annex_b(part).into(), at(milliseconds)..=at(milliseconds));
        times.extend(std::iter::from_fn(|| assembler.next_unit()).map(|unit| unit.times));
    }
    times.extend(assembler.flush().map(|unit| unit.times));
    assert_eq!(times, [Times::at(at(0)), Times::at(at(20))]);
}

/// How one picture is dressed up in the stream.
#[expect(clippy::struct_excessive_bools, reason = "each is drawn at random")]
#[derive(Clone, Debug)]
struct Dress {
    slices: u32,
    bytes: usize,
    delimiter: bool,
    sei: bool,
    parameter_sets: bool,
    short_start_codes: bool,
    trailing_zeros: usize,
}

fn a_dress() -> impl Strategy<Value = Dress> {
    (1u32..5, 0usize..120, any::<[bool; 4]>(), 0usize..3).prop_map(
        |(slices, bytes, [delimiter, sei, parameter_sets, short_start_codes], trailing_zeros)| Dress {
            slices,
            bytes,
            delimiter,
            sei,
            parameter_sets,
            short_start_codes,
            trailing_zeros,
        },
    )
}

/// The picture's own NAL units, and its bytes in the stream.
fn dressed(dress: &Dress, number: u32, is_idr: bool) -> (Vec<Vec<u8>>, Vec<u8>) {
    let sei = dress.sei.then(|| nal_unit(6, &[5, 2, number as u8, 0, 0x80]));
    let own = sei.into_iter().chain(picture(is_idr, number, dress.slices, dress.bytes));
    let own: Vec<Vec<u8>> = own.collect();
    let mut all = Vec::new();
    all.extend(dress.delimiter.then(|| AUD.to_vec()));
    if number == 0 || dress.parameter_sets {
        all.extend([Sps::default().nal_unit(), pps(0)]);
    }
    all.extend(own.iter().cloned());
    let code: &[u8] = if dress.short_start_codes { &[0, 0, 1] } else { &[0, 0, 0, 1] };
    let mut bytes: Vec<u8> = all.iter().flat_map(|unit| [code, &unit[..]].concat()).collect();
    bytes.extend(std::iter::repeat_n(0, dress.trailing_zeros));
    (own, bytes)
}

proptest! {
    #[test]
    fn a_byte_stream_comes_out_the_same_wherever_it_is_cut(cuts in prop::collection::vec(0..THREE_SLICES.len(), 0..20), by_picture: bool) {
        let mut cuts = cuts;
        if by_picture {
            let ends = THREE_SLICES_SIZES.iter().scan(0, |end, size| { *end += size; Some(*end) });
            cuts.extend(ends.filter(|end| end % 3 != 0 && *end < THREE_SLICES.len()));
        }
        cuts.extend([0, THREE_SLICES.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| THREE_SLICES[pair[0]..pair[1]].to_vec());
        let pictures = |units: Vec<AccessUnit>| units.into_iter().map(|unit| unit.data).collect::<Vec<_>>();
        prop_assert_eq!(pictures(stream(chunks).0), pictures(stream([THREE_SLICES.to_vec()]).0));
    }

    #[test]
    fn any_dress_in_any_chunks_gives_the_same_pictures(
        dresses in prop::collection::vec(a_dress(), 1..12),
        chunk_bytes in 1usize..300,
        gop in 1u32..5,
    ) {
        let pictures: Vec<_> =
            (0..).zip(&dresses).map(|(number, dress)| dressed(dress, number, number % gop == 0)).collect();
        let bytes: Vec<u8> = pictures.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let (units, assembler) = stream(bytes.chunks(chunk_bytes).map(<[u8]>::to_vec));
        prop_assert_eq!(units.len(), pictures.len());
        for ((own, _), unit) in pictures.iter().zip(&units) {
            prop_assert_eq!(units_of(&unit.data), own.iter().map(|unit| &unit[..]).collect::<Vec<_>>());
        }
        prop_assert_eq!(assembler.counters().before_entry, 0);
        prop_assert!(units.windows(2).all(|pair| pair[0].times.pts < pair[1].times.pts));

        let mut whole = AccessUnitAssembler::new(0);
        for ((_, bytes), unit) in pictures.iter().zip(&units) {
            let data = Bytes::from(bytes.clone());
            let same = whole.push_picture(&data, unit.times).unwrap().unwrap();
            prop_assert_eq!(units_of(&same.data), units_of(&unit.data));
        }
    }

    #[test]
    fn any_bytes_are_survived_and_memory_is_bounded(chunks in prop::collection::vec(prop::collection::vec(0u8..10, 0..200), 0..20)) {
        let (units, _) = stream(chunks);
        prop_assert!(units.is_empty(), "no SPS can be made of bytes below 10");
    }

    #[test]
    fn damaged_streams_are_survived(place in 0..THREE_SLICES.len(), damage in prop::collection::vec(any::<u8>(), 1..40)) {
        let mut damaged = THREE_SLICES.to_vec();
        let end = (place + damage.len()).min(damaged.len());
        damaged[place..end].copy_from_slice(&damage[..end - place]);
        let (units, _) = stream(damaged.chunks(100).map(<[u8]>::to_vec));
        prop_assert!(units.first().is_none_or(AccessUnit::is_idr));
    }
}

#[test]
fn slices_are_compared_only_by_what_a_picture_shares() {
    let slice = |first_macroblock, data| Slice {
        pps_id: 0,
        is_idr: false,
        first_macroblock,
        frame_num: 1,
        idr_pic_id: 0,
        data,
    };
    let parts = [
        vec![Sps::default().nal_unit(), pps(0)],
        picture(true, 0, 1, 9),
        vec![
            slice(0, vec![1; 60]).nal_unit(),
            slice(7, vec![2; 3]).nal_unit(),
            slice(300, vec![]).nal_unit(),
        ],
    ];
    let (units, _) = stream([annex_b(&parts.concat())]);
    assert_eq!(units.iter().map(|unit| nal_units(&unit.data).count()).collect::<Vec<_>>(), [1, 3]);
}
