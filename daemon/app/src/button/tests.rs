use super::*;
use perch_store::{EndReason, NewUser, PasswordHash, Role, Store, StreamId, StreamState, Timestamp};
use perch_studio::capture::controls::KeptControls;
use perch_studio::capture::microphones::Microphones;
use perch_studio::clock::SystemClock;
use perch_studio::hls::HlsMetrics;
use perch_studio::live::{BoardHardware, LiveCamera, LiveSettings, OnAir, Studio};
use perch_studio::memory_budget::MemoryBudget;
use perch_studio::recorder::Recordings;
use perch_studio::relay::Destinations;
use tokio::sync::watch;

/// Longest wait in these tests; enough on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A button and a camera that shows the test pattern.
struct Board {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    press: mpsc::Sender<Press>,
    on_air: watch::Receiver<Arc<[OnAir]>>,
    faults: Faults,
}

impl Board {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("perch.redb")).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let second = Duration::from_secs(1);
        let faults = Faults::default();
        let kept = perch_studio::config::Recording::default();
        let recordings = Recordings::new(&kept, dir.path(), store.clone(), clock.clone(), faults.clone());
        let settings = LiveSettings {
            segment: second,
            window: second * 6,
            autostart: false,
            resume_within: second,
            memory: MemoryBudget::of(256 << 20),
            recordings,
            relays: Destinations::new(Vec::new()),
        };
        let camera = config::Camera {
            source: config::SourceKind::TestPattern,
            width: 320,
            height: 240,
            frames_per_second: 10.0,
            bitrate_kbps: 500,
            ..config::Camera::default()
        };
        let hardware = BoardHardware {
            clock: clock.clone(),
            controls: KeptControls::default(),
            microphones: Microphones::default(),
        };
        let (studio, live) = Studio::new(
            Arc::new([LiveCamera::new(camera)]),
            Arc::new(hardware),
            store.clone(),
            settings,
            Arc::<HlsMetrics>::default(),
            Arc::new(|_| ()),
            clock,
        );
        tokio::spawn(studio.run(std::future::pending()));
        let on_air = live.on_air();
        let (press, presses) = mpsc::channel(4);
        let power = PowerSwitch::new(dir.path().to_str());
        tokio::spawn(act(presses, live, power, faults.clone()));
        Self { dir, store, press, on_air, faults }
    }

    /// Waits until a stream other than `others` is in that state.
    async fn sees(&mut self, state: StreamState, others: &[StreamId]) -> StreamId {
        let matches = |on_air: &&OnAir| on_air.state == state && !others.contains(&on_air.stream);
        let seen = self.on_air.wait_for(|all| all.iter().any(|on_air| matches(&on_air)));
        let all = tokio::time::timeout(PATIENCE, seen).await.unwrap().unwrap();
        all.iter().find(matches).unwrap().stream
    }

    fn end_reason(&self, stream: StreamId) -> Option<EndReason> {
        self.store.stream(stream).unwrap().facts.end_reason
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_presses_start_and_end_streams_and_a_quick_one_waits_its_turn() {
    let mut board = Board::new();
    let owner = NewUser {
        username: "ann".to_owned(),
        full_name: String::new(),
        email: String::new(),
        password: PasswordHash::new("x"),
    };
    let now = Timestamp::from_unix_millis(1_795_000_000_000);
    let owner = board.store.add_user(&owner, Role::Owner, now).unwrap();

    board.press.send(Press::Short).await.unwrap();
    let first = board.sees(StreamState::Live, &[]).await;
    assert_eq!(board.store.stream(first).unwrap().facts.user, owner.id);
    // The second press comes while the first stream is still ending.
    board.press.send(Press::Short).await.unwrap();
    board.press.send(Press::Short).await.unwrap();
    let second = board.sees(StreamState::Live, &[first]).await;
    assert_eq!(board.end_reason(first), Some(EndReason::Button));
    assert_eq!(board.end_reason(second), None);
    board.press.send(Press::Short).await.unwrap();
    board.sees(StreamState::Ended, &[first]).await;
    assert_eq!(board.end_reason(second), Some(EndReason::Button));
    assert!(!board.faults.any());
}

#[tokio::test(flavor = "multi_thread")]
async fn before_there_is_an_owner_the_button_works_too() {
    let mut board = Board::new();
    board.press.send(Press::Short).await.unwrap();
    let stream = board.sees(StreamState::Live, &[]).await;
    assert!(board.store.stream(stream).is_err(), "nobody's stream has no record");
    board.press.send(Press::Short).await.unwrap();
    board.sees(StreamState::Ended, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_press_leaves_its_word_and_takes_it_back_when_nobody_heeds_it() {
    let board = Board::new();
    let word = board.dir.path().join("poweroff");
    board.press.send(Press::Long).await.unwrap();
    tokio::time::sleep(HEEDED / 2).await;
    assert!(word.exists() && !board.faults.any());
    tokio::time::sleep(HEEDED).await;
    assert!(!word.exists());
    assert_eq!(board.faults.in_words(), [power::NOBODY_HEEDS]);
}
