//! The lamp: [`Seen`] determines the pattern, and a task drives the line accordingly.

use crate::config;
use crate::system::notify;
use perch_device::contact::{ContactError, Switch};
use perch_device::gpio::{self, Bias, Wiring};
use perch_site::appliance::board::Board;
use perch_store::StreamState;
use perch_studio::clock::{Clock, next_round, until};
use perch_studio::faults::Faults;
use perch_studio::live::OnAir;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The lamp's name among the faults.
const LAMP: &str = "lamp";
/// Pause before a lamp that cannot be opened is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How often the card's free space and the camera threads' signs of life are checked.
const LOOK: Duration = Duration::from_secs(5);

/// What the lamp indicates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Something does not work.
    fault: bool,
    /// The card is nearly full.
    nearly_full: bool,
    /// The most informative state of the streams on the air.
    stream: Option<StreamState>,
}

/// A repeating on-off pattern.
#[derive(Debug, PartialEq, Eq)]
struct Pattern {
    /// True if it begins lit.
    lit: bool,
    /// Milliseconds to each change; an even number of entries. Empty: it never changes.
    changes: &'static [u64],
}

const OFF: Pattern = Pattern { lit: false, changes: &[] };
const ON: Pattern = Pattern { lit: true, changes: &[] };
const SLOW: Pattern = Pattern { lit: true, changes: &[1000, 1000] };
const FAST: Pattern = Pattern { lit: true, changes: &[100, 100] };
const DOUBLE: Pattern = Pattern { lit: true, changes: &[100, 150, 100, 1650] };
/// The inverse, for a lamp that is lit: it shows that a stream is live, too.
const DOUBLE_DARK: Pattern = Pattern { lit: false, changes: &[100, 150, 100, 1650] };

impl Seen {
    fn pattern(self) -> &'static Pattern {
        match self {
            Self { fault: true, .. } => &FAST,
            Self { nearly_full: true, stream: Some(StreamState::Live), .. } => &DOUBLE_DARK,
            Self { nearly_full: true, .. } => &DOUBLE,
            Self { stream: Some(StreamState::Live), .. } => &ON,
            Self { stream: Some(StreamState::Starting | StreamState::Interrupted), .. } => &SLOW,
            Self { stream: None | Some(StreamState::Ended), .. } => &OFF,
        }
    }
}

impl Pattern {
    /// True while the lamp is lit this long after the pattern began, and the time until the next change.
    fn at(&self, since: Duration) -> (bool, Option<Duration>) {
        let round: u64 = self.changes.iter().sum();
        if round == 0 {
            return (self.lit, None);
        }
        let since = since.as_millis() as u64;
        let mut end = since / round * round;
        let mut lit = self.lit;
        for length in self.changes {
            end += length;
            if since < end {
                break;
            }
            lit = !lit;
        }
        (lit, Some(Duration::from_millis(end)))
    }
}

/// The state that the lamp watches.
pub struct Watched {
    /// The streams on the air.
    pub on_air: watch::Receiver<Arc<[OnAir]>>,
    /// The faults; the lamp's own fault is reported here, too.
    pub faults: Faults,
    /// Reports the card's free space.
    pub board: Board,
    /// Clock of the camera threads' signs of life.
    pub clock: Arc<dyn Clock>,
}

/// Shows the state until `closing` completes, then switches the lamp off. `None`: no lamp is configured.
pub fn run<C: Future<Output = ()> + Send>(
    config: &config::Lamp,
    watched: Watched,
    closing: C,
) -> Option<impl Future<Output = ()> + Send + use<C>> {
    let config::Lamp { chip, line, active, .. } = config.clone();
    let wiring = Wiring { chip, line, active, bias: Bias::None };
    config.enabled.then(|| show(move || gpio::switch(&wiring), watched, closing))
}

async fn show(
    mut open: impl FnMut() -> Result<Box<dyn Switch>, ContactError> + Send,
    watched: Watched,
    closing: impl Future<Output = ()> + Send,
) {
    let mut closing = std::pin::pin!(closing);
    let mut eyes = Eyes::new(watched);
    let mut lamp: Option<Box<dyn Switch>> = None;
    let (mut pattern, mut since) = (eyes.seen.pattern(), Instant::now());
    let mut try_again = Instant::now();
    loop {
        let seen = eyes.look();
        if seen.pattern() != pattern {
            (pattern, since) = (seen.pattern(), Instant::now());
        }
        let (lit, changes) = pattern.at(since.elapsed());
        if lamp.is_some() || try_again <= Instant::now() {
            let lighting = match &mut lamp {
                Some(lamp) => lamp.set(lit),
                None => open().and_then(|opened| lamp.insert(opened).set(lit)),
            };
            if let Err(error) = lighting {
                lamp = None;
                try_again = Instant::now() + RETRY;
                eyes.watched.faults.tell(LAMP, &format!("The lamp does not work: {error}."));
            } else {
                eyes.watched.faults.clear(LAMP);
            }
        }
        let next = match &lamp {
            Some(_) => changes.map(|changes| since + changes),
            None => Some(try_again),
        };
        tokio::select! {
            () = &mut closing => break,
            () = eyes.news() => {}
            () = until(next) => {}
        }
    }
    if let Some(mut lamp) = lamp
        && let Err(error) = lamp.set(false)
    {
        tracing::warn!("the lamp may still be on: {error}");
    }
}

/// Watches the state without ever waiting for the card.
struct Eyes {
    watched: Watched,
    faults: watch::Receiver<std::collections::BTreeMap<&'static str, String>>,
    seen: Seen,
    /// The running query for free space; `None` between queries. While a card stalls, the last result stays valid.
    asking: Option<JoinHandle<bool>>,
}

impl Eyes {
    fn new(watched: Watched) -> Self {
        let faults = watched.faults.changes();
        Self { faults, watched, seen: Seen::default(), asking: None }
    }

    fn look(&mut self) -> Seen {
        self.faults.mark_unchanged();
        let on_air = self.watched.on_air.borrow_and_update();
        // A live stream says more than a starting one, and a starting one more than an ended one.
        let stream = on_air.iter().map(|on_air| on_air.state).min_by_key(|state| match state {
            StreamState::Live => 0,
            StreamState::Starting => 1,
            StreamState::Interrupted => 2,
            StreamState::Ended => 3,
        });
        let running = notify::running(&on_air);
        drop(on_air);
        let hangs = notify::silent_for(&running, self.watched.clock.monotonic()) >= notify::HANGS;
        self.seen = Seen { fault: hangs || self.watched.faults.any(), stream, ..self.seen };
        self.seen
    }

    /// Waits until something may have changed.
    async fn news(&mut self) {
        let Self { watched, faults, seen, asking } = self;
        let asked = async {
            match asking {
                Some(answer) => answer.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = changed(&mut watched.on_air) => {}
            () = changed(faults) => {}
            full = asked => {
                *asking = None;
                seen.nearly_full = full.unwrap_or_default();
            }
            () = next_round(&*watched.clock, LOOK) => if asking.is_none() {
                let board = watched.board.clone();
                *asking = Some(tokio::task::spawn_blocking(move || board.is_nearly_full()));
            }
        }
    }
}

/// Waits for a change. Once the sender is gone it never completes, so that the loop does not spin.
async fn changed<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_studio::clock::HandClock;
    use std::sync::Mutex;
    use tokio::sync::oneshot;

    #[test]
    fn every_state_has_its_pattern() {
        use StreamState::{Ended, Interrupted, Live, Starting};
        let seen = |fault, nearly_full, stream| Seen { fault, nearly_full, stream }.pattern();
        for nothing in [None, Some(Ended)] {
            assert_eq!(seen(false, false, nothing), &OFF);
            assert_eq!(seen(false, true, nothing), &DOUBLE);
            assert_eq!(seen(true, true, nothing), &FAST);
        }
        for waiting in [Starting, Interrupted] {
            assert_eq!(seen(false, false, Some(waiting)), &SLOW);
            assert_eq!(seen(false, true, Some(waiting)), &DOUBLE);
            assert_eq!(seen(true, false, Some(waiting)), &FAST);
        }
        assert_eq!(seen(false, false, Some(Live)), &ON);
        assert_eq!(seen(false, true, Some(Live)), &DOUBLE_DARK);
        assert_eq!(seen(true, false, Some(Live)), &FAST);
    }

    #[test]
    fn a_pattern_goes_on_for_ever() {
        let ms = Duration::from_millis;
        assert_eq!(ON.at(ms(77_777)), (true, None));
        assert_eq!(SLOW.at(ms(0)), (true, Some(ms(1000))));
        assert_eq!(SLOW.at(ms(1000)), (false, Some(ms(2000))));
        assert_eq!(SLOW.at(ms(7_001_999)), (false, Some(ms(7_002_000))));
        let double: Vec<_> = [0, 100, 250, 350, 2000].map(|at| DOUBLE.at(ms(at))).into();
        let expected = [(true, 100), (false, 250), (true, 350), (false, 2000), (true, 2100)]
            .map(|(lit, at)| (lit, Some(ms(at))));
        assert_eq!(double, expected);
        assert_eq!(DOUBLE_DARK.at(ms(100)), (true, Some(ms(250))));
    }

    /// Records switching times, in milliseconds since the start; fails as often as requested.
    #[derive(Clone)]
    struct Paper {
        began: Instant,
        lines: Arc<Mutex<Vec<(u128, bool)>>>,
        fails: Arc<Mutex<u32>>,
    }

    impl Switch for Paper {
        fn set(&mut self, on: bool) -> Result<(), ContactError> {
            let mut fails = self.fails.lock().unwrap();
            if *fails > 0 {
                *fails -= 1;
                return Err(ContactError::Missing { path: "/dev/gpiochip0".into() });
            }
            let mut lines = self.lines.lock().unwrap();
            if lines.last().is_none_or(|(_, last)| *last != on) {
                lines.push((self.began.elapsed().as_millis(), on));
            }
            Ok(())
        }

        fn describe(&self) -> String {
            "paper".to_owned()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lamp_that_fails_is_tried_again_blinks_for_the_fault_and_is_off_in_the_end() {
        let paper = Paper { began: Instant::now(), lines: Arc::default(), fails: Arc::new(Mutex::new(1)) };
        let faults = Faults::default();
        let (_on_air, seen) = watch::channel(Arc::from([]));
        let data_dir = tempfile::tempdir().unwrap();
        let watched = Watched {
            on_air: seen,
            faults: faults.clone(),
            board: Board::new("/", data_dir.path().join("none")),
            clock: Arc::new(HandClock::default()),
        };
        let (close, closed) = oneshot::channel::<()>();
        let opened = paper.clone();
        let showing = tokio::spawn(show(move || Ok(Box::new(opened.clone())), watched, async {
            let _ = closed.await;
        }));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(faults.in_words()[0].starts_with("The lamp does not work: /dev/gpiochip0 is not there"));
        tokio::time::sleep(Duration::from_millis(9500)).await;
        assert_eq!(faults.in_words(), [""; 0], "it works again");
        faults.tell("button", "The button does not work.");
        tokio::time::sleep(Duration::from_millis(250)).await;
        drop(close);
        showing.await.unwrap();
        let lines = paper.lines.lock().unwrap().clone();
        let last: Vec<_> = lines.iter().rev().take(4).rev().copied().collect();
        assert_eq!(last, [(10_000, true), (10_100, false), (10_200, true), (10_250, false)], "{lines:?}");
    }
}
