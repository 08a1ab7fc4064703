//! The clock of a sound card, measured against the kernel's monotonic clock: a line through the times at which the card had delivered so many
//! frames (weighted least squares, older times count less).

use std::time::Duration;

/// A time loses two thirds of its weight within this many seconds. A crystal's rate changes by a part per million in minutes, and a time is uncertain by some
/// milliseconds: that gives the rate within 1 ppm.
const MEMORY: f64 = 20.0;
/// Weight of the assumption that the rate is the one before, in observations × s². So the first second's few times do not decide alone.
const ASSUMED: f64 = 36.0;

/// Where each frame of a sound card lies on the monotonic clock.
pub(super) struct SoundClock {
    /// Frames per second by which positions are turned into seconds.
    nominal: f64,
    origin: Option<Origin>,
    /// The slope from before `origin`.
    assumed_slope: f64,
    weight: f64,
    /// Weighted means: seconds after the origin by the card's clock, and by how much the kernel's clock was ahead of it.
    mean: (f64, f64),
    /// Weighted sums of squares and of products around the means.
    squares: f64,
    products: f64,
    newest: f64,
}

#[derive(Clone, Copy)]
struct Origin {
    position: i64,
    at: Duration,
}

impl SoundClock {
    /// A clock that is not known yet. `nominal`: frames per second, as the card says.
    pub(super) const fn new(nominal: f64) -> Self {
        Self {
            nominal,
            origin: None,
            assumed_slope: 0.0,
            weight: 0.0,
            mean: (0.0, 0.0),
            squares: 0.0,
            products: 0.0,
            newest: 0.0,
        }
    }

    /// True after the first observation.
    pub(super) const fn is_known(&self) -> bool {
        self.origin.is_some()
    }

    /// Begins anew at this observation. The rate is assumed to be the one before.
    pub(super) fn begin(&mut self, position: i64, at: Duration) {
        let assumed_slope = self.slope();
        *self = Self { assumed_slope, origin: Some(Origin { position, at }), ..Self::new(self.nominal) };
        self.observe(position, at);
    }

    /// Notes that the card had delivered `position` frames at `at`.
    pub(super) fn observe(&mut self, position: i64, at: Duration) {
        let Some((x, y)) = self.point(position, at) else { return self.begin(position, at) };
        let fading = (-(x - self.newest).max(0.0) / MEMORY).exp();
        self.newest = x.max(self.newest);
        self.weight = self.weight * fading + 1.0;
        let from_mean = x - self.mean.0;
        self.mean.0 += from_mean / self.weight;
        self.mean.1 += (y - self.mean.1) / self.weight;
        self.squares = self.squares * fading + from_mean * (x - self.mean.0);
        self.products = self.products * fading + from_mean * (y - self.mean.1);
    }

    /// By how many seconds this observation is later than expected; negative if it is earlier.
    pub(super) fn surprise(&self, position: i64, at: Duration) -> f64 {
        self.point(position, at).map_or(0.0, |(x, y)| y - self.ahead(x))
    }

    /// The monotonic time of a frame, seconds after [`Self::origin`].
    pub(super) fn seconds_of(&self, position: f64) -> f64 {
        let Some(origin) = self.origin else { return 0.0 };
        let x = (position - origin.position as f64) / self.nominal;
        x + self.ahead(x)
    }

    /// The monotonic time of the first observation since the beginning.
    pub(super) fn origin(&self) -> Duration {
        self.origin.map_or(Duration::ZERO, |origin| origin.at)
    }

    /// The card's frames in a second of the kernel's clock.
    pub(super) fn rate(&self) -> f64 {
        self.nominal / (1.0 + self.slope())
    }

    /// By how much the card's clock is fast, parts per million of what it says.
    pub(super) fn parts_per_million(&self) -> f64 {
        (self.rate() / self.nominal - 1.0) * 1e6
    }

    /// The slope of the line: by how many seconds the kernel's clock gets ahead of the card's in a second.
    fn slope(&self) -> f64 {
        (self.products + self.assumed_slope * ASSUMED) / (self.squares + ASSUMED)
    }

    fn ahead(&self, x: f64) -> f64 {
        self.mean.1 + self.slope() * (x - self.mean.0)
    }

    fn point(&self, position: i64, at: Duration) -> Option<(f64, f64)> {
        let origin = self.origin?;
        let x = (position - origin.position) as f64 / self.nominal;
        let passed = at.as_secs_f64() - origin.at.as_secs_f64();
        Some((x, passed - x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Duration = Duration::from_secs(1_000_000);

    /// A clock after so many seconds with a card that is fast by `ppm`, observed every 20 ms and up to 4 ms late.
    fn after(seconds: u64, ppm: f64) -> (SoundClock, i64, Duration) {
        let (mut clock, mut position, mut at) = (SoundClock::new(48_000.0), 0, START);
        for turn in 0..seconds * 50 {
            at = START + Duration::from_millis(20 * turn);
            position = (turn as f64 * 0.02 * 48_000.0 * (1.0 + ppm / 1e6)) as i64;
            clock.observe(position, at + Duration::from_micros((turn * 7919) % 4000));
        }
        (clock, position, at)
    }

    #[test]
    fn the_rate_is_known_within_a_part_per_million_after_a_minute() {
        for ppm in [-1000.0, -50.0, 0.0, 50.0, 1000.0] {
            let (clock, position, at) = after(60, ppm);
            assert!((clock.parts_per_million() - ppm).abs() < 1.0, "{ppm}: {}", clock.parts_per_million());
            // The times are 2 ms late on average.
            let off = clock.surprise(position, at + Duration::from_millis(2));
            assert!(off.abs() < 0.000_2, "{ppm}: {off}");
        }
    }

    #[test]
    fn a_few_wild_times_do_not_make_a_rate() {
        let mut clock = SoundClock::new(48_000.0);
        clock.observe(0, START);
        clock.observe(960, START + Duration::from_millis(28));
        clock.observe(1920, START + Duration::from_millis(37));
        assert!(clock.parts_per_million().abs() < 20.0, "{}", clock.parts_per_million());
    }

    #[test]
    fn a_new_beginning_keeps_the_rate() {
        let (mut clock, position, at) = after(60, 1000.0);
        clock.begin(position, at + Duration::from_hours(1));
        assert!((clock.parts_per_million() - 1000.0).abs() < 2.0, "{}", clock.parts_per_million());
        let second_later = clock.surprise(position + 48_048, at + Duration::from_secs(3601));
        assert!(second_later.abs() < 0.000_1, "{second_later}");
    }

    proptest! {
        #[test]
        fn no_observations_give_anything_but_numbers(all in prop::collection::vec((any::<i64>(), 0_u64..u64::MAX / 2), 0..50)) {
            let mut clock = SoundClock::new(8000.0);
            for (position, at) in all {
                // Positions are counted, so they differ by less.
                clock.observe(position / 4, Duration::from_nanos(at));
                prop_assert!(clock.rate().is_finite() && clock.seconds_of(1.0).is_finite());
            }
        }
    }
}
