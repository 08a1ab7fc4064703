//! Times for pictures of a byte stream that carries none (a child process): the arrival of each, freed of the jitter of
//! pipes and schedulers.
//!
//! An alpha-beta filter (a second-order phase-locked loop) predicts the next picture from the last and the period, then moves
//! both a little towards what came: jitter is damped, a wrong nominal rate or a drifting clock is followed within seconds.
//! A picture that is off by more than jitter can be (the child paused, or caught up) starts the line anew at its arrival.

use perch_media::time::MediaTime;

/// Share of the error that moves the phase. 1/16 damps jitter of a frame to a few milliseconds.
const ALPHA: f64 = 1.0 / 16.0;
/// Share that moves the period; ALPHA² / 4 is critical damping.
const BETA: f64 = ALPHA * ALPHA / 4.0;
/// More than this is no jitter, in ticks.
const JUMP: f64 = 0.5 * MediaTime::HZ as f64;
/// Bounds of the period, in ticks: 240 to 1 frames per second.
const PERIODS: (f64, f64) = (MediaTime::HZ as f64 / 240.0, MediaTime::HZ as f64);

/// See the module.
#[derive(Debug, Default)]
pub struct StreamClock(Option<Line>);

#[derive(Debug)]
struct Line {
    /// Where the last picture was put, in ticks; not rounded.
    at: f64,
    /// Ticks from picture to picture.
    period: f64,
    /// What was given out last.
    given: MediaTime,
}

impl StreamClock {
    /// The time of a picture that arrived at `arrival`, in a stream of nominally `frames_per_second`. Always later than the
    /// one before.
    pub fn stamp(&mut self, arrival: MediaTime, frames_per_second: f64) -> MediaTime {
        let arrived = arrival.ticks() as f64;
        let Some(line) = &mut self.0 else {
            let period = (MediaTime::HZ as f64 / frames_per_second).clamp(PERIODS.0, PERIODS.1);
            self.0 = Some(Line { at: arrived, period, given: arrival });
            return arrival;
        };
        let predicted = line.at + line.period;
        let error = arrived - predicted;
        if error.abs() > JUMP {
            line.at = arrived;
        } else {
            line.at = predicted + ALPHA * error;
            line.period = (line.period + BETA * error).clamp(PERIODS.0, PERIODS.1);
        }
        let after = MediaTime::from_ticks(line.given.ticks() + 1);
        line.given = MediaTime::from_ticks(line.at.round() as i64).max(after);
        line.given
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamps(arrivals: impl IntoIterator<Item = i64>, rate: f64) -> Vec<i64> {
        let mut clock = StreamClock::default();
        arrivals.into_iter().map(|at| clock.stamp(MediaTime::from_ticks(at), rate).ticks()).collect()
    }

    #[test]
    fn jitter_is_damped() {
        let jitter = [0, 900, 300, 2400, 100, 1800, 700];
        let stamps = stamps((0..600).map(|n| n * 3000 + jitter[n as usize % 7]), 30.0);
        for pair in stamps[100..].windows(2) {
            assert!((pair[1] - pair[0] - 3000).abs() < 400, "{}", pair[1] - pair[0]);
        }
    }

    #[test]
    fn a_wrong_nominal_rate_is_found_out() {
        let stamps = stamps((0..900).map(|n| n * 6000), 30.0);
        assert!((stamps[899] - 899 * 6000).abs() < 300, "{} off", stamps[899] - 899 * 6000);
        assert!(stamps[500..].windows(2).all(|pair| (pair[1] - pair[0] - 6000).abs() < 60));
    }

    #[test]
    fn after_a_pause_the_line_goes_on_at_the_arrival() {
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
