//! Uploaded pictures, for avatars and thumbnails: decoded within limits, turned upright, cropped, scaled and re-encoded as JPEG.
//! Nothing else of the upload is passed on: no metadata, no location, no hidden data.
//!
//! Not here: rights (`avatars`, `thumbnails`), storage (perch-store), pictures from cameras (perch-studio).

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{
    DynamicImage, GenericImageView as _, ImageDecoder as _, ImageError, ImageReader, Limits, Rgb, RgbImage,
};
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of an upload at most.
pub const UPLOAD_BYTES: usize = 8 << 20;
/// Pixels of a picture at most, however small its file.
const PIXELS: u64 = 40_000_000;
/// Memory for decoding one picture: its pixels with 8 bits a colour, and some for the decoder.
const DECODING_BYTES: u64 = 192 << 20;
/// JPEG quality; its losses are not visible.
const QUALITY: u8 = 85;
/// The background of transparent parts, which JPEG does not have.
const PAPER: u8 = 255;
/// Uploads held in memory at once: four of 8 MiB.
const UPLOADS: usize = 4;
/// The longest wait for an upload's slot, and for the decoder's turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The use of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// 256 × 256, the middle of the picture.
    Avatar,
    /// 640 × 360, the middle of the picture.
    Thumbnail,
}

impl Purpose {
    /// Width and height in pixels.
    pub const fn size(self) -> (u32, u32) {
        match self {
            Self::Avatar => (256, 256),
            Self::Thumbnail => (640, 360),
        }
    }
}

/// Why a picture was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The file has another format.
    #[error("Perch cannot read this file: upload a PNG, JPEG or WebP picture")]
    NoPicture,
    /// Too many pixels, or too many bytes a pixel.
    #[error(
        "the picture is too large: scale it down to less than {} megapixels with 8 bits per colour",
        PIXELS / 1_000_000
    )]
    TooLarge,
    /// The file begins like a picture, but cannot be decoded.
    #[error("the picture is damaged: {what}")]
    Damaged {
        /// The decoder's error.
        what: String,
    },
    /// Other pictures kept the decoder busy for too long.
    #[error("other uploaded pictures are being processed")]
    Busy,
}

/// Processes pictures one at a time, to bound memory.
pub struct Pictures {
    uploads: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { uploads: Arc::new(Semaphore::new(UPLOADS)), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Pictures {
    /// A slot in memory for an upload; hold it until [`make`](Self::make) returns.
    pub async fn slot(&self) -> Result<OwnedSemaphorePermit, PictureError> {
        wait_for(&self.uploads).await
    }

    /// Makes the stored JPEG from an upload, on a thread that may block.
    pub async fn make(&self, upload: Bytes, purpose: Purpose) -> Result<Vec<u8>, PictureError> {
        let turn = wait_for(&self.turn).await?;
        let work = move || {
            // The request may be cancelled; the turn is held until the memory is released.
            let _turn = turn;
            make(&upload, purpose)
        };
        let made = tokio::task::spawn_blocking(work).await;
        made.unwrap_or_else(|error| {
            tracing::error!("a picture decoder failed: {error}");
            Err(PictureError::Damaged { what: "it cannot be read".to_owned() })
        })
    }
}

async fn wait_for(slots: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, PictureError> {
    let slot = tokio::time::timeout(PATIENCE, slots.clone().acquire_owned()).await;
    slot.map_err(|_| PictureError::Busy)?.map_err(|_| PictureError::Busy)
}

/// Makes the stored JPEG on this thread. Takes up to some seconds and [`DECODING_BYTES`].
fn make(upload: &[u8], purpose: Purpose) -> Result<Vec<u8>, PictureError> {
    let (picture, orientation) = decode(upload)?;
    let upright = fit(&picture, orientation, purpose.size());
    drop(picture);
    let mut jpeg = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&upright);
    encoded.map_err(|error| PictureError::Damaged { what: error.to_string() })?;
    Ok(jpeg)
}

fn decode(upload: &[u8]) -> Result<(DynamicImage, Orientation), PictureError> {
    let refused = |error: ImageError| match error {
        ImageError::Limits(_) => PictureError::TooLarge,
        error => PictureError::Damaged { what: error.to_string() },
    };
    // The format is detected from the first bytes, not from a name or media type.
    let mut reader =
        ImageReader::new(Cursor::new(upload)).with_guessed_format().map_err(|_| PictureError::NoPicture)?;
    let is_read = reader.format().is_some_and(|format| format.reading_enabled());
    if !is_read {
        return Err(PictureError::NoPicture);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODING_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS || decoder.total_bytes() > DECODING_BYTES {
        return Err(PictureError::TooLarge);
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
