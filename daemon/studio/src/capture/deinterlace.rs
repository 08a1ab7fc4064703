//! Makes interlaced pictures (from grabbers of analogue video, some HDMI receivers) progressive: one field is kept, and
//! the rows between are the mean of their neighbours.
//!
//! The two fields of a picture are taken a fiftieth or sixtieth of a second apart, so a moving object is torn into a
//! comb if they are shown together. This method costs one copy and half of the vertical detail, and leaves no ghost of
//! the other field. Rows of chroma belong to the fields like rows of luma, so it runs before 4:2:2 becomes 4:2:0 (Linux
//! media userspace API, "Field Order").

use super::i420::{check_planes, plane_sizes};
use super::source::{RawFrame, RawSource, SourceError};
use perch_device::{Picture, Plane};
use std::time::Duration;

/// Turns a source of interlaced pictures into one of progressive pictures.
pub(super) struct Deinterlacer<S> {
    source: S,
    /// The planes one after the other, without padding; reused.
    buffer: Vec<u8>,
}

impl<S: RawSource> Deinterlacer<S> {
    /// `source` gives both fields of a picture in one frame, row by row.
    pub(super) fn new(source: S) -> Self {
        Self { source, buffer: Vec::new() }
    }
}

impl<S: RawSource> RawSource for Deinterlacer<S> {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError> {
        let Some(RawFrame { picture, captured_at }) = self.source.next_frame(timeout)? else {
            return Ok(None);
        };
        check_planes(&picture).map_err(|error| SourceError::Failed(error.to_string()))?;
        Ok(Some(RawFrame { picture: deinterlaced(&picture, &mut self.buffer), captured_at }))
    }

    fn describe(&self) -> String {
        format!("{}, deinterlaced", self.source.describe())
    }

    fn mode(&self) -> (u32, u32, f64) {
        self.source.mode()
    }
}

/// `picture`, whose planes have been checked, with only the rows of its top field.
fn deinterlaced<'a>(picture: &Picture<'_>, buffer: &'a mut Vec<u8>) -> Picture<'a> {
    let sizes = plane_sizes(picture);
    buffer.resize(sizes.iter().map(|(row_bytes, rows)| row_bytes * rows).sum(), 0);
    let mut left = &mut buffer[..];
    let planes = std::array::from_fn(|number| {
        let (row_bytes, rows) = sizes[number];
        let plane;
        (plane, left) = std::mem::take(&mut left).split_at_mut(row_bytes * rows);
        if !plane.is_empty() {
            fill(plane, row_bytes, picture.planes[number]);
        }
        Plane { data: plane, stride: row_bytes }
    });
    Picture { planes, ..*picture }
}

/// Copies every other row of `from`, and writes means between them.
fn fill(to: &mut [u8], row_bytes: usize, from: Plane<'_>) {
    let mut kept = from.data.chunks(from.stride).step_by(2).map(|row| &row[..row_bytes]).peekable();
    for pair in to.chunks_mut(row_bytes * 2) {
        let Some(above) = kept.next() else { return };
        let below = kept.peek().copied().unwrap_or(above);
        let (first, second) = pair.split_at_mut(row_bytes);
        first.copy_from_slice(above);
        for ((to, &above), &below) in second.iter_mut().zip(above).zip(below) {
            *to = u16::midpoint(u16::from(above), u16::from(below)) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_device::PixelFormat;
    use proptest::prelude::*;

    /// A frame whose rows alternate between `top` and `bottom`, in every plane, as when the content has moved between
    /// the fields.
    struct Combed {
        format: PixelFormat,
        height: u32,
        rows: Vec<u8>,
    }

    const WIDTH: u32 = 8;
    const STRIDE: usize = 24;

    impl Combed {
        fn new(format: PixelFormat, height: u32, top: u8, bottom: u8) -> Self {
            let row = |number: usize| [if number.is_multiple_of(2) { top } else { bottom }; STRIDE];
            Self { format, height, rows: (0..height as usize).flat_map(row).collect() }
        }
    }

    impl RawSource for Combed {
        fn next_frame(&mut self, _timeout: Duration) -> Result<Option<RawFrame<'_>>, SourceError> {
            let plane = Plane { data: &self.rows, stride: STRIDE };
            let picture =
                Picture { format: self.format, width: WIDTH, height: self.height, planes: [plane; 3] };
            Ok(Some(RawFrame { picture, captured_at: Duration::from_secs(7) }))
        }

        fn describe(&self) -> String {
            "Grabber".to_owned()
        }

        fn mode(&self) -> (u32, u32, f64) {
            (WIDTH, self.height, 25.0)
        }
    }

    #[test]
    fn nothing_of_the_other_field_is_left_in_any_plane_of_any_format() {
        for (format, planes) in [(PixelFormat::Yuyv, 1), (PixelFormat::Nv12, 2), (PixelFormat::I420, 3)] {
            let mut source = Deinterlacer::new(Combed::new(format, 6, 50, 200));
            assert_eq!(source.describe(), "Grabber, deinterlaced");
            let frame = source.next_frame(Duration::ZERO).unwrap().expect("a frame");
            assert_eq!((frame.captured_at, frame.picture.format), (Duration::from_secs(7), format));
            check_planes(&frame.picture).unwrap();
            for plane in &frame.picture.planes[..planes] {
                assert!(!plane.data.is_empty() && plane.data.iter().all(|&sample| sample == 50), "{format}");
            }
        }
    }

    #[test]
    fn the_rows_between_are_the_mean_of_their_neighbours() {
        let from = [10_u8, 0, 20, 0, 40];
        let mut to = [0; 5];
        fill(&mut to, 1, Plane { data: &from, stride: 1 });
        assert_eq!(to, [10, 15, 20, 30, 40]);
        fill(&mut to[..4], 1, Plane { data: &from[..4], stride: 1 });
        assert_eq!(to[..4], [10, 15, 20, 20], "below the last row there is none");
    }

    #[test]
    fn a_torn_frame_is_refused() {
        let mut combed = Combed::new(PixelFormat::Yuyv, 6, 50, 200);
        combed.rows.truncate(STRIDE * 5);
        assert!(Deinterlacer::new(combed).next_frame(Duration::ZERO).is_err());
    }

    proptest! {
        #[test]
        fn no_size_and_no_padding_make_it_panic(width in 1..40_u32, height in 1..40_u32, padding in 0..9_usize, format in 0..3_usize) {
            let format = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::I420][format];
            let stride = width as usize * 2 + padding;
            let rows = vec![9; stride * height as usize];
            let picture = Picture { format, width, height, planes: [Plane { data: &rows, stride }; 3] };
            let mut buffer = Vec::new();
            if check_planes(&picture).is_ok() {
                prop_assert!(check_planes(&deinterlaced(&picture, &mut buffer)).is_ok());
            }
        }
    }
}
