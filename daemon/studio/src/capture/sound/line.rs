//! Keeps the frames of a microphone on the monotonic clock: decides where silence is put in for lost frames, where frames are cut, and how fast the resampler reads.
//!
//! It knows positions and times and no samples, so that a day passes in a second of a test. Positions count the frames of the line: those that the device
//! delivered, with the silence that was put in and without what was cut. Must not be here: samples (`track`), devices.

use super::sound_clock::SoundClock;
use perch_device::microphone::Stamp;
use std::time::Duration;

/// A time that is further from what is expected than this means that frames are missing or too many: kernels' times are uncertain by a transfer, some milliseconds.
const DOUBT: f64 = 0.020;
/// So many such times in a row decide. Until then the frames are held back.
const DOUBTS: u32 = 3;
/// After an overrun one time decides, and steps down to this are mended.
const NEGLIGIBLE: f64 = 0.002;
/// A longer hole is none in the sound: the sound begins anew after it.
const LONGEST_HOLE: f64 = 1.0;
/// A rate that is wrong by more than this share is none that drifts: the device says another one than it has.
const LIE: f64 = 0.005;
/// By how many seconds such a device is ahead or behind before it is believed to lie; times are uncertain by less.
const LIE_SEEN: f64 = 0.010;
/// A rate this near to one that devices have is that one: it was measured over a quarter of a second.
const NEAR: f64 = 0.015;
/// Rates that devices have.
const RATES: [f64; 12] = [
    8000.0, 11_025.0, 16_000.0, 22_050.0, 24_000.0, 32_000.0, 44_100.0, 48_000.0, 64_000.0, 88_200.0,
    96_000.0, 192_000.0,
];
/// An error is brought to a third within this many seconds …
const CORRECTED_IN: f64 = 4.0;
/// … but pitch changes by this share at most, which nobody hears (5 cents).
const PITCH: f64 = 0.003;

/// What is to be done with the samples of a block, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Placing {
    /// Forget all samples: the sound begins anew with this block.
    pub(super) begins_anew: bool,
    /// The samples that were held back belong before the silence.
    pub(super) held_first: bool,
    /// Frames of silence to put in.
    pub(super) silence: usize,
    /// Hold the block back with those before it.
    pub(super) hold: bool,
    /// Frames to leave out at the beginning of what was held back and of this block.
    pub(super) cut: usize,
}

/// What the next chunk of the resampler needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunk {
    /// Output frames for one input frame.
    pub(super) ratio: f64,
    /// The monotonic time of the first sample since the sound began; set for its first chunk.
    pub(super) begins_at: Option<Duration>,
}

/// The line of one opened device.
pub(super) struct Line {
    clock: SoundClock,
    /// Frames per second that the sound is coded with.
    output: f64,
    /// The rate that the device says.
    said: f64,
    /// The rate that it has, if it is another.
    real: Option<f64>,
    /// Frames by which positions on the line are ahead of the device's.
    shift: i64,
    /// Frames that the device has delivered.
    delivered: u64,
    /// Frames that are still to be cut.
    to_cut: usize,
    doubt: Option<Doubt>,
    /// The first and the newest time since the last step, without those in doubt.
    steady: Option<(Stamp, Stamp)>,
    /// Position of the next frame that the resampler reads.
    read: i64,
    anchor: Option<Anchor>,
    mended: u64,
}

#[derive(Clone, Copy)]
struct Doubt {
    since: Stamp,
    times: u32,
    /// The smallest surprise, seconds.
    smallest: f64,
}

/// Where the coded sound began.
#[derive(Clone, Copy)]
struct Anchor {
    /// Monotonic time, seconds.
    at: f64,
    /// Output frames since then.
    made: u64,
}

impl Line {
    /// The line of a device that says it has `said` frames per second.
    pub(super) const fn new(said: u32, output: u32) -> Self {
        Self {
            clock: SoundClock::new(said as f64),
            output: output as f64,
            said: said as f64,
            real: None,
            shift: 0,
            delivered: 0,
            to_cut: 0,
            doubt: None,
            steady: None,
            read: 0,
            anchor: None,
            mended: 0,
        }
    }

    /// By how much the device's clock is fast, parts per million; `None` until it is known.
    pub(super) fn drift(&self) -> Option<f64> {
        self.clock.is_known().then(|| self.clock.parts_per_million())
    }

    /// The rate of a device that says another one.
    pub(super) const fn real_rate(&self) -> Option<f64> {
        self.real
    }

    /// The rate by which the device's frames are read if nothing is known of its clock.
    pub(super) fn nominal_rate(&self) -> f64 {
        self.real.unwrap_or(self.said)
    }

    /// How often silence was put in, frames were cut, or the sound began anew.
    pub(super) const fn mended(&self) -> u64 {
        self.mended
    }

    /// Takes note of a block of frames that came with this time; `lost`: after an overrun.
    pub(super) fn place(&mut self, frames: usize, stamp: Option<Stamp>, lost: bool) -> Placing {
        let placing = match stamp {
            Some(stamp) => self.judge(stamp, lost),
            None => self.untimed(),
        };
        self.delivered += frames as u64;
        placing
    }

    /// The cut that is still to be made was made by so many frames.
    pub(super) fn was_cut(&mut self, frames: usize) {
        self.to_cut = self.to_cut.saturating_sub(frames);
    }

    /// Plans the next chunk of the resampler, which delays its output by `delay` input frames. `None` as long as no time is known.
    pub(super) fn chunk(&mut self, delay: f64) -> Option<Chunk> {
        if !self.clock.is_known() {
            return None;
        }
        let content = self.clock.origin().as_secs_f64() + self.clock.seconds_of(self.read as f64 - delay);
        let mut begins_at = None;
        let anchor = *self.anchor.get_or_insert_with(|| {
            begins_at = Some(Duration::from_secs_f64(content.max(0.0)));
            Anchor { at: content, made: 0 }
        });
        let error = content - (anchor.at + anchor.made as f64 / self.output);
        let correction = (error / CORRECTED_IN).clamp(-PITCH, PITCH);
        Some(Chunk { ratio: self.output / self.clock.rate() * (1.0 + correction), begins_at })
    }

    /// The resampler has read and made so many frames.
    pub(super) fn resampled(&mut self, read: usize, made: usize) {
        self.read += read.cast_signed() as i64;
        if let Some(anchor) = &mut self.anchor {
            anchor.made += made as u64;
        }
    }

    fn untimed(&self) -> Placing {
        Placing { hold: self.doubt.is_some(), cut: self.to_cut, ..Placing::default() }
    }

    fn judge(&mut self, stamp: Stamp, lost: bool) -> Placing {
        let position = stamp.position.cast_signed() + self.shift;
        if !self.clock.is_known() {
            self.clock.begin(position, stamp.at);
        }
        let surprise = self.clock.surprise(position, stamp.at);
        if lost {
            self.doubt = None;
            let placing = self.mend(if surprise.abs() < NEGLIGIBLE { 0.0 } else { surprise }, stamp);
            return Placing { held_first: true, ..placing };
        }
        if surprise.abs() <= DOUBT {
            self.doubt = None;
            self.steady = Some((self.steady.map_or(stamp, |(first, _)| first), stamp));
            self.clock.observe(position, stamp.at);
            return Placing { cut: self.to_cut, ..Placing::default() };
        }
        let doubt = self.doubt.filter(|doubt| doubt.smallest.signum() == surprise.signum());
        let doubt = doubt.unwrap_or(Doubt { since: stamp, times: 0, smallest: surprise });
        let smallest = if surprise.abs() < doubt.smallest.abs() { surprise } else { doubt.smallest };
        let doubt = Doubt { times: doubt.times + 1, smallest, ..doubt };
        if doubt.times < DOUBTS {
            self.doubt = Some(doubt);
            return Placing { hold: true, cut: self.to_cut, ..Placing::default() };
        }
        self.doubt = None;
        // A hole is a step between two times; a wrong rate is wrong before and after it.
        let before = self.steady.and_then(|(first, newest)| lie(first, newest, self.nominal_rate()));
        if let Some(real) = before.or_else(|| lie(doubt.since, stamp, self.nominal_rate())) {
            self.real = Some(real);
            self.clock = SoundClock::new(real);
            return self.begin_anew(stamp);
        }
        self.mend(smallest, stamp)
    }

    /// Puts silence in for frames that are missing, or cuts frames that are too many. `late`: seconds.
    fn mend(&mut self, late: f64, stamp: Stamp) -> Placing {
        if late.abs() > LONGEST_HOLE {
            return self.begin_anew(stamp);
        }
        self.mended += u64::from(late != 0.0);
        self.steady = None;
        let frames = (late * self.clock.rate()).round() as i64;
        self.shift += frames;
        let count = frames.unsigned_abs() as usize;
        let silence = if frames > 0 { count } else { 0 };
        if frames < 0 {
            self.to_cut += count;
        }
        Placing { silence, cut: self.to_cut, ..Placing::default() }
    }

    fn begin_anew(&mut self, stamp: Stamp) -> Placing {
        self.mended += 1;
        (self.to_cut, self.anchor, self.steady) = (0, None, None);
        self.clock.begin(stamp.position.cast_signed() + self.shift, stamp.at);
        self.read = self.delivered.cast_signed() + self.shift;
        Placing { begins_anew: true, ..Placing::default() }
    }
}

/// The rate that a device really has, if what came between the two times contradicts `nominal`.
fn lie(first: Stamp, newest: Stamp, nominal: f64) -> Option<f64> {
    let passed = newest.at.saturating_sub(first.at).as_secs_f64();
    let frames = newest.position.saturating_sub(first.position) as f64;
    let measured = frames / passed.max(f64::MIN_POSITIVE);
    let is_seen = (frames / nominal - passed).abs() > LIE_SEEN && (measured / nominal - 1.0).abs() > LIE;
    // Otherwise it only paused, or gave what it had kept.
    let is_possible = (4000.0..400_000.0).contains(&measured);
    (is_seen && is_possible).then(|| {
        let near = RATES.into_iter().find(|rate| (measured / rate - 1.0).abs() < NEAR);
        near.unwrap_or(measured)
    })
}

#[cfg(test)]
mod tests;
