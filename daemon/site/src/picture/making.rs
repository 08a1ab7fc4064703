//! Makes the stored JPEG of an uploaded picture: decodes it, turns it upright, crops and scales it.
//!
//! Not here: limits that hold whatever a decoder does (`apart`).

use super::{DECODING_BYTES, PIXELS, PictureError, Purpose};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{
    DynamicImage, GenericImageView as _, ImageDecoder as _, ImageError, ImageReader, Limits, Rgb, RgbImage,
};
use std::io::{BufRead, Seek};

/// JPEG quality; its losses are not visible.
const QUALITY: u8 = 85;
/// The background of transparent parts, which JPEG does not have.
const PAPER: u8 = 255;

/// Makes the stored JPEG on this thread. Takes up to some seconds.
pub(crate) fn make(upload: impl BufRead + Seek, purpose: Purpose) -> Result<Vec<u8>, PictureError> {
    let (picture, orientation) = decode(upload)?;
    let upright = fit(&picture, orientation, purpose.size());
    drop(picture);
    let mut jpeg = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&upright);
    encoded.map_err(|error| PictureError::Damaged { what: error.to_string() })?;
    Ok(jpeg)
}

fn decode(upload: impl BufRead + Seek) -> Result<(DynamicImage, Orientation), PictureError> {
    let refused = |error: ImageError| match error {
        ImageError::Limits(_) => PictureError::TooHeavy,
        error => PictureError::Damaged { what: error.to_string() },
    };
    // The format is detected from the first bytes, not from a name or media type.
    let mut reader = ImageReader::new(upload).with_guessed_format().map_err(|_| PictureError::NoPicture)?;
    let is_read = reader.format().is_some_and(|format| format.reading_enabled());
    if !is_read {
        return Err(PictureError::NoPicture);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODING_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS {
        return Err(PictureError::TooLarge);
    }
    if decoder.total_bytes() > DECODING_BYTES {
        return Err(PictureError::TooHeavy);
    }
    if width == 0 || height == 0 {
        return Err(PictureError::Damaged { what: "it has no pixels".to_owned() });
    }
    // A picture with an unreadable orientation is not turned.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    Ok((picture, orientation))
}

/// The middle of a picture in the requested shape, upright, on the background.
fn fit(picture: &DynamicImage, orientation: Orientation, (width, height): (u32, u32)) -> DynamicImage {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    // Scaled before turning, because turning copies the picture.
    let lies = matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let (width, height) = if lies { (height, width) } else { (width, height) };
    let (left, top, across, down) = middle(picture.dimensions(), (width, height));
    let view = picture.view(left, top, across, down);
    let scaled = if across > 2 * width {
        // Most of the reduction is done by fast averaging, the rest by the filter.
        let rough = imageops::thumbnail(&*view, 2 * width, 2 * height);
        imageops::resize(&rough, width, height, FilterType::CatmullRom)
    } else {
        imageops::resize(&*view, width, height, FilterType::CatmullRom)
    };
    let opaque = RgbImage::from_fn(width, height, |x, y| {
        let [red, green, blue, alpha] = scaled.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|colour| on_paper(colour, alpha)))
    });
    let mut upright = DynamicImage::ImageRgb8(opaque);
    upright.apply_orientation(orientation);
    upright
}

/// Left, top, width and height of the largest centred part that has the shape.
fn middle((width, height): (u32, u32), shape: (u32, u32)) -> (u32, u32, u32, u32) {
    let scaled = |length: u32, by: u32, over: u32| {
        let length = u64::from(length) * u64::from(by) / u64::from(over);
        u32::try_from(length).unwrap_or(u32::MAX).max(1)
    };
    let across = scaled(height, shape.0, shape.1).min(width);
    let down = scaled(width, shape.1, shape.0).min(height);
    ((width - across) / 2, (height - down) / 2, across, down)
}

fn on_paper(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    ((colour * alpha + u32::from(PAPER) * (255 - alpha)) / 255) as u8
}

#[cfg(test)]
mod tests;
