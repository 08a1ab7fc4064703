//! The position of a picture's rows in a buffer: strides, plane offsets, and the copy between two layouts.
//!
//! Linux media userspace API, "Image Formats" (YUYV, NV12, YU12 with one memory plane). Pure. Drivers align rows and planes
//! to their hardware's needs (`bytesperline`, `sizeimage`); at widths such as 1296 a program that ignores that shows skewed pictures.

use super::format::Format;
use crate::mode::PixelFormat;

/// One plane of a picture in a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PlaneLayout {
    offset: usize,
    stride: usize,
    rows: usize,
    /// Bytes of a row without its padding.
    row_bytes: usize,
}

/// The position of a raw picture in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    format: PixelFormat,
    planes: [PlaneLayout; 3],
    /// Visible size, in pixels.
    width: u32,
    height: u32,
}

impl Layout {
    /// The layout of a `width` x `height` picture in a buffer of the driver's format, which may be larger than the picture. `None` for coded
    /// formats, and when the driver's numbers contradict each other.
    pub fn new(buffer: &Format, width: u32, height: u32) -> Option<Self> {
        let format = PixelFormat::from_fourcc(buffer.fourcc)?;
        let (columns, rows) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
        let buffer_rows = usize::try_from(buffer.height).ok()?;
        let stride = usize::try_from(buffer.bytes_per_line).ok()?;
        if columns == 0 || rows == 0 || width > buffer.width || rows > buffer_rows {
            return None;
        }
        let chroma = (columns.div_ceil(2), rows.div_ceil(2), buffer_rows.div_ceil(2));
        let luma_bytes = stride.checked_mul(buffer_rows)?;
        let mut planes = [PlaneLayout::default(); 3];
        match format {
            PixelFormat::Yuyv => {
                planes[0] =
                    PlaneLayout { offset: 0, stride, rows, row_bytes: columns.div_ceil(2).checked_mul(4)? };
            }
            PixelFormat::Nv12 => {
                planes[0] = PlaneLayout { offset: 0, stride, rows, row_bytes: columns };
                planes[1] =
                    PlaneLayout { offset: luma_bytes, stride, rows: chroma.1, row_bytes: chroma.0 * 2 };
            }
            PixelFormat::I420 => {
                // The kernel defines the chroma rows' padding as half of the luma rows'.
                let chroma_stride = stride / 2;
                let chroma_bytes = chroma_stride.checked_mul(chroma.2)?;
                planes[0] = PlaneLayout { offset: 0, stride, rows, row_bytes: columns };
                planes[1] = PlaneLayout {
                    offset: luma_bytes,
                    stride: chroma_stride,
                    rows: chroma.1,
                    row_bytes: chroma.0,
                };
                planes[2] = PlaneLayout { offset: luma_bytes.checked_add(chroma_bytes)?, ..planes[1] };
            }
            PixelFormat::H264 | PixelFormat::Mjpeg => return None,
        }
        let layout = Self { format, planes, width, height };
        let rows_fit = layout.planes().iter().all(|plane| plane.row_bytes <= plane.stride);
        let fits = rows_fit && layout.needed()? <= usize::try_from(buffer.size_image).ok()?;
        fits.then_some(layout)
    }

    fn planes(&self) -> &[PlaneLayout] {
        let count = match self.format {
            PixelFormat::I420 => 3,
            PixelFormat::Nv12 => 2,
            _ => 1,
        };
        &self.planes[..count]
    }

    /// The fewest bytes that hold the whole picture (the last row may lack its padding); `None` on overflow.
    fn needed(&self) -> Option<usize> {
        let last = self.planes().last()?;
        last.stride.checked_mul(last.rows - 1)?.checked_add(last.row_bytes)?.checked_add(last.offset)
    }

    /// Bytes that a buffer must hold for a whole picture.
    pub fn minimum_bytes(&self) -> usize {
        self.needed().unwrap_or(usize::MAX)
    }

    /// The planes of a picture in `bytes`; `None` when it is torn (fewer bytes than the picture has).
    pub fn picture<'a>(&self, bytes: &'a [u8]) -> Option<Picture<'a>> {
        if bytes.len() < self.minimum_bytes() {
            return None;
        }
        let mut planes = [Plane::default(); 3];
        for (plane, layout) in planes.iter_mut().zip(self.planes()) {
            let end = (layout.offset + layout.stride * layout.rows).min(bytes.len());
            *plane = Plane { data: &bytes[layout.offset..end], stride: layout.stride };
        }
        Some(Picture { format: self.format, width: self.width, height: self.height, planes })
    }

    /// Copies a picture of the same format and size into a buffer of this layout, row by row where the strides differ.
    /// `false`, and nothing written, when format or size differ or either side is too small.
    pub fn copy_from(&self, picture: &Picture<'_>, buffer: &mut [u8]) -> bool {
        let same =
            picture.format == self.format && picture.width == self.width && picture.height == self.height;
        let fits = self.planes().iter().zip(&picture.planes).all(|(to, from)| {
            from.stride >= to.row_bytes && from.data.len() >= from.stride * (to.rows - 1) + to.row_bytes
        });
        if !same || !fits || buffer.len() < self.minimum_bytes() {
            return false;
        }
        for (to, from) in self.planes().iter().zip(&picture.planes) {
            let target = &mut buffer[to.offset..];
            if to.stride == from.stride {
                let bytes = to.stride * (to.rows - 1) + to.row_bytes;
                target[..bytes].copy_from_slice(&from.data[..bytes]);
            } else {
                for (target, source) in
                    target.chunks_mut(to.stride).zip(from.data.chunks(from.stride)).take(to.rows)
                {
                    target[..to.row_bytes].copy_from_slice(&source[..to.row_bytes]);
                }
            }
        }
        true
    }

    /// True if every row is at the same place in both layouts, so a device that expects `other` can read a buffer of
    /// this one.
    pub fn same_places(&self, other: &Self) -> bool {
        self == other
    }
}

/// One plane of a raw picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane<'a> {
    /// Rows, `stride` bytes apart; the last row may lack its padding.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A picture in a borrowed buffer.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// Layout of the planes.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The format's planes; the remaining ones are empty.
    pub planes: [Plane<'a>; 3],
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RAW: [PixelFormat; 3] = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::I420];

    fn buffer(format: PixelFormat, width: u32, height: u32, bytes_per_line: u32) -> Format {
        let size_image = bytes_per_line * height * 2; // larger than needed: the test is about the position of rows
        Format { bytes_per_line, size_image, ..Format::new(format, width, height) }
    }

    fn tight_stride(format: PixelFormat, width: u32) -> u32 {
        if format == PixelFormat::Yuyv { width.div_ceil(2) * 4 } else { width.div_ceil(2) * 2 }
    }

    #[test]
    fn planes_follow_the_buffers_rows_not_the_pictures() {
        let layout = Layout::new(&buffer(PixelFormat::Nv12, 1920, 1088, 1920), 1920, 1080).unwrap();
        assert_eq!(layout.planes[1].offset, 1920 * 1088);
        assert_eq!(layout.planes[1].rows, 540);
        let layout = Layout::new(&buffer(PixelFormat::I420, 1296, 972, 1312), 1296, 972).unwrap();
        assert_eq!((layout.planes[1].offset, layout.planes[1].stride), (1312 * 972, 656));
        assert_eq!(layout.planes[2].offset, 1312 * 972 + 656 * 486);
    }

    #[test]
    fn impossible_answers_have_no_layout() {
        let good = buffer(PixelFormat::Nv12, 640, 480, 640);
        assert!(Layout::new(&good, 640, 480).is_some());
        assert!(Layout::new(&Format { bytes_per_line: 639, ..good }, 640, 480).is_none(), "rows overlap");
        assert!(
            Layout::new(&Format { size_image: 640 * 480, ..good }, 640, 480).is_none(),
            "no room for chroma"
        );
        assert!(Layout::new(&Format { bytes_per_line: u32::MAX, ..good }, 640, 480).is_none());
        assert!(Layout::new(&good, 641, 480).is_none() && Layout::new(&good, 0, 480).is_none());
        assert!(Layout::new(&Format::new(PixelFormat::H264, 640, 480), 640, 480).is_none());
    }

    #[test]
    fn a_torn_picture_is_none() {
        let layout = Layout::new(&buffer(PixelFormat::Yuyv, 64, 48, 128), 64, 48).unwrap();
        assert!(layout.picture(&vec![0; 128 * 48]).is_some());
        assert!(layout.picture(&vec![0; 128 * 48 - 1]).is_none());
    }

    proptest! {
        /// With any strides and extra rows, copying there and back gives the same picture and leaves the padding alone.
        #[test]
        fn a_picture_survives_copies_between_layouts(
            format in prop::sample::select(RAW.as_slice()),
            width in 1u32..70, height in 1u32..40,
            padding in (0u32..33, 0u32..33), extra_rows in 0u32..9,
            seed in any::<u8>(),
        ) {
            let tight = tight_stride(format, width);
            let from = Layout::new(&buffer(format, width, height, tight + padding.0 * 2), width, height).unwrap();
            let to = Layout::new(&buffer(format, width, height + extra_rows, tight + padding.1), width, height).unwrap();
            let source: Vec<u8> = (0..from.minimum_bytes()).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect();
            let mut middle = vec![0xee; to.minimum_bytes()];
            prop_assert!(to.copy_from(&from.picture(&source).unwrap(), &mut middle));
            let mut back = source.clone();
            for plane in from.planes() {
                for row in 0..plane.rows {
                    back[plane.offset + row * plane.stride..][..plane.row_bytes].fill(0);
                }
            }
            prop_assert!(from.copy_from(&to.picture(&middle).unwrap(), &mut back));
            for plane in from.planes() {
                for row in 0..plane.rows {
                    let at = plane.offset + row * plane.stride;
                    prop_assert_eq!(&back[at..at + plane.row_bytes], &source[at..at + plane.row_bytes]);
                }
            }
        }

        /// No driver's answer makes the arithmetic panic, and every layout lies inside its buffer.
        #[test]
        fn lying_drivers_do_not_panic(
            format in prop::sample::select(RAW.as_slice()),
            size in any::<(u32, u32)>(), buffer_size in any::<(u32, u32)>(), bytes_per_line in any::<u32>(), size_image in any::<u32>(),
        ) {
            let buffer = Format { bytes_per_line, size_image, ..Format::new(format, buffer_size.0, buffer_size.1) };
            if let Some(layout) = Layout::new(&buffer, size.0, size.1) {
                prop_assert!(layout.minimum_bytes() <= size_image as usize);
            }
        }
    }
}
