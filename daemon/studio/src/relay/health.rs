//! Whether the far end takes what it is sent: by what its kernel acknowledges (TCP), and by what the server itself does (RTMP's acknowledgements). A frozen server's
//! kernel goes on acknowledging until its buffer is full, which can be megabytes. A value: no socket, no clock.

use std::collections::VecDeque;
use std::time::Duration;

/// A far end that has taken nothing of what waits for so long is given up.
pub(super) const SILENCE: Duration = Duration::from_secs(4);
/// The rate is that of so many looks.
const LOOKS: usize = 10;

/// What the far end does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stuck {
    /// Its kernel takes nothing.
    Kernel,
    /// The server has acknowledged before, and does so no more.
    Server,
}

/// One connection's health.
#[derive(Debug)]
pub(super) struct Health {
    /// Bytes that the far end's kernel has acknowledged.
    taken: u64,
    /// When it took something last, or nothing waited.
    taken_at: Duration,
    /// What was taken when the server acknowledged last, and when that was. `None`: it never did.
    acknowledged: Option<(u64, Duration)>,
    /// Bytes between two acknowledgements, at most so far.
    interval: u64,
    /// When we looked, and what was taken then.
    looks: VecDeque<(Duration, u64)>,
}

impl Health {
    /// Of a connection that is opened at `now`; the server was asked to acknowledge every `window` bytes.
    pub(super) fn new(window: u32, now: Duration) -> Self {
        Self {
            taken: 0,
            taken_at: now,
            acknowledged: None,
            interval: window.into(),
            looks: VecDeque::with_capacity(LOOKS),
        }
    }

    /// The kernel was given `written` bytes in all, and has `untaken` of them; `waits` tells of more that it has not taken from us.
    pub(super) fn look(
        &mut self,
        written: u64,
        untaken: u64,
        waits: bool,
        now: Duration,
    ) -> Result<(), Stuck> {
        let taken = written.saturating_sub(untaken);
        if taken > self.taken || (untaken == 0 && !waits) {
            self.taken = self.taken.max(taken);
            self.taken_at = now;
        }
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back((now, self.taken));
        if now.saturating_sub(self.taken_at) >= SILENCE {
            return Err(Stuck::Kernel);
        }
        // Servers acknowledge as often as they like: what they did before is what they are held to.
        if let Some((at_last, since)) = self.acknowledged
            && self.taken - at_last > 2 * self.interval
            && now.saturating_sub(since) >= SILENCE
        {
            return Err(Stuck::Server);
        }
        Ok(())
    }

    /// The server has acknowledged.
    pub(super) fn acknowledged(&mut self, now: Duration) {
        let before = self.acknowledged.map_or(0, |(taken, _)| taken);
        self.interval = self.interval.max(self.taken - before);
        self.acknowledged = Some((self.taken, now));
    }

    /// Bytes that the far end has taken.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// When it took something last: the server itself, where it says so.
    pub(super) fn last(&self) -> Duration {
        self.acknowledged.map_or(self.taken_at, |(_, at)| at)
    }

    /// Kilobits (1000 bits) a second that it takes now.
    pub(super) fn kbps(&self) -> u32 {
        let (Some((first_at, first)), Some((last_at, last))) = (self.looks.front(), self.looks.back()) else {
            return 0;
        };
        let seconds = last_at.saturating_sub(*first_at).as_secs_f64();
        if seconds > 0.0 { ((last - first) as f64 / seconds / 125.0) as u32 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(500);

    #[test]
    fn a_black_hole_is_known_by_what_its_kernel_does_not_take() {
        let mut health = Health::new(1000, Duration::ZERO);
        assert_eq!(health.look(5000, 1000, false, TICK), Ok(()));
        let known = (2..100).find(|look| {
            health
                .look(5000 + u64::from(*look) * 1000, 1000 + u64::from(*look) * 1000, true, TICK * *look)
                .is_err()
        });
        assert_eq!(known.map(|look| TICK * look), Some(SILENCE + TICK));
    }

    #[test]
    fn a_frozen_server_is_known_by_what_it_does_not_acknowledge() {
        let mut health = Health::new(1000, Duration::ZERO);
        let mut written = 0;
        for look in 0..20 {
            written += 600;
            health.look(written, 0, false, TICK * look).unwrap();
            health.acknowledged(TICK * look);
        }
        assert_eq!(health.kbps(), 9);
        let frozen = TICK * 19;
        let known = (20..100).find(|look| {
            written += 600;
            health.look(written, 0, false, TICK * *look) == Err(Stuck::Server)
        });
        assert_eq!(known.map(|look| TICK * look), Some(frozen + SILENCE));
        assert_eq!(health.last(), frozen);
    }

    #[test]
    fn a_pause_of_the_stream_and_a_server_that_acknowledges_seldom_are_no_trouble() {
        let mut health = Health::new(1000, Duration::ZERO);
        health.look(1000, 0, false, TICK).unwrap();
        health.acknowledged(TICK);
        for look in 2..100 {
            assert_eq!(health.look(1000, 0, false, TICK * look), Ok(()), "nothing is sent");
        }
        let mut health = Health::new(1000, Duration::ZERO);
        for look in 0..200u32 {
            assert_eq!(health.look(u64::from(look) * 1000, 0, false, TICK * look), Ok(()), "{look}");
            if look % 20 == 19 {
                health.acknowledged(TICK * look);
            }
        }
    }
}
