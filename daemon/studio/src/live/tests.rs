//! Going live with publishers instead of cameras, and with a board that is slow to answer.

mod beside;
mod relays;

use super::*;
use crate::broadcast::{Broadcast, Publisher};
use crate::capture::ability::Ability;
use crate::capture::controls::KeptControls;
use crate::capture::microphones::Microphones;
use crate::capture::source::{Opener, SourceDescription, SourceError};
use crate::capture::status::{CameraState, CaptureCounters, SelfTest};
use crate::capture::testing;
use crate::clock::{Clock, SystemClock, wall};
use crate::config;
use crate::faults::Faults;
use crate::feed::{Feed, FeedHandle, FeedStatus, Heartbeat, Origin};
use crate::hls::HlsMetrics;
use crate::memory_budget::MemoryBudget;
use crate::recorder::Recordings;
use crate::relay::Destinations;
use crate::snapshot::Snapshots;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::time::{MediaTime, Times};
use perch_store::{
    EndReason, NewStream, NewUser, PasswordHash, Role, Store, StoreError, Stream, StreamId, StreamState,
    Timestamp, UserId, VideoMode, Visibility,
};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Longest wait in these tests; enough on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A publisher that sends when the test tells it to.
#[derive(Clone, Default)]
struct Replay(Arc<Mutex<Option<Sending>>>);

struct Sending {
    publisher: Publisher,
    state: watch::Sender<CameraState>,
    seconds: u64,
}

struct ReplayFeed {
    replay: Replay,
    user: UserId,
}

impl Feed for ReplayFeed {
    fn start(self: Box<Self>, publisher: Publisher, broadcast: Broadcast) -> std::io::Result<FeedHandle> {
        let (state, state_seen) = watch::channel(CameraState::Starting);
        let heartbeat = Arc::<Heartbeat>::default();
        heartbeat.beat(SystemClock.monotonic());
        let name = Origin::Ingest(self.user).name();
        let status = FeedStatus::new(&name, state_seen, Arc::default(), heartbeat, broadcast);
        *self.replay.0.lock().unwrap() = Some(Sending { publisher, state, seconds: 0 });
        let (stopped, ended) = oneshot::channel();
        let replay = self.replay.clone();
        let stop = Box::new(move || {
            replay.leave();
            drop(stopped);
        });
        Ok(FeedHandle { status, stop, ended })
    }
}

impl Replay {
    /// Sends two seconds of pictures of this size, each second with an IDR: one whole segment and the beginning of the next.
    fn send(&self, width: u32, height: u32) {
        let coded = testing::white_over_black(width, height);
        let mut sending = self.0.lock().unwrap();
        let sending = sending.as_mut().unwrap();
        let source = SourceDescription {
            camera: "a file".to_owned(),
            encoder: "none".to_owned(),
            width,
            height,
            frames_per_second: 1.0,
        };
        sending.state.send_replace(CameraState::Live { source, advice: None });
        for _ in 0..3 {
            let at = MediaTime::from_ticks(sending.seconds.cast_signed() * MediaTime::HZ);
            let unit = AccessUnitAssembler::new(0).push_picture(&coded, Times::at(at)).unwrap().unwrap();
            sending.publisher.publish([unit], SystemClock.monotonic());
            sending.seconds += 1;
        }
    }

    /// Sends one picture, an IDR.
    fn send_one(&self, unit: AccessUnit, now: Duration) {
        let sending = self.0.lock().unwrap();
        let sending = sending.as_ref().unwrap();
        sending.publisher.publish([unit], now);
    }

    /// Reports a state.
    fn says(&self, state: CameraState) {
        self.0.lock().unwrap().as_ref().unwrap().state.send_replace(state);
    }

    /// Ends the publication.
    fn leave(&self) {
        if let Some(sending) = self.0.lock().unwrap().take() {
            sending.state.send_replace(CameraState::Stopped);
        }
    }
}

/// This board's hardware, except that it reports nothing of cameras while the gate is shut.
struct Gated {
    board: BoardHardware,
    gate: Mutex<mpsc::Receiver<()>>,
}

impl Hardware for Gated {
    fn ability(&self, wanted: &config::Camera) -> Result<Ability, SourceError> {
        // An error means that the sender is gone: the gate is open.
        let _ = self.gate.lock().unwrap().recv();
        self.board.ability(wanted)
    }

    fn opener(
        &self,
        wanted: config::Camera,
        counters: Arc<CaptureCounters>,
        self_test: watch::Sender<SelfTest>,
    ) -> Box<dyn Opener> {
        self.board.opener(wanted, counters, self_test)
    }
}

struct House {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    live: LiveHandle,
    /// Dropped to open the gate.
    gate: Option<mpsc::Sender<()>>,
    users: Vec<UserId>,
    memory: MemoryBudget,
    relays: Destinations,
    close: Option<oneshot::Sender<()>>,
    studio: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// A studio with one camera, and the sender that opens its board's gate.
fn studio(
    store: &Arc<Store>,
    data_dir: &Path,
    clock: Arc<dyn Clock>,
    memory: MemoryBudget,
    relays: Destinations,
) -> (Studio, LiveHandle, mpsc::Sender<()>) {
    let second = Duration::from_secs(1);
    let recordings = Recordings::new(
        &config::Recording::default(),
        data_dir,
        store.clone(),
        clock.clone(),
        Faults::default(),
    );
    let settings = LiveSettings {
        segment: second,
        window: second * 6,
        autostart: false,
        resume_within: second,
        memory,
        recordings,
        relays,
    };
    let (gate, shut) = mpsc::channel();
    let board = BoardHardware {
        clock: clock.clone(),
        controls: KeptControls::default(),
        microphones: Microphones::default(),
    };
    let (studio, live) = Studio::new(
        Arc::new([LiveCamera::new(testing::camera())]),
        Arc::new(Gated { board, gate: Mutex::new(shut) }),
        store.clone(),
        settings,
        Arc::<HlsMetrics>::default(),
        Arc::new(|_| ()),
        clock,
    );
    (studio, live, gate)
}

fn user(store: &Store, name: &str) -> UserId {
    let new = NewUser {
        username: name.to_owned(),
        full_name: String::new(),
        email: String::new(),
        password: PasswordHash::new("x"),
    };
    store.add_user(&new, Role::Streamer, Timestamp::from_unix_millis(1_795_000_000_000)).unwrap().id
}

fn new_stream(user: UserId, origin: &Origin) -> NewStream {
    NewStream {
        user,
        title: "Owls".to_owned(),
        description: String::new(),
        topics: Vec::new(),
        camera: origin.name(),
        mode: VideoMode { width: 0, height: 0, frames_per_second: 0, bitrate_kbps: 0 },
        duration_seconds: None,
        record: false,
        visibility: Visibility::Public,
        relays: Vec::new(),
    }
}

impl House {
    fn new() -> Self {
        Self::at(Arc::new(SystemClock))
    }

    fn at(clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("perch.redb")).unwrap());
        let memory = MemoryBudget::of(256 << 20);
        let relays = Destinations::new(Vec::new());
        let (studio, live, gate) = studio(&store, dir.path(), clock, memory.clone(), relays.clone());
        let (close, closed) = oneshot::channel::<()>();
        let studio = tokio::spawn(studio.run(async {
            let _ = closed.await;
        }));
        let users = ["ann", "ben"].map(|name| user(&store, name)).into();
        Self { dir, store, live, gate: Some(gate), users, memory, relays, close: Some(close), studio }
    }

    async fn publish(&self, user: usize) -> (Replay, Result<Stream, LiveError>) {
        let replay = Replay::default();
        let origin = Origin::Ingest(self.users[user]);
        let feed = Box::new(ReplayFeed { replay: replay.clone(), user: self.users[user] });
        let started = self.live.publish(new_stream(self.users[user], &origin), feed).await;
        (replay, started)
    }

    async fn sees(&self, matches: impl Fn(&[OnAir]) -> bool) -> Arc<[OnAir]> {
        let mut on_air = self.live.on_air();
        let seen = on_air.wait_for(|all| matches(all));
        tokio::time::timeout(PATIENCE, seen).await.unwrap().unwrap().clone()
    }

    async fn goes_live(&self, stream: StreamId) -> OnAir {
        let is_it = |on_air: &&OnAir| on_air.stream == stream && on_air.state == StreamState::Live;
        let all = self.sees(|all| all.iter().any(|on_air| is_it(&on_air))).await;
        all.iter().find(is_it).unwrap().clone()
    }
}

#[tokio::test]
async fn what_a_publisher_sends_plays_like_a_camera_and_its_mode_is_found_out() {
    let house = House::new();
    let (replay, started) = house.publish(0).await;
    let stream = started.unwrap().facts.id;
    replay.send(320, 240);
    let on_air = house.goes_live(stream).await;
    assert!(on_air.hls.is_ready());
    assert_eq!(on_air.origin, Origin::Ingest(house.users[0]));
    assert_eq!(on_air.mode().map(|mode| (mode.width, mode.height)), Some((320, 240)));
    let snapshot = Snapshots::default().take(&on_air.feed, 320).await.unwrap();
    assert!(snapshot.jpeg.starts_with(&[0xFF, 0xD8]));

    // Its size changes: the API reports the actual size, and the store keeps it.
    replay.send(160, 120);
    assert_eq!(on_air.mode().map(|mode| (mode.width, mode.height)), Some((160, 120)));
    let ended = house.live.stop(stream, EndReason::User).await.unwrap();
    assert_eq!((ended.facts.state, ended.details.mode.width), (StreamState::Ended, 160));
}

#[tokio::test]
async fn an_origin_carries_one_stream_and_is_free_when_its_publisher_leaves() {
    let house = House::new();
    let (replay, started) = house.publish(0).await;
    let first = started.unwrap().facts.id;
    let (_, again) = house.publish(0).await;
    assert!(matches!(again, Err(LiveError::Store(StoreError::Refused(_)))), "{again:?}");
    let (other, started) = house.publish(1).await;
    let second = started.unwrap().facts.id;
    replay.send(320, 240);
    other.send(320, 240);
    house.goes_live(first).await;
    house.goes_live(second).await;
    replay.leave();
    house.sees(|all| all.iter().any(|on_air| on_air.stream == first && on_air.ended.is_some())).await;
    assert_eq!(house.store.stream(first).unwrap().facts.end_reason, Some(EndReason::User));
    assert!(house.publish(0).await.1.is_ok());
    house.goes_live(second).await;
}

#[tokio::test]
async fn a_board_that_does_not_answer_delays_nobodys_stop() {
    let mut house = House::new();
    let (replay, started) = house.publish(0).await;
    let stream = started.unwrap().facts.id;
    replay.send(320, 240);
    let camera = Origin::Camera("front".into());
    let mode = VideoMode { width: 320, height: 240, frames_per_second: 10, bitrate_kbps: 500 };
    let asked = NewStream { mode, ..new_stream(house.users[1], &camera) };
    let live = house.live.clone();
    let starting = tokio::spawn(async move { live.start(asked).await });
    // The answer comes while the board is still being asked, which lasts until the gate opens.
    let ended = house.live.stop(stream, EndReason::User).await.unwrap();
    assert_eq!(ended.facts.state, StreamState::Ended);
    assert!(!starting.is_finished());
    drop(house.gate.take());
    starting.await.unwrap().unwrap();
    // The camera's thread ends, and with it its reader.
    drop(house.close.take());
    house.studio.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_featured_stream_is_the_longest_live_public_one_until_another_is_pinned() {
    let mut house = House::new();
    let mut streams = Vec::new();
    for user in 0..2 {
        let (replay, started) = house.publish(user).await;
        let stream = started.unwrap().facts.id;
        replay.send(320, 240);
        house.goes_live(stream).await;
        streams.push((stream, replay));
    }
    let [(first, _), (second, _)] = &streams[..] else { unreachable!() };
    let shown = |house: &House| featured(&house.live.on_air().borrow()).map(|on_air| on_air.stream);
    assert_eq!(shown(&house), Some(*first));
    house.live.pin(*second, true).await.unwrap();
    assert_eq!(shown(&house), Some(*second));
    house.live.pin(*second, false).await.unwrap();
    assert_eq!(shown(&house), Some(*first));
    house.live.visibility_changed(*first, Visibility::Members).await;
    assert_eq!(shown(&house), Some(*second));
    let nobody = house.live.pin(StreamId::from_number(1), true).await;
    assert!(matches!(nobody, Err(LiveError::NotOnAir)));

    // The daemon ends: the next one resumes both streams, and players do not see an end.
    drop(house.close.take());
    house.studio.await.unwrap().unwrap();
    for (stream, _) in &streams {
        assert_eq!(house.store.stream(*stream).unwrap().facts.state, StreamState::Interrupted);
    }
    for on_air in &**house.live.on_air().borrow() {
        assert!(!on_air.hls.offer().has_ended);
    }
}

#[tokio::test]
async fn a_stream_that_is_not_resumed_in_time_ended_when_the_last_run_did() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&dir.path().join("perch.redb")).unwrap());
    let user = user(&store, "ann");
    let now = wall(&SystemClock).unix_millis();
    let [began, stopped] = [7200, 3600].map(|ago| Timestamp::from_unix_millis(now - ago * 1000));
    let front = new_stream(user, &Origin::Camera("front".into()));
    let stream = store.start_stream(&front, began).unwrap().facts.id;
    let (mut studio, _live, _gate) = studio(
        &store,
        dir.path(),
        Arc::new(SystemClock),
        MemoryBudget::of(256 << 20),
        Destinations::new(Vec::new()),
    );
    studio.open(Some(stopped)).await.unwrap();
    let facts = store.stream(stream).unwrap().facts;
    assert_eq!((facts.end_reason, facts.ended_at), (Some(EndReason::Interruption), Some(stopped)));
}
