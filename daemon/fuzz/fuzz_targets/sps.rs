//! Sequence parameter sets, and the slice headers that are read by them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_media::h264::slice_header::SliceHeader;
use perch_media::h264::sps::Sps;

fuzz_target!(|input: &[u8]| {
    let Some((&length, rest)) = input.split_first() else { return };
    let (nal_unit, slice) = rest.split_at(usize::from(length).min(rest.len()));
    if let Ok(sps) = Sps::read(nal_unit) {
        assert!(sps.width > 0 && sps.height > 0);
        assert!(sps.frames_per_second.is_none_or(|rate| rate.is_finite() && rate > 0.0));
        let _ = SliceHeader::read(slice, &sps);
    }
});
