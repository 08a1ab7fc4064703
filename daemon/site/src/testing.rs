//! A site for tests of use cases: a store in a folder of its own, a clock turned by hand, and a studio whose cameras show the
//! test pattern.

use crate::accounts::Accounts;
use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::allowed_sites::AllowedSites;
use crate::appliance::board::Board;
use crate::backups::Backups;
use crate::certificates::{Https, Names};
use crate::chat::ChatHandle;
use crate::config;
use crate::ingest_switch::IngestSwitch;
use crate::limits::Limits;
use crate::notices::Notices;
use crate::picture::{Pictures, Upload};
use crate::sessions;
use crate::site::Site;
use crate::turns::Turns;
use crate::users::{self, NewAccount};
use crate::webhooks::Webhooks;
use perch_store::{EndReason, NewStream, Role, Store, StoreError, StreamId, VideoMode, Visibility};
use perch_studio::capture::controls::KeptControls;
use perch_studio::capture::microphones::Microphones;
use perch_studio::certificate::Certificates;
use perch_studio::clock::{Clock, HandClock, SystemClock};
use perch_studio::config::{Camera, EncoderKind, MicrophoneChoice, Recording, SourceKind};
use perch_studio::faults::Faults;
use perch_studio::live::{BoardHardware, LiveCamera, LiveSettings, Studio};
use perch_studio::memory_budget::MemoryBudget;
use perch_studio::recorder::Recordings;
use perch_studio::relay::Destinations;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse";

/// The address of every actor.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A password as typed.
pub(crate) fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

/// A site for one test. Its studio runs on the test's runtime.
pub(crate) struct TestSite {
    site: Site,
    /// Somebody without a login.
    pub nobody: Actor,
    /// Turned by hand.
    pub clock: Arc<HandClock>,
    /// The machine's names.
    pub names: Arc<Mutex<Names>>,
    dir: tempfile::TempDir,
}

impl Deref for TestSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// A runtime ends only after the readers of every stream, so streams are stopped even after a failed test.
impl Drop for TestSite {
    fn drop(&mut self) {
        let on_air = self.site.live.on_air().borrow().clone();
        if on_air.is_empty() {
            return;
        }
        let stopping = async {
            for stream in on_air.iter() {
                // Streams that the test deleted need no stop.
                let _ = self.site.live.stop(stream.stream, EndReason::Shutdown).await;
            }
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(stopping));
    }
}

impl TestSite {
    /// Accounts that one address may create in an hour.
    pub(crate) const REGISTRATIONS_PER_HOUR: u32 = 3;

    /// A site before setup. Call it inside a runtime.
    pub(crate) fn new() -> Self {
        Self::with_cameras(&[])
    }

    /// A site before setup, with cameras that show the test pattern. Going live needs a runtime of several threads.
    pub(crate) fn with_cameras(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("perch.redb")).unwrap());
        let hand = Arc::new(HandClock::at_wall(Duration::from_secs(1_795_000_000)));
        // Governor's first instant must be later than its zero.
        hand.turn(Duration::from_hours(1));
        let clock: Arc<dyn Clock> = hand.clone();
        let accounts = Arc::new(Accounts::open(&store, dir.path(), &clock).unwrap());
        let second = Duration::from_secs(1);
        let memory = MemoryBudget::of(256 << 20);
        let faults = Faults::default();
        let recordings =
            Recordings::new(&Recording::default(), dir.path(), store.clone(), clock.clone(), faults.clone());
        let relays = Destinations::new(Vec::new());
        let settings = LiveSettings {
            segment: second,
            window: second,
            autostart: false,
            resume_within: Duration::ZERO,
            memory: memory.clone(),
            recordings: recordings.clone(),
            relays: relays.clone(),
        };
        let cameras: Arc<[LiveCamera]> = names.iter().map(|name| LiveCamera::new(pattern(name))).collect();
        let (controls, microphones) = (KeptControls::default(), Microphones::default());
        let hardware = Arc::new(BoardHardware {
            clock: Arc::new(SystemClock),
            controls: controls.clone(),
            microphones: microphones.clone(),
        });
        let hls_metrics = Arc::default();
        let (studio, live) = Studio::new(
            cameras.clone(),
            hardware,
            store.clone(),
            settings,
            Arc::clone(&hls_metrics),
            Arc::new(|_| ()),
            clock.clone(),
        );
        tokio::spawn(studio.run(std::future::pending()));
        let chat = ChatHandle::new(store.clone(), accounts.clone(), clock.clone(), live.on_air(), |_| {
            String::new().into()
        });
        let limits = config::Limits {
            requests_per_second: 1000,
            writes_per_second: 1000,
            registrations_per_hour: Self::REGISTRATIONS_PER_HOUR,
        };
        let names = Arc::<Mutex<Names>>::default();
        names.lock().unwrap().add_host("nest.local");
        let https = https(dir.path(), &names, &faults, &clock);
        let site = Site {
            live,
            chat,
            cameras,
            snapshots: Arc::default(),
            controls,
            microphones,
            hls_metrics,
            recordings,
            relays,
            ingest: IngestSwitch::new(false, 1935),
            other_sites: AllowedSites::default(),
            playback: Arc::default(),
            https,
            faults,
            memory,
            store_probe: crate::store_probe::StoreProbe::new(clock.clone()),
            board: Board::new("/", dir.path()),
            wifi: None,
            updates: None,
            limits: Limits::new(&limits, &clock),
            webhooks: Webhooks::new(|_| "{}".to_owned(), clock.clone()),
            clock,
            store,
            backups: Arc::new(Backups::new(dir.path())),
            accounts,
            notices: Arc::<Notices>::default(),
            pictures: Pictures::default(),
            turns: Turns::default(),
        };
        Self { site, nobody: Actor::Anonymous { address: HERE }, clock: hand, names, dir }
    }

    /// Where the site keeps everything.
    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// HTTPS as after a restart that found this data directory.
    pub(crate) fn https_at(&self, data_dir: &Path) -> Https {
        https(data_dir, &self.names, &self.site.faults, &self.site.clock)
    }

    /// Creates an account and logs it in.
    pub(crate) async fn account(&self, username: &str, role: Role) -> Actor {
        let new = NewAccount { username: username.to_owned(), password: password(PASSWORD), role };
        users::add(self, &Actor::Console, new).await.unwrap();
        self.log_in(username).await
    }

    /// Logs an account in once more.
    pub(crate) async fn log_in(&self, username: &str) -> Actor {
        let login = sessions::log_in(self, &self.nobody, username.to_owned(), password(PASSWORD), "test");
        let login = login.await.unwrap();
        let login = sessions::of_token(self, login.access_token.expose()).await.unwrap().unwrap();
        Actor::Account { login, address: HERE }
    }

    /// True if the actor's login is still open.
    pub(crate) async fn is_open(&self, actor: &Actor) -> bool {
        sessions::is_open(self, actor.login().unwrap()).await.unwrap()
    }

    /// A complete upload of the actor's.
    pub(crate) async fn upload(&self, actor: &Actor, bytes: &[u8]) -> Upload {
        let (slot, mut file) = self.pictures.begin(actor.user().unwrap()).await.unwrap();
        file.write_all(bytes).unwrap();
        slot.filled(file)
    }

    /// Calls the store on this thread.
    pub(crate) fn store_now<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&self.site.store)
    }

    /// A stream of the actor's that is unfinished in the store.
    pub(crate) fn stream(&self, actor: &Actor, camera: &str) -> StreamId {
        let new = NewStream {
            user: actor.user().unwrap(),
            title: "Birds".to_owned(),
            description: String::new(),
            topics: Vec::new(),
            camera: camera.to_owned(),
            mode: VideoMode { width: 320, height: 180, frames_per_second: 5, bitrate_kbps: 500 },
            duration_seconds: None,
            record: false,
            visibility: Visibility::Public,
            relays: Vec::new(),
        };
        self.store_now(|store| store.start_stream(&new, self.site.now())).unwrap().facts.id
    }
}

fn https(data_dir: &Path, names: &Arc<Mutex<Names>>, faults: &Faults, clock: &Arc<dyn Clock>) -> Https {
    let names = names.clone();
    let list = Arc::new(move || names.lock().unwrap().clone());
    Https::new(Certificates::default(), false, data_dir, 8443, list, faults.clone(), clock.clone())
}

/// A camera that shows the test pattern.
fn pattern(name: &str) -> Camera {
    Camera {
        name: name.to_owned(),
        source: SourceKind::TestPattern,
        device: None,
        command: Vec::new(),
        encoder: EncoderKind::Software,
        width: 320,
        height: 180,
        frames_per_second: 5.0,
        bitrate_kbps: 500,
        keyframe_interval_seconds: 1.0,
        tone: false,
        microphone: MicrophoneChoice::None,
        microphone_muted: false,
        microphone_gain_db: 0,
        relays: Vec::new(),
    }
}

/// A small picture to upload.
pub(crate) fn png() -> bytes::Bytes {
    let mut png = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(8, 8).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner().into()
}
