//! `perchd run`: starts the daemon's parts in the order of the data's flow, and stops them in reverse.

use super::CommandError;
use crate::button::{Panel, PowerSwitch, Watched};
use crate::config::Config;
use crate::shutdown::{self, Signals};
use crate::system::{card, log, memory, notify};
use crate::webhooks::{WebhookTasks, webhooks};
use anyhow::{Context as _, anyhow};
use perch_site::Site;
use perch_site::accounts::{Accounts, upkeep};
use perch_site::allowed_sites::AllowedSites;
use perch_site::appliance::board::Board;
use perch_site::appliance::update::Updates;
use perch_site::appliance::wifi::Wifi;
use perch_site::backups::Backups;
use perch_site::certificates::{Https, Names};
use perch_site::chat::ChatHandle;
use perch_site::ingest::KeyHolders;
use perch_site::ingest_switch::IngestSwitch;
use perch_site::limits::Limits;
use perch_site::notices::Notices;
use perch_site::picture::Pictures;
use perch_site::pruning::Pruning;
use perch_site::store_probe::StoreProbe;
use perch_site::turns::Turns;
use perch_store::{Store, Timestamp};
use perch_studio::capture::controls::KeptControls;
use perch_studio::capture::microphones::Microphones;
use perch_studio::certificate::{CertificateFiles, Certificates};
use perch_studio::clock::{Clock, SystemClock};
use perch_studio::faults::Faults;
use perch_studio::hls::HlsMetrics;
use perch_studio::ingest::Ingest;
use perch_studio::live::{BoardHardware, LiveCamera, LiveSettings, Studio};
use perch_studio::memory_budget::{MemoryBudget, limit};
use perch_studio::recorder::{self, Recordings};
use perch_studio::relay::Destinations;
use perch_studio::shutdown::step;
use perch_studio::snapshot::thumbnails;
use perch_studio::storyboard::Storyboards;
use perch_studio::tell::Tell;
use perch_web::Server;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The store's name in the data directory.
const STORE: &str = "perch.redb";

/// Runs until a signal, or until a part fails that the others need; systemd then restarts it.
pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    log::start(config.log.level).map_err(|error| CommandError::Config(error.into()))?;
    let inherited = perch_web::InheritedSockets::take().context("cannot take over systemd's sockets")?;
    perch_device::memory::heap::give_back();
    notify::starting();
    // Read before the store is opened, which changes the file's time.
    let last_alive = last_alive(&config.server.data_dir);
    let store = Arc::new(open_store(&config.server.data_dir)?);
    let runtime = runtime().context("cannot start the runtime")?;
    let ended = runtime.block_on(run_until_told(config, inherited, store, last_alive));
    runtime.shutdown_timeout(shutdown::THREADS);
    Ok(ended?)
}

async fn run_until_told(
    config: &Config,
    inherited: perch_web::InheritedSockets,
    store: Arc<Store>,
    last_alive: Option<Timestamp>,
) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut signals = Signals::new().context("cannot install the signal handlers")?;
    let accounts = Arc::new(Accounts::open(&store, &config.server.data_dir, &clock)?);
    // Before any camera starts: a port in use is the most likely mistake.
    let certificates = Certificates::default();
    let server = Server::bind(&config.server, &config.tls, inherited, certificates.clone())?;

    let (mut studio, site) = site(config, accounts.clone(), store.clone(), certificates, clock.clone());
    site.https.listens_at(server.https_addresses(), server.http_port());
    let thumbnails = thumbnails::run(site.live.on_air(), site.snapshots.clone(), store.clone());
    let store_probe = site.store_probe.clone();
    let told = notify::Told { on_air: site.live.on_air(), store_probe: store_probe.clone() };
    let faults = site.faults.clone();
    let certifying = start_https(config, &site).await;
    let chat = site.chat.clone();
    let webhooks = WebhookTasks::start(config, &site);
    let (recordings, snapshots) = (site.recordings.clone(), site.snapshots.clone());
    let left = recordings.clone();
    // Before a stream resumes, because its recording must be closed first.
    let tended = tokio::task::spawn_blocking(move || left.tend()).await;
    if let Ok(Err(error)) = tended {
        tracing::warn!("recordings are looked after later: {error}");
    }
    studio.open(last_alive).await?;
    let mut panel = panel(config, &site).context("cannot start the button's thread")?;
    let (stop_studio, studio_stopped) = oneshot::channel::<()>();
    let mut studio = tokio::spawn(studio.run(async {
        // An error means that the sender is gone, which also ends it.
        let _ = studio_stopped.await;
    }));
    let ingest = start_ingest(config, &site);
    let (stop_site, site_stopped) = oneshot::channel::<()>();
    let notices = site.notices.clone();
    let mut serving = tokio::spawn(server.serve(
        site,
        async {
            let _ = site_stopped.await;
        },
        shutdown::CONNECTIONS,
    ));
    let telling = tokio::spawn(notify::tell(told, clock.clone()));
    let asked = store.clone();
    let probing = tokio::spawn(store_probe.run(move || {
        // The result does not matter here: whoever needs the store gets the error.
        let _ = asked.settings();
    }));
    let thumbnails = tokio::spawn(thumbnails);
    let giving_back = tokio::spawn(memory::give_back());
    let watching_the_card = tokio::spawn(card::watch(store.clone(), faults, clock.clone()));
    let drawn = recordings.clone();
    let tending = tokio::spawn(recorder::run(recordings));
    let storyboards = Storyboards::start(drawn, snapshots, clock.clone())
        .context("cannot start the thread of the storyboards")?;
    let pruning = Pruning::new(accounts.clone(), store.clone(), clock.clone());
    let pruning = tokio::spawn(pruning.run());
    let upkeep = tokio::spawn(upkeep::keep_up(accounts, store.clone(), clock));

    let ended = tokio::select! {
        name = signals.next() => {
            tracing::info!("{name}: shutting down");
            Ok(())
        }
        ended = &mut studio => Err(anyhow!("the studio failed: {ended:?}")),
        ended = &mut serving => Err(anyhow!("the HTTP server ended: {ended:?}")),
    };

    signals.arm();
    // Nothing new begins; what programs send ends with its streams.
    ingest.abort();
    certifying.abort();
    telling.abort();
    probing.abort();
    giving_back.abort();
    upkeep.abort();
    pruning.abort();
    tending.abort();
    watching_the_card.abort();
    thumbnails.abort();
    let drawing = tokio::task::spawn_blocking(move || storyboards.stop());
    panel.let_go_of_the_button();
    notify::stopping();
    // HTTP stops last, so that players can still fetch the end of the stream.
    drop(stop_studio);
    if !studio.is_finished() {
        step("ending the streams", shutdown::STREAMS, studio).await;
    }
    // These requests would never end by themselves.
    notices.close();
    step("closing the chats", shutdown::CHATS, chat.close()).await;
    drop(stop_site);
    if !serving.is_finished() {
        let patience = shutdown::CONNECTIONS + Duration::from_secs(1);
        step("closing connections", patience, serving).await;
    }
    step("ending the storyboards", shutdown::STORYBOARDS, drawing).await;
    webhooks.stop().await;
    let closing = tokio::task::spawn_blocking(move || drop(store));
    step("closing the store", shutdown::STORE, closing).await;
    step("switching the lamp off", shutdown::LAMP, panel.switch_off()).await;
    ended
}

/// Reads whether the owner wants HTTPS, and starts what keeps its certificate up: files that another program renews, or our own authority.
async fn start_https(config: &Config, site: &Site) -> JoinHandle<()> {
    let (https, store) = (site.https.clone(), site.store.clone());
    let loaded = https.clone();
    // Without it there is HTTP.
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || loaded.load(&store)).await {
        tracing::error!("whether there is HTTPS cannot be read: {error}");
    }
    match certificate_files(config) {
        Some(files) => {
            let certificates = https.certificates().clone();
            tokio::spawn(files.follow(certificates, site.faults.clone(), site.clock.clone()))
        }
        None => tokio::spawn(https.keep_up()),
    }
}

/// Lets programs publish while the owner wants that.
fn start_ingest(config: &Config, site: &Site) -> JoinHandle<()> {
    let ingest = Ingest::new(
        config.ingest.clone(),
        site.ingest.changes(),
        site.https.certificates().clone(),
        site.memory.clone(),
        site.faults.clone(),
        site.clock.clone(),
    );
    site.ingest.listens_at(ingest.addresses(), ingest.encrypted_addresses());
    tokio::spawn(ingest.run(Arc::new(KeyHolders::of(site)), site.live.clone()))
}

fn panel(config: &Config, site: &Site) -> std::io::Result<Panel> {
    let watched = Watched {
        on_air: site.live.on_air(),
        faults: site.faults.clone(),
        board: site.board.clone(),
        clock: site.clock.clone(),
    };
    let power = PowerSwitch::new(std::env::var("RUNTIME_DIRECTORY").ok().as_deref());
    Panel::start(&config.button, &config.lamp, power, site.live.clone(), watched)
}

/// The site without a running daemon: the store, and no camera.
pub(super) fn site_at_rest(
    config: &Config,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Site> {
    let accounts = Arc::new(Accounts::open(&store, &config.server.data_dir, &clock)?);
    let (_, site) = site(config, accounts, store, Certificates::default(), clock);
    Ok(site)
}

fn site(
    config: &Config,
    accounts: Arc<Accounts>,
    store: Arc<Store>,
    certificates: Certificates,
    clock: Arc<dyn Clock>,
) -> (Studio, Site) {
    let memory = MemoryBudget::of(limit::of_this_process(Path::new("/")));
    let faults = Faults::default();
    let recordings = Recordings::new(
        &config.recording,
        &config.server.data_dir,
        store.clone(),
        clock.clone(),
        faults.clone(),
    );
    let relays = Destinations::new(config.relays.clone());
    // Without them streams are live all the same.
    if let Err(error) = perch_site::relays::load(&store, &relays) {
        tracing::error!("the relays that were set up on the page cannot be read: {error}");
    }
    let ingest = IngestSwitch::new(config.ingest.enabled, rtmp_port(config));
    if let Err(error) = ingest.load(&store) {
        tracing::error!("whether other programs may publish streams cannot be read: {error}");
    }
    let other_sites = AllowedSites::default();
    if let Err(error) = other_sites.load(&store) {
        tracing::error!("which other sites may show the player cannot be read: {error}");
    }
    let settings = LiveSettings {
        segment: Duration::from_secs_f64(config.live.segment_seconds),
        window: Duration::from_secs_f64(config.live.window_seconds),
        autostart: config.live.autostart,
        resume_within: Duration::from_secs(config.live.resume_seconds.into()),
        memory: memory.clone(),
        recordings: recordings.clone(),
        relays: relays.clone(),
    };
    let cameras: Arc<[LiveCamera]> = config.cameras.iter().cloned().map(LiveCamera::new).collect();
    let controls = kept_controls(config, &store);
    let microphones = Microphones::default();
    // A microphone works without them.
    if let Err(error) = perch_site::microphones::load(&store, &config.cameras, &microphones) {
        tracing::error!("the microphones' saved settings cannot be read: {error}");
    }
    let hardware = Arc::new(BoardHardware {
        clock: clock.clone(),
        controls: controls.clone(),
        microphones: microphones.clone(),
    });
    let hls_metrics = Arc::<HlsMetrics>::default();
    let notices = Arc::<Notices>::default();
    let tell: Tell = {
        let notices = notices.clone();
        Arc::new(move |deliveries| notices.deliver(&deliveries))
    };
    recordings.tell_through(tell.clone());
    let (studio, live) = Studio::new(
        cameras.clone(),
        hardware,
        store.clone(),
        settings,
        hls_metrics.clone(),
        tell,
        clock.clone(),
    );
    let chat =
        ChatHandle::new(store.clone(), accounts.clone(), clock.clone(), live.on_air(), perch_web::chat_line);
    let webhooks = webhooks(&store, &chat, clock.clone());
    let board = Board::new("/", &config.server.data_dir);
    let https = https(config, certificates, &board, &faults, &clock);
    let runtime_directories = std::env::var("RUNTIME_DIRECTORY").ok();
    let site = Site {
        live,
        chat,
        cameras,
        snapshots: Arc::default(),
        controls,
        microphones,
        hls_metrics,
        memory,
        recordings,
        relays,
        ingest,
        other_sites,
        playback: Arc::default(),
        https,
        faults,
        board,
        backups: Arc::new(Backups::new(&config.server.data_dir)),
        wifi: Wifi::new(runtime_directories.as_deref(), clock.clone()),
        updates: Updates::new(runtime_directories.as_deref(), &config.server.data_dir).map(Arc::new),
        limits: Limits::new(&config.limits, &clock),
        store_probe: StoreProbe::new(clock.clone()),
        clock,
        store,
        accounts,
        notices,
        pictures: Pictures::default(),
        turns: Turns::default(),
        webhooks,
    };
    (studio, site)
}

/// HTTPS, with files of the configuration or an authority of its own.
fn https(
    config: &Config,
    certificates: Certificates,
    board: &Board,
    faults: &Faults,
    clock: &Arc<dyn Clock>,
) -> Https {
    let (board, configured) = (board.clone(), config.server.names.clone());
    let names = move || Names::of_this_machine(&board.host_names(), &configured);
    let port = config.tls.listen.first().map_or(8443, SocketAddr::port);
    let has_files = certificate_files(config).is_some();
    Https::new(
        certificates,
        has_files,
        &config.server.data_dir,
        port,
        Arc::new(names),
        faults.clone(),
        clock.clone(),
    )
}

/// The certificate's files, if any are configured.
pub(super) fn certificate_files(config: &Config) -> Option<CertificateFiles> {
    let (certificate, key) = (config.tls.certificate_file.clone()?, config.tls.key_file.clone()?);
    Some(CertificateFiles { certificate, key })
}

/// The port that programs are told to send streams to.
fn rtmp_port(config: &Config) -> u16 {
    config.ingest.listen.first().map_or(1935, SocketAddr::port)
}

/// The saved camera controls. A camera works without them.
fn kept_controls(config: &Config, store: &Store) -> KeptControls {
    let controls = KeptControls::default();
    for camera in &config.cameras {
        match store.camera_controls(&camera.name) {
            Ok(values) => controls.keep(&camera.name, values),
            Err(error) => {
                tracing::error!(camera = camera.name, "the camera's saved settings cannot be read: {error}");
            }
        }
    }
    controls
}

/// When the store was last written to: about when the previous run ended, if it was not shut down.
fn last_alive(data_dir: &Path) -> Option<Timestamp> {
    let written = std::fs::metadata(store_file(data_dir)).ok()?.modified().ok()?;
    let millis = written.duration_since(UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(millis).ok().map(Timestamp::from_unix_millis)
}

pub(super) fn open_store(data_dir: &Path) -> anyhow::Result<Store> {
    make_folder(data_dir)?;
    Ok(Store::open(&store_file(data_dir))?)
}

/// The store's file in the data directory.
pub(super) fn store_file(data_dir: &Path) -> PathBuf {
    data_dir.join(STORE)
}

/// Creates the data directory, readable only by its owner: it holds sessions, messages and stream keys.
pub(super) fn make_folder(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(dir).with_context(|| {
        format!("cannot create the data directory {}: give a writable one with --data-dir", dir.display())
    })
}

/// Few threads with small stacks: a board has little memory, and each request needs little work.
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
