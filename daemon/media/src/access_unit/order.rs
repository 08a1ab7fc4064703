//! Presentation times for pictures of which only decoding times are known: derived from picture order counts (ITU-T
//! H.264 §8.2.1).
//!
//! A picture presented after all earlier ones is delayed by the pictures that its order count leaves room for, and by
//! the stream's reorder delay; a picture presented between two others gets a time between theirs. So the order always
//! follows the order counts, even when pictures were lost.

use crate::h264::slice_header::SliceHeader;
use crate::h264::sps::{PictureOrder, Sps};
use crate::time::{MediaDuration, MediaTime, Times};

/// Pictures kept for finding a place between them: a decoder holds at most 16 frames, or 32 fields (§A.3.1).
const WINDOW: usize = 32;
/// A picture that would be presented this many pictures before the newest one has an order count that restarted.
const FURTHEST_BACK: i64 = 32;
/// `max_num_reorder_frames` is at most this (§A.3.1), so the delay never grows beyond it.
const MAX_REORDER: u8 = 16;
/// Order counts of two successive frames differ by this, as a field counts 1 (§8.2.1). Some encoders count frames
/// instead.
const FRAME_STEP: i64 = 2;

/// Follows one source's pictures.
#[derive(Debug)]
pub(super) struct Order {
    /// `prevPicOrderCntMsb` and `Lsb` of the last reference picture (§8.2.1.1).
    reference: Option<(i64, i64)>,
    /// Added to order counts, because they restart at each IDR.
    base: i64,
    step: i64,
    /// Pictures in order of presentation: order count since the start, and time.
    shown: Vec<(i64, MediaTime)>,
    /// Order count of the picture that precedes the newest one in order of presentation.
    before_newest: i64,
    /// Number of pictures by which presentation follows decoding.
    delay: u8,
    last_dts: Option<MediaTime>,
}

/// The times of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// These times.
    At(Times),
    /// None: its reordering was not expected, and its time is over. Other pictures do not refer to it.
    TooLate,
}

impl Order {
    pub(super) const fn new() -> Self {
        Self {
            reference: None,
            base: 0,
            step: FRAME_STEP,
            shown: Vec::new(),
            before_newest: i64::MIN,
            delay: 0,
            last_dts: None,
        }
    }

    /// The number of pictures by which presentation follows decoding; 0 until a picture was reordered.
    pub(super) const fn delay(&self) -> u8 {
        self.delay
    }

    /// The times of a picture that is decoded at `dts`, `period` ticks before the next one.
    pub(super) fn place(&mut self, slice: &SliceHeader, sps: &Sps, dts: MediaTime, period: f64) -> Placed {
        let (PictureOrder::Explicit { lsb_bits }, Some(lsb)) = (sps.order, slice.order_count_lsb()) else {
            self.last_dts = Some(dts);
            return Placed::At(Times::at(dts));
        };
        self.delay = self.delay.max(sps.reorder_frames.unwrap_or(0)).min(MAX_REORDER);
        let count = self.order_count(slice, lsb, lsb_bits);
        let newest = self.shown.last().map(|&(count, _)| count);
        let placed = if newest.is_none_or(|newest| count > newest) {
            self.place_after_all(count, dts, period)
        } else {
            self.place_between(count, dts, period, slice.is_reference(), sps.reorder_frames.is_some())
        };
        if let Placed::At(times) = placed {
            self.last_dts = Some(times.dts);
        }
        placed
    }

    /// `PicOrderCnt` of the picture (§8.2.1.1), continued across IDRs.
    fn order_count(&mut self, slice: &SliceHeader, lsb: u32, lsb_bits: u32) -> i64 {
        let lsb = i64::from(lsb);
        let round = 1_i64 << lsb_bits;
        let newest = self.shown.last().map_or(0, |&(count, _)| count);
        if slice.is_idr() || self.reference.is_none() {
            // All pictures before an IDR are presented before it. Its own order count need not be 0.
            self.base = newest + self.step - lsb;
            self.reference = Some((0, lsb));
            return self.base + lsb;
        }
        let (previous_round, previous) = self.reference.unwrap_or_default();
        let msb = if lsb < previous && previous - lsb >= round / 2 {
            previous_round + round
        } else if lsb > previous && lsb - previous > round / 2 {
            previous_round - round
        } else {
            previous_round
        };
        if slice.is_reference() {
            self.reference = Some((msb, lsb));
        }
        let own = msb + lsb;
        if self.step == FRAME_STEP && own % FRAME_STEP != 0 {
            self.step = 1;
        }
        if newest - (self.base + own) > FURTHEST_BACK * self.step {
            // Order counts restarted without an IDR (memory_management_control_operation 5, a splice).
            self.base = newest + self.step - own;
        }
        self.base + own
    }

    /// Places a picture presented after all earlier ones; those that its order count leaves room for are still to come.
    fn place_after_all(&mut self, count: i64, dts: MediaTime, period: f64) -> Placed {
        let newest = self.shown.last().copied();
        let to_come = newest.map_or(0, |(before, _)| (count - before) / self.step - 1);
        let ahead = match self.delay {
            0 => 0, // never reordered: gaps are lost pictures
            delay => to_come.clamp(0, i64::from(MAX_REORDER)) + i64::from(delay),
        };
        let wanted = dts + MediaDuration::from_ticks((ahead as f64 * period).round() as i64);
        let earliest = newest.map(|(_, pts)| pts + MediaDuration::from_ticks((period / 4.0).max(1.0) as i64));
        let pts =
            if self.delay == 0 { wanted } else { earliest.map_or(wanted, |earliest| wanted.max(earliest)) };
        self.before_newest = newest.map_or(i64::MIN, |(before, _)| before);
        if self.shown.len() == WINDOW {
            self.shown.remove(0);
        }
        self.shown.push((count, pts));
        self.decoded(dts, pts)
    }

    /// Places a picture presented between two earlier ones, or before all that are kept.
    fn place_between(
        &mut self,
        count: i64,
        dts: MediaTime,
        period: f64,
        is_reference: bool,
        is_delay_known: bool,
    ) -> Placed {
        let at = self.shown.partition_point(|&(known, _)| known < count);
        let (after, after_pts) = self.shown[at.min(self.shown.len() - 1)];
        let pts = match at.checked_sub(1).map(|before| self.shown[before]) {
            _ if after == count => after_pts, // the other field of a frame, or a repetition
            Some(before) => between(before, (after, after_pts), count),
            None => {
                let steps = ((after - count) / self.step).max(1) as f64;
                after_pts + MediaDuration::from_ticks(-(steps * period).round() as i64)
            }
        };
        let is_late = self.last_dts.is_some_and(|last| pts <= last);
        // A delay that was too short grows by the missing pictures. Pictures presented before the one at which decoding
        // started do not count here.
        let missing = ((dts - pts).ticks() as f64 / period).round();
        if at > 0 && !is_delay_known && (missing >= 1.0 || is_late) {
            self.delay = self.delay.saturating_add(missing.clamp(1.0, 16.0) as u8).min(MAX_REORDER);
        }
        if is_late && !is_reference {
            return Placed::TooLate;
        }
        if after != count && at > 0 {
            self.shown.insert(at, (count, pts));
            if self.shown.len() > WINDOW {
                self.shown.remove(0);
            }
        }
        self.decoded(dts, pts)
    }

    /// Decodes at `dts`, or earlier if the picture itself or the first picture still to come is presented before that;
    /// as many pictures as the delay says may have to be decoded in between.
    fn decoded(&self, dts: MediaTime, pts: MediaTime) -> Placed {
        let first_to_come = self
            .shown
            .windows(2)
            .filter(|pair| pair[0].0 >= self.before_newest && self.delay > 0)
            .find(|pair| pair[1].0 - pair[0].0 > self.step)
            .map(|pair| {
                between(pair[0], pair[1], pair[0].0 + self.step)
                    + MediaDuration::from_ticks(-i64::from(self.delay))
            });
        let latest = first_to_come.map_or(pts, |first| first.min(pts));
        let earliest = self.last_dts.map_or(dts, |last| last + MediaDuration::from_ticks(1));
        let dts = dts.min(latest).max(earliest);
        Placed::At(Times { pts: pts.max(dts), dts })
    }
}

/// The time of order count `count`, interpolated linearly between two pictures.
fn between(before: (i64, MediaTime), after: (i64, MediaTime), count: i64) -> MediaTime {
    let span = (after.1 - before.1).ticks();
    let ticks = i128::from(span) * i128::from(count - before.0) / i128::from(after.0 - before.0).max(1);
    before.1 + MediaDuration::from_ticks(i64::try_from(ticks).unwrap_or(0))
}
