//! Pixel formats, sizes and rates: what a camera offers, and which mode is nearest to the requested one. Pure.

use std::fmt;
use v4l::FourCC;

/// The formats in which Perch takes pictures from a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Coded by the camera itself, Annex B.
    H264,
    /// 4:2:0, three planes (`YU12`).
    I420,
    /// 4:2:0, luma plane and interleaved chroma plane.
    Nv12,
    /// 4:2:2 packed.
    Yuyv,
    /// Each picture is a JPEG file.
    Mjpeg,
}

impl PixelFormat {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::H264, Self::I420, Self::Nv12, Self::Yuyv, Self::Mjpeg];

    /// The kernel's code for the format.
    pub fn fourcc(self) -> FourCC {
        FourCC::new(match self {
            Self::H264 => b"H264",
            Self::I420 => b"YU12",
            Self::Nv12 => b"NV12",
            Self::Yuyv => b"YUYV",
            Self::Mjpeg => b"MJPG",
        })
    }

    /// The format for a kernel's code; some drivers say `JPEG` for single JPEG files.
    pub fn from_fourcc(fourcc: FourCC) -> Option<Self> {
        if &fourcc.repr == b"JPEG" {
            return Some(Self::Mjpeg);
        }
        Self::ALL.into_iter().find(|format| format.fourcc() == fourcc)
    }

    /// True for rows of uncoded pixels.
    pub fn is_raw(self) -> bool {
        matches!(self, Self::I420 | Self::Nv12 | Self::Yuyv)
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::I420 => "YU12",
            Self::Nv12 => "NV12",
            Self::Yuyv => "YUYV",
            Self::Mjpeg => "MJPEG",
        })
    }
}

/// A mode of a camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    /// Pixel format of its pictures.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Rate that the driver announces. A hint only, because frame intervals vary with light.
    pub frames_per_second: f64,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, width, height, frames_per_second } = self;
        write!(
            f,
            "{format} {width}x{height} at {} frames per second",
            (frames_per_second * 100.0).round() / 100.0
        )
    }
}

/// The sizes that one entry of a camera's list stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameSizes {
    /// One size, pixels.
    Discrete {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A range; each pair is smallest, largest, step, in pixels.
    Stepwise {
        /// Smallest, largest, step, in pixels.
        width: (u32, u32, u32),
        /// Smallest, largest, step, in pixels.
        height: (u32, u32, u32),
    },
}

impl FrameSizes {
    /// The nearest size in this entry to the one asked for.
    pub fn nearest(&self, width: u32, height: u32) -> (u32, u32) {
        fn step(value: u32, (smallest, largest, step): (u32, u32, u32)) -> u32 {
            if value <= smallest || largest <= smallest {
                return smallest;
            }
            let steps = (value.min(largest) - smallest) / step.max(1);
            smallest + steps * step.max(1)
        }
        match *self {
            Self::Discrete { width, height } => (width, height),
            Self::Stepwise { width: columns, height: rows } => (step(width, columns), step(height, rows)),
        }
    }
}

/// An entry of a camera's list: sizes, and the rates at which they come.
#[derive(Clone, Debug, PartialEq)]
pub struct SizeReport {
    /// The sizes of the entry.
    pub sizes: FrameSizes,
    /// Frames per second, best first; empty when the driver does not say.
    pub frames_per_second: Vec<f64>,
}

/// A format of a camera with its sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatReport {
    /// The kernel's code.
    pub fourcc: FourCC,
    /// The driver's description.
    pub description: String,
    /// Sizes and rates; empty when the driver lists none, in which case any may be tried.
    pub sizes: Vec<SizeReport>,
}

impl FormatReport {
    /// The format, if Perch can use it.
    pub fn pixel_format(&self) -> Option<PixelFormat> {
        PixelFormat::from_fourcc(self.fourcc)
    }
}

/// The mode in `format` that is nearest to the request: first by size (exact, else the nearest in area and shape), then by rate (the lowest
/// that is enough, else the highest). `None` when the camera lacks that format.
pub fn nearest_mode(
    formats: &[FormatReport],
    format: PixelFormat,
    width: u32,
    height: u32,
    rate: f64,
) -> Option<Mode> {
    let report = formats.iter().find(|report| report.pixel_format() == Some(format))?;
    let distance = |(w, h): (u32, u32)| {
        // Compared as logarithms, so that half and double are equally far and shape counts as much as size.
        let ratio = |a: u32, b: u32| (f64::from(a.max(1)) / f64::from(b.max(1))).ln().abs();
        ratio(w, width) + ratio(h, height)
    };
    let candidates = report.sizes.iter().map(|entry| {
        let (width, height) = entry.sizes.nearest(width, height);
        let frames_per_second = nearest_rate(&entry.frames_per_second, rate);
        Mode { format, width, height, frames_per_second }
    });
    let best = candidates.min_by(|a, b| {
        let short = |mode: &Mode| (rate - mode.frames_per_second).max(0.0);
        let excess = |mode: &Mode| (mode.frames_per_second - rate).max(0.0);
        distance((a.width, a.height))
            .total_cmp(&distance((b.width, b.height)))
            .then(short(a).total_cmp(&short(b)))
            .then(excess(a).total_cmp(&excess(b)))
    });
    Some(best.unwrap_or(Mode { format, width, height, frames_per_second: rate }))
}

/// The lowest offered rate that is enough, else the highest; `wanted` itself when none is announced.
fn nearest_rate(offered: &[f64], wanted: f64) -> f64 {
    const TOLERANCE: f64 = 0.1; // 29.97 is enough for 30
    let enough = offered.iter().copied().filter(|rate| *rate >= wanted - TOLERANCE).min_by(f64::total_cmp);
    enough.or_else(|| offered.iter().copied().max_by(f64::total_cmp)).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn webcam() -> Vec<FormatReport> {
        let size = |width, height, rates: &[f64]| SizeReport {
            sizes: FrameSizes::Discrete { width, height },
            frames_per_second: rates.to_vec(),
        };
        let report = |format: PixelFormat, sizes| FormatReport {
            fourcc: format.fourcc(),
            description: String::new(),
            sizes,
        };
        vec![
            report(PixelFormat::Yuyv, vec![size(640, 480, &[30.0, 15.0]), size(1920, 1080, &[5.0])]),
            report(PixelFormat::Mjpeg, vec![size(1280, 720, &[60.0, 30.0, 24.0]), size(1920, 1080, &[30.0])]),
        ]
    }

    #[test]
    fn an_exact_mode_is_taken_and_the_lowest_sufficient_rate() {
        let mode = nearest_mode(&webcam(), PixelFormat::Mjpeg, 1280, 720, 25.0).unwrap();
        assert_eq!(
            mode,
            Mode { format: PixelFormat::Mjpeg, width: 1280, height: 720, frames_per_second: 30.0 }
        );
    }

    #[test]
    fn a_missing_size_or_rate_gives_the_nearest() {
        let mode = nearest_mode(&webcam(), PixelFormat::Yuyv, 800, 600, 30.0).unwrap();
        assert_eq!((mode.width, mode.height, mode.frames_per_second), (640, 480, 30.0));
        let mode = nearest_mode(&webcam(), PixelFormat::Yuyv, 1920, 1080, 30.0).unwrap();
        assert_eq!((mode.width, mode.frames_per_second), (1920, 5.0));
        assert!(nearest_mode(&webcam(), PixelFormat::H264, 640, 480, 30.0).is_none());
    }

    #[test]
    fn a_camera_that_lists_no_sizes_is_simply_asked() {
        let formats =
            [FormatReport { fourcc: FourCC::new(b"H264"), description: String::new(), sizes: vec![] }];
        let mode = nearest_mode(&formats, PixelFormat::H264, 1280, 720, 30.0).unwrap();
        assert_eq!(
            mode,
            Mode { format: PixelFormat::H264, width: 1280, height: 720, frames_per_second: 30.0 }
        );
    }

    #[test]
    fn ranges_are_followed_by_their_steps() {
        let sizes = FrameSizes::Stepwise { width: (32, 1920, 16), height: (32, 1080, 8) };
        assert_eq!(sizes.nearest(1280, 725), (1280, 720));
        assert_eq!(sizes.nearest(4000, 8), (1920, 32));
    }

    proptest! {
        #[test]
        fn lying_ranges_do_not_panic(w in any::<(u32, u32, u32)>(), h in any::<(u32, u32, u32)>(), size in any::<(u32, u32)>()) {
            let sizes = FrameSizes::Stepwise { width: w, height: h };
            let entry = SizeReport { sizes, frames_per_second: vec![f64::NAN, f64::INFINITY, 0.0] };
            let formats = [FormatReport { fourcc: FourCC::new(b"NV12"), description: String::new(), sizes: vec![entry] }];
            let mode = nearest_mode(&formats, PixelFormat::Nv12, size.0, size.1, 30.0).unwrap();
            prop_assert!(mode.width >= w.0.min(size.0));
        }
    }
}
