//! `perchd run`: puts the daemon together, in the order of the data, and takes it apart again.

use super::CommandError;
use crate::accounts::{Accounts, upkeep};
use crate::broadcast;
use crate::capture::open::ConfiguredCamera;
use crate::capture::status::{CaptureCounters, SelfTest};
use crate::capture::supervisor::{CameraHandle, CaptureThread};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::hls::{self, HlsHandle, HlsSettings};
use crate::http::{CameraInfo, Server, Site};
use crate::shutdown::{self, Signals};
use crate::system::board::Board;
use crate::system::{log, notify};
use anyhow::{Context as _, anyhow};
use perch_store::Store;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Runs until a signal ends it, or a part that the rest cannot do without: then systemd starts it anew.
pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    log::start(config.log.level).map_err(|error| CommandError::Config(error.into()))?;
    let store = Arc::new(open_store(&config.server.data_dir)?);
    let runtime = runtime().context("cannot start the runtime")?;
    let ended = runtime.block_on(run_until_told(config, store));
    runtime.shutdown_timeout(shutdown::THREADS);
    Ok(ended?)
}

async fn run_until_told(config: &Config, store: Arc<Store>) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut signals = Signals::new().context("cannot take the signals over")?;
    let accounts = Arc::new(Accounts::open(&store, &config.server.data_dir, &clock)?);
    // Before any camera starts: a port that is taken is the likeliest mistake.
    let server = Server::bind(&config.server)?;

    let cameras = Cameras::start(config, &clock)?;
    let (hls, mut hls_reader) = read_hls(config, &cameras, &store, &clock);
    let (stop_site, site_stopped) = oneshot::channel::<()>();
    let site = site(config, &cameras, hls.clone(), accounts.clone(), store.clone(), clock.clone());
    let mut serving = tokio::spawn(server.serve(
        site,
        async {
            // An error is the sender gone, and that is the end too.
            let _ = site_stopped.await;
        },
        shutdown::CONNECTIONS,
    ));
    let told = notify::Told {
        hls: cameras.running.is_some().then(|| hls.clone()),
        cameras: cameras.running.iter().map(|running| running.handle().clone()).collect(),
    };
    let telling = tokio::spawn(notify::tell(told, clock.clone()));
    let upkeep = tokio::spawn(upkeep::keep_up(accounts, store.clone(), clock));

    let ended = tokio::select! {
        name = signals.next() => {
            tracing::info!("{name}: shutting down");
            Ok(())
        }
        ended = &mut hls_reader => Err(anyhow!("the hls reader ended: {ended:?}")),
        ended = &mut serving => Err(anyhow!("the site ended: {ended:?}")),
    };

    signals.arm();
    telling.abort();
    upkeep.abort();
    notify::stopping();
    // The site goes last, so that players can still fetch the end of the stream.
    cameras.stop().await;
    if !hls_reader.is_finished() {
        shutdown::step("the hls reader", shutdown::READERS, hls_reader).await;
    }
    drop(stop_site);
    if !serving.is_finished() {
        let patience = shutdown::CONNECTIONS + Duration::from_secs(1);
        shutdown::step("closing connections", patience, serving).await;
    }
    let closing = tokio::task::spawn_blocking(move || drop(store));
    shutdown::step("closing the store", shutdown::STORE, closing).await;
    ended
}

/// The site as it is while no daemon runs: everything that is remembered, and no camera.
pub(super) fn site_at_rest(
    config: &Config,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Site> {
    let mut config = config.clone();
    config.live.autostart = false;
    let accounts = Arc::new(Accounts::open(&store, &config.server.data_dir, &clock)?);
    let cameras = Cameras::start(&config, &clock)?;
    let (hls, _) = read_hls(&config, &cameras, &store, &clock);
    Ok(site(&config, &cameras, hls, accounts, store, clock))
}

fn read_hls(
    config: &Config,
    cameras: &Cameras,
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
) -> (HlsHandle, JoinHandle<()>) {
    let settings = HlsSettings {
        segment: Duration::from_secs_f64(config.live.segment_seconds),
        window: Duration::from_secs_f64(config.live.window_seconds),
        keyframe_interval: Duration::from_secs_f64(config.cameras[0].keyframe_interval_seconds),
    };
    let sequence = store.clone();
    let reserve = Arc::new(move |count| Ok(sequence.reserve_media_sequence(count)?));
    hls::spawn(&cameras.live, settings, reserve, clock.clone())
}

fn site(
    config: &Config,
    cameras: &Cameras,
    hls: HlsHandle,
    accounts: Arc<Accounts>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
) -> Site {
    Site {
        hls,
        cameras: cameras.info(config),
        board: Board::new("/", &config.server.data_dir),
        clock,
        store,
        accounts,
        limits: config.limits.clone(),
    }
}

/// What is configured, and the one camera that is live.
struct Cameras {
    /// `None` where nothing goes live by itself.
    running: Option<CaptureThread>,
    /// What the site shows, in the order of the configuration.
    handles: Vec<CameraHandle>,
    self_test: watch::Receiver<SelfTest>,
    /// The live stream's pictures; never any where nothing is live.
    live: broadcast::Broadcast,
    /// Keeps `live` open where no camera does.
    _nobody: broadcast::Publisher,
}

impl Cameras {
    /// Starts the first camera where that is asked for. The others stay off until somebody can choose them.
    fn start(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let (nobody, mut live) = broadcast::channel();
        let mut handles: Vec<CameraHandle> =
            config.cameras.iter().map(|camera| CameraHandle::idle(&camera.name)).collect();
        let (tested, self_test) = watch::channel(SelfTest::default());
        let mut running = None;
        if config.live.autostart {
            let camera = &config.cameras[0];
            let counters = Arc::<CaptureCounters>::default();
            let opener = ConfiguredCamera::new(camera.clone(), clock.clone(), counters.clone(), tested);
            let opener = Box::new(opener);
            let thread = CaptureThread::spawn(&camera.name, opener, counters, clock.clone())
                .with_context(|| format!("cannot start the thread of camera {}", camera.name))?;
            handles[0] = thread.handle().clone();
            live = thread.handle().broadcast().clone();
            running = Some(thread);
        } else {
            tracing::info!("not going live: set live.autostart = true");
        }
        Ok(Self { running, handles, self_test, live, _nobody: nobody })
    }

    fn info(&self, config: &Config) -> Vec<CameraInfo> {
        let untested = watch::channel(SelfTest::default()).1;
        let tests = std::iter::once(&self.self_test).chain(std::iter::repeat(&untested));
        self.handles
            .iter()
            .zip(&config.cameras)
            .zip(tests)
            .map(|((handle, config), self_test)| CameraInfo {
                handle: handle.clone(),
                config: config.clone(),
                self_test: self_test.clone(),
            })
            .collect()
    }

    /// Ends capture; with it the broadcast closes.
    async fn stop(self) {
        if let Some(running) = self.running
            && !running.stop(shutdown::CAPTURE).await
        {
            tracing::warn!("the camera's thread hangs and was left behind");
        }
    }
}

pub(super) fn open_store(data_dir: &Path) -> anyhow::Result<Store> {
    make_folder(data_dir)?;
    Ok(Store::open(&data_dir.join("perch.redb"))?)
}

/// The data directory, for nobody else's eyes: sessions, messages and stream keys will be in it.
fn make_folder(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(dir).with_context(|| {
        format!(
            "cannot make the data directory {}: give one that you may write to with --data-dir",
            dir.display()
        )
    })
}

/// Few threads with small stacks: a board has little memory, and the work per request is small.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.clamp(2, 4))
        .max_blocking_threads(8)
        .thread_stack_size(512 << 10)
        .thread_name("perchd")
        .enable_all()
        .build()
}
