//! SPS: what the CODECS and RESOLUTION attributes are made of.

use crate::h264_writer::Sps as Written;
use perch_media::h264::annex_b::nal_units;
use perch_media::h264::sps::{Sps, SpsError};
use proptest::prelude::*;

#[test]
fn the_size_is_what_is_left_after_cropping() {
    let full_hd =
        Written { width_in_macroblocks: 120, height_in_macroblocks: 68, crop: (0, 4), ..Written::default() };
    let sps = Sps::read(&Written { level: 40, ..full_hd }.nal_unit()).unwrap();
    assert_eq!((sps.width, sps.height), (1920, 1080));
    assert_eq!((sps.profile, sps.constraints, sps.level), (66, 0xc0, 40));
}

#[test]
fn a_level_that_is_too_low_for_the_picture_is_believed_and_the_size_too() {
    let sps = Sps::read(&Written { level: 10, ..Written::default() }.nal_unit()).unwrap();
    assert_eq!((sps.width, sps.height, sps.level), (1280, 720, 10));
}

#[test]
fn the_frame_rate_is_taken_from_the_vui_when_it_can_be_true() {
    let rate =
        |timing| Sps::read(&Written { timing, ..Written::default() }.nal_unit()).unwrap().frames_per_second;
    assert_eq!(rate(Some((1, 60))), Some(30.0));
    assert_eq!(rate(Some((1001, 60_000))).map(|rate| (rate * 1000.0).round()), Some(29_970.0));
    assert_eq!(rate(None), None);
    assert_eq!(rate(Some((0, 60))), None);
    assert_eq!(rate(Some((1, u32::MAX))), None);
}

#[test]
fn an_encoders_own_sps_is_read() {
    let sample = include_bytes!("../samples/three-slices.h264");
    let sps = Sps::read(nal_units(sample).next().unwrap().bytes).unwrap();
    assert_eq!((sps.width, sps.height, sps.frames_per_second), (120, 90, Some(10.0)));
    assert_eq!((sps.profile, sps.level), (100, 10));
}

#[test]
fn a_broken_vui_costs_the_frame_rate_and_not_the_stream() {
    let mut sps = Written::default().nal_unit();
    sps.truncate(sps.len() - 4);
    let sps = Sps::read(&sps).unwrap();
    assert_eq!((sps.width, sps.height, sps.frames_per_second), (1280, 720, None));
}

#[test]
fn an_sps_that_is_cut_before_its_vui_is_refused() {
    let whole = Written { timing: None, ..Written::default() }.nal_unit();
    for length in 0..whole.len() - 1 {
        assert!(Sps::read(&whole[..length]).is_err(), "{length} bytes of {}", whole.len());
    }
    assert!(matches!(Sps::read(&[0x67; 5000]), Err(SpsError::TooLong(5000))));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Sps::read(&bytes);
    }

    #[test]
    fn any_size_is_read_back(width in 1u32..=512, height in 1u32..=256, crop in (0u32..8, 0u32..8)) {
        let written = Written { width_in_macroblocks: width, height_in_macroblocks: height, crop, level: 62, ..Written::default() };
        let sps = Sps::read(&written.nal_unit());
        let expected = (width * 16 - 2 * crop.0, height * 16 - 2 * crop.1);
        match sps {
            Ok(sps) => prop_assert_eq!((sps.width, sps.height), expected),
            Err(_) => prop_assert!(expected.0 == 0 || expected.1 == 0),
        }
    }
}
