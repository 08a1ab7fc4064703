//! How much a publisher may send: a bucket that drains at the permitted rate.

use std::time::Duration;

/// What a publication may be, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    /// Kilobits (1000 bits) per second of picture and sound together.
    pub(super) kbps: u32,
}

/// Seconds for which a publisher may send as much at once as it likes: a key frame is large, and after a stall everything comes together.
const BURST_SECONDS: f64 = 10.0;

/// Fills with what comes, and drains at the permitted rate.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    per_second: f64,
    level: f64,
    drained_at: Duration,
}

impl Bucket {
    /// An empty one.
    pub(super) const fn new(per_second: f64) -> Self {
        Self { per_second, level: 0.0, drained_at: Duration::ZERO }
    }

    /// Adds what came at `now`. False if it runs over.
    pub(super) fn add(&mut self, amount: f64, now: Duration) -> bool {
        let passed = now.saturating_sub(std::mem::replace(&mut self.drained_at, now));
        self.level = (self.level - passed.as_secs_f64() * self.per_second).max(0.0) + amount;
        self.level <= self.per_second * BURST_SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_a_lasting_excess_is_not() {
        let mut bucket = Bucket::new(100.0);
        let second = |n: u64| Duration::from_secs(1000 + n);
        assert!(bucket.add(1000.0, second(0)));
        assert!((1..100).all(|n| bucket.add(100.0, second(n))), "what drains is replaced");
        assert!(!bucket.add(101.0, second(100)));
        assert!(bucket.add(100.0, second(200)), "and it recovers");
        assert_eq!((201..400).position(|n| !bucket.add(150.0, second(n))), Some(18));
    }
}
