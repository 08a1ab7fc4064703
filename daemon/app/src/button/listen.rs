//! The button's thread: opens the contact, waits for changes, recognises presses, and tries again while the button is missing.

use perch_device::contact::{Contact, ContactError};
use perch_device::press::{Press, PressTimes, Presses};
use perch_studio::clock::Clock;
use perch_studio::faults::Faults;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The button's name among the faults.
const BUTTON: &str = "button";
/// Pause before a button that cannot be opened is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// The longest wait, so that the thread notices the end in time and corrects the state after a lost change.
const PATIENCE: Duration = Duration::from_secs(1);

const STUCK: &str = "The button is pressed all the time: check its wiring, and active and bias in [button]. It does nothing until it is released.";

/// Opens the contact; called again after each failure.
pub(super) type Open = Box<dyn FnMut() -> Result<Box<dyn Contact>, ContactError> + Send>;

/// Everything that the thread needs.
pub(super) struct Listener {
    pub(super) open: Open,
    pub(super) times: PressTimes,
    /// Closed when nobody listens any more.
    pub(super) tell: mpsc::Sender<Press>,
    pub(super) faults: Faults,
    pub(super) clock: Arc<dyn Clock>,
}

impl Listener {
    /// Runs until nobody listens any more.
    pub(super) fn run(mut self) {
        while !self.tell.is_closed() {
            let heard = (self.open)().and_then(|mut contact| self.hear(&mut *contact));
            let Err(error) = heard else { return };
            self.faults.tell(BUTTON, &format!("The button does not work: {error}."));
            self.clock.park(RETRY);
        }
    }

    fn hear(&self, contact: &mut dyn Contact) -> Result<(), ContactError> {
        tracing::info!("the button is {}", contact.describe());
        let mut presses = Presses::new(self.times, contact.is_closed()?, self.clock.monotonic());
        while !self.tell.is_closed() {
            let now = self.clock.monotonic();
            if presses.is_stuck(now) {
                self.faults.tell(BUTTON, STUCK);
            } else {
                self.faults.clear(BUTTON);
            }
            let wait = presses.look_at().map_or(PATIENCE, |due| due.saturating_sub(now).min(PATIENCE));
            let press = if let Some(change) = contact.wait(wait)? {
                presses.change(change.closed, change.at)
            } else {
                let (closed, now) = (contact.is_closed()?, self.clock.monotonic());
                if closed == presses.is_closed() { presses.look(now) } else { presses.change(closed, now) }
            };
            if let Some(press) = press
                && self.tell.try_send(press).is_err()
            {
                tracing::info!("a press of the button is ignored: the previous one is still being handled");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_device::contact::Change;
    use perch_studio::clock::HandClock;
    use std::collections::VecDeque;
    use std::path::PathBuf;

    /// A contact whose changes are given in advance; waiting for them advances the clock. After the last one the
    /// contact is gone.
    struct Script {
        clock: Arc<HandClock>,
        /// Milliseconds, and true if it is closed from then on.
        changes: VecDeque<(u64, bool)>,
        closed: bool,
        /// True if changes are not reported by `wait`, and only visible in `is_closed`.
        deaf: bool,
    }

    fn gone() -> ContactError {
        ContactError::Missing { path: PathBuf::from("/dev/gpiochip0") }
    }

    impl Contact for Script {
        fn wait(&mut self, at_most: Duration) -> Result<Option<Change>, ContactError> {
            let until = self.clock.monotonic() + at_most;
            let (ms, closed) = *self.changes.front().ok_or_else(gone)?;
            let at = Duration::from_millis(ms);
            if at > until {
                self.clock.turn(at_most);
                return Ok(None);
            }
            self.changes.pop_front();
            self.closed = closed;
            self.clock.turn(at.saturating_sub(self.clock.monotonic()));
            if self.deaf {
                self.clock.turn(until.saturating_sub(self.clock.monotonic()));
            }
            Ok((!self.deaf).then_some(Change { closed, at }))
        }

        fn is_closed(&mut self) -> Result<bool, ContactError> {
            Ok(self.closed)
        }

        fn describe(&self) -> String {
            "a script".to_owned()
        }
    }

    /// True if it is closed at first, true if it is deaf, and its changes.
    type Opening = (bool, bool, Vec<(u64, bool)>);

    /// Runs through the scripts, one for each opening; returns the presses, and the faults after each opening.
    fn run(scripts: Vec<Opening>) -> (Vec<Press>, Vec<String>) {
        let clock = Arc::new(HandClock::default());
        let (tell, presses) = mpsc::channel(16);
        let presses = std::sync::Mutex::new(Some(presses));
        let presses = Arc::new(presses);
        let (faults, kept) = (Faults::default(), presses.clone());
        let mut scripts = VecDeque::from(scripts);
        let (turned, seen) = (clock.clone(), faults.clone());
        let mut said = Vec::new();
        let (told, heard) = std::sync::mpsc::channel();
        let open: Open = Box::new(move || {
            said.extend(seen.in_words());
            let Some((closed, deaf, changes)) = scripts.pop_front() else {
                let mut presses = kept.lock().unwrap().take().unwrap();
                let mut all = Vec::new();
                while let Ok(press) = presses.try_recv() {
                    all.push(press);
                }
                told.send((all, said.clone())).unwrap();
                return Err(gone());
            };
            Ok(Box::new(Script { clock: turned.clone(), changes: changes.into(), closed, deaf }))
        });
        let times = PressTimes { debounce: Duration::from_millis(20), long: Duration::from_secs(5) };
        Listener { open, times, tell, faults, clock }.run();
        heard.recv().unwrap()
    }

    #[test]
    fn presses_are_told_and_a_long_one_while_it_is_held() {
        let (presses, _) = run(vec![(
            false,
            false,
            vec![(1000, true), (1200, false), (3000, true), (9000, false), (20_000, false)],
        )]);
        assert_eq!(presses, [Press::Short, Press::Long]);
    }

    #[test]
    fn a_button_that_comes_back_works_again_and_was_reported_meanwhile() {
        let press = |at| vec![(at, true), (at + 200, false), (at + 5000, false)];
        let (presses, said) = run(vec![(false, false, press(1000)), (false, false, press(20_000))]);
        assert_eq!(presses, [Press::Short, Press::Short]);
        assert!(said[0].starts_with("The button does not work: /dev/gpiochip0 is not there"), "{said:?}");
    }

    #[test]
    fn a_button_that_is_stuck_is_a_fault_until_it_is_let_go() {
        let (presses, said) = run(vec![(true, false, vec![(8000, true)]), (true, false, vec![])]);
        assert_eq!(presses, []);
        assert!(said.iter().all(|words| words.starts_with("The button does not work")), "{said:?}");
        let clock = Arc::new(HandClock::default());
        let (tell, _presses) = mpsc::channel(1);
        let faults = Faults::default();
        let (seen, turned) = (faults.clone(), clock.clone());
        let listener = Listener {
            open: Box::new(|| Err(gone())),
            times: PressTimes { debounce: Duration::from_millis(20), long: Duration::from_secs(5) },
            tell,
            faults,
            clock,
        };
        let mut stuck =
            Script { clock: turned, changes: vec![(5000, true)].into(), closed: true, deaf: false };
        listener.hear(&mut stuck).unwrap_err();
        assert_eq!(seen.in_words(), [STUCK]);
        stuck.changes = vec![(9000, false), (10_000, false), (12_000, false)].into();
        listener.hear(&mut stuck).unwrap_err();
        assert_eq!(seen.in_words(), [""; 0]);
    }

    #[test]
    fn changes_that_got_lost_are_seen_all_the_same() {
        let (presses, _) =
            run(vec![(false, true, vec![(1000, true), (3000, true), (4000, false), (9000, false)])]);
        assert_eq!(presses, [Press::Short]);
    }
}
