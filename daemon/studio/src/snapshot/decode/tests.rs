use super::*;
use crate::capture::testing;
use perch_media::access_unit::AccessUnitAssembler;
use perch_media::time::Times;

fn unit(annex_b: &[u8]) -> AccessUnit {
    let mut assembler = AccessUnitAssembler::new(0);
    let unit = assembler.push_picture(&Bytes::copy_from_slice(annex_b), Times::default());
    unit.unwrap().expect("an IDR with its parameter sets")
}

fn shown(unit: &AccessUnit, width: u32) -> RgbImage {
    let made = jpeg(unit, width).unwrap();
    image::load_from_memory_with_format(&made.jpeg, image::ImageFormat::Jpeg).unwrap().into_rgb8()
}

fn is_near(picture: &RgbImage, x: u32, y: u32, colour: [u8; 3]) -> bool {
    picture.get_pixel(x, y).0.iter().zip(colour).all(|(seen, wanted)| seen.abs_diff(wanted) < 12)
}

#[test]
fn colours_are_those_that_were_filmed() {
    for (name, sample) in [
        ("High profile, CABAC, 8x8 transform", include_bytes!("../samples/high.h264").as_slice()),
        ("full range in BT.709", include_bytes!("../samples/bt709_full.h264")),
    ] {
        let picture = shown(&unit(sample), 640);
        assert_eq!(picture.dimensions(), (64, 64), "{name}: nothing is scaled up");
        assert!(is_near(&picture, 10, 32, [255, 0, 0]), "{name}: {:?}", picture.get_pixel(10, 32));
        assert!(is_near(&picture, 54, 32, [0, 0, 255]), "{name}: {:?}", picture.get_pixel(54, 32));
    }
}

#[test]
fn a_wide_picture_is_scaled_down_in_its_shape() {
    let (width, height) = (1282, 722);
    let unit = unit(&testing::white_over_black(width, height));
    assert_eq!(shown(&unit, 1920).dimensions(), (width, height), "cropping is heeded");
    let picture = shown(&unit, 640);
    assert_eq!(picture.dimensions(), (640, 360));
    assert!(is_near(&picture, 320, 90, [255; 3]) && is_near(&picture, 320, 270, [0; 3]));
}

#[test]
fn a_picture_much_too_large_is_made_small_before_its_colours_are_converted() {
    for (width, height) in [(1282, 722), (1920, 1080), (640, 362), (3840, 480)] {
        let unit = unit(&testing::white_over_black(width, height));
        let picture = shown(&unit, 160);
        let expected = (f64::from(height) * 160.0 / f64::from(width)).round();
        assert_eq!(picture.width(), 160);
        assert!((f64::from(picture.height()) - expected).abs() <= 1.0, "{:?}", picture.dimensions());
        let down = picture.height();
        assert!(is_near(&picture, 80, down / 8, [255; 3]) && is_near(&picture, 80, down * 7 / 8, [0; 3]));
        assert!(is_near(&picture, 0, 0, [255; 3]) && is_near(&picture, 159, down - 1, [0; 3]));
    }
}

/// A Baseline SPS (ITU-T H.264 §7.3.2.1.1) of so many macroblocks and reference pictures.
fn sps_of(across: u32, down: u32, references: u32) -> Vec<u8> {
    let ue = |value: u32| format!("{}{:b}", "0".repeat((value + 1).ilog2() as usize), value + 1);
    let bits = [
        // sps id, frame_num, order of presentation
        ue(0) + &ue(0) + &ue(2) + &ue(references) + "0",
        ue(across - 1) + &ue(down - 1),
        // frames only, direct_8x8, no cropping, no VUI, stop bit
        "11001".to_owned(),
    ]
    .concat();
    let bits = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |byte, (place, bit)| byte | (bit - b'0') << (7 - place)));
    [0x67, 66, 0, 51].into_iter().chain(bits).collect()
}

#[test]
fn a_decoder_that_would_take_all_memory_is_not_started() {
    for (size, references, is_small) in [
        ((80, 45), 16, true),
        ((120, 68), 16, true),
        ((240, 135), 3, true),
        ((240, 135), 4, false),
        ((256, 144), 16, false),
    ] {
        let sps = sps_of(size.0, size.1, references);
        let refused = picture(&[&[0, 0, 0, 1], &sps[..]].concat(), &sps, 640).unwrap_err();
        assert_eq!(refused.why != TOO_LARGE, is_small, "{size:?} with {references}: {refused}");
    }
}

#[test]
fn what_openh264_does_not_understand_is_said_in_words() {
    for (sample, words) in [
        (include_bytes!("../samples/high10.h264").as_slice(), "High 10, only 8 bits"),
        (include_bytes!("../samples/high422.h264"), "only 4:2:0"),
        (include_bytes!("../samples/interlaced.h264"), "interlaced"),
    ] {
        let error = jpeg(&unit(sample), 640).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn torn_and_made_up_pictures_do_not_harm() {
    let whole = unit(include_bytes!("../samples/high.h264"));
    for length in (5..whole.data.len()).step_by(7) {
        let torn = AccessUnit { data: whole.data.slice(..length), ..whole.clone() };
        drop(jpeg(&torn, 640));
    }
    let made_up = testing::access_unit(0, true, 4000);
    assert!(jpeg(&made_up, 640).is_err());
}

#[test]
fn the_dark_and_a_single_colour_are_flat() {
    let filled = |pixel: fn(u32, u32) -> u8| RgbImage::from_fn(64, 36, |x, y| image::Rgb([pixel(x, y); 3]));
    for (name, picture, flat) in [
        ("black", filled(|_, _| 0), true),
        ("white", filled(|_, _| 255), true),
        ("noise in the dark", filled(|x, y| ((x * 7 + y * 13) % 12) as u8), true),
        ("a weak light in the dark", filled(|x, _| if x < 4 { 60 } else { 2 }), false),
        ("mist", filled(|x, _| 200 + x as u8 / 2), false),
        ("no pixels", RgbImage::new(0, 0), true),
    ] {
        assert_eq!(is_flat(&picture), flat, "{name}");
    }
    assert!(!jpeg(&unit(include_bytes!("../samples/high.h264")), 640).unwrap().is_flat);
}
