//! Decides when people are told that a stream is not recorded, and that it is recorded again: once each, however often the card is tried. A value:
//! no store, no clock.

use perch_store::{RecordingTrouble, StreamId};
use std::collections::BTreeMap;
use std::time::Duration;

/// A recording counts as resumed once it has grown for this long, so that a card that takes a write now and then is reported once.
const SETTLED: Duration = Duration::from_mins(1);

/// News about a stream's recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It has stopped growing.
    Paused(RecordingTrouble),
    /// It is growing again.
    WentOn,
}

/// The streams whose recordings stopped growing, until people were told that they are growing again.
#[derive(Debug, Default)]
pub(super) struct Telling(BTreeMap<StreamId, Known>);

#[derive(Debug)]
struct Known {
    trouble: RecordingTrouble,
    /// Monotonic time since which it has been growing again.
    well_since: Option<Duration>,
    is_told: bool,
}

impl Telling {
    /// Notes that a stream's recording does not grow. Returns true if that must be told.
    pub(super) fn fails(&mut self, stream: StreamId, trouble: RecordingTrouble) -> bool {
        let new = || Known { trouble, well_since: None, is_told: false };
        let known = self.0.entry(stream).or_insert_with(new);
        let is_first = !known.is_told && known.well_since.is_none() && known.trouble == trouble;
        known.trouble = trouble;
        known.well_since = None;
        is_first
    }

    /// Notes that it is growing.
    pub(super) fn works(&mut self, stream: StreamId, now: Duration) {
        if let Some(known) = self.0.get_mut(&stream) {
            known.well_since.get_or_insert(now);
        }
    }

    /// True if some recording does not grow for this reason.
    pub(super) fn has(&self, trouble: RecordingTrouble) -> bool {
        self.0.values().any(|known| known.trouble == trouble && known.well_since.is_none())
    }

    /// Forgets a stream that has ended: there is nothing more to tell.
    pub(super) fn ended(&mut self, stream: StreamId) {
        self.0.remove(&stream);
    }

    /// The news to tell now. They count as told unless [`Self::not_told`] takes that back.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<(StreamId, News)> {
        let mut due = Vec::new();
        self.0.retain(|&stream, known| {
            match (known.is_told, known.well_since) {
                (false, None) => {
                    known.is_told = true;
                    due.push((stream, News::Paused(known.trouble)));
                    true
                }
                // It was growing again before anybody could be told.
                (false, Some(_)) => false,
                (true, Some(since)) if now.saturating_sub(since) >= SETTLED => {
                    due.push((stream, News::WentOn));
                    false
                }
                (true, _) => true,
            }
        });
        due
    }

    /// Takes back that a piece of news was told, because the store could not be written: it is told later.
    pub(super) fn not_told(&mut self, stream: StreamId, news: News, now: Duration) {
        let known = match news {
            News::Paused(trouble) => Known { trouble, well_since: None, is_told: false },
            News::WentOn => {
                Known { trouble: RecordingTrouble::Failing, well_since: Some(now), is_told: true }
            }
        };
        self.0.insert(stream, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RecordingTrouble::{Failing, NoRoom};

    const ONE: StreamId = StreamId::from_number(1);
    const TWO: StreamId = StreamId::from_number(2);

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn each_stream_is_told_of_once_and_once_more_when_it_goes_on() {
        let mut telling = Telling::default();
        assert!(telling.fails(ONE, NoRoom) && telling.fails(TWO, Failing));
        assert_eq!(telling.take_due(second(0)), [(ONE, News::Paused(NoRoom)), (TWO, News::Paused(Failing))]);
        for tries in 1..100 {
            assert!(!telling.fails(ONE, NoRoom));
            assert_eq!(telling.take_due(second(5 * tries)), []);
        }
        telling.works(ONE, second(500));
        assert!(!telling.has(NoRoom) && telling.has(Failing));
        telling.works(ONE, second(540));
        assert_eq!(telling.take_due(second(559)), []);
        assert_eq!(telling.take_due(second(560)), [(ONE, News::WentOn)]);
        assert_eq!(telling.take_due(second(9999)), []);
        assert!(telling.fails(ONE, NoRoom), "it is news again");
    }

    #[test]
    fn a_card_that_takes_something_now_and_then_is_told_of_once() {
        let mut telling = Telling::default();
        telling.fails(ONE, Failing);
        telling.take_due(second(0));
        for round in 1..50 {
            telling.works(ONE, second(round * 10));
            telling.fails(ONE, NoRoom);
            assert_eq!(telling.take_due(second(round * 10 + 5)), []);
        }
    }

    #[test]
    fn what_the_store_did_not_take_is_told_later_and_never_after_the_end() {
        let mut telling = Telling::default();
        telling.fails(ONE, NoRoom);
        let [(stream, news)] = telling.take_due(second(0))[..] else { panic!("one") };
        telling.not_told(stream, news, second(0));
        assert_eq!(telling.take_due(second(1)), [(ONE, News::Paused(NoRoom))]);
        telling.works(ONE, second(2));
        assert_eq!(telling.take_due(second(62)), [(ONE, News::WentOn)]);
        telling.not_told(ONE, News::WentOn, second(62));
        assert_eq!(telling.take_due(second(122)), [(ONE, News::WentOn)]);

        telling.fails(ONE, NoRoom);
        telling.works(ONE, second(200));
        assert_eq!(telling.take_due(second(201)), [], "over before it could be told");
        telling.fails(TWO, NoRoom);
        telling.take_due(second(202));
        telling.works(TWO, second(203));
        telling.ended(TWO);
        assert_eq!(telling.take_due(second(999)), []);
    }
}
