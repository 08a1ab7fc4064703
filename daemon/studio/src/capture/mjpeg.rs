//! MJPEG cameras: each frame is a JPEG file (ITU-T T.81), decoded to I420 for an encoder.
//!
//! JPEG is full range, frames inside Perch are limited range (`i420`): samples are mapped on their way into the planes.
//! There is no conversion to RGB: the decoder returns Y, Cb, Cr with chroma scaled up to full size, and each chroma
//! sample here is the mean of four of them.

use super::i420::I420Buffer;
use super::source::{RawFrame, RawSource, SourceError};
use super::status::CaptureCounters;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Consecutive broken pictures after which the camera is closed and opened again: two seconds at 30 frames per second.
const BROKEN_IN_A_ROW: u32 = 60;

/// A camera's JPEG frames as I420. Pictures that cannot be decoded are left out and counted.
pub(super) struct MjpegDecoder<S> {
    source: S,
    decoder: PictureDecoder,
    counters: Arc<CaptureCounters>,
    broken_in_a_row: u32,
}

impl<S: RawSource> MjpegDecoder<S> {
    /// `source` gives frames of layout `Mjpeg`; `counters` are its camera's.
    pub(super) fn new(source: S, counters: Arc<CaptureCounters>) -> Result<Self, SourceError> {
        let (width, height, _) = source.mode();
        if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
            return Err(SourceError::Mode(format!(
                "MJPEG of {width}x{height} cannot be coded: width and height have to be even"
            )));
        }
        Ok(Self { source, decoder: PictureDecoder::new(width, height), counters, broken_in_a_row: 0 })
    }
}

impl<S: RawSource> RawSource for MjpegDecoder<S> {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError> {
        let Some(frame) = self.source.next_frame(timeout)? else { return Ok(None) };
        if let Err(error) = self.decoder.decode(frame.picture.planes[0].data) {
            self.counters.discarded.fetch_add(1, Ordering::Relaxed);
            self.broken_in_a_row += 1;
            if self.broken_in_a_row == BROKEN_IN_A_ROW {
                return Err(SourceError::Failed(format!(
                    "{BROKEN_IN_A_ROW} broken pictures in a row, the last: {error}"
                )));
            }
            return Ok(None);
        }
        self.broken_in_a_row = 0;
        Ok(Some(self.decoder.picture.frame(frame.captured_at)))
    }

    fn describe(&self) -> String {
        self.source.describe()
    }

    fn mode(&self) -> (u32, u32, f64) {
        self.source.mode()
    }
}

/// Why a JPEG was left out.
#[derive(Debug, thiserror::Error)]
enum MjpegError {
    /// It is not a picture, or it is torn.
    #[error("a JPEG of {bytes} bytes cannot be decoded: {reason}")]
    Broken { bytes: usize, reason: String },
    /// Its size is not the camera's.
    #[error("a JPEG of {0}x{1} where {2}x{3} was agreed")]
    Size(usize, usize, usize, usize),
}

/// Replaces the start of a file without Huffman tables: SOI and the APP0 marker of AVI files, which makes the decoder
/// use the tables of T.81 Annex K.3.
const AVI_HEADER: [u8; 16] = *b"\xFF\xD8\xFF\xE0\x00\x0CAVI1\0\0\0\0\0\0";

/// True if a JPEG contains its Huffman tables. Most cameras leave the standard ones out.
fn has_huffman_tables(jpeg: &[u8]) -> bool {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    while let [0xFF, marker, length_high, length_low, ..] = *rest {
        match marker {
            0xC4 => return true,
            0xDA => return false,
            _ => {
                let length = usize::from(u16::from_be_bytes([length_high, length_low]));
                rest = rest.get(2 + length..).unwrap_or_default();
            }
        }
    }
    true // no scan, so the decoder refuses it anyway
}

/// Decodes JPEGs of one size into one buffer.
struct PictureDecoder {
    options: DecoderOptions,
    /// A file with its tables added; reused.
    completed: Vec<u8>,
    /// Y, Cb, Cr of one pixel after another, or only Y; reused.
    samples: Vec<u8>,
    picture: I420Buffer,
}

impl PictureDecoder {
    fn new(width: u32, height: u32) -> Self {
        // The limits are checked when the header is read, before memory is taken for the picture.
        let options = DecoderOptions::new_fast()
            .set_strict_mode(false)
            .set_max_width(width as usize)
            .set_max_height(height as usize)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        Self { options, completed: Vec::new(), samples: Vec::new(), picture: I420Buffer::new(width, height) }
    }

    fn decode(&mut self, jpeg: &[u8]) -> Result<(), MjpegError> {
        let broken = |error: zune_jpeg::errors::DecodeErrors| MjpegError::Broken {
            bytes: jpeg.len(),
            reason: error.to_string(),
        };
        let file = if has_huffman_tables(jpeg) {
            jpeg
        } else {
            self.completed.clear();
            self.completed.extend_from_slice(&AVI_HEADER);
            self.completed.extend_from_slice(&jpeg[2..]);
            &self.completed[..]
        };
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), self.options);
        decoder.decode_headers().map_err(broken)?;
        let (width, height) = (self.picture.width(), self.picture.height());
        let size = decoder.dimensions().unwrap_or_default();
        if size != (width, height) {
            return Err(MjpegError::Size(size.0, size.1, width, height));
        }
        let is_grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
        if is_grey {
            decoder.set_options(self.options.jpeg_set_out_colorspace(ColorSpace::Luma));
        }
        self.samples.resize(width * height * if is_grey { 1 } else { 3 }, 0);
        decoder.decode_into(&mut self.samples).map_err(broken)?;
        if is_grey {
            fill_from_grey(&self.samples, &mut self.picture);
        } else {
            fill_from_pixels(&self.samples, &mut self.picture);
        }
        Ok(())
    }
}

/// Luma from full range (0 to 255) to limited range (16 to 235), rounded.
fn limited_luma(full: u8) -> u8 {
    (16 + (u16::from(full) * 219 + 127) / 255) as u8
}

/// Maps the sum of four chroma samples to their mean, from 0 to 255 around 128 to 16 to 240 around 128.
fn limited_chroma(sum_of_four: u16) -> u8 {
    let from_centre = i32::from(sum_of_four) - 4 * 128;
    (128 + (from_centre * 224 + from_centre.signum() * 2 * 255) / (4 * 255)) as u8
}

fn fill_from_grey(samples: &[u8], picture: &mut I420Buffer) {
    let to = picture.planes_mut();
    for (to, &from) in to.y.iter_mut().zip(samples) {
        *to = limited_luma(from);
    }
    to.u.fill(128);
    to.v.fill(128);
}

fn fill_from_pixels(pixels: &[u8], picture: &mut I420Buffer) {
    let width = picture.width();
    let to = picture.planes_mut();
    for (to, from) in to.y.iter_mut().zip(pixels.chunks_exact(3)) {
        *to = limited_luma(from[0]);
    }
    let chroma_rows = to.u.chunks_exact_mut(width / 2).zip(to.v.chunks_exact_mut(width / 2));
    for (rows, (u, v)) in pixels.chunks_exact(width * 3 * 2).zip(chroma_rows) {
        let (upper, lower) = rows.split_at(width * 3);
        let fours = upper.chunks_exact(6).zip(lower.chunks_exact(6));
        for (((upper, lower), u), v) in fours.zip(u).zip(v) {
            let sum = |i: usize| [upper[i], upper[i + 3], lower[i], lower[i + 3]].map(u16::from).iter().sum();
            *u = limited_chroma(sum(1));
            *v = limited_chroma(sum(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_device::{Picture, PixelFormat, Plane};

    /// 32x16, left half red, right half blue, as ffmpeg codes it; see the samples' README.
    const SAMPLES: [(&str, &[u8]); 3] = [
        ("4:2:0", include_bytes!("samples/red_blue_420.jpg")),
        ("4:2:2", include_bytes!("samples/red_blue_422.jpg")),
        ("4:4:4", include_bytes!("samples/red_blue_444.jpg")),
    ];

    /// Returns its files one after the other, then nothing more.
    struct Files(Vec<Vec<u8>>, Vec<u8>);

    impl RawSource for Files {
        fn next_frame(&mut self, _timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError> {
            if self.0.is_empty() {
                return Ok(None);
            }
            self.1 = self.0.remove(0);
            let planes = [Plane { data: &self.1, stride: 0 }, Plane::default(), Plane::default()];
            let captured_at = Duration::from_secs(7);
            let picture = Picture { format: PixelFormat::Mjpeg, width: 32, height: 16, planes };
            Ok(Some(RawFrame { picture, captured_at }))
        }
        fn describe(&self) -> String {
            "files".to_owned()
        }
        fn mode(&self) -> (u32, u32, f64) {
            (32, 16, 30.0)
        }
    }

    fn decoder(files: Vec<Vec<u8>>) -> MjpegDecoder<Files> {
        MjpegDecoder::new(Files(files, Vec::new()), Arc::default()).unwrap()
    }

    #[test]
    fn every_subsampling_gives_the_same_colours_in_limited_range() {
        // BT.601: red is 81, 90, 240, blue is 41, 240, 110.
        for (name, file) in &SAMPLES[..3] {
            let mut decoder = decoder(vec![file.to_vec()]);
            let frame = decoder.next_frame(Duration::ZERO).unwrap().expect("a picture");
            assert_eq!(frame.captured_at, Duration::from_secs(7));
            let at = |plane: usize, x: usize| {
                frame.picture.planes[plane].data[4 * frame.picture.planes[plane].stride + x]
            };
            let colours = [(at(0, 4), at(1, 2), at(2, 2)), (at(0, 28), at(1, 14), at(2, 14))];
            for ((y, u, v), expected) in colours.into_iter().zip([(81_u8, 90_u8, 240_u8), (41, 240, 110)]) {
                let off = y.abs_diff(expected.0).max(u.abs_diff(expected.1)).max(v.abs_diff(expected.2));
                assert!(off <= 4, "{name}: {:?} where {expected:?} was sent", (y, u, v));
            }
        }
    }

    /// A file of one component, all middle grey: each of the 8 blocks is "no change, end of block", one bit each.
    fn grey_file() -> Vec<u8> {
        let mut file = b"\xFF\xD8\xFF\xDB\x00\x43\x00".to_vec();
        file.extend([1; 64]);
        file.extend(b"\xFF\xC0\x00\x0B\x08\x00\x10\x00\x20\x01\x01\x11\x00");
        for table in [0x00, 0x10] {
            file.extend([0xFF, 0xC4, 0x00, 0x14, table, 1]);
            file.extend([0; 16]); // no longer codes; the one there is means 0
        }
        file.extend(b"\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00\x00\x00\xFF\xD9");
        file
    }

    #[test]
    fn grey_pictures_have_neutral_chroma() {
        let mut decoder = decoder(vec![grey_file()]);
        let frame = decoder.next_frame(Duration::ZERO).unwrap().expect("a picture");
        assert!(
            frame.picture.planes[1]
                .data
                .iter()
                .chain(frame.picture.planes[2].data)
                .all(|&sample| sample == 128)
        );
        assert!(frame.picture.planes[0].data.iter().all(|&sample| sample == 126));
    }

    #[test]
    fn cameras_may_leave_the_huffman_tables_out() {
        let mut file = SAMPLES[1].1.to_vec();
        while let Some(at) = file.windows(2).position(|marker| marker == [0xFF, 0xC4]) {
            let length = usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
            file.drain(at..at + 2 + length);
        }
        let mut decoder = decoder(vec![file, SAMPLES[1].1.to_vec()]);
        let bare = decoder
            .next_frame(Duration::ZERO)
            .unwrap()
            .expect("a picture")
            .picture
            .planes
            .map(|plane| plane.data.to_vec());
        let whole = decoder
            .next_frame(Duration::ZERO)
            .unwrap()
            .expect("a picture")
            .picture
            .planes
            .map(|plane| plane.data.to_vec());
        assert_eq!(bare, whole);
    }

    #[test]
    fn broken_pictures_are_left_out_and_counted() {
        let good = SAMPLES[0].1.to_vec();
        let mut decoder = decoder(vec![vec![], good[..good.len() / 4].to_vec(), vec![0xFF; 100], good]);
        for _ in 0..3 {
            assert!(decoder.next_frame(Duration::ZERO).unwrap().is_none());
        }
        assert!(decoder.next_frame(Duration::ZERO).unwrap().is_some());
        assert_eq!(decoder.counters.discarded.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_picture_that_claims_another_size_costs_no_memory() {
        let mut huge = SAMPLES[0].1.to_vec();
        let frame_header = huge.windows(2).position(|marker| marker == [0xFF, 0xC0]).expect("SOF0");
        huge[frame_header + 5..frame_header + 9].copy_from_slice(&[0xFF, 0xF0, 0xFF, 0xF0]);
        let mut decoder = decoder(vec![huge]);
        assert!(decoder.next_frame(Duration::ZERO).unwrap().is_none());
        assert_eq!(decoder.decoder.samples.capacity(), 0);
    }

    #[test]
    fn a_camera_that_gives_nothing_but_broken_pictures_is_given_up() {
        let mut decoder = decoder(vec![vec![0]; BROKEN_IN_A_ROW as usize]);
        let error = (0..BROKEN_IN_A_ROW).find_map(|_| decoder.next_frame(Duration::ZERO).err());
        assert!(error.expect("given up").to_string().contains("60 broken pictures"));
    }

    #[test]
    fn ranges_map_ends_to_ends() {
        assert_eq!([0, 128, 255].map(limited_luma), [16, 126, 235]);
        assert_eq!([0, 4 * 128, 4 * 255].map(limited_chroma), [16, 128, 240]);
    }
}
