//! A sheet while small pictures are put on it.

use crate::snapshot::decode;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageError, RgbImage, imageops};
use perch_media::recording::storyboard::Sheet;

/// A small picture has at most so many pixels across and down.
pub(super) const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;
/// Pictures of a row.
const COLUMNS: u32 = 6;
/// Small pictures are looked at for a moment.
const QUALITY: u8 = 60;

/// A picture as small as it is on a sheet.
pub(super) fn small(picture: RgbImage) -> RgbImage {
    let (width, height) = (u64::from(picture.width().max(1)), u64::from(picture.height().max(1)));
    let as_wide = u64::from(HEIGHT) * width / height;
    decode::scaled(picture, (as_wide as u32).clamp(1, WIDTH))
}

/// A sheet that is not full yet.
pub(super) struct Painting {
    sheet: Sheet,
    /// One row below the other, as many as there are pictures for.
    canvas: RgbImage,
}

impl Painting {
    /// For pictures of this size.
    pub(super) fn new(picture: &RgbImage) -> Self {
        let size = picture.dimensions();
        Self { sheet: Sheet { columns: COLUMNS, size, times_ms: Vec::new() }, canvas: RgbImage::new(0, 0) }
    }

    pub(super) fn takes(&self, picture: &RgbImage) -> bool {
        self.sheet.size == picture.dimensions()
    }

    pub(super) fn len(&self) -> usize {
        self.sheet.times_ms.len()
    }

    pub(super) fn add(&mut self, picture: &RgbImage, time_ms: u64) {
        let (left, top) = self.sheet.place(self.len());
        let (width, height) = self.sheet.size;
        if left == 0 {
            let mut taller = RgbImage::new(COLUMNS * width, top + height);
            imageops::replace(&mut taller, &self.canvas, 0, 0);
            self.canvas = taller;
        }
        imageops::replace(&mut self.canvas, picture, left.into(), top.into());
        self.sheet.times_ms.push(time_ms);
    }

    /// The sheet as a JPEG file.
    pub(super) fn finish(self) -> Result<(Sheet, Vec<u8>), ImageError> {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&self.canvas)?;
        Ok((self.sheet, jpeg))
    }
}
