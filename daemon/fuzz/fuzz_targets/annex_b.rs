//! Byte streams of any content, in chunks of any size: access units come out in order, and the same however they were cut.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::h264::annex_b::nal_units;
use perch_media::time::MediaTime;

fuzz_target!(|input: &[u8]| {
    let Some((&chunk_bytes, stream)) = input.split_first() else { return };
    let in_chunks = access_units(stream, usize::from(chunk_bytes) + 1);
    let at_once = access_units(stream, usize::MAX);
    let data = |units: &[AccessUnit]| -> Vec<_> {
        units.iter().map(|unit| (unit.is_entry(), unit.data.clone())).collect()
    };
    assert_eq!(data(&in_chunks), data(&at_once));
    assert!(in_chunks.first().is_none_or(|unit| unit.is_entry()));
    assert!(in_chunks.windows(2).all(|pair| pair[0].times.dts < pair[1].times.dts));
    assert!(in_chunks.iter().all(|unit| unit.times.pts >= unit.times.dts));
    for unit in &in_chunks {
        assert!(nal_units(&unit.data).any(|unit| unit.unit_type().is_slice()));
        assert!(nal_units(&unit.data).all(|unit| unit.unit_type().belongs_to_picture()));
        assert!(unit.format.width > 0 && unit.format.height > 0);
    }
});

fn access_units(stream: &[u8], chunk_bytes: usize) -> Vec<AccessUnit> {
    let mut assembler = AccessUnitAssembler::new(0);
    let mut units = Vec::new();
    for chunk in stream.chunks(chunk_bytes) {
        assembler.push_bytes(Bytes::copy_from_slice(chunk), MediaTime::default()..=MediaTime::default());
        units.extend(std::iter::from_fn(|| assembler.next_unit()));
    }
    units.extend(assembler.flush());
    units
}
