//! Checks whether the store answers. A probe calls it every few seconds in the way requests do: on a thread of the
//! runtime that may block. So it detects a card or store that hangs, and also a lack of free threads.
//!
//! Not here: the consequences (`/readyz`, the watchdog). Errors of the store count as answers.

use perch_studio::clock::{Clock, next_round};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time between two calls; longer where an answer takes longer.
const PERIOD: Duration = Duration::from_secs(5);

/// The probe's result; clones share it.
#[derive(Clone)]
pub struct StoreProbe {
    clock: Arc<dyn Clock>,
    /// Monotonic time of a call without an answer.
    asked_at: Arc<Mutex<Option<Duration>>>,
}

impl StoreProbe {
    /// A probe that has not called yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, asked_at: Arc::default() }
    }

    /// How long a call has waited for its answer; zero without one.
    pub fn waits(&self) -> Duration {
        self.asked_at().map_or(Duration::ZERO, |asked_at| self.clock.monotonic().saturating_sub(asked_at))
    }

    /// Runs until dropped. `ask` calls the store and may block; one call at a time.
    pub async fn run(self, ask: impl Fn() + Send + Sync + 'static) {
        let ask = Arc::new(ask);
        loop {
            *self.asked_at() = Some(self.clock.monotonic());
            let ask = ask.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || ask()).await {
                tracing::error!("the store cannot be probed: {error}");
            }
            *self.asked_at() = None;
            next_round(&*self.clock, PERIOD).await;
        }
    }

    /// A panic leaves no half-made change.
    fn asked_at(&self) -> MutexGuard<'_, Option<Duration>> {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_studio::clock::HandClock;
    use std::sync::mpsc;

    /// A probe of a store whose calls return on the test's command, and the number of calls.
    struct Probed {
        probe: StoreProbe,
        clock: Arc<HandClock>,
        calls: mpsc::Receiver<()>,
        returns: mpsc::Sender<()>,
    }

    fn probe() -> Probed {
        let clock = Arc::new(HandClock::default());
        let probe = StoreProbe::new(clock.clone());
        let (called, calls) = mpsc::channel();
        let (returns, returned) = mpsc::channel();
        let returned = Mutex::new(returned);
        tokio::spawn(probe.clone().run(move || {
            called.send(()).unwrap();
            // An error means that the test has ended.
            let _ = returned.lock().unwrap().recv();
        }));
        Probed { probe, clock, calls, returns }
    }

    async fn next_call(calls: &mpsc::Receiver<()>) {
        while calls.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_does_not_return_is_seen_until_it_does() {
        let Probed { probe, clock, calls, returns } = probe();
        next_call(&calls).await;
        clock.turn(Duration::from_secs(12));
        assert_eq!(probe.waits(), Duration::from_secs(12));
        returns.send(()).unwrap();
        while !probe.waits().is_zero() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn that_no_thread_is_left_for_the_store_is_seen_too() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .build()
            .unwrap();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        runtime.block_on(async {
            for _ in 0..2 {
                let held = held.clone();
                tokio::task::spawn_blocking(move || held.lock().unwrap().recv());
            }
            let Probed { probe, clock, calls, .. } = probe();
            tokio::task::yield_now().await;
            clock.turn(Duration::from_secs(12));
            assert_eq!(probe.waits(), Duration::from_secs(12));
            assert!(calls.try_recv().is_err());
        });
        drop(release);
    }
}
