//! Recognises *short press* and *long press* in the changes of a bouncing contact.
//!
//! A value without a clock: it takes changes with the kernel's times and returns presses. A level counts once it has lasted for the debounce time.
//! A contact that is closed at the beginning is stuck: it gives no press until it was open once.
//!
//! Must not be here: devices, threads, and what a press does.

use std::time::Duration;

/// A contact that is held for longer is stuck: no person holds a button this long.
const STUCK: Duration = Duration::from_secs(30);

/// What somebody did with a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// Pressed and released.
    Short,
    /// Held; returned while it is still held.
    Long,
}

/// The times that separate presses from bounces, and long presses from short ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PressTimes {
    /// A level that lasts for less is a bounce.
    pub debounce: Duration,
    /// A press that lasts this long is a long one; with [`Duration::MAX`] none is.
    pub long: Duration,
}

/// Recognises presses. All times are of one clock that does not go back.
#[derive(Clone, Debug)]
pub struct Presses {
    times: PressTimes,
    /// The contact's present level, bounces included, and the time of its last change.
    level: bool,
    level_since: Duration,
    state: State,
}

/// State of the debounced level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not pressed.
    Open,
    /// Pressed since then; whether short or long is not known yet.
    Held(Duration),
    /// Pressed since then, and already returned as a long press.
    Spent(Duration),
    /// Closed since the beginning.
    StuckFromTheStart,
}

impl Presses {
    /// Starts with the contact's state at `now`.
    pub fn new(times: PressTimes, closed: bool, now: Duration) -> Self {
        let state = if closed { State::StuckFromTheStart } else { State::Open };
        Self { times, level: closed, level_since: now, state }
    }

    /// The contact closed or opened at `at`. Report all known changes before a later [`Presses::look`].
    pub fn change(&mut self, closed: bool, at: Duration) -> Option<Press> {
        let press = self.look(at);
        // The same level again means that a change between was missed, so it is a bounce, too.
        self.level = closed;
        self.level_since = self.level_since.max(at);
        press
    }

    /// Advances to `now` without a change; returns a press that this completes.
    pub fn look(&mut self, now: Duration) -> Option<Press> {
        let settled = self.level != self.state.is_closed();
        let lasted = now.saturating_sub(self.level_since) >= self.times.debounce;
        let mut press = None;
        if settled && lasted {
            if let State::Held(_) = self.state {
                press = Some(Press::Short);
            }
            self.state = if self.level { State::Held(self.level_since) } else { State::Open };
        }
        if let State::Held(since) = self.state
            && self.level
            && now.saturating_sub(since) >= self.times.long
        {
            self.state = State::Spent(since);
            press = Some(Press::Long);
        }
        press
    }

    /// When to call [`Presses::look`] next, if nothing changes earlier.
    pub fn look_at(&self) -> Option<Duration> {
        if self.level != self.state.is_closed() {
            return Some(self.level_since + self.times.debounce);
        }
        match self.state {
            // `None` when no press counts as long.
            State::Held(since) => since.checked_add(self.times.long),
            _ => None,
        }
    }

    /// True if the last known change closed the contact, bounces included.
    pub fn is_closed(&self) -> bool {
        self.level
    }

    /// True if the contact is stuck.
    pub fn is_stuck(&self, now: Duration) -> bool {
        match self.state {
            State::StuckFromTheStart => true,
            State::Held(since) | State::Spent(since) => now.saturating_sub(since) >= STUCK,
            State::Open => false,
        }
    }
}

impl State {
    fn is_closed(self) -> bool {
        self != Self::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIMES: PressTimes =
        PressTimes { debounce: Duration::from_millis(20), long: Duration::from_secs(5) };
    /// Time between two changes of a contact that bounces at 10 kHz.
    const BOUNCE: Duration = Duration::from_micros(50);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A contact, the clock, and every press recognised so far; looks whenever that is due.
    struct Bench {
        presses: Presses,
        now: Duration,
        told: Vec<(Press, Duration)>,
    }

    impl Bench {
        fn new(closed: bool) -> Self {
            Self { presses: Presses::new(TIMES, closed, ms(1000)), now: ms(1000), told: Vec::new() }
        }

        fn wait(&mut self, time: Duration) {
            let until = self.now + time;
            while let Some(due) = self.presses.look_at().filter(|due| *due <= until) {
                self.now = due;
                let press = self.presses.look(due);
                self.tell(press);
                assert!(self.presses.look_at() != Some(due), "a look that was due must change something");
            }
            self.now = until;
        }

        fn turn(&mut self, closed: bool) {
            let press = self.presses.change(closed, self.now);
            self.tell(press);
        }

        /// Makes `changes` changes at 10 kHz, the last one to `closed`.
        fn bounce(&mut self, changes: u32, closed: bool) {
            for left in (0..changes).rev() {
                self.turn(closed == (left % 2 == 0));
                self.wait(BOUNCE);
            }
        }

        fn tell(&mut self, press: Option<Press>) {
            self.told.extend(press.map(|press| (press, self.now)));
        }

        fn presses(&self) -> Vec<Press> {
            self.told.iter().map(|(press, _)| *press).collect()
        }
    }

    #[test]
    fn a_press_is_told_once_it_is_over_and_has_settled() {
        let mut bench = Bench::new(false);
        bench.turn(true);
        bench.wait(ms(300));
        assert_eq!(bench.told, []);
        bench.turn(false);
        bench.wait(ms(1000));
        assert_eq!(bench.told, [(Press::Short, ms(1000 + 300 + 20))]);
    }

    #[test]
    fn a_long_press_is_told_while_it_is_held_and_its_end_is_none() {
        let mut bench = Bench::new(false);
        bench.turn(true);
        bench.wait(ms(8000));
        bench.turn(false);
        bench.wait(ms(8000));
        assert_eq!(bench.told, [(Press::Long, ms(6000))]);
    }

    #[test]
    fn a_button_that_is_stuck_at_the_start_does_nothing_until_it_was_open_once() {
        let mut bench = Bench::new(true);
        bench.wait(ms(60_000));
        assert!(bench.presses.is_stuck(bench.now));
        bench.bounce(41, false);
        bench.wait(ms(1000));
        assert!(!bench.presses.is_stuck(bench.now));
        assert_eq!(bench.presses(), []);
        bench.bounce(41, true);
        bench.wait(ms(100));
        bench.bounce(41, false);
        bench.wait(ms(100));
        assert_eq!(bench.presses(), [Press::Short]);
    }

    #[test]
    fn one_that_nobody_lets_go_of_is_stuck_too() {
        let mut bench = Bench::new(false);
        bench.turn(true);
        bench.wait(ms(29_999));
        assert!(!bench.presses.is_stuck(bench.now));
        bench.wait(ms(1));
        assert!(bench.presses.is_stuck(bench.now));
        bench.turn(false);
        bench.wait(ms(20));
        assert!(!bench.presses.is_stuck(bench.now));
        assert_eq!(bench.presses(), [Press::Long]);
    }

    #[test]
    fn changes_that_are_read_late_count_when_they_happened() {
        let mut presses = Presses::new(TIMES, false, ms(0));
        assert_eq!(presses.change(true, ms(100)), None);
        assert_eq!(presses.change(false, ms(400)), None);
        assert_eq!(presses.look(ms(9000)), Some(Press::Short), "the thread slept; the finger did not");
        assert_eq!(presses.change(true, ms(10_000)), None);
        assert_eq!(presses.look(ms(15_000)), Some(Press::Long));
    }

    #[test]
    fn a_missed_change_is_mended_by_what_the_contact_says_later() {
        let mut bench = Bench::new(false);
        bench.turn(true);
        bench.wait(ms(100));
        // It opened, closed and opened, and only the last of these changes arrived.
        bench.turn(false);
        bench.turn(false);
        bench.wait(ms(20));
        assert_eq!(bench.presses(), [Press::Short]);
    }

    /// Milliseconds; far enough from the limit that the bounces on release do not decide.
    fn held() -> impl Strategy<Value = u64> {
        prop_oneof![25..4980_u64, 5000..12_000_u64]
    }

    proptest! {
        #[test]
        fn bounces_at_10_khz_neither_add_nor_lose_a_press(
            // For each press: bounces when it closes and opens (an odd number of changes), how long it is held, and the rest after it.
            presses in prop::collection::vec((0..150_u32, 0..150_u32, held(), 25..3000_u64), 0..12),
        ) {
            let mut bench = Bench::new(false);
            let mut expected = Vec::new();
            for (closing, opening, held, rest) in presses {
                bench.bounce(closing * 2 + 1, true);
                bench.wait(ms(held));
                bench.bounce(opening * 2 + 1, false);
                bench.wait(ms(rest));
                expected.push(if ms(held) >= TIMES.long { Press::Long } else { Press::Short });
            }
            prop_assert_eq!(bench.presses(), expected);
        }

        #[test]
        fn whatever_a_broken_contact_does_the_next_clean_press_is_recognised(
            closed in any::<bool>(),
            noise in prop::collection::vec((any::<bool>(), 0..60_000_u64), 0..200),
        ) {
            let mut bench = Bench::new(closed);
            for (closed, micros) in noise {
                bench.turn(closed);
                bench.wait(Duration::from_micros(micros));
            }
            bench.turn(false);
            bench.wait(ms(100));
            for pair in bench.told.windows(2) {
                prop_assert!(pair[1].1.saturating_sub(pair[0].1) >= TIMES.debounce * 2, "{:?}", bench.told);
            }
            bench.told.clear();
            bench.turn(true);
            bench.wait(ms(100));
            bench.turn(false);
            bench.wait(ms(100));
            prop_assert_eq!(bench.presses(), [Press::Short]);
        }

        #[test]
        fn noise_that_never_settles_is_no_press(changes in prop::collection::vec(1..19_999_u64, 0..500)) {
            let mut bench = Bench::new(false);
            for (n, micros) in changes.into_iter().enumerate() {
                bench.turn(n % 2 == 0);
                bench.wait(Duration::from_micros(micros));
            }
            prop_assert_eq!(bench.presses(), []);
        }
    }
}
