//! What the handlers share: handles of the daemon's parts, never their insides.

use super::limits::Limits;
use super::metrics::Metrics;
use super::problem::Problem;
use super::system;
use crate::config;
use bytes::Bytes;
use perch_site::accounts::Accounts;
use perch_site::appliance::board::Board;
use perch_site::appliance::update::Updates;
use perch_site::appliance::wifi::Wifi;
use perch_site::backups::Backups;
use perch_site::chat::ChatHandle;
use perch_site::notices::Notices;
use perch_site::picture::Pictures;
use perch_store::{Store, Timestamp};
use perch_studio::capture::controls::KeptControls;
use perch_studio::clock::Clock;
use perch_studio::clock::wall;
use perch_studio::faults::Faults;
use perch_studio::hls::HlsMetrics;
use perch_studio::live::{LiveCamera, LiveHandle};
use perch_studio::snapshot::Snapshots;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Calls of the store at once: reading is a matter of the processor, writing of one card.
const AT_ONCE: usize = 4;
/// A card or a driver that stalls for longer is told to people.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handles of the daemon's parts that the site shows.
pub struct Site {
    /// What is on the air, and the way there.
    pub live: LiveHandle,
    /// The chats of what is on the air.
    pub chat: ChatHandle,
    /// Those that are configured; `/media/live/` shows the first.
    pub cameras: Arc<[LiveCamera]>,
    /// Pictures of them.
    pub snapshots: Arc<Snapshots>,
    /// What people have set of their pictures.
    pub controls: KeptControls,
    /// Of all streams.
    pub hls_metrics: Arc<HlsMetrics>,
    /// What does not work just now.
    pub faults: Faults,
    /// The machine under the daemon.
    pub board: Board,
    /// Its Wi-Fi, where Perch may choose it.
    pub wifi: Option<Wifi>,
    /// Updates of the system, where it takes them through Perch.
    pub updates: Option<Arc<Updates>>,
    /// For what people read.
    pub clock: Arc<dyn Clock>,
    /// What Perch remembers.
    pub store: Arc<Store>,
    /// The store's backups on their way.
    pub backups: Arc<Backups>,
    /// Who may come in.
    pub accounts: Arc<Accounts>,
    /// Who is told of what, as it happens.
    pub notices: Arc<Notices>,
    /// How much one person may ask.
    pub limits: config::Limits,
}

/// What the handlers share.
pub(super) struct State {
    pub(super) site: Site,
    pub(super) metrics: Metrics,
    pub(super) started: Duration,
    pub(super) last_look: system::LastLook,
    pub(super) limits: Limits,
    /// Takes in what people upload.
    pub(super) pictures: Pictures,
    /// The API's document, as it goes out; made when it is first asked for.
    pub(super) openapi: OnceLock<Bytes>,
    turns: Arc<Semaphore>,
    /// Drivers are asked by one at a time.
    hardware_turn: Arc<Semaphore>,
}

/// How a handler takes it.
pub(super) type Shared = axum::extract::State<Arc<State>>;

impl State {
    pub(super) fn new(site: Site, metrics: Metrics) -> Self {
        Self {
            started: site.clock.monotonic(),
            limits: Limits::new(&site.limits, &site.clock),
            last_look: system::LastLook::default(),
            pictures: Pictures::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            hardware_turn: Arc::new(Semaphore::new(1)),
            site,
            metrics,
            openapi: OnceLock::new(),
        }
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.site.accounts
    }

    /// Wall time, as the store writes it.
    pub(super) fn now(&self) -> Timestamp {
        wall(&*self.site.clock)
    }

    /// Runs `work` on the store, on a thread that may block.
    pub(super) async fn store<T, E>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Send + 'static,
        Problem: From<E>,
    {
        let store = self.site.store.clone();
        let done = in_turn(&self.turns, Problem::StoreBusy, move || work(&store)).await;
        done?.map_err(Problem::from)
    }

    /// Runs `work` on a camera's driver, on a thread that may block.
    pub(super) async fn ask_hardware<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        in_turn(&self.hardware_turn, Problem::Busy("the camera is being asked by somebody else"), work).await
    }

    /// The same for what changes logins, roles, standings, names or passwords: what is known of logins is forgotten then.
    pub(super) async fn change_accounts<T, E>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Send + 'static,
        Problem: From<E>,
    {
        let accounts = self.site.accounts.clone();
        self.store(move |store| {
            let done = work(store);
            // Here, and not after the await: the request may be given up, the change is not.
            accounts.logins.forget();
            done
        })
        .await
    }
}

/// Runs `work` on a thread that may block, once it is its turn; `busy` where that takes too long.
async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    busy: Problem,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let turn = tokio::time::timeout(PATIENCE, turns.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(busy) };
    let work = move || {
        // A request may be given up; its turn lasts until the work is done.
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
}
