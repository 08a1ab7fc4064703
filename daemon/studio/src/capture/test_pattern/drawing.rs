//! The look of the test pattern: colour bars, the time in large digits, a disc that swings, and above them the time
//! code.
//!
//! The still parts are drawn once. A picture then costs the time code, the digits that changed, and the disc; all of them are
//! grey, so only luma is touched.

use super::time_code;
use crate::capture::i420::I420Buffer;
use crate::capture::sound::BEEP;
use font8x8::legacy::BASIC_LEGACY;
use std::io::Write as _;
use std::time::Duration;
use time::OffsetDateTime;

/// EBU colour bars 100/0/75/0 as Y, U, V in BT.601 limited range: white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [[u8; 3]; 8] = [
    [235, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];
const WHITE: u8 = 235;
const BLACK: u8 = 16;
const LANE: u8 = 40;
/// Level of the lane during a flash.
const FLASH: u8 = 180;
/// Time of a swing there and back.
const SWING: Duration = Duration::from_secs(4);
/// Length of `hh:mm:ss.mmm`.
const TIME_LENGTH: usize = 12;
/// Length of `yyyy-mm-dd UTC`.
const DATE_LENGTH: usize = 14;

/// A line of fixed-width text at a fixed place.
#[derive(Debug)]
struct Line<const N: usize> {
    left: usize,
    top: usize,
    /// Pixels of the picture for each pixel of the font.
    scale: usize,
    shown: [u8; N],
}

impl<const N: usize> Line<N> {
    fn centred(width: usize, top: usize, scale: usize) -> Self {
        Self { left: (width.saturating_sub(N * 8 * scale)) / 2, top, scale, shown: [b' '; N] }
    }

    fn height(&self) -> usize {
        8 * self.scale
    }

    /// Draws the characters that have changed.
    fn show(&mut self, luma: &mut [u8], width: usize, text: [u8; N]) {
        for (place, (new, old)) in text.into_iter().zip(self.shown).enumerate() {
            if new != old {
                self.draw(luma, width, place, BASIC_LEGACY[usize::from(new & 0x7F)]);
            }
        }
        self.shown = text;
    }

    fn draw(&self, luma: &mut [u8], width: usize, place: usize, glyph: [u8; 8]) {
        let (left, size) = (self.left + place * 8 * self.scale, 8 * self.scale);
        for (row, bits) in glyph.into_iter().enumerate() {
            let top = self.top + row * self.scale;
            for line in luma.chunks_exact_mut(width).skip(top).take(self.scale) {
                let Some(cells) = line.get_mut(left..left + size) else { return };
                for (bit, cell) in cells.chunks_exact_mut(self.scale).enumerate() {
                    cell.fill(if bits >> bit & 1 == 1 { WHITE } else { BLACK });
                }
            }
        }
    }
}

/// The picture, drawn repeatedly into one buffer.
#[derive(Debug)]
pub(super) struct Drawing {
    buffer: I420Buffer,
    time: Line<TIME_LENGTH>,
    date: Line<DATE_LENGTH>,
    lane_top: usize,
    disc_radius: usize,
    /// Left edge of the disc as last drawn.
    disc_left: usize,
    has_flash: bool,
    /// Level of the lane in the picture that was drawn last.
    lane: u8,
}

impl Drawing {
    /// Draws everything that does not move. Width and height are even. `has_flash`: the lane of the disc is bright during a [`BEEP`].
    pub(super) fn new(width: u32, height: u32, has_flash: bool) -> Self {
        let mut buffer = I420Buffer::new(width, height);
        let (width, height) = (buffer.width(), buffer.height());
        let bars_top = time_code::edge(width, time_code::CELLS_DOWN).min(height) & !1;
        let lane_top = (height - height / 6).max(bars_top) & !1;
        let scale = (width * 3 / 4 / (TIME_LENGTH * 8)).max(1);
        let small = (scale / 2).max(1);
        let panel_height = (scale + small + small.div_ceil(2) * 3) * 8;
        let panel_top = bars_top + (lane_top - bars_top).saturating_sub(panel_height) / 2;
        let time = Line::centred(width, panel_top + small.div_ceil(2) * 8, scale);
        let date = Line::centred(width, time.top + time.height() + small.div_ceil(2) * 8, small);

        let planes = buffer.planes_mut();
        for row in planes.y[bars_top * width..lane_top * width].chunks_exact_mut(width) {
            draw_bars(row, 0);
        }
        for (plane, samples) in [(1, planes.u), (2, planes.v)] {
            for row in
                samples[bars_top / 2 * (width / 2)..lane_top / 2 * (width / 2)].chunks_exact_mut(width / 2)
            {
                draw_bars(row, plane);
            }
        }
        // A black panel behind the text; its edges are even for the chroma planes' sake.
        let inset = (time.left.saturating_sub(scale * 4)) & !1;
        let panel = panel_top & !1..((panel_top + panel_height) & !1).min(lane_top);
        for y in panel.clone() {
            planes.y[y * width + inset..(y + 1) * width - inset].fill(BLACK);
        }
        planes.y[lane_top * width..].fill(LANE);
        let mut drawing = Self {
            time,
            date,
            lane_top,
            disc_radius: ((height - lane_top) / 2).saturating_sub(2),
            disc_left: 0,
            has_flash,
            lane: LANE,
            buffer,
        };
        drawing.neutral_chroma(panel, inset);
        drawing
    }

    fn neutral_chroma(&mut self, rows: std::ops::Range<usize>, inset: usize) {
        let half = self.buffer.width() / 2;
        let planes = self.buffer.planes_mut();
        for samples in [planes.u, planes.v] {
            for y in rows.start / 2..rows.end / 2 {
                samples[y * half + inset / 2..(y + 1) * half - inset / 2].fill(128);
            }
        }
    }

    /// The picture at the moment `since_epoch` (wall time after the Unix epoch).
    pub(super) fn draw(&mut self, since_epoch: Duration) -> &I420Buffer {
        let width = self.buffer.width();
        let luma = self.buffer.planes_mut().y;
        time_code::draw(luma, width, since_epoch.as_millis() as u64);
        let (time, date) = in_words(since_epoch);
        self.time.show(luma, width, time);
        self.date.show(luma, width, date);

        let (radius, lane) = (self.disc_radius, &mut luma[self.lane_top * width..]);
        let flashes = self.has_flash && since_epoch.subsec_nanos() < BEEP.subsec_nanos();
        let level = if flashes { FLASH } else { LANE };
        if std::mem::replace(&mut self.lane, level) == level {
            fill_disc(lane, width, self.disc_left, radius, level);
        } else {
            lane.fill(level);
        }
        let phase = since_epoch.as_millis() % SWING.as_millis();
        let there = phase.min(SWING.as_millis() - phase) as usize;
        self.disc_left = width.saturating_sub(radius * 2) * there / (SWING.as_millis() as usize / 2);
        fill_disc(lane, width, self.disc_left, radius, WHITE);
        &self.buffer
    }
}

fn draw_bars(row: &mut [u8], plane: usize) {
    let width = row.len();
    for (i, bar) in BARS.iter().enumerate() {
        row[width * i / BARS.len()..width * (i + 1) / BARS.len()].fill(bar[plane]);
    }
}

/// Fills a disc that touches `left`, and the top of `lane` except for one pixel.
fn fill_disc(lane: &mut [u8], width: usize, left: usize, radius: usize, level: u8) {
    for (y, row) in lane.chunks_exact_mut(width).skip(1).take(radius * 2).enumerate() {
        let from_centre = y.abs_diff(radius);
        let half = (radius * radius).saturating_sub(from_centre * from_centre).isqrt();
        if let Some(span) = row.get_mut(left + radius - half..left + radius + half) {
            span.fill(level);
        }
    }
}

/// Time and date in UTC; question marks after the year 9999.
fn in_words(since_epoch: Duration) -> ([u8; TIME_LENGTH], [u8; DATE_LENGTH]) {
    let (mut time, mut date) = ([b'?'; TIME_LENGTH], [b'?'; DATE_LENGTH]);
    if let Ok(at) = OffsetDateTime::from_unix_timestamp(since_epoch.as_secs().try_into().unwrap_or(i64::MAX))
    {
        let (hour, minute, second) = at.to_hms();
        // Fixed widths: only lack of room could make these fail, and there is exactly enough.
        let _ = write!(&mut time[..], "{hour:02}:{minute:02}:{second:02}.{:03}", since_epoch.subsec_millis());
        let (year, month, day) = at.to_calendar_date();
        let _ = write!(&mut date[..], "{year:04}-{:02}-{day:02} UTC", u8::from(month));
    }
    (time, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_date_are_in_the_picture_as_words() {
        let (time, date) = in_words(Duration::from_millis(1_795_368_483_007));
        assert_eq!(std::str::from_utf8(&time).unwrap(), "17:28:03.007");
        assert_eq!(std::str::from_utf8(&date).unwrap(), "2026-11-22 UTC");
    }

    #[test]
    fn a_picture_depends_on_its_time_alone() {
        let mut long_running = Drawing::new(640, 360, false);
        for milliseconds in (0..10_000).step_by(33) {
            long_running.draw(Duration::from_millis(milliseconds));
        }
        let at = Duration::from_millis(1_795_368_483_007);
        let (a, mut fresh) = (long_running.draw(at).frame(at).picture.planes, Drawing::new(640, 360, false));
        let b = fresh.draw(at).frame(at).picture.planes;
        for (a, b) in a.iter().zip(b) {
            assert!(a.data == b.data, "remains of an earlier picture");
        }
    }

    #[test]
    fn pictures_follow_each_other_visibly() {
        let mut drawing = Drawing::new(320, 240, false);
        let before =
            drawing.draw(Duration::from_secs(100)).frame(Duration::ZERO).picture.planes[0].data.to_vec();
        let after = drawing.draw(Duration::from_millis(100_033)).frame(Duration::ZERO).picture.planes[0].data;
        let lane = 200 * 320..;
        assert!(before[lane.clone()] != after[lane], "the disc moves");
    }

    #[test]
    fn any_size_can_be_drawn() {
        for (width, height) in
            [(2, 2), (16, 16), (160, 120), (176, 144), (1920, 1080), (1080, 1920), (1296, 972), (3840, 16)]
        {
            Drawing::new(width, height, false).draw(Duration::from_millis(1_795_368_483_007));
        }
    }
}
