//! The sizes, rates and bit rates that a configured camera and this board's encoders can do; for any other request, the nearest in words.
//!
//! It uses the decision that opens the camera (`choice`): a mode is offered if choosing for it gives exactly that mode.
//! Must not be here: opening of devices, and rights.

use super::choice::{ChosenEncoder, ChosenSource, asks_the_board, choose};
use super::software;
use super::source::SourceError;
use crate::config::{self, BITRATE_KBPS, EncoderKind, HEIGHT, SourceKind, WIDTH};
use perch_device::mode::{FormatReport, FrameSizes};
use perch_device::probe::{CameraReport, ProbeReport, probe};
use perch_store::VideoMode;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

/// The highest rate that may be requested, frames per second, as in `perch.toml`.
const MOST_FRAMES: u32 = 120;
/// Rates are offered as whole numbers: 29.97 counts as 30.
const RATE_TOLERANCE: f64 = 0.1;
/// Macroblocks (16x16) per second that boards' hardware encoders can code: 1920x1080 at 30, 1280x720 at 60 (ITU-T H.264
/// table A-1, level 4). They accept more, and then lose frames.
const HARDWARE_MACROBLOCKS: u32 = 245_760;
/// Sizes of a range that are offered individually.
const USUAL_SIZES: [(u32, u32); 9] = [
    (320, 180),
    (320, 240),
    (640, 360),
    (640, 480),
    (800, 600),
    (960, 540),
    (1280, 720),
    (1920, 1080),
    (3840, 2160),
];
/// Rates of a range that are offered individually.
const USUAL_RATES: [u32; 8] = [5, 10, 15, 20, 25, 30, 50, 60];
/// Number of possible sizes that an error names.
const NAMED: usize = 5;

/// The modes and bit rates that may be requested.
#[derive(Clone, Debug, PartialEq)]
pub struct Ability {
    /// Sizes, largest first, each with its rates; also the usual sizes within [`Self::any_size`].
    pub modes: Vec<AbleMode>,
    /// A range of further sizes.
    pub any_size: Option<AnySize>,
    /// Bit rates, kbit/s.
    pub bitrate_kbps: RangeInclusive<u32>,
}

/// A size and its rates.
#[derive(Clone, Debug, PartialEq)]
pub struct AbleMode {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Its rates.
    pub rates: Rates,
}

/// Frame rates, frames per second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rates {
    /// Exactly these, highest first.
    Listed(Vec<u32>),
    /// Every whole number from 1 to this.
    UpTo(u32),
}

/// A range of sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct AnySize {
    /// Widths in pixels.
    pub width: Steps,
    /// Heights in pixels.
    pub height: Steps,
    /// Its rates.
    pub rates: Rates,
}

/// Even numbers of pixels from `least` to `most`, `step` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Steps {
    /// Smallest number.
    pub least: u32,
    /// Largest number.
    pub most: u32,
    /// Distance between two numbers.
    pub step: u32,
}

/// A mode that is not possible, and the nearest that are.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unable {
    /// The size is not possible.
    #[error("{width}x{height} is not possible; this camera can do {can}")]
    Size {
        /// Requested width in pixels.
        width: u32,
        /// Requested height in pixels.
        height: u32,
        /// The possible sizes, in words.
        can: String,
    },
    /// The size is possible, the rate is not.
    #[error(
        "{frames_per_second} frames per second are not possible at {width}x{height}; this camera can do {can}"
    )]
    Rate {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The requested rate.
        frames_per_second: u32,
        /// The possible rates, in words.
        can: String,
    },
    /// The bit rate is not possible.
    #[error("{bitrate_kbps} kbit/s are not possible; {can}")]
    Bitrate {
        /// The requested bit rate, in 1000 bit/s.
        bitrate_kbps: u32,
        /// The possible bit rates, in words.
        can: String,
    },
}

impl Unable {
    /// The field of the request that the error is about, as the API names it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Size { .. } => "width",
            Self::Rate { .. } => "fps",
            Self::Bitrate { .. } => "bitrate_kbps",
        }
    }
}

impl Ability {
    /// Probes the board, which blocks for some milliseconds. Fails when the camera is missing now.
    pub fn find_out(wanted: &config::Camera) -> Result<Self, SourceError> {
        let board = if asks_the_board(wanted) { probe() } else { ProbeReport::default() };
        Self::on_board(&board, wanted)
    }

    /// The ability of a configured camera on a board with these devices.
    pub fn on_board(board: &ProbeReport, wanted: &config::Camera) -> Result<Self, SourceError> {
        let choice = choose(board, wanted, &[]).choice?;
        let (modes, any_size) = match choice.source {
            ChosenSource::Command => (vec![as_configured(wanted)], None),
            ChosenSource::TestPattern => (Vec::new(), Some(any_pattern(board, wanted))),
            ChosenSource::V4l2 { camera, .. } => of_camera(board, wanted, &camera),
            ChosenSource::Libcamera { .. } => (Vec::new(), Some(any_through_libcamera())),
        };
        let bitrate_kbps = match wanted.source {
            // The program's arguments determine it.
            SourceKind::Command => wanted.bitrate_kbps..=wanted.bitrate_kbps,
            _ => *BITRATE_KBPS.start() as u32..=*BITRATE_KBPS.end() as u32,
        };
        let mut ability = Self { modes, any_size, bitrate_kbps };
        ability.name_usual_sizes();
        Ok(ability)
    }

    /// An error unless `mode` is possible.
    pub fn check(&self, mode: &VideoMode) -> Result<(), Unable> {
        let VideoMode { width, height, frames_per_second, bitrate_kbps } = *mode;
        let rates: Vec<&Rates> = self.rates_at(width, height).collect();
        if rates.is_empty() {
            return Err(Unable::Size { width, height, can: self.nearest_sizes(width, height) });
        }
        if !rates.iter().any(|rates| rates.contain(frames_per_second)) {
            let can: Vec<String> = rates.iter().map(ToString::to_string).collect();
            return Err(Unable::Rate { width, height, frames_per_second, can: can.join(" or ") });
        }
        let (least, most) = (self.bitrate_kbps.start(), self.bitrate_kbps.end());
        if self.bitrate_kbps.contains(&bitrate_kbps) {
            Ok(())
        } else if least == most {
            let can = format!("the configured command codes {least} kbit/s");
            Err(Unable::Bitrate { bitrate_kbps, can })
        } else {
            Err(Unable::Bitrate { bitrate_kbps, can: format!("{least} to {most} kbit/s are") })
        }
    }

    fn rates_at(&self, width: u32, height: u32) -> impl Iterator<Item = &Rates> {
        let listed = self.modes.iter().filter(move |mode| (mode.width, mode.height) == (width, height));
        let any = self.any_size.iter();
        let any = any.filter(move |any| any.width.contain(width) && any.height.contain(height));
        listed.map(|mode| &mode.rates).chain(any.map(|any| &any.rates))
    }

    /// The possible sizes in words, nearest first.
    fn nearest_sizes(&self, width: u32, height: u32) -> String {
        let mut modes: Vec<&AbleMode> = self.modes.iter().collect();
        modes.sort_by_key(|mode| mode.width.abs_diff(width) + mode.height.abs_diff(height));
        let listed = modes.iter().take(NAMED).map(|m| format!("{}x{} at {}", m.width, m.height, m.rates));
        let range = self.any_size.iter().map(|any| {
            let (w, h) = (any.width, any.height);
            format!(
                "every size from {}x{} to {}x{} in steps of {} and {} pixels",
                w.least, h.least, w.most, h.most, w.step, h.step
            )
        });
        let words: Vec<String> = listed.chain(range).collect();
        words.join(", ")
    }

    fn name_usual_sizes(&mut self) {
        if let Some(any) = &self.any_size {
            for (width, height) in USUAL_SIZES {
                let is_new = self.modes.iter().all(|mode| (mode.width, mode.height) != (width, height));
                if is_new && any.width.contain(width) && any.height.contain(height) {
                    self.modes.push(AbleMode { width, height, rates: any.rates.clone() });
                }
            }
        }
        self.modes.sort_by_key(|mode| {
            std::cmp::Reverse((u64::from(mode.width) * u64::from(mode.height), mode.width))
        });
    }
}

impl Rates {
    /// True if this rate can be requested.
    pub fn contain(&self, frames_per_second: u32) -> bool {
        match self {
            Self::Listed(rates) => rates.contains(&frames_per_second),
            Self::UpTo(most) => (1..=*most).contains(&frames_per_second),
        }
    }

    /// The rates to choose from, highest first: all that are listed, or the usual ones of a range and its end.
    pub fn offered(&self) -> Vec<u32> {
        match self {
            Self::Listed(rates) => rates.clone(),
            Self::UpTo(most) => {
                let mut rates: Vec<u32> = USUAL_RATES.into_iter().filter(|rate| rate < most).collect();
                rates.push(*most);
                rates.reverse();
                rates
            }
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(rates) => {
                let rates: Vec<String> = rates.iter().map(ToString::to_string).collect();
                write!(f, "{}", rates.join(" or "))
            }
            Self::UpTo(most) => write!(f, "1 to {most}"),
        }
    }
}

impl Steps {
    /// The even numbers of a driver's range within `bounds`; `None` when there are none.
    fn of((smallest, largest, step): (u32, u32, u32), bounds: &RangeInclusive<u32>) -> Option<Self> {
        let step = step.max(1);
        if !smallest.is_multiple_of(2) && step.is_multiple_of(2) {
            return None;
        }
        let most = largest.min(*bounds.end());
        // With an odd step every other size is odd: take the first even one within the bounds.
        let below = bounds.start().saturating_sub(smallest).div_ceil(step);
        let first = smallest.checked_add(below.checked_mul(step)?)?;
        let least = if first.is_multiple_of(2) { first } else { first.checked_add(step)? };
        let step = if step.is_multiple_of(2) { step } else { step.checked_mul(2)? };
        (least <= most).then(|| Self { least, most: least + (most - least) / step * step, step })
    }

    /// True if this number can be requested.
    pub fn contain(&self, pixels: u32) -> bool {
        (self.least..=self.most).contains(&pixels) && (pixels - self.least).is_multiple_of(self.step)
    }
}

/// The only mode of a configured program.
fn as_configured(wanted: &config::Camera) -> AbleMode {
    let rate = (wanted.frames_per_second.round() as u32).max(1);
    AbleMode { width: wanted.width, height: wanted.height, rates: Rates::Listed(vec![rate]) }
}

fn wide() -> RangeInclusive<u32> {
    *WIDTH.start() as u32..=*WIDTH.end() as u32
}

fn high() -> RangeInclusive<u32> {
    *HEIGHT.start() as u32..=*HEIGHT.end() as u32
}

/// Sizes of the test pattern, which are those of its encoder.
fn any_pattern(board: &ProbeReport, wanted: &config::Camera) -> AnySize {
    let hardware = board.encoders.iter().filter(|encoder| encoder.codes_h264());
    let (most_width, most_height) = match wanted.encoder {
        EncoderKind::V4l2M2m => {
            hardware.filter_map(|encoder| encoder.largest).max().unwrap_or(software::LARGEST)
        }
        // Software codes sizes that the hardware cannot.
        _ => software::LARGEST,
    };
    let steps = |bounds: &RangeInclusive<u32>, most: u32| Steps {
        least: *bounds.start(),
        most: most.min(*bounds.end()) & !1,
        step: 2,
    };
    AnySize {
        width: steps(&wide(), most_width),
        height: steps(&high(), most_height),
        rates: Rates::UpTo(MOST_FRAMES),
    }
}

/// libcamera scales to any size. Neither the Raspberry Pi's encoder nor a Pi 5's CPU can code more than 1920x1080 at
/// 30.
fn any_through_libcamera() -> AnySize {
    let steps = |bounds: RangeInclusive<u32>, most| Steps { least: *bounds.start(), most, step: 2 };
    AnySize { width: steps(wide(), 1920), height: steps(high(), 1080), rates: Rates::UpTo(30) }
}

fn of_camera(
    board: &ProbeReport,
    wanted: &config::Camera,
    camera: &CameraReport,
) -> (Vec<AbleMode>, Option<AnySize>) {
    let asked = Asked { board, wanted, camera };
    let entries = || {
        camera
            .formats
            .iter()
            .filter(|format| format.pixel_format().is_some())
            .flat_map(|format| &format.sizes)
    };
    let mut sizes = BTreeSet::new();
    let mut any_size = None;
    for entry in entries() {
        match entry.sizes {
            FrameSizes::Discrete { width, height } => _ = sizes.insert((width, height)),
            FrameSizes::Stepwise { width, height } => {
                any_size = any_size.or_else(|| asked.range(width, height));
            }
        }
    }
    if camera.formats.iter().any(|format| format.pixel_format().is_some() && format.sizes.is_empty()) {
        // For a camera that lists no sizes, the configured one is tried.
        sizes.insert((wanted.width, wanted.height));
    }
    let modes = sizes.into_iter().filter_map(|(width, height)| {
        let rates = asked.rates(width, height)?;
        Some(AbleMode { width, height, rates })
    });
    (modes.collect(), any_size)
}

/// Tries modes, one after another, on `choose`.
struct Asked<'a> {
    board: &'a ProbeReport,
    wanted: &'a config::Camera,
    camera: &'a CameraReport,
}

impl Asked<'_> {
    /// True if choosing for this mode gives exactly this mode.
    fn is_able(&self, width: u32, height: u32, rate: u32) -> bool {
        if !wide().contains(&width)
            || !high().contains(&height)
            || !width.is_multiple_of(2)
            || !height.is_multiple_of(2)
        {
            return false;
        }
        let wanted =
            config::Camera { width, height, frames_per_second: f64::from(rate), ..self.wanted.clone() };
        let Ok(choice) = choose(self.board, &wanted, &[]).choice else { return false };
        let ChosenSource::V4l2 { camera, mode } = choice.source else { return false };
        let is_fast_enough = match choice.encoder {
            ChosenEncoder::Source => true,
            ChosenEncoder::V4l2M2m(_) => {
                width.div_ceil(16) * height.div_ceil(16) * rate <= HARDWARE_MACROBLOCKS
            }
            ChosenEncoder::Software => software::can_code(width, height),
        };
        is_fast_enough
            && camera.path == self.camera.path
            && (mode.width, mode.height) == (width, height)
            && (mode.frames_per_second - f64::from(rate)).abs() <= RATE_TOLERANCE
    }

    /// The rates at a size; `None` when there are none.
    fn rates(&self, width: u32, height: u32) -> Option<Rates> {
        let usable = self.camera.formats.iter().filter(|format| format.pixel_format().is_some());
        let mut announced = BTreeSet::new();
        let mut says_nothing = false;
        for format in usable {
            says_nothing |= format.sizes.is_empty();
            for entry in entries_at(format, width, height) {
                says_nothing |= entry.is_empty();
                announced.extend(entry.iter().filter_map(|rate| whole(*rate)));
            }
        }
        // A camera that announces no rates is assumed to support any.
        if says_nothing && self.is_able(width, height, 1) {
            let most = (1..=MOST_FRAMES).rev().find(|rate| self.is_able(width, height, *rate))?;
            return Some(Rates::UpTo(most));
        }
        let rates: Vec<u32> =
            announced.into_iter().rev().filter(|rate| self.is_able(width, height, *rate)).collect();
        (!rates.is_empty()).then_some(Rates::Listed(rates))
    }

    /// The part of a driver's range of sizes that an encoder can code.
    fn range(&self, width: (u32, u32, u32), height: (u32, u32, u32)) -> Option<AnySize> {
        let largest = self.largest();
        let width = Steps::of(width, &(*wide().start()..=largest.0.min(*wide().end())))?;
        let height = Steps::of(height, &(*high().start()..=largest.1.min(*high().end())))?;
        // The rates at the largest size are the lowest.
        Some(AnySize { rates: self.rates(width.most, height.most)?, width, height })
    }

    /// The largest picture that any permitted encoder can code, in pixels.
    fn largest(&self) -> (u32, u32) {
        match self.wanted.encoder {
            EncoderKind::None => (u32::MAX, u32::MAX),
            EncoderKind::V4l2M2m => {
                let hardware = self.board.encoders.iter().filter(|encoder| encoder.codes_h264());
                hardware.filter_map(|encoder| encoder.largest).max().unwrap_or((u32::MAX, u32::MAX))
            }
            EncoderKind::Auto | EncoderKind::Software => software::LARGEST,
        }
    }
}

/// The rates of each entry that includes this size.
fn entries_at(format: &FormatReport, width: u32, height: u32) -> impl Iterator<Item = &[f64]> {
    let has = move |sizes: &FrameSizes| match *sizes {
        FrameSizes::Discrete { width: w, height: h } => (w, h) == (width, height),
        FrameSizes::Stepwise { .. } => sizes.nearest(width, height) == (width, height),
    };
    format.sizes.iter().filter(move |entry| has(&entry.sizes)).map(|entry| entry.frames_per_second.as_slice())
}

/// A rate rounded to a whole number, within the bounds for requests.
fn whole(rate: f64) -> Option<u32> {
    let whole = rate.round();
    ((whole - rate).abs() <= RATE_TOLERANCE && (1.0..=f64::from(MOST_FRAMES)).contains(&whole))
        .then_some(whole as u32)
}

#[cfg(test)]
mod tests;
