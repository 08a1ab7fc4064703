//! Ends of streams that the card has not taken: kept in memory, and retried until they are written.

use super::on_air::mark_ended;
use super::shared::Shared;
use crate::clock::{Clock, until, wall};
use perch_store::{EndReason, Store, StoreError, Stream, StreamId, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// The pause before the next attempt grows from here …
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// … to here.
const PAUSE_LONGEST: Duration = Duration::from_secs(30);

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) stream: StreamId,
    pub(super) reason: EndReason,
    /// When it ended, since boot: the clock may be set before the end is written.
    pub(super) at: Duration,
}

/// The ends that still have to be written.
#[derive(Debug, Default)]
pub(super) struct Ends {
    waiting: Vec<End>,
    pause: Duration,
    next_try: Option<Instant>,
}

impl Ends {
    /// Keeps an end that the card did not take.
    pub(super) fn keep(&mut self, end: End) {
        self.waiting.push(end);
        self.failed();
    }

    /// The end of this stream, if it still has to be written.
    pub(super) fn of(&self, stream: StreamId) -> Option<End> {
        self.waiting.iter().find(|end| end.stream == stream).copied()
    }

    /// Waits until the next attempt is due; for ever if nothing has to be written.
    pub(super) async fn due(&self) {
        until(self.next_try).await;
    }

    /// The ends to write now. No further attempt is due until [`Self::written`] or [`Self::failed`] reports the result.
    pub(super) fn take(&mut self) -> Vec<End> {
        self.next_try = None;
        self.waiting.clone()
    }

    /// Notes that these ends are in the store.
    pub(super) fn written(&mut self, ends: &[End]) {
        self.waiting.retain(|end| !ends.contains(end));
        self.pause = Duration::ZERO;
        if !self.waiting.is_empty() {
            self.failed();
        }
    }

    /// Notes that the card still takes none.
    pub(super) fn failed(&mut self) {
        self.pause = (self.pause * 2).clamp(PAUSE_FIRST, PAUSE_LONGEST);
        self.next_try = Some(Instant::now() + self.pause);
    }
}

impl End {
    /// The wall time of the end, by the clock as it is now.
    pub(super) fn date(&self, clock: &dyn Clock) -> Timestamp {
        let ago = clock.since_boot().saturating_sub(self.at).as_millis();
        let ago = i64::try_from(ago).unwrap_or(i64::MAX);
        Timestamp::from_unix_millis(wall(clock).unix_millis().saturating_sub(ago))
    }

    /// Writes the end. A stream that the store no longer knows needs none.
    pub(super) fn write(
        &self,
        store: &Store,
        clock: &dyn Clock,
    ) -> Result<Option<perch_store::Delivery>, StoreError> {
        match store.end_stream(self.stream, self.reason, self.date(clock)) {
            Err(StoreError::Refused(_)) => Ok(None),
            written => written,
        }
    }

    /// The stream as it will be once the end is written.
    pub(super) fn complete(&self, mut stream: Stream, clock: &dyn Clock) -> Stream {
        mark_ended(&mut stream.facts, self.reason, self.date(clock));
        stream
    }
}

/// Writes ends; returns those that were written.
pub(super) async fn write(shared: &Shared, ends: &[End]) -> Vec<End> {
    let mut written = Vec::new();
    for end in ends {
        let (writing, clock) = (*end, shared.clock.clone());
        match shared.store(move |store| writing.write(store, &*clock)).await {
            Ok(delivery) => {
                tracing::info!(stream = %end.stream, "the end of the stream is written");
                (shared.tell)(delivery.into_iter().collect());
                written.push(*end);
            }
            Err(error) => {
                tracing::debug!(stream = %end.stream, "the end of the stream cannot be written yet: {error}");
                break;
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HandClock;

    #[test]
    fn an_end_that_waits_is_dated_by_the_clock_that_was_set_meanwhile() {
        let clock = HandClock::at_wall(Duration::from_secs(1000));
        let end = End { stream: StreamId::from_number(1), reason: EndReason::User, at: clock.since_boot() };
        clock.turn(Duration::from_secs(7));
        assert_eq!(end.date(&clock), Timestamp::from_unix_millis(1_000_000));
        clock.set_wall(Duration::from_secs(1_795_000_007));
        assert_eq!(end.date(&clock), Timestamp::from_unix_millis(1_795_000_000_000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_tried_again_less_and_less_often_until_it_is_written() {
        let end = |number| End {
            stream: StreamId::from_number(number),
            reason: EndReason::User,
            at: Duration::ZERO,
        };
        let mut ends = Ends::default();
        ends.keep(end(1));
        let mut waited = Vec::new();
        for _ in 0..7 {
            let before = Instant::now();
            ends.due().await;
            waited.push(before.elapsed().as_secs());
            assert_eq!(ends.take(), [end(1)]);
            ends.failed();
        }
        assert_eq!(waited, [1, 2, 4, 8, 16, 30, 30]);
        ends.keep(end(2));
        ends.written(&[end(1)]);
        assert_eq!((ends.of(StreamId::from_number(1)), ends.take()), (None, vec![end(2)]));
        ends.written(&[end(2)]);
        assert!(
            tokio::time::timeout(PAUSE_LONGEST * 2, ends.due()).await.is_err(),
            "nothing has to be written"
        );
    }
}
