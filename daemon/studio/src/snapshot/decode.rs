//! Turns a coded picture into a JPEG: OpenH264 decodes it, then it is scaled down and encoded. This takes tens of milliseconds and several times the
//! picture's memory, all of which is freed.

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig};
use openh264::formats::YUVSource as _;
use perch_media::access_unit::AccessUnit;
use perch_media::h264::sps::{Colour, Sps};
use std::borrow::Cow;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

/// JPEG quality. Below this, people begin to see the losses.
const QUALITY: u8 = 80;
/// More pixels than any camera has (the configuration's limits), so that a wrong SPS cannot take all memory.
const MOST_PIXELS: usize = 4096 * 2304;
/// Memory that the decoder may keep. Full HD with 16 reference pictures takes 54 MiB, 4K with three 59 MiB; a program that publishes could ask for 250.
const MOST_DECODER_BYTES: u64 = 64 << 20;
const TOO_LARGE: &str = "it is too large";
/// A picture whose luma (0 to 255) has a smaller standard deviation shows hardly anything: a sensor's noise in darkness stays below 5.
const FLAT: u64 = 6;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A picture that cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the picture cannot be decoded here ({profile}): {why}")]
pub struct Undecodable {
    profile: &'static str,
    why: String,
}

impl Undecodable {
    /// The decoder panicked.
    pub(super) fn failed(why: &dyn std::fmt::Display) -> Self {
        Self { profile: "H.264", why: why.to_string() }
    }
}

/// A decoded picture as JPEG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) jpeg: Bytes,
    pub(super) is_flat: bool,
}

/// Decodes `unit`, which must be an IDR, and scales the picture down to `width` pixels if it is wider.
pub(super) fn jpeg(unit: &AccessUnit, width: u32) -> Result<Made, Undecodable> {
    let format = &*unit.format;
    if format.width as usize * format.height as usize > MOST_PIXELS {
        return Err(undecodable(format.profile, TOO_LARGE));
    }
    let mut coded = Vec::with_capacity(unit.data.len() + 256);
    for parameters in format.parameter_sets() {
        coded.extend_from_slice(&START_CODE);
        coded.extend_from_slice(parameters);
    }
    coded.extend_from_slice(&unit.data);
    let picture = scaled(rgb(&coded, &format.sps, format.profile, width)?, width);
    let mut jpeg = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&picture);
    encoded.map_err(|error| undecodable(format.profile, error))?;
    Ok(Made { jpeg: jpeg.into(), is_flat: is_flat(&picture) })
}

/// True if hardly anything can be seen: a covered lens, darkness, a single colour.
pub(super) fn is_flat(picture: &RgbImage) -> bool {
    let luma = |pixel: &image::Rgb<u8>| {
        let [red, green, blue] = pixel.0.map(u64::from);
        (2 * red + 5 * green + blue) / 8
    };
    let count = (picture.pixels().len() as u64).max(1);
    let (sum, squares) =
        picture.pixels().map(luma).fold((0, 0), |(sum, squares), luma| (sum + luma, squares + luma * luma));
    // The variance times `count` squared.
    squares * count - sum * sum < FLAT * FLAT * count * count
}

/// True if something can be seen on a JPEG that Perch made.
pub(super) fn shows_something(jpeg: &[u8]) -> bool {
    let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg);
    picture.is_ok_and(|picture| !is_flat(&picture.into_rgb8()))
}

/// The same for a picture with the profile and size in its SPS.
pub(crate) fn picture(coded: &[u8], sps: &[u8], width: u32) -> Result<RgbImage, Undecodable> {
    let read = Sps::read(sps).map_err(|error| undecodable(0, error))?;
    if read.width as usize * read.height as usize > MOST_PIXELS {
        return Err(undecodable(read.profile, TOO_LARGE));
    }
    rgb(coded, sps, read.profile, width)
}

/// Decodes one picture, in Annex B with its parameter sets in front. `sps` is one of them, without its start code. If the picture is much wider than
/// twice `width`, the result is smaller: pixels that nobody will see are not converted.
fn rgb(coded: &[u8], sps: &[u8], profile: u8, width: u32) -> Result<RgbImage, Undecodable> {
    let failed = |why: &dyn std::fmt::Display| undecodable(profile, why);
    let too_large = || undecodable(profile, TOO_LARGE);
    let read = Sps::read(sps);
    if read.as_ref().is_ok_and(|sps| sps.decoder_bytes > MOST_DECODER_BYTES) {
        return Err(too_large());
    }
    let mut decoder = Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new())
        .map_err(|error| failed(&error))?;
    let picture = decoder.decode(coded).map_err(|error| failed(&error))?;
    let picture = picture.ok_or_else(|| undecodable(profile, "the decoder gives no picture"))?;
    let (across, down) = picture.dimensions();
    if across * down > MOST_PIXELS || across < 2 || down < 2 {
        return Err(too_large());
    }
    let every = (across / (2 * width.max(1) as usize)).clamp(1, down / 2);
    let (y_stride, u_stride, v_stride) = picture.strides();
    let (width, height) = (across / every, down / every);
    let halves = (width.div_ceil(2), height.div_ceil(2));
    let y = sampled(picture.y(), y_stride, every, (width, height));
    let u = sampled(picture.u(), u_stride, every, halves);
    let v = sampled(picture.v(), v_stride, every, halves);
    let planes = YuvPlanarImage {
        y_plane: &y.0,
        y_stride: y.1,
        u_plane: &u.0,
        u_stride: u.1,
        v_plane: &v.0,
        v_stride: v.1,
        width: width as u32,
        height: height as u32,
    };
    let colour = read.map_or_else(|_| Colour::default(), |sps| sps.colour);
    let range = if colour.full_range { YuvRange::Full } else { YuvRange::Limited };
    let mut rgb = vec![0; width * height * 3];
    yuv::yuv420_to_rgb(&planes, &mut rgb, width as u32 * 3, range, matrix(colour))
        .map_err(|error| failed(&error))?;
    Ok(RgbImage::from_raw(width as u32, height as u32, rgb).expect("it was made for this size"))
}

/// Every `every`th pixel in each direction, `width` × `height` of them, and their stride.
fn sampled(
    plane: &[u8],
    stride: usize,
    every: usize,
    (width, height): (usize, usize),
) -> (Cow<'_, [u8]>, u32) {
    if every == 1 {
        return (plane.into(), stride as u32);
    }
    let rows = plane.chunks(stride).step_by(every).take(height);
    let pixels: Vec<u8> = rows.flat_map(|row| row.iter().step_by(every).take(width).copied()).collect();
    (pixels.into(), width as u32)
}

/// ITU-T H.264 Table E-5. Without an announcement it is BT.601, like all frames in Perch.
fn matrix(colour: Colour) -> YuvStandardMatrix {
    match colour.matrix {
        Some(1) => YuvStandardMatrix::Bt709,
        Some(4) => YuvStandardMatrix::Fcc,
        Some(7) => YuvStandardMatrix::Smpte240,
        Some(9 | 10) => YuvStandardMatrix::Bt2020,
        _ => YuvStandardMatrix::Bt601,
    }
}

/// Scales the picture down to `width` pixels if it is wider.
pub(crate) fn scaled(picture: RgbImage, width: u32) -> RgbImage {
    if picture.width() <= width {
        return picture;
    }
    let height = u64::from(picture.height()) * u64::from(width) / u64::from(picture.width());
    imageops::thumbnail(&picture, width, (height as u32).max(1))
}

fn undecodable(profile: u8, why: impl std::fmt::Display) -> Undecodable {
    // The profiles of Table A-1 as far as OpenH264 supports them: progressive pictures of 8 bits in 4:2:0.
    let profile = match profile {
        66 => "H.264 Baseline",
        77 => "H.264 Main; interlaced pictures are not understood",
        88 => "H.264 Extended",
        100 => "H.264 High; interlaced pictures are not understood",
        110 => "H.264 High 10, only 8 bits are understood",
        122 => "H.264 High 4:2:2, only 4:2:0 is understood",
        244 => "H.264 High 4:4:4, only 4:2:0 is understood",
        _ => "an H.264 profile that is not understood",
    };
    Undecodable { profile, why: why.to_string() }
}

#[cfg(test)]
mod tests;
