//! Ordinary and malicious pictures.

use super::*;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{ImageFormat, Rgba, RgbaImage};
use proptest::prelude::*;
use std::io::Cursor;
use std::io::Write as _;

const RED: Rgba<u8> = Rgba([220, 20, 20, 255]);
const BLUE: Rgba<u8> = Rgba([20, 20, 220, 255]);

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = if format == ImageFormat::Jpeg { picture.to_rgb8().into() } else { picture.clone() };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Left half red, right half blue.
fn two_halves(width: u32, height: u32) -> DynamicImage {
    RgbaImage::from_fn(width, height, |x, _| if x < width / 2 { RED } else { BLUE }).into()
}

/// Makes it from bytes.
fn made(upload: &[u8], purpose: Purpose) -> Result<Vec<u8>, PictureError> {
    make(Cursor::new(upload), purpose)
}

fn seen(jpeg: &[u8]) -> RgbImage {
    image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap().to_rgb8()
}

fn is_red(picture: &RgbImage, x: u32, y: u32) -> bool {
    let [red, _, blue] = picture.get_pixel(x, y).0;
    assert!(red.abs_diff(blue) > 100, "neither red nor blue at {x}, {y}");
    red > blue
}

/// A chunk of a PNG file (PNG 3rd edition, §5.3).
fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [&kind[..], data].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&named);
    [&(data.len() as u32).to_be_bytes()[..], &named, &crc.sum().to_be_bytes()].concat()
}

/// A PNG of any size, with any data; `colour` is 0 for grey, 6 for red, green, blue and alpha.
fn png(width: u32, height: u32, bits: u8, colour: u8, extra: &[u8], data: &[u8]) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(*b"IHDR", &[&size[..], &[bits, colour, 0, 0, 0]].concat());
    [b"\x89PNG\r\n\x1a\n", &header[..], extra, &chunk(*b"IDAT", data), &chunk(*b"IEND", b"")].concat()
}

fn zeros(count: usize) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..count / 4096 {
        packed.write_all(&[0; 4096]).unwrap();
    }
    packed.finish().unwrap()
}

/// Adds an Exif block that says how the camera was held (Exif 2.32, §4.6.4, tag 274).
fn held(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend(b"taken at home");
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn every_kind_becomes_a_small_jpeg_of_its_middle() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        for (size, purpose) in
            [((1200, 800), Purpose::Avatar), ((40, 90), Purpose::Thumbnail), ((1, 1), Purpose::Avatar)]
        {
            let made = made(&encoded(&two_halves(size.0, size.1), format), purpose).unwrap();
            let picture = seen(&made);
            let (width, height) = purpose.size();
            assert_eq!(picture.dimensions(), (width, height), "{format:?}");
            assert!(size.0 == 1 || is_red(&picture, width / 2 - 8, height / 2), "{format:?}");
            assert!(!is_red(&picture, width / 2 + 8, height / 2), "{format:?}");
        }
    }
}

#[test]
fn the_crop_is_in_the_middle_and_keeps_the_shape() {
    assert_eq!(middle((1200, 800), (1, 1)), (200, 0, 800, 800));
    assert_eq!(middle((800, 1200), (1, 1)), (0, 200, 800, 800));
    assert_eq!(middle((1000, 1000), (640, 360)), (0, 219, 1000, 562));
    assert_eq!(middle((3840, 1080), (640, 360)), (960, 0, 1920, 1080));
    assert_eq!(middle((1, 40_000_000), (640, 360)), (0, 19_999_999, 1, 1));
}

#[test]
fn a_photo_is_turned_as_the_camera_was_held_and_forgets_where_it_was_taken() {
    let jpeg = encoded(&two_halves(800, 600), ImageFormat::Jpeg);
    // The side of red afterwards: left, right, top or bottom.
    for (orientation, (x, y)) in
        [(1, (40, 180)), (3, (600, 180)), (6, (320, 30)), (8, (320, 330)), (2, (600, 180)), (200, (40, 180))]
    {
        let made = made(&held(&jpeg, orientation), Purpose::Thumbnail).unwrap();
        assert!(is_red(&seen(&made), x, y), "orientation {orientation}");
        assert!(!is_red(&seen(&made), 639 - x, 359 - y), "orientation {orientation}");
        assert!(!made.windows(4).any(|bytes| bytes == b"Exif" || bytes == b"home"));
    }
}

#[test]
fn what_is_transparent_shows_paper() {
    let clear = RgbaImage::from_pixel(300, 300, Rgba([0, 0, 0, 0]));
    let made = made(&encoded(&clear.into(), ImageFormat::Png), Purpose::Avatar).unwrap();
    assert_eq!(seen(&made).get_pixel(100, 100).0, [PAPER; 3]);
}

#[test]
fn what_is_no_picture_is_refused() {
    let gif = b"GIF89a\x01\0\x01\0\0\0\0;";
    let script = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    for upload in [&b""[..], b"\x89PNG", b"hello", gif, script, b"MZ\x90\0", b"<?php"] {
        assert_eq!(made(upload, Purpose::Avatar), Err(PictureError::NoPicture), "{upload:?}");
    }
}

#[test]
fn bombs_do_not_go_off() {
    // Fifty megapixels in 50 kB.
    let bomb = png(7072, 7072, 8, 0, b"", &zeros(7073 * 7072));
    assert!(bomb.len() < 100_000);
    assert_eq!(made(&bomb, Purpose::Avatar), Err(PictureError::TooLarge));
    // Few enough pixels, but too many bytes for each.
    let deep = png(4000, 3000, 16, 6, b"", &zeros(1 << 20));
    assert_eq!(made(&deep, Purpose::Avatar), Err(PictureError::TooHeavy));
    // A profile of 256 MB in 256 kB: must not be unpacked as a whole.
    let profile = chunk(*b"iCCP", &[&b"p\0\0"[..], &zeros(256 << 20)].concat());
    let honest = png(1, 1, 8, 0, b"", &zeros_exactly(2));
    let loaded = png(1, 1, 8, 0, &profile, &zeros_exactly(2));
    assert!(made(&honest, Purpose::Avatar).is_ok());
    assert!(matches!(
        made(&loaded, Purpose::Avatar),
        Ok(_) | Err(PictureError::Damaged { .. } | PictureError::TooHeavy)
    ));
}

fn zeros_exactly(count: usize) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; count]).unwrap();
    packed.finish().unwrap()
}

#[test]
fn headers_that_lie_are_found_out() {
    let is_damaged = |upload: &[u8]| {
        let refused = made(upload, Purpose::Avatar);
        assert!(matches!(refused, Err(PictureError::Damaged { .. })), "{refused:?}");
    };
    // A large header without data.
    is_damaged(&png(4000, 3000, 8, 0, b"", b""));
    is_damaged(&png(4000, 3000, 8, 0, b"", &zeros(4096)));
    is_damaged(&png(0, 10, 8, 0, b"", &zeros(4096)));
    let too_large = |upload: &[u8]| {
        let refused = made(upload, Purpose::Avatar);
        assert!(matches!(refused, Err(PictureError::TooLarge | PictureError::TooHeavy)), "{refused:?}");
    };
    too_large(&png(0x7fff_ffff, 0x7fff_ffff, 8, 6, b"", b""));
    too_large(&png(0x7fff_ffff, 1, 1, 0, b"", b""));
    // A small JPEG that claims 65,500 by 65,500: height and width follow the marker of its frame (ITU-T T.81, B.2.2).
    let mut jpeg = encoded(&two_halves(64, 64), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    too_large(&jpeg);
    // A WebP of 16,000 by 16,000 without a picture in it.
    let vp8l = [0x2f, 0x7f, 0xfe, 0x9f, 0x0f, 0, 0, 0];
    let webp = [&b"RIFF\x14\0\0\0WEBPVP8L\x08\0\0\0"[..], &vp8l].concat();
    too_large(&webp);
}

#[test]
fn a_picture_that_breaks_off_is_refused_or_shown_as_far_as_it_goes() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let whole = encoded(&two_halves(300, 200), format);
        for length in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            if let Ok(made) = made(&whole[..length], Purpose::Avatar) {
                assert_eq!(seen(&made).dimensions(), (256, 256));
            }
        }
    }
}

#[test]
fn the_largest_pictures_fit_where_they_are_kept() {
    // Noise compresses worst.
    let mut state = 1_u32;
    let noise = RgbImage::from_fn(1280, 720, |_, _| {
        Rgb(std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    });
    let noise = encoded(&noise.into(), ImageFormat::Png);
    for purpose in [Purpose::Avatar, Purpose::Thumbnail] {
        assert!(made(&noise, purpose).unwrap().len() <= perch_store::PICTURE_BYTES);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// A changed picture file is either read or refused.
    #[test]
    fn broken_bytes_break_nothing(format in 0..3_usize, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP][format];
        let mut bytes = encoded(&two_halves(24, 16), format);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(made) = made(&bytes, Purpose::Avatar) {
            prop_assert_eq!(seen(&made).dimensions(), (256, 256));
        }
    }
}
