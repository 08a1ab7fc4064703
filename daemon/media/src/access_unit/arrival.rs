//! Decoding times for pictures of a byte stream that carries none (a child process). They are the pictures' arrival
//! times, with the jitter of pipes and schedulers and the bursts after a stall removed.
//!
//! An alpha-beta filter (a second-order phase-locked loop) predicts the next picture from the last one and the period, then
//! moves both a little towards the actual arrival. This damps jitter, and follows a drifting clock within seconds. An error
//! is corrected only as fast as time passes: pictures that arrive together after a stall were made one after the other, so
//! they are placed one period apart.

use crate::time::MediaTime;

/// Time in which the phase corrects most of an error, in ticks: jitter of a frame is damped to a few milliseconds.
const RESPONSE: f64 = 0.53 * MediaTime::HZ as f64;
/// The same for errors beyond [`LARGE`], so that a pause of two seconds is corrected within two seconds.
const FAST_RESPONSE: f64 = 0.33 * MediaTime::HZ as f64;
/// Jitter of pipes is below this, in ticks.
const LARGE: f64 = 0.25 * MediaTime::HZ as f64;
/// A source is closed before it is silent for this long, in ticks; a larger error is a jump of our clock or a restart
/// of the source.
const JUMP: f64 = 3.0 * MediaTime::HZ as f64;
/// A gap of this many periods without a picture is a stall.
const STALL: f64 = 4.0;
/// Bounds of the period, in ticks: 240 to 1 frames per second.
const PERIODS: (f64, f64) = (MediaTime::HZ as f64 / 240.0, MediaTime::HZ as f64);
/// The rate is measured over this time, in ticks, and over at least this number of pictures.
const MEASURED_OVER: (f64, u32) = (MediaTime::HZ as f64, 8);
/// An announced rate within this share of the measured one is taken as the true one.
const SAME_RATE: f64 = 0.1;
/// Until a rate has been measured, the stream's own is taken if it is within this share of the configured one.
const LIKELY_RATE: f64 = 0.3;

/// The state of one source's arrivals.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Ticks from picture to picture at the requested rate; `None` when no rate was requested.
    configured: Option<f64>,
    line: Option<Line>,
}

#[derive(Debug)]
struct Line {
    /// Time given to the last picture, in ticks, not rounded.
    at: f64,
    /// Ticks from picture to picture.
    period: f64,
    /// Arrival of the last picture, in ticks.
    arrived: f64,
    /// The last time that was returned.
    given: MediaTime,
    /// Arrival of the first picture and the number of pictures since, until the rate has been measured.
    measuring: Option<(f64, u32)>,
}

fn period_of(frames_per_second: f64) -> Option<f64> {
    let period = MediaTime::HZ as f64 / frames_per_second;
    (PERIODS.0..=PERIODS.1).contains(&period).then_some(period)
}

impl Arrivals {
    /// Arrivals of a source that was asked for `frames_per_second`.
    pub(super) fn new(frames_per_second: Option<f64>) -> Self {
        Self { configured: frames_per_second.and_then(period_of), line: None }
    }

    /// The time of a picture that arrived at `arrival`, and the ticks until the next one. Always later than the
    /// previous one. `announced` is the rate that the stream itself claims.
    pub(super) fn stamp(&mut self, arrival: MediaTime, announced: Option<f64>) -> (MediaTime, f64) {
        let arrived = arrival.ticks() as f64;
        let announced = announced.and_then(period_of);
        let Some(line) = &mut self.line else {
            let period = match (self.configured, announced) {
                (Some(configured), Some(announced)) if is_near(announced, configured, LIKELY_RATE) => {
                    announced
                }
                (Some(period), _) | (None, Some(period)) => period,
                (None, None) => MediaTime::HZ as f64 / 30.0,
            };
            let measuring = Some((arrived, 0));
            self.line = Some(Line { at: arrived, period, arrived, given: arrival, measuring });
            return (arrival, period);
        };
        line.measure(arrived, [announced, self.configured]);
        line.follow(arrived);
        let after = MediaTime::from_ticks(line.given.ticks() + 1);
        line.given = MediaTime::from_ticks(line.at.round() as i64).max(after);
        (line.given, line.period)
    }
}

fn is_near(period: f64, other: f64, share: f64) -> bool {
    (period / other - 1.0).abs() <= share
}

impl Line {
    /// Once enough pictures have come, sets the period: to the announced or configured rate if it is near the measured
    /// one, else to that.
    fn measure(&mut self, arrived: f64, candidates: [Option<f64>; 2]) {
        let Some((first, count)) = &mut self.measuring else { return };
        *count += 1;
        let over = arrived - *first;
        if over < MEASURED_OVER.0 || *count < MEASURED_OVER.1 {
            return;
        }
        let measured = (over / f64::from(*count)).clamp(PERIODS.0, PERIODS.1);
        let near = candidates.into_iter().flatten().filter(|period| is_near(*period, measured, SAME_RATE));
        self.period = near
            .min_by(|one, other| (one - measured).abs().total_cmp(&(other - measured).abs()))
            .unwrap_or(measured);
        self.measuring = None;
    }

    fn follow(&mut self, arrived: f64) {
        let passed = (arrived - self.arrived).max(0.0);
        self.arrived = self.arrived.max(arrived);
        let error = arrived - (self.at + self.period);
        if error.abs() > JUMP {
            (self.at, self.measuring) = (arrived, Some((arrived, 0)));
            return;
        }
        let response = if error.abs() > LARGE { FAST_RESPONSE } else { RESPONSE };
        let alpha = (self.period / response).min(0.5) * (passed / self.period).min(1.0);
        let beta = alpha * alpha / 4.0; // critical damping
        // After a stall, only the next pictures show whether those of the meantime were held back or never made.
        let most = if passed > STALL * self.period { self.period } else { f64::INFINITY };
        let step = self.period + (alpha * error).clamp(-0.75 * self.period, most);
        self.at += step;
        let for_the_period = error.clamp(-self.period, self.period);
        self.period = (self.period + beta * for_the_period).clamp(PERIODS.0, PERIODS.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamps_of(
        arrivals: impl IntoIterator<Item = i64>,
        configured: f64,
        announced: Option<f64>,
    ) -> Vec<i64> {
        let mut clock = Arrivals::new(Some(configured));
        arrivals.into_iter().map(|at| clock.stamp(MediaTime::from_ticks(at), announced).0.ticks()).collect()
    }

    fn stamps(arrivals: impl IntoIterator<Item = i64>, rate: f64) -> Vec<i64> {
        stamps_of(arrivals, rate, None)
    }

    const JITTER: [i64; 7] = [0, 900, 300, 2400, 100, 1800, 700];

    #[test]
    fn jitter_is_damped() {
        let stamps = stamps((0..600).map(|n| n * 3000 + JITTER[n as usize % 7]), 30.0);
        for pair in stamps[100..].windows(2) {
            assert!((pair[1] - pair[0] - 3000).abs() < 400, "{}", pair[1] - pair[0]);
        }
    }

    #[test]
    fn a_wrong_configured_rate_is_found_out() {
        for period in [1500, 6000, 18_000] {
            let stamps = stamps((0..900).map(|n| n * period), 30.0);
            assert!((stamps[899] - 899 * period).abs() < 300, "{} off", stamps[899] - 899 * period);
            assert!(stamps[500..].windows(2).all(|pair| (pair[1] - pair[0] - period).abs() < 60));
        }
    }

    /// Repro 17: an SPS that claims 1 frame per second while 30 arrive.
    #[test]
    fn a_rate_that_the_arrivals_belie_does_not_count() {
        for announced in [1.0, 15.0, 120.0] {
            let arrivals = (0..600).map(|n| n * 3000 + JITTER[n as usize % 7]);
            let stamps = stamps_of(arrivals, 30.0, Some(announced));
            for pair in stamps[60..].windows(2) {
                assert!((2600..=3400).contains(&(pair[1] - pair[0])), "{announced}: {}", pair[1] - pair[0]);
            }
        }
        let truly = stamps_of((0..600).map(|n| n * 3600 + JITTER[n as usize % 7]), 30.0, Some(25.0));
        assert!(
            truly[2..].windows(2).all(|pair| (pair[1] - pair[0] - 3600).abs() < 500),
            "the configured rate counts from the start"
        );
    }

    #[test]
    fn a_burst_after_a_stall_is_spread_evenly_and_ends_where_it_would_have_without() {
        for frames in [15, 30, 60] {
            // 2 s of pictures are held back, and then arrive together, 100 in a millisecond.
            let (period, held) = (90_000 / frames, 2 * frames);
            let arrivals: Vec<_> = (0..12 * frames)
                .map(|n| {
                    let (from, until) = (4 * frames, 4 * frames + held);
                    if (from..until).contains(&n) { until * period + (n - from) * 9 / 10 } else { n * period }
                })
                .collect();
            let stamps = stamps(arrivals.iter().copied(), frames as f64);
            let steps: Vec<_> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let odd = steps.iter().filter(|&&step| (step - period).abs() > period / 4).count();
            assert!(odd <= 1, "{frames}: {:?}", &steps[4 * frames as usize - 2..][..20]);
            let caught_up = (4 * frames + held + 2 * frames) as usize;
            assert!((stamps[caught_up] - arrivals[caught_up]).abs() < period, "{frames}");
        }
    }

    #[test]
    fn a_pause_is_made_up_for_within_two_seconds() {
        for frames in [10, 30, 60] {
            let period = 90_000 / frames;
            let arrivals =
                (0..10 * frames).map(|n| if n < 5 * frames { n * period } else { n * period + 180_000 });
            let stamps = stamps(arrivals, frames as f64);
            let after = 7 * frames;
            let off = stamps[after as usize] - (after * period + 180_000);
            assert!(off.abs() < period.max(3000), "{frames}: {off} off");
            assert!(stamps.windows(2).all(|pair| pair[1] > pair[0]));
        }
    }

    #[test]
    fn after_a_long_pause_the_line_goes_on_at_the_arrival() {
        let arrivals = (0..100).map(|n| if n < 50 { n * 3000 } else { n * 3000 + 900_000 });
        assert_eq!(stamps(arrivals, 30.0)[50], 50 * 3000 + 900_000);
    }

    proptest! {
        #[test]
        fn times_always_go_forward(arrivals in prop::collection::vec(0_i64..10_000_000, 1..100), rate in 0.001_f64..1e6) {
            prop_assert!(stamps(arrivals, rate).windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
