//! One source's pictures between opening it and closing it: assembled, and put on the line of time that goes on across seams.

use crate::capture::source::Output;
use crate::capture::status::CaptureCounters;
use crate::capture::stream_clock::StreamClock;
use perch_device::CodedPicture;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler, AssemblerCounters};
use perch_media::time::{MediaTime, Times};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Stamps further from now are not of our clock; no encoder holds a picture back for so long.
const LATEST_STAMP: Duration = Duration::from_secs(3);

/// What is known of one source's pictures between opening it and closing it.
pub(super) struct Pictures {
    assembler: AccessUnitAssembler,
    stream_clock: StreamClock,
    /// As negotiated, for byte streams that do not say it themselves.
    frames_per_second: f64,
    /// From the device's stamps to ours; known with the first picture.
    shift_ticks: Option<i64>,
    counted: AssemblerCounters,
}

impl Pictures {
    pub(super) fn new(epoch: u32, frames_per_second: f64) -> Self {
        Self {
            assembler: AccessUnitAssembler::new(epoch),
            stream_clock: StreamClock::default(),
            frames_per_second,
            shift_ticks: None,
            counted: AssemblerCounters::default(),
        }
    }

    /// The media time of a frame that the device stamped `captured_at`. A device that stamps by another clock than ours is
    /// shifted as a whole, by what its first picture is off; jumps later on are the assembler's to straighten. Time goes on
    /// after `last`, the last picture of the source before.
    fn stamp(&mut self, captured_at: Duration, now: Duration, last: Option<MediaTime>) -> MediaTime {
        let captured = MediaTime::from_monotonic(captured_at);
        let shift = *self.shift_ticks.get_or_insert_with(|| {
            let is_of_our_clock = captured_at <= now && now.saturating_sub(captured_at) <= LATEST_STAMP;
            let plausible = if is_of_our_clock { captured } else { MediaTime::from_monotonic(now) };
            let wanted =
                last.map_or(plausible, |last| plausible.max(MediaTime::from_ticks(last.ticks() + 1)));
            wanted.ticks() - captured.ticks()
        });
        MediaTime::from_ticks(captured.ticks() + shift)
    }

    /// Gives the access units that are in `output` to `publish`, and counts what was dropped.
    pub(super) fn take(
        &mut self,
        output: Output,
        now: Duration,
        last: Option<MediaTime>,
        counters: &CaptureCounters,
        mut publish: impl FnMut(AccessUnit),
    ) {
        match output {
            Output::Picture(CodedPicture { data, captured_at, after_loss }) => {
                if after_loss {
                    self.assembler.lost_picture();
                }
                let at = self.stamp(captured_at, now, last);
                // What an error says is in the counters.
                if let Ok(Some(unit)) = self.assembler.push_picture(&data, Times::at(at)) {
                    publish(unit);
                }
            }
            Output::Stream { data, since, read_at } => {
                let came = MediaTime::from_monotonic(since)..=MediaTime::from_monotonic(read_at);
                self.assembler.push_bytes(data, came);
                while let Some(unit) = self.assembler.next_unit() {
                    publish(self.smooth(unit));
                }
            }
            Output::Nothing => return,
        }
        self.count_into(counters);
    }

    /// The last picture of a byte stream, which no other follows.
    pub(super) fn flush(&mut self) -> Option<AccessUnit> {
        self.assembler.flush().map(|unit| self.smooth(unit))
    }

    /// Pictures are being dropped until an IDR comes.
    pub(super) fn wants_key_frame(&self) -> bool {
        self.assembler.wants_key_frame()
    }

    /// Times in a byte stream are those of its arrival.
    fn smooth(&mut self, mut unit: AccessUnit) -> AccessUnit {
        let rate = unit.format.frames_per_second.unwrap_or(self.frames_per_second);
        unit.times = Times::at(self.stream_clock.stamp(unit.times.dts, rate));
        unit
    }

    /// Adds what the assembler dropped or put right since the last call.
    fn count_into(&mut self, counters: &CaptureCounters) {
        let (now, before) =
            (self.assembler.counters(), std::mem::replace(&mut self.counted, self.assembler.counters()));
        if now == before {
            return;
        }
        let dropped =
            |c: AssemblerCounters| c.not_h264 + c.broken_parameter_sets + c.too_large + c.before_idr;
        counters.discarded.fetch_add(dropped(now) - dropped(before), Ordering::Relaxed);
        counters.times_changed.fetch_add(now.times_changed - before.times_changed, Ordering::Relaxed);
    }
}
