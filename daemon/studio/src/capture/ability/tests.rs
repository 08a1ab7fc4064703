//! Tests on real boards (`testing::boards`).

use super::*;
use crate::capture::testing::boards::{board, camera, codec, csi, format, webcam};
use perch_device::mode::SizeReport;
use proptest::prelude::*;

fn wanted(source: SourceKind, encoder: EncoderKind) -> config::Camera {
    config::Camera { source, encoder, ..config::Camera::default() }
}

fn auto() -> config::Camera {
    wanted(SourceKind::Auto, EncoderKind::Auto)
}

fn mode(width: u32, height: u32, frames_per_second: u32) -> VideoMode {
    VideoMode { width, height, frames_per_second, bitrate_kbps: 2500 }
}

/// A camera that can be set to any size, as capture cards and vivid's television can.
fn scaler(width: (u32, u32, u32), height: (u32, u32, u32), rates: &[f64]) -> CameraReport {
    let mut nv12 = format(*b"NV12", &[]);
    nv12.sizes =
        vec![SizeReport { sizes: FrameSizes::Stepwise { width, height }, frames_per_second: rates.to_vec() }];
    camera("/dev/video0", "Scaler", vec![nv12])
}

#[test]
fn a_webcam_offers_what_one_of_its_formats_gives() {
    let ability = Ability::on_board(&board(vec![webcam()], vec![codec()], None), &auto()).unwrap();
    let listed =
        |width, height, rates: &[u32]| AbleMode { width, height, rates: Rates::Listed(rates.to_vec()) };
    assert_eq!(
        ability.modes,
        [listed(1920, 1080, &[30, 5]), listed(1280, 720, &[30, 10]), listed(640, 480, &[30])],
        "slow as YUYV, fast as MJPEG"
    );
    assert_eq!(ability.any_size, None);
    assert_eq!(ability.check(&mode(1280, 720, 30)), Ok(()));
}

#[test]
fn a_refusal_names_what_is_possible_nearest_first() {
    let ability = Ability::on_board(&board(vec![webcam()], vec![codec()], None), &auto()).unwrap();
    let refusal = ability.check(&mode(720, 576, 30)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "720x576 is not possible; this camera can do 640x480 at 30, 1280x720 at 30 or 10, 1920x1080 at 30 or 5"
    );
    assert_eq!(refusal.field(), "width");
    let refusal = ability.check(&mode(1280, 720, 60)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "60 frames per second are not possible at 1280x720; this camera can do 30 or 10"
    );
    assert_eq!(refusal.field(), "fps");
    let refusal = ability.check(&VideoMode { bitrate_kbps: 99, ..mode(640, 480, 30) }).unwrap_err();
    assert_eq!(refusal.to_string(), "99 kbit/s are not possible; 100 to 20000 kbit/s are");
    assert_eq!(refusal.field(), "bitrate_kbps");
}

#[test]
fn rates_are_whole_numbers_and_only_such_as_the_encoder_keeps_up_with() {
    let fast = format(*b"NV12", &[(1920, 1080, 60.0), (1280, 720, 59.94), (640, 480, 7.5), (641, 480, 30.0)]);
    let fast = camera("/dev/video0", "Fast", vec![fast]);
    let hardware = Ability::on_board(&board(vec![fast.clone()], vec![codec()], None), &auto()).unwrap();
    assert_eq!(
        hardware.modes,
        [AbleMode { width: 1280, height: 720, rates: Rates::Listed(vec![60]) }],
        "1080p60 is too much, 7.5 no whole number, 641 odd"
    );
    let software = Ability::on_board(&board(vec![fast], vec![], None), &auto()).unwrap();
    assert_eq!(software.modes.len(), 2, "the CPU's speed is not known");
}

#[test]
fn an_encoder_that_was_named_bounds_the_size() {
    let tall =
        camera("/dev/video0", "Tall", vec![format(*b"NV12", &[(1280, 720, 30.0), (2560, 1440, 30.0)])]);
    let board = board(vec![tall], vec![codec()], None);
    let sizes = |encoder| {
        let ability = Ability::on_board(&board, &wanted(SourceKind::V4l2, encoder)).unwrap();
        ability.modes.iter().map(|mode| mode.width).collect::<Vec<_>>()
    };
    assert_eq!(sizes(EncoderKind::V4l2M2m), [1280]);
    assert_eq!(sizes(EncoderKind::Auto), [2560, 1280], "software takes what the hardware cannot");
}

#[test]
fn a_camera_that_codes_itself_offers_what_it_codes() {
    let mut coding = webcam();
    coding.formats.push(format(*b"H264", &[(1280, 720, 30.0)]));
    let ability = Ability::on_board(&board(vec![coding], vec![codec()], None), &auto()).unwrap();
    assert_eq!(ability.modes.len(), 1);
    assert!(ability.check(&mode(1920, 1080, 30)).is_err(), "that would be MJPEG");
}

#[test]
fn a_range_of_sizes_offers_the_usual_ones_and_takes_all() {
    let board = board(vec![scaler((16, 1920, 4), (16, 1080, 1), &[30.0])], vec![], None);
    let ability = Ability::on_board(&board, &auto()).unwrap();
    let any = ability.any_size.clone().unwrap();
    assert_eq!(any.width, Steps { least: 64, most: 1920, step: 4 });
    assert_eq!(any.height, Steps { least: 64, most: 1080, step: 2 });
    assert_eq!(ability.modes.len(), USUAL_SIZES.len() - 1, "all but 2160p");
    assert_eq!(ability.check(&mode(644, 362, 30)), Ok(()));
    assert!(ability.check(&mode(642, 362, 30)).is_err());
    let refusal = ability.check(&mode(4096, 2160, 30)).unwrap_err().to_string();
    assert!(refusal.contains("every size from 64x64 to 1920x1080 in steps of 4 and 2 pixels"), "{refusal}");
}

#[test]
fn a_camera_that_announces_nothing_is_simply_asked() {
    let silent = camera("/dev/video0", "Silent", vec![format(*b"H264", &[])]);
    let ability = Ability::on_board(&board(vec![silent], vec![], None), &auto()).unwrap();
    assert_eq!(ability.modes, [AbleMode { width: 1280, height: 720, rates: Rates::UpTo(120) }]);
}

#[test]
fn a_command_does_what_it_is_configured_for() {
    let command = config::Camera {
        command: vec!["rpicam-vid".to_owned()],
        ..wanted(SourceKind::Command, EncoderKind::Auto)
    };
    let ability = Ability::on_board(&board(vec![], vec![], None), &command).unwrap();
    assert_eq!(ability.check(&mode(1280, 720, 30)), Ok(()));
    assert!(ability.check(&mode(640, 360, 30)).is_err());
    let refusal = ability.check(&VideoMode { bitrate_kbps: 3000, ..mode(1280, 720, 30) }).unwrap_err();
    assert_eq!(refusal.to_string(), "3000 kbit/s are not possible; the configured command codes 2500 kbit/s");
}

#[test]
fn the_test_pattern_is_any_even_size_that_can_be_coded() {
    let ability = Ability::on_board(&board(vec![], vec![], None), &auto()).unwrap();
    for able in [mode(64, 64, 1), mode(350, 222, 17), mode(3840, 2160, 120)] {
        assert_eq!(ability.check(&able), Ok(()));
    }
    for unable in
        [mode(62, 64, 30), mode(641, 480, 30), mode(4096, 2160, 30), mode(640, 480, 0), mode(640, 480, 121)]
    {
        assert!(ability.check(&unable).is_err(), "{unable:?}");
    }
    let named = wanted(SourceKind::TestPattern, EncoderKind::V4l2M2m);
    let ability = Ability::on_board(&board(vec![], vec![codec()], None), &named).unwrap();
    assert!(ability.check(&mode(2560, 1440, 30)).is_err());
}

#[test]
fn no_camera_is_told_with_the_way_out() {
    let error =
        Ability::on_board(&board(vec![csi()], vec![], None), &wanted(SourceKind::V4l2, EncoderKind::Auto));
    assert!(error.unwrap_err().to_string().contains("libcamera"));
}

proptest! {
    /// Whatever ranges a driver announces, nothing panics, and every offered mode can be requested.
    #[test]
    fn what_is_offered_is_able(
        width in any::<(u16, u16, u8)>(),
        height in any::<(u16, u16, u8)>(),
        rates in prop::collection::vec(prop_oneof![Just(f64::NAN), 0.0..200.0], 0..4),
    ) {
        let range = |(a, b, c): (u16, u16, u8)| (u32::from(a), u32::from(b), u32::from(c));
        let board = board(vec![scaler(range(width), range(height), &rates)], vec![codec()], None);
        if let Ok(ability) = Ability::on_board(&board, &auto()) {
            for able in &ability.modes {
                for rate in able.rates.offered() {
                    prop_assert_eq!(ability.check(&mode(able.width, able.height, rate)), Ok(()));
                    prop_assert!(able.width % 2 == 0 && able.height % 2 == 0);
                }
            }
        }
    }
}
