//! Parameter sets, recovery points, the slice headers that are read by them, and the configuration of AAC.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_media::h264::pps::PpsIds;
use perch_media::h264::sei::RecoveryPoint;
use perch_media::h264::slice_header::{SliceHeader, SliceStart};
use perch_media::h264::sps::Sps;
use perch_media::audio_format::AudioFormat;

fuzz_target!(|input: &[u8]| {
    let Some((&length, rest)) = input.split_first() else { return };
    let _ = (PpsIds::read(rest), RecoveryPoint::find(rest), SliceStart::read(rest));
    if let Ok(format) = AudioFormat::from_audio_specific_config(rest) {
        assert_eq!(AudioFormat::from_audio_specific_config(&format.audio_specific_config()), Ok(format));
    }
    let (nal_unit, slice) = rest.split_at(usize::from(length).min(rest.len()));
    if let Ok(sps) = Sps::read(nal_unit) {
        assert!(sps.width > 0 && sps.height > 0);
        assert!(sps.frames_per_second.is_none_or(|rate| rate.is_finite() && rate > 0.0));
        let _ = SliceHeader::read(slice, &sps);
    }
});
