//! Tests on real boards (`testing::boards`).

use super::*;
use crate::capture::testing::boards::{board, camera, codec, csi, format, webcam};
use perch_device::probe::ProbeProblem;
use proptest::prelude::*;

const MB: u64 = 1 << 20;

fn wanted() -> config::Camera {
    config::Camera::default()
}

fn chosen(verdict: &Verdict) -> (&ChosenSource, &ChosenEncoder) {
    let choice = verdict.choice.as_ref().unwrap();
    (&choice.source, &choice.encoder)
}

fn mode_of(verdict: &Verdict) -> Mode {
    match chosen(verdict) {
        (ChosenSource::V4l2 { mode, .. }, _) => *mode,
        other => panic!("{other:?}"),
    }
}

fn says(verdict: &Verdict, words: &str) -> bool {
    verdict.reasons.iter().any(|reason| reason.contains(words))
}

#[test]
fn pi_4_with_a_webcam_takes_mjpeg_for_its_rate_and_the_hardware_encoder() {
    let verdict = choose(&board(vec![webcam()], vec![codec()], Some(512 * MB)), &wanted(), &[]);
    assert_eq!(chosen(&verdict).1, &ChosenEncoder::V4l2M2m(codec()));
    let mode = mode_of(&verdict);
    assert_eq!((mode.format, mode.width, mode.frames_per_second), (PixelFormat::Mjpeg, 1280, 30.0));
    assert_eq!(verdict.reasons, ["C270 (/dev/video0) does not code H.264 itself."]);
    assert_eq!(
        verdict.choice.unwrap().describe(),
        "C270 (/dev/video0), MJPEG 1280x720 at 30 frames per second, coded by bcm2835-codec-encode (/dev/video11)"
    );
}

#[test]
fn raw_frames_go_before_jpeg_where_they_are_fast_enough() {
    let small = config::Camera { width: 640, height: 480, ..wanted() };
    let verdict = choose(&board(vec![webcam()], vec![codec()], None), &small, &[]);
    assert_eq!(mode_of(&verdict).format, PixelFormat::Yuyv);
}

#[test]
fn a_camera_that_codes_h264_needs_no_encoder() {
    let mut coding = webcam();
    coding.formats.push(format(*b"H264", &[(1280, 720, 30.0)]));
    let verdict = choose(&board(vec![coding], vec![codec()], None), &wanted(), &[]);
    assert_eq!(chosen(&verdict).1, &ChosenEncoder::Source);
    assert!(verdict.reasons.is_empty());
}

#[test]
fn pi_5_and_pcs_have_no_encoder_and_code_in_software() {
    let verdict = choose(&board(vec![webcam()], vec![], None), &wanted(), &[]);
    assert_eq!(chosen(&verdict).1, &ChosenEncoder::Software);
    assert!(says(&verdict, "This board has no H.264 encoder."), "{:?}", verdict.reasons);
    let large = config::Camera { width: 1920, height: 1080, ..wanted() };
    let verdict = choose(&board(vec![webcam()], vec![], None), &large, &[]);
    assert!(says(&verdict, "1920x1080 is much to code in software"));
}

#[test]
fn zero_2_w_with_little_contiguous_memory_says_so_and_codes_in_software() {
    let large = config::Camera { width: 1920, height: 1080, ..wanted() };
    let zero = board(vec![webcam()], vec![codec()], Some(16 * MB));
    let verdict = choose(&zero, &large, &[]);
    assert_eq!(chosen(&verdict).1, &ChosenEncoder::Software);
    assert!(says(&verdict, "too little contiguous memory for 1080p"), "{:?}", verdict.reasons);
    assert!(says(&verdict, "raise cma="));
    let verdict = choose(&zero, &config::Camera { width: 640, height: 480, ..wanted() }, &[]);
    assert_eq!(chosen(&verdict).1, &ChosenEncoder::V4l2M2m(codec()), "a small picture fits");
}

#[test]
fn a_csi_camera_is_named_with_its_way_out_and_another_camera_is_taken() {
    let verdict = choose(&board(vec![csi(), webcam()], vec![], None), &wanted(), &[]);
    assert!(says(&verdict, "install rpicam-apps-core"));
    assert!(
        matches!(chosen(&verdict).0, ChosenSource::V4l2 { camera, .. } if camera.identity.card == "C270")
    );

    let alone = choose(&board(vec![csi()], vec![codec()], None), &wanted(), &[]);
    assert_eq!(chosen(&alone).0, &ChosenSource::TestPattern);
    let asked = config::Camera { source: SourceKind::V4l2, ..wanted() };
    let error = choose(&board(vec![csi()], vec![], None), &asked, &[]).choice.unwrap_err();
    assert!(error.to_string().contains("install rpicam-apps-core"), "{error}");
}

#[test]
fn a_csi_camera_is_taken_through_rpicam_vid_where_that_is_installed() {
    let mut other = csi();
    other.path = "/dev/video4".into();
    let board = ProbeReport {
        libcamera_program: Some("/usr/bin/rpicam-vid".into()),
        ..board(vec![csi(), webcam(), other], vec![codec()], None)
    };
    for (device, expected) in [(None, 0), (Some("/dev/video4"), 1)] {
        let asked = config::Camera { device: device.map(PathBuf::from), ..wanted() };
        let verdict = choose(&board, &asked, &[]);
        let ChosenSource::Libcamera { number, .. } = chosen(&verdict).0 else { panic!("{verdict:?}") };
        assert_eq!((*number, chosen(&verdict).1), (expected, &ChosenEncoder::Source));
        let words = verdict.choice.unwrap().describe();
        assert!(words.contains("through rpicam-vid, coded by that program"), "{words}");
    }
    let asked = config::Camera { encoder: EncoderKind::Software, ..wanted() };
    let error = choose(&board, &asked, &[]).choice.unwrap_err();
    assert!(error.to_string().contains("use encoder = \"auto\""), "{error}");
}

#[test]
fn without_a_camera_auto_shows_the_test_pattern_and_v4l2_waits() {
    let verdict = choose(&board(vec![], vec![], None), &wanted(), &[]);
    assert_eq!(chosen(&verdict), (&ChosenSource::TestPattern, &ChosenEncoder::Software));
    assert!(says(&verdict, "no camera"));
    let v4l2 = config::Camera { source: SourceKind::V4l2, ..wanted() };
    assert!(matches!(choose(&board(vec![], vec![], None), &v4l2, &[]).choice, Err(SourceError::Missing(_))));
}

#[test]
fn a_camera_that_was_named_is_found_by_its_links_and_waited_for() {
    let other = camera("/dev/video2", "other", vec![format(*b"YUYV", &[(1280, 720, 30.0)])]);
    for name in ["/dev/v4l/by-id/other", "/dev/video2"] {
        let named = config::Camera { device: Some(name.into()), ..wanted() };
        let verdict = choose(&board(vec![webcam(), other.clone()], vec![], None), &named, &[]);
        assert!(matches!(chosen(&verdict).0, ChosenSource::V4l2 { camera, .. } if camera.path == other.path));
        let verdict = choose(&board(vec![webcam()], vec![], None), &named, &[]);
        let error = verdict.choice.unwrap_err();
        assert!(matches!(&error, SourceError::Missing(text) if text.contains(name)), "{error}");
    }
}

#[test]
fn a_node_without_permission_is_told_with_the_way_out() {
    let mut locked = board(vec![], vec![], None);
    locked.problems.push(ProbeProblem {
        path: "/dev/video0".into(),
        kind: ProblemKind::Permission,
        detail: "usermod -aG video pi".into(),
    });
    let auto = choose(&locked, &wanted(), &[]);
    assert!(says(&auto, "usermod"), "{:?}", auto.reasons);
    for device in [None, Some("/dev/video0".into())] {
        let v4l2 = config::Camera { source: SourceKind::V4l2, device, ..wanted() };
        assert!(matches!(choose(&locked, &v4l2, &[]).choice, Err(SourceError::Permission(_))));
    }
}

#[test]
fn hardware_that_was_asked_for_by_name_is_not_replaced_silently() {
    let asked = config::Camera { encoder: EncoderKind::V4l2M2m, ..wanted() };
    for cameras in [vec![webcam()], vec![]] {
        let error = choose(&board(cameras, vec![], None), &asked, &[]).choice.unwrap_err();
        assert!(error.to_string().contains("This board has no H.264 encoder. Use encoder"), "{error}");
    }
    let none = config::Camera { encoder: EncoderKind::None, ..wanted() };
    let error = choose(&board(vec![webcam()], vec![codec()], None), &none, &[]).choice.unwrap_err();
    assert!(error.to_string().contains("does not code H.264 itself"), "{error}");
}

#[test]
fn an_encoder_that_failed_lately_or_is_too_small_gives_way_to_software() {
    let failed = [Excluded { path: "/dev/video11".into(), why: "it had no memory for buffers".into() }];
    let verdict = choose(&board(vec![webcam()], vec![codec()], None), &wanted(), &failed);
    assert_eq!(chosen(&verdict).1, &ChosenEncoder::Software);
    assert!(says(&verdict, "no memory for buffers"));

    let huge = config::Camera { width: 3840, height: 2160, ..wanted() };
    let verdict = choose(&board(vec![webcam()], vec![codec()], None), &huge, &[]);
    assert!(says(&verdict, "1920x1920 at most"), "{:?}", verdict.reasons);
}

#[test]
fn an_interlaced_camera_is_told_to_be_one() {
    let progressive = choose(&board(vec![webcam()], vec![], None), &wanted(), &[]);
    assert!(!says(&progressive, "interlaced"));
    let grabber = perch_device::probe::CameraReport { interlaced: true, ..webcam() };
    let verdict = choose(&board(vec![grabber], vec![], None), &wanted(), &[]);
    assert!(says(&verdict, "gives interlaced pictures: one field of each is shown"), "{:?}", verdict.reasons);
    let coded = camera("/dev/video0", "x", vec![format(*b"H264", &[(1280, 720, 30.0)])]);
    let coded = perch_device::probe::CameraReport { interlaced: true, ..coded };
    let verdict = choose(&board(vec![coded], vec![], None), &wanted(), &[]);
    assert!(says(&verdict, "gives interlaced H.264"), "{:?}", verdict.reasons);
}

#[test]
fn the_board_is_asked_only_where_it_decides_something() {
    let wanted_from = |source| config::Camera { source, ..wanted() };
    assert!(asks_the_board(&wanted_from(SourceKind::Auto)));
    assert!(asks_the_board(&wanted_from(SourceKind::TestPattern)));
    assert!(!asks_the_board(&wanted_from(SourceKind::Command)));
    let software = config::Camera { encoder: EncoderKind::Software, ..wanted_from(SourceKind::TestPattern) };
    assert!(!asks_the_board(&software));
}

#[test]
fn a_mode_that_the_camera_lacks_is_told_with_the_nearest() {
    let odd = config::Camera { width: 1600, height: 900, ..wanted() };
    let verdict = choose(&board(vec![webcam()], vec![], None), &odd, &[]);
    assert!(says(&verdict, "does not give 1600x900 at 30 frames per second; the nearest is"));
}

proptest! {
    /// Whatever the drivers claim, the chosen devices exist on the board, and every rejected one is explained.
    #[test]
    fn the_choice_is_of_this_board(
        modes in prop::collection::vec((1..5000u32, 1..5000u32, 0.0..200f64), 0..4),
        codes in prop::collection::vec(prop::sample::select(vec![*b"YUYV", *b"MJPG", *b"H264", *b"NV12", *b"RG10"]), 0..4),
        has_encoder: bool, cma in prop::option::of(0..600u64), kind in 0..4usize,
    ) {
        let formats: Vec<_> = codes.iter().map(|code| format(*code, &modes)).collect();
        let kinds = [EncoderKind::Auto, EncoderKind::V4l2M2m, EncoderKind::Software, EncoderKind::None];
        let wanted = config::Camera { encoder: kinds[kind], ..wanted() };
        let encoders = if has_encoder { vec![codec()] } else { vec![] };
        let report = board(vec![camera("/dev/video0", "x", formats)], encoders, cma.map(|mb| mb * MB));
        let verdict = choose(&report, &wanted, &[]);
        match &verdict.choice {
            Ok(Choice { source: ChosenSource::V4l2 { camera, mode }, encoder }) => {
                prop_assert!(camera.gives(mode.format));
                prop_assert_eq!(*encoder == ChosenEncoder::Source, mode.format == PixelFormat::H264);
                prop_assert!(has_encoder || !matches!(encoder, ChosenEncoder::V4l2M2m(_)));
                prop_assert!(*encoder != ChosenEncoder::Software || kind == 2 || !verdict.reasons.is_empty());
            }
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(error) => prop_assert!(error.to_string().len() > 20),
        }
    }
}
