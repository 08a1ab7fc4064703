//! An I420 frame (4:2:0, three planes) that is allocated once and drawn or converted into repeatedly.
//!
//! All raw frames inside Perch are ITU-R BT.601 in limited range, as UVC cameras deliver YUYV and NV12; the software encoder's SPS says so.

use super::source::RawFrame;
use perch_device::{Picture, PixelFormat, Plane};
use std::time::Duration;

/// Planes without padding: luma rows are `width` bytes apart, chroma rows half of it.
#[derive(Debug)]
pub(super) struct I420Buffer {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

/// Why a frame cannot be converted.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(super) enum ConvertError {
    /// A plane is smaller than size and stride require.
    #[error("torn frame: plane {plane} has {bytes} bytes where {expected} are needed")]
    Torn {
        /// Number of the plane.
        plane: usize,
        /// Bytes in it.
        bytes: usize,
        /// Bytes needed.
        expected: usize,
    },
    /// The size is not this buffer's.
    #[error("frame of {width}x{height} where {expected_width}x{expected_height} was agreed")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        expected_width: usize,
        /// Height in pixels.
        expected_height: usize,
    },
    /// The format is coded.
    #[error("frames of layout {0:?} cannot be converted, only decoded")]
    Layout(PixelFormat),
}

/// The three planes, for writing.
pub(super) struct PlanesMut<'a> {
    /// Luma, `width * height` bytes.
    pub y: &'a mut [u8],
    /// Cb, a quarter of that.
    pub u: &'a mut [u8],
    /// Cr, a quarter of that.
    pub v: &'a mut [u8],
}

impl I420Buffer {
    /// A black frame. Width and height are even.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        debug_assert!(width.is_multiple_of(2) && height.is_multiple_of(2), "4:2:0 needs even sizes");
        let mut data = vec![16; width * height * 3 / 2];
        data[width * height..].fill(128);
        Self { width, height, data }
    }

    /// Width in pixels.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// The planes, for writing.
    pub(super) fn planes_mut(&mut self) -> PlanesMut<'_> {
        let (y, chroma) = self.data.split_at_mut(self.width * self.height);
        let (u, v) = chroma.split_at_mut(chroma.len() / 2);
        PlanesMut { y, u, v }
    }

    /// The picture as a frame for an encoder.
    pub(super) fn frame(&self, captured_at: Duration) -> RawFrame<'_> {
        let (y, chroma) = self.data.split_at(self.width * self.height);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        let planes = [
            Plane { data: y, stride: self.width },
            Plane { data: u, stride: self.width / 2 },
            Plane { data: v, stride: self.width / 2 },
        ];
        let (width, height) = (self.width as u32, self.height as u32);
        RawFrame { picture: Picture { format: PixelFormat::I420, width, height, planes }, captured_at }
    }

    /// Converts `frame` (NV12 or YUYV) into this buffer.
    pub(super) fn convert(&mut self, frame: &Picture<'_>) -> Result<(), ConvertError> {
        let (width, height) = (self.width, self.height);
        if (frame.width as usize, frame.height as usize) != (width, height) {
            return Err(ConvertError::Size {
                width: frame.width,
                height: frame.height,
                expected_width: width,
                expected_height: height,
            });
        }
        check_planes(frame)?;
        let to = self.planes_mut();
        match frame.format {
            PixelFormat::Nv12 => {
                let [luma, chroma, _] = frame.planes;
                for (from, to) in luma.data.chunks(luma.stride).zip(to.y.chunks_exact_mut(width)) {
                    to.copy_from_slice(&from[..width]);
                }
                let rows = to.u.chunks_exact_mut(width / 2).zip(to.v.chunks_exact_mut(width / 2));
                for (from, (u, v)) in chroma.data.chunks(chroma.stride).zip(rows) {
                    for ((pair, u), v) in from.chunks_exact(2).zip(u).zip(v) {
                        (*u, *v) = (pair[0], pair[1]);
                    }
                }
                Ok(())
            }
            PixelFormat::Yuyv => {
                let [packed, ..] = frame.planes;
                let from = yuv::YuvPackedImage {
                    yuy: packed.data,
                    yuy_stride: packed.stride as u32,
                    width: width as u32,
                    height: height as u32,
                };
                let mut to = yuv::YuvPlanarImageMut {
                    y_plane: yuv::BufferStoreMut::Borrowed(to.y),
                    y_stride: width as u32,
                    u_plane: yuv::BufferStoreMut::Borrowed(to.u),
                    u_stride: width as u32 / 2,
                    v_plane: yuv::BufferStoreMut::Borrowed(to.v),
                    v_stride: width as u32 / 2,
                    width: width as u32,
                    height: height as u32,
                };
                yuv::yuyv422_to_yuv420(&mut to, &from).map_err(|_| ConvertError::Torn {
                    plane: 0,
                    bytes: packed.data.len(),
                    expected: packed.stride * height,
                })
            }
            PixelFormat::I420 | PixelFormat::Mjpeg | PixelFormat::H264 => {
                Err(ConvertError::Layout(frame.format))
            }
        }
    }
}

/// Bytes of a row without padding, and rows, of each plane; zeros for planes that the format lacks, and for coded formats.
pub(super) fn plane_sizes(frame: &Picture<'_>) -> [(usize, usize); 3] {
    let (width, height) = (frame.width as usize, frame.height as usize);
    match frame.format {
        PixelFormat::I420 => [(width, height), (width / 2, height / 2), (width / 2, height / 2)],
        PixelFormat::Nv12 => [(width, height), (width, height / 2), (0, 0)],
        PixelFormat::Yuyv => [(width * 2, height), (0, 0), (0, 0)],
        PixelFormat::Mjpeg | PixelFormat::H264 => [(0, 0); 3],
    }
}

/// Checks that every plane holds the rows that `frame` promises. The last row may lack its padding.
pub(super) fn check_planes(frame: &Picture<'_>) -> Result<(), ConvertError> {
    for (plane, ((bytes_in_row, rows), given)) in plane_sizes(frame).into_iter().zip(frame.planes).enumerate()
    {
        if rows == 0 {
            continue;
        }
        let expected = given.stride.max(bytes_in_row) * (rows - 1) + bytes_in_row;
        if given.data.len() < expected || given.stride < bytes_in_row {
            return Err(ConvertError::Torn { plane, bytes: given.data.len(), expected });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nv12(width: u32, height: u32, stride: usize) -> Vec<u8> {
        let rows = height as usize * 3 / 2;
        let mut data = vec![0xEE; stride * rows];
        for (row, bytes) in data.chunks_exact_mut(stride).enumerate() {
            for (column, byte) in bytes[..width as usize].iter_mut().enumerate() {
                *byte = if row < height as usize {
                    (row * 3 + column) as u8
                } else if column % 2 == 0 {
                    100
                } else {
                    200
                };
            }
        }
        data
    }

    fn as_nv12(data: &[u8], width: u32, height: u32, stride: usize) -> Picture<'_> {
        let (luma, chroma) = data.split_at(stride * height as usize);
        let planes = [Plane { data: luma, stride }, Plane { data: chroma, stride }, Plane::default()];
        Picture { format: PixelFormat::Nv12, width, height, planes }
    }

    #[test]
    fn nv12_with_padded_rows_loses_its_padding() {
        let data = nv12(18, 6, 32);
        let mut buffer = I420Buffer::new(18, 6);
        buffer.convert(&as_nv12(&data, 18, 6, 32)).unwrap();
        let planes = buffer.planes_mut();
        assert_eq!(planes.y[18 * 5 + 17], (5 * 3 + 17) as u8);
        assert!(planes.u.iter().all(|&sample| sample == 100));
        assert!(planes.v.iter().all(|&sample| sample == 200));
    }

    #[test]
    fn yuyv_keeps_luma_and_takes_chroma_from_either_row() {
        let (width, height) = (20_u32, 4_u32);
        let stride = 48;
        let mut data = vec![0; stride * height as usize];
        for (row, bytes) in data.chunks_exact_mut(stride).enumerate() {
            for four in bytes[..width as usize * 2].chunks_exact_mut(4) {
                four.copy_from_slice(&[row as u8 + 50, 90 + row as u8 % 2 * 2, row as u8 + 60, 180]);
            }
        }
        let planes = [Plane { data: &data, stride }, Plane::default(), Plane::default()];
        let frame = Picture { format: PixelFormat::Yuyv, width, height, planes };
        let mut buffer = I420Buffer::new(width, height);
        buffer.convert(&frame).unwrap();
        let planes = buffer.planes_mut();
        for row in 0..height as usize {
            assert_eq!(planes.y[row * width as usize..][..2], [row as u8 + 50, row as u8 + 60]);
        }
        assert!(planes.u.iter().all(|sample| (90..=92).contains(sample)), "{:?}", planes.u);
        assert!(planes.v.iter().all(|&sample| sample == 180));
    }

    #[test]
    fn torn_frames_are_refused_before_anything_is_read() {
        let data = nv12(18, 6, 32);
        let mut buffer = I420Buffer::new(18, 6);
        let mut frame = as_nv12(&data, 18, 6, 32);
        frame.planes[1].data = &frame.planes[1].data[..32 * 2];
        assert!(matches!(buffer.convert(&frame), Err(ConvertError::Torn { plane: 1, .. })));
        frame.planes[1] = Plane { data: &data, stride: 4 };
        assert!(matches!(buffer.convert(&frame), Err(ConvertError::Torn { plane: 1, .. })));
        let other = nv12(20, 6, 32);
        assert!(matches!(buffer.convert(&as_nv12(&other, 20, 6, 32)), Err(ConvertError::Size { .. })));
    }
}
