//! Finds the events that webhooks are told of: what begins, ends and fails on the air. The task asks; [`Watcher`] is a value and decides what is news.
//! A stream that a restart resumes does not start again. Of one that ends while perchd is not running, or that a power cut ended, no end is told.

use super::Webhooks;
use super::event::About;
use crate::appliance::board::Board;
use perch_store::{RecordingState, Refusal, Store, StoreError, Stream, StreamId, StreamState, User};
use perch_studio::capture::status::CameraState;
use perch_studio::clock::{Clock, next_round};
use perch_studio::live::OnAir;
use perch_studio::recorder::Recordings;
use perch_studio::relay::RelayState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often relays, cameras and recordings are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A fault is told of once it has lasted this long, and once more after it was over.
const SETTLED: Duration = Duration::from_secs(10);
/// Looks between two at the card.
const CARD_EVERY: u32 = 12;

/// What the events are found in.
pub struct Watched {
    /// The streams.
    pub on_air: watch::Receiver<Arc<[OnAir]>>,
    /// Their recordings.
    pub recordings: Recordings,
    /// The card.
    pub board: Board,
    /// Names and titles.
    pub store: Arc<Store>,
    /// Monotonic time.
    pub clock: Arc<dyn Clock>,
}

/// A stream as it is now.
#[derive(Debug, Clone)]
struct Look {
    stream: StreamId,
    state: StreamState,
    camera: Option<String>,
    /// Why it waits for its camera, in words.
    camera_fault: Option<String>,
    /// Its relays, and why each does not send it on.
    relays: Vec<(String, Option<String>)>,
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    Started(StreamId),
    Ended(StreamId),
    RelayFailed { stream: StreamId, relay: String, detail: String },
    CameraFault { stream: StreamId, camera: String, detail: String },
    StorageLow,
}

/// A fault, from its begin to its end.
#[derive(Debug)]
struct Fault {
    since: Duration,
    is_told: bool,
}

/// What was told of the streams on the air.
#[derive(Debug, Default)]
struct Watcher {
    /// Streams that have been live, and whether their end was told.
    live: BTreeMap<StreamId, bool>,
    /// By stream and relay; an empty name is the stream's camera.
    faults: BTreeMap<(StreamId, String), Fault>,
    is_low: bool,
}

impl Watcher {
    /// News since the last look; `is_low`: whether the card is nearly full, if it was looked at.
    fn look(&mut self, streams: &[Look], is_low: Option<bool>, now: Duration) -> Vec<News> {
        let mut news = Vec::new();
        for look in streams {
            match look.state {
                StreamState::Starting => {}
                // Seen like this first, it is resumed, and its start was told before.
                StreamState::Interrupted => {
                    self.live.entry(look.stream).or_insert(false);
                }
                StreamState::Live => {
                    if self.live.insert(look.stream, false).is_none() {
                        news.push(News::Started(look.stream));
                    }
                }
                StreamState::Ended => {
                    if let Some(is_told) = self.live.get_mut(&look.stream)
                        && !std::mem::replace(is_told, true)
                    {
                        news.push(News::Ended(look.stream));
                    }
                }
            }
            let stream = look.stream;
            let is_over = look.state == StreamState::Ended;
            if let Some(camera) = &look.camera {
                let fault = look.camera_fault.as_ref().filter(|_| !is_over);
                if let Some(detail) = self.fault(stream, "", fault, now) {
                    news.push(News::CameraFault { stream, camera: camera.clone(), detail });
                }
            }
            for (relay, fault) in &look.relays {
                let fault = fault.as_ref().filter(|_| !is_over);
                if let Some(detail) = self.fault(stream, relay, fault, now) {
                    news.push(News::RelayFailed { stream, relay: relay.clone(), detail });
                }
            }
        }
        let is_there = |stream: StreamId| streams.iter().any(|look| look.stream == stream);
        self.live.retain(|stream, _| is_there(*stream));
        self.faults.retain(|(stream, _), _| is_there(*stream));
        if let Some(is_low) = is_low
            && is_low != std::mem::replace(&mut self.is_low, is_low)
            && is_low
        {
            news.push(News::StorageLow);
        }
        news
    }

    /// The fault's words, if it has to be told now.
    fn fault(&mut self, stream: StreamId, of: &str, fault: Option<&String>, now: Duration) -> Option<String> {
        let key = (stream, of.to_owned());
        let Some(detail) = fault else {
            self.faults.remove(&key);
            return None;
        };
        let known = self.faults.entry(key).or_insert(Fault { since: now, is_told: false });
        let is_due = !known.is_told && now.saturating_sub(known.since) >= SETTLED;
        known.is_told |= is_due;
        is_due.then(|| detail.clone())
    }
}

fn looks(on_air: &[OnAir]) -> Vec<Look> {
    let look = |on_air: &OnAir| Look {
        stream: on_air.stream,
        // The appliance's own stream is in no store: nobody started it.
        state: if on_air.user.is_some() { on_air.state } else { StreamState::Starting },
        camera: on_air.origin.camera().map(str::to_owned),
        camera_fault: match &*on_air.feed.state().borrow() {
            CameraState::Waiting { reason } => Some(reason.clone()),
            _ => None,
        },
        relays: on_air
            .relays
            .status()
            .into_iter()
            .map(|relay| {
                let fault = match relay.state {
                    RelayState::Retrying { why, .. } | RelayState::Refused { why, .. } => Some(why),
                    RelayState::Connecting { before } => before,
                    RelayState::Live { .. } | RelayState::Ended => None,
                };
                (relay.name.to_string(), fault)
            })
            .collect(),
    };
    on_air.iter().map(look).collect()
}

/// Tells webhooks what happens until it is aborted.
pub async fn watch(mut watched: Watched, webhooks: Webhooks) {
    let mut known = Watcher::default();
    // Streams that have ended, and whose recordings may not be closed yet.
    let mut closing = BTreeSet::new();
    for round in (0..CARD_EVERY).cycle() {
        let is_round = tokio::select! {
            () = next_round(&*watched.clock, LOOK) => true,
            changed = watched.on_air.changed() => {
                if changed.is_err() {
                    return;
                }
                false
            }
        };
        let streams = looks(&watched.on_air.borrow_and_update());
        let (board, is_due) = (watched.board.clone(), is_round && round == 0);
        // A card may stall.
        let is_low = if is_due {
            tokio::task::spawn_blocking(move || board.is_nearly_full()).await.ok()
        } else {
            None
        };
        let news = known.look(&streams, is_low, watched.clock.monotonic());
        closing.extend(news.iter().filter_map(|news| match news {
            News::Ended(stream) => Some(*stream),
            _ => None,
        }));
        if news.is_empty() && closing.is_empty() {
            continue;
        }
        let (store, recordings, telling) =
            (watched.store.clone(), watched.recordings.clone(), webhooks.clone());
        let mut waiting = std::mem::take(&mut closing);
        let told = tokio::task::spawn_blocking(move || {
            for news in news {
                tell(&store, &telling, news);
            }
            waiting.retain(|stream| !tell_recording(&store, &recordings, &telling, *stream));
            waiting
        });
        match told.await {
            Ok(waiting) => closing = waiting,
            Err(error) => tracing::error!("webhooks were not told: {error}"),
        }
    }
}

/// Blocks.
fn tell(store: &Store, webhooks: &Webhooks, news: News) {
    let about = match news {
        News::Started(stream) => {
            find(store, stream).map(|(stream, user)| About::StreamStarted(Box::new(stream), user))
        }
        News::Ended(stream) => {
            find(store, stream).map(|(stream, user)| About::StreamEnded(Box::new(stream), user))
        }
        News::RelayFailed { stream, relay, detail } => Some(About::RelayFailed { relay, stream, detail }),
        News::CameraFault { stream, camera, detail } => Some(About::CameraFault { camera, stream, detail }),
        News::StorageLow => Some(About::StorageLow { detail: "the card is nearly full".to_owned() }),
    };
    // `None`: it was deleted meanwhile.
    if let Some(about) = about {
        webhooks.tell(about);
    }
}

/// True if there is nothing more to wait for. Blocks.
fn tell_recording(store: &Store, recordings: &Recordings, webhooks: &Webhooks, stream: StreamId) -> bool {
    match recordings.recording(stream) {
        Ok(Some(recording)) if recording.state == RecordingState::Recording => return false,
        Ok(Some(recording)) if recording.state == RecordingState::Ended => {
            if let Some((stream, user)) = find(store, stream) {
                webhooks.tell(About::RecordingReady(Box::new(stream), user, recording));
            }
        }
        // It was not recorded, or the recording was deleted.
        Ok(_) => {}
        Err(error) => {
            tracing::warn!("webhooks are told of a recording later: {error}");
            return false;
        }
    }
    true
}

fn find(store: &Store, stream: StreamId) -> Option<(Stream, User)> {
    let found = store.stream(stream).and_then(|stream| Ok((store.user(stream.facts.user)?, stream)));
    match found {
        Ok((user, stream)) => Some((stream, user)),
        Err(StoreError::Refused(Refusal::NotFound { .. })) => None,
        Err(error) => {
            tracing::error!("webhooks were not told of a stream: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: StreamId = StreamId::from_number(1);
    const TWO: StreamId = StreamId::from_number(2);

    fn look(stream: StreamId, state: StreamState) -> Look {
        Look { stream, state, camera: Some("front".to_owned()), camera_fault: None, relays: Vec::new() }
    }

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_stream_starts_and_ends_once_whatever_happens_between() {
        let mut watcher = Watcher::default();
        let mut at = |state| watcher.look(&[look(ONE, state)], None, second(0));
        assert_eq!(at(StreamState::Starting), []);
        assert_eq!(at(StreamState::Live), [News::Started(ONE)]);
        assert_eq!(at(StreamState::Interrupted), []);
        assert_eq!(at(StreamState::Live), []);
        assert_eq!(at(StreamState::Ended), [News::Ended(ONE)]);
        assert_eq!(at(StreamState::Ended), []);
    }

    #[test]
    fn one_that_is_resumed_only_ends_and_one_that_was_never_live_does_neither() {
        let mut watcher = Watcher::default();
        let states = |one, two| [look(ONE, one), look(TWO, two)];
        assert_eq!(
            watcher.look(&states(StreamState::Interrupted, StreamState::Starting), None, second(0)),
            []
        );
        assert_eq!(watcher.look(&states(StreamState::Live, StreamState::Ended), None, second(0)), []);
        let ended = watcher.look(&states(StreamState::Ended, StreamState::Ended), None, second(0));
        assert_eq!(ended, [News::Ended(ONE)]);
        assert_eq!(watcher.look(&[], None, second(0)), []);
        assert!(watcher.live.is_empty());
    }

    #[test]
    fn faults_are_told_once_they_last_and_again_after_they_were_over() {
        let mut watcher = Watcher::default();
        let mut at = |time, camera: bool, relay: bool| {
            let mut now = look(ONE, StreamState::Live);
            now.camera_fault = camera.then(|| "unplugged".to_owned());
            now.relays =
                vec![("mirror".to_owned(), relay.then(|| "no answer".to_owned())), ("well".to_owned(), None)];
            watcher.look(&[now], None, second(time))
        };
        let (camera, relay) = (
            News::CameraFault { stream: ONE, camera: "front".to_owned(), detail: "unplugged".to_owned() },
            News::RelayFailed { stream: ONE, relay: "mirror".to_owned(), detail: "no answer".to_owned() },
        );
        assert_eq!(at(0, true, true), [News::Started(ONE)]);
        assert_eq!(at(9, true, true), []);
        assert_eq!(at(10, true, true), [camera.clone(), relay]);
        assert_eq!(at(60, true, false), []);
        assert_eq!(at(61, false, true), []);
        assert_eq!(at(62, true, true), []);
        assert_eq!(at(72, true, false), [camera]);
    }

    #[test]
    fn a_full_card_is_told_once_until_it_has_room_again() {
        let mut watcher = Watcher::default();
        let mut at = |is_low| watcher.look(&[], is_low, second(0));
        assert_eq!(at(Some(false)), []);
        assert_eq!(at(Some(true)), [News::StorageLow]);
        assert_eq!((at(None), at(Some(true))), (vec![], vec![]));
        assert_eq!((at(Some(false)), at(Some(true))), (vec![], vec![News::StorageLow]));
    }
}
