//! The test pattern in place of a camera, until a usable camera is plugged in.

use super::source::{CodedSource, Output, SourceDescription, SourceError};
use crate::clock::Clock;
use perch_device::hotplug::Hotplug;
use std::sync::Arc;
use std::time::Duration;

/// Pause between two checks for events.
const LOOK: Duration = Duration::from_secs(1);
/// Time to look for a camera after an event: udev sets permissions and links later than the kernel announces the
/// device.
const LOOK_ON: Duration = Duration::from_secs(5);

/// A source that runs until `is_better_there` returns true.
pub(super) struct StandIn {
    running: Box<dyn CodedSource>,
    news: Box<dyn FnMut() -> bool + Send>,
    is_better_there: Box<dyn FnMut() -> bool + Send>,
    clock: Arc<dyn Clock>,
    next_look: Duration,
    look_until: Duration,
}

impl StandIn {
    /// `is_better_there` is called after the kernel has announced a camera that came or went.
    pub(super) fn new(
        running: Box<dyn CodedSource>,
        is_better_there: Box<dyn FnMut() -> bool + Send>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut hotplug = Hotplug::listen();
        let news = Box::new(move || hotplug.wait(Duration::ZERO));
        Self::with_news(running, news, is_better_there, clock)
    }

    fn with_news(
        running: Box<dyn CodedSource>,
        news: Box<dyn FnMut() -> bool + Send>,
        is_better_there: Box<dyn FnMut() -> bool + Send>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let now = clock.monotonic();
        Self { running, news, is_better_there, clock, next_look: now + LOOK, look_until: now }
    }
}

impl CodedSource for StandIn {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        let now = self.clock.monotonic();
        if now >= self.next_look {
            self.next_look = now + LOOK;
            if (self.news)() {
                self.look_until = now + LOOK_ON;
            }
            if now < self.look_until && (self.is_better_there)() {
                return Err(SourceError::Missing("one was plugged in; changing to it".to_owned()));
            }
        }
        self.running.next(timeout)
    }

    fn has_sound(&self) -> bool {
        self.running.has_sound()
    }

    fn force_key_frame(&mut self) {
        self.running.force_key_frame();
    }

    fn finish(&mut self) -> bool {
        self.running.finish()
    }

    fn description(&self) -> SourceDescription {
        self.running.description()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HandClock;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Pattern;

    impl CodedSource for Pattern {
        fn next(&mut self, _timeout: Duration) -> Result<Output, SourceError> {
            Ok(Output::Nothing)
        }
        fn force_key_frame(&mut self) {}
        fn description(&self) -> SourceDescription {
            unreachable!("not called in this test")
        }
    }

    #[test]
    fn it_gives_way_when_a_camera_can_be_taken_and_not_before() {
        let clock = Arc::new(HandClock::at_wall(Duration::ZERO));
        let (news, there) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut stand_in = StandIn::with_news(
            Box::new(Pattern),
            Box::new({
                let news = news.clone();
                move || news.swap(false, Ordering::Relaxed)
            }),
            Box::new({
                let there = there.clone();
                move || there.load(Ordering::Relaxed)
            }),
            clock.clone(),
        );
        let mut next_after_a_second = || {
            clock.turn(Duration::from_secs(1));
            stand_in.next(Duration::ZERO)
        };
        there.store(true, Ordering::Relaxed);
        assert!(next_after_a_second().is_ok(), "nothing was announced");
        there.store(false, Ordering::Relaxed);
        news.store(true, Ordering::Relaxed);
        assert!(next_after_a_second().is_ok(), "it may not be opened yet");
        there.store(true, Ordering::Relaxed);
        assert!(next_after_a_second().is_err(), "now it may be opened");
    }
}
