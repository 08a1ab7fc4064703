//! The site: handles of everything that use cases need. A use case is a function in the file of its noun (`users`, `topics`),
//! which takes the site, the actor and the request.
//!
//! Not here: state that only HTTP needs (perch-web's `state`), and rules of the site.

use crate::accounts::Accounts;
use crate::allowed_sites::AllowedSites;
use crate::appliance::board::Board;
use crate::appliance::update::Updates;
use crate::appliance::wifi::Wifi;
use crate::backups::Backups;
use crate::certificates::Https;
use crate::chat::ChatHandle;
use crate::error::SiteError;
use crate::ingest_switch::IngestSwitch;
use crate::limits::Limits;
use crate::notices::Notices;
use crate::picture::Pictures;
use crate::store_probe::StoreProbe;
use crate::turns::Turns;
use crate::webhooks::Webhooks;
use perch_store::{Store, Timestamp};
use perch_studio::capture::controls::KeptControls;
use perch_studio::capture::microphones::Microphones;
use perch_studio::clock::{Clock, wall};
use perch_studio::faults::Faults;
use perch_studio::hls::HlsMetrics;
use perch_studio::live::{LiveCamera, LiveHandle};
use perch_studio::memory_budget::MemoryBudget;
use perch_studio::playback::Playback;
use perch_studio::recorder::Recordings;
use perch_studio::relay::Destinations;
use perch_studio::snapshot::Snapshots;
use std::sync::Arc;

/// Handles of the daemon's parts; one for the daemon.
pub struct Site {
    /// Starts and stops streams, and knows which are on the air.
    pub live: LiveHandle,
    /// The chats of streams that are on the air.
    pub chat: ChatHandle,
    /// The configured cameras.
    pub cameras: Arc<[LiveCamera]>,
    /// Pictures of the cameras.
    pub snapshots: Arc<Snapshots>,
    /// The saved camera controls.
    pub controls: KeptControls,
    /// The cameras' microphones.
    pub microphones: Microphones,
    /// Counters of all streams.
    pub hls_metrics: Arc<HlsMetrics>,
    /// The recordings of streams. Its calls block, as those of the store do.
    pub recordings: Recordings,
    /// Where streams may be sent on to.
    pub relays: Destinations,
    /// Whether programs may publish streams.
    pub ingest: IngestSwitch,
    /// Which other sites may show the player, and play public streams.
    pub other_sites: AllowedSites,
    /// Opens recordings for those who watch them.
    pub playback: Arc<Playback>,
    /// HTTPS, and its own authority.
    pub https: Https,
    /// The faults that exist now.
    pub faults: Faults,
    /// How the memory is used.
    pub memory: MemoryBudget,
    /// The machine.
    pub board: Board,
    /// The machine's Wi-Fi, if Perch manages it.
    pub wifi: Option<Wifi>,
    /// Updates of the system, if Perch installs them.
    pub updates: Option<Arc<Updates>>,
    /// Monotonic and wall time.
    pub clock: Arc<dyn Clock>,
    /// The store. Use cases call it through [`Site::store`].
    pub store: Arc<Store>,
    /// Reports whether the store answers.
    pub store_probe: StoreProbe,
    /// Backups being made or restored.
    pub backups: Arc<Backups>,
    /// Passwords, tokens, open logins.
    pub accounts: Arc<Accounts>,
    /// Delivers notifications to open pages.
    pub notices: Arc<Notices>,
    /// Processes uploaded pictures.
    pub pictures: Pictures,
    /// Rate limits.
    pub limits: Limits,
    /// Turns for calls that block.
    pub turns: Turns,
    /// The webhooks, and what waits for them.
    pub webhooks: Webhooks,
}

impl Site {
    /// The wall time, in the store's type.
    pub fn now(&self) -> Timestamp {
        wall(&*self.clock)
    }

    /// Runs `work` on the store, on a thread that may block. No transaction crosses an await.
    ///
    /// # Errors
    ///
    /// Those of `work`, and those of [`Turns::store`].
    pub async fn store<T, E>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, SiteError>
    where
        T: Send + 'static,
        E: Send + 'static,
        SiteError: From<E>,
    {
        let store = self.store.clone();
        self.turns.store(move || work(&store)).await?.map_err(SiteError::from)
    }

    /// Like [`Site::store`], for lists that anyone may ask for: they have a thread of their own.
    ///
    /// # Errors
    ///
    /// Those of `work`, and those of [`Turns::lists`].
    pub async fn lists<T, E>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, SiteError>
    where
        T: Send + 'static,
        E: Send + 'static,
        SiteError: From<E>,
    {
        let store = self.store.clone();
        self.turns.lists(move || work(&store)).await?.map_err(SiteError::from)
    }

    /// Like [`Site::store`], for work that changes logins, roles, standings, usernames or passwords: the logins in memory are
    /// read again afterwards.
    ///
    /// # Errors
    ///
    /// Those of [`Site::store`].
    pub async fn change_accounts<T, E>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, SiteError>
    where
        T: Send + 'static,
        E: Send + 'static,
        SiteError: From<E>,
    {
        let accounts = self.accounts.clone();
        self.store(move |store| {
            let done = work(store);
            // Here, and not after the await: the request may be cancelled, but the change still happens.
            accounts.logins.forget();
            done
        })
        .await
    }
}
