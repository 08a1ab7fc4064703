//! From one coded picture to a JPEG: decoded by OpenH264, scaled down, coded anew. Takes tens of milliseconds and several times
//! the picture's memory, and keeps nothing.

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig};
use openh264::formats::YUVSource as _;
use perch_media::access_unit::{AccessUnit, VideoFormat};
use perch_media::h264::sps::{Colour, Sps};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

/// Below this, people begin to see what is lost.
const QUALITY: u8 = 80;
/// More than any camera's (config's bounds), so that a lying SPS does not get all the memory.
const MOST_PIXELS: usize = 4096 * 2304;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A picture that cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the picture cannot be decoded here ({profile}): {why}")]
pub struct Undecodable {
    profile: &'static str,
    why: String,
}

impl Undecodable {
    /// The decoder broke down.
    pub(super) fn failed(why: &dyn std::fmt::Display) -> Self {
        Self { profile: "H.264", why: why.to_string() }
    }
}

/// `unit` is an IDR; the picture is scaled down to `width` pixels where it is wider.
pub(super) fn jpeg(unit: &AccessUnit, width: u32) -> Result<Bytes, Undecodable> {
    let picture = scaled(rgb(unit)?, width);
    let mut jpeg = Vec::new();
    let coded = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&picture);
    coded.map_err(|error| undecodable(&unit.format, error))?;
    Ok(jpeg.into())
}

fn rgb(unit: &AccessUnit) -> Result<RgbImage, Undecodable> {
    let format = &*unit.format;
    let failed = |why: &dyn std::fmt::Display| undecodable(format, why);
    let too_large = || undecodable(format, "it is too large");
    if format.width as usize * format.height as usize > MOST_PIXELS {
        return Err(too_large());
    }
    let mut coded = Vec::with_capacity(unit.data.len() + 256);
    for parameters in format.parameter_sets() {
        coded.extend_from_slice(&START_CODE);
        coded.extend_from_slice(parameters);
    }
    coded.extend_from_slice(&unit.data);
    let mut decoder = Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new())
        .map_err(|error| failed(&error))?;
    let picture = decoder.decode(&coded).map_err(|error| failed(&error))?;
    let picture = picture.ok_or_else(|| undecodable(format, "the decoder gives no picture"))?;
    let (width, height) = picture.dimensions();
    if width * height > MOST_PIXELS || width < 2 || height < 2 {
        return Err(too_large());
    }
    let (y_stride, u_stride, v_stride) = picture.strides();
    let planes = YuvPlanarImage {
        y_plane: picture.y(),
        y_stride: y_stride as u32,
        u_plane: picture.u(),
        u_stride: u_stride as u32,
        v_plane: picture.v(),
        v_stride: v_stride as u32,
        width: width as u32,
        height: height as u32,
    };
    let colour = Sps::read(&format.sps).map_or_else(|_| Colour::default(), |sps| sps.colour);
    let range = if colour.full_range { YuvRange::Full } else { YuvRange::Limited };
    let mut rgb = vec![0; width * height * 3];
    yuv::yuv420_to_rgb(&planes, &mut rgb, width as u32 * 3, range, matrix(colour))
        .map_err(|error| failed(&error))?;
    Ok(RgbImage::from_raw(width as u32, height as u32, rgb).expect("it was made for this size"))
}

/// ITU-T H.264 table E-5. What announces nothing is taken for BT.601, as all frames inside Perch are.
fn matrix(colour: Colour) -> YuvStandardMatrix {
    match colour.matrix {
        Some(1) => YuvStandardMatrix::Bt709,
        Some(4) => YuvStandardMatrix::Fcc,
        Some(7) => YuvStandardMatrix::Smpte240,
        Some(9 | 10) => YuvStandardMatrix::Bt2020,
        _ => YuvStandardMatrix::Bt601,
    }
}

fn scaled(picture: RgbImage, width: u32) -> RgbImage {
    if picture.width() <= width {
        return picture;
    }
    let height = u64::from(picture.height()) * u64::from(width) / u64::from(picture.width());
    imageops::thumbnail(&picture, width, (height as u32).max(1))
}

fn undecodable(format: &VideoFormat, why: impl std::fmt::Display) -> Undecodable {
    // Table A-1's names, with what of them OpenH264 has: progressive pictures of 8 bits in 4:2:0.
    let profile = match format.profile {
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
