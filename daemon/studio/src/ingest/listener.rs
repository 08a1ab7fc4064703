//! The listener: binds while ingest is switched on.

use super::desk::Desk;
use super::door::{Door, bind};
use super::doorkeeper::Doorkeeper;
use super::encrypted::Encrypted;
use super::pace::Most;
use super::slots::Slots;
use crate::certificate::Certificates;
use crate::clock::Clock;
use crate::config;
use crate::faults::Faults;
use crate::live::LiveHandle;
use crate::memory_budget::MemoryBudget;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The part named when its addresses cannot be bound.
const PART: &str = "ingest";
/// Pause before an address is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Takes the streams of programs.
pub struct Ingest {
    settings: config::Ingest,
    enabled: watch::Receiver<bool>,
    addresses: watch::Sender<Vec<SocketAddr>>,
    encrypted: Encrypted,
    memory: MemoryBudget,
    faults: Faults,
    clock: Arc<dyn Clock>,
}

impl Ingest {
    /// Ingest with these settings. It listens while `enabled` says so, with TLS too while there is a certificate; switching it off ends the streams of all
    /// programs.
    pub fn new(
        settings: config::Ingest,
        enabled: watch::Receiver<bool>,
        certificates: Certificates,
        memory: MemoryBudget,
        faults: Faults,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let encrypted = Encrypted {
            listen: settings.listen_tls.clone(),
            certificates,
            addresses: watch::Sender::default(),
            faults: faults.clone(),
        };
        Self { settings, enabled, addresses: watch::Sender::default(), encrypted, memory, faults, clock }
    }

    /// The addresses that are bound now; also for waiting for changes.
    pub fn addresses(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.addresses.subscribe()
    }

    /// The addresses that are bound now for RTMPS; also for waiting for changes.
    pub fn encrypted_addresses(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.encrypted.addresses.subscribe()
    }

    /// Runs until it is dropped. Publications end with their streams, which the studio stops.
    pub async fn run(self, doorkeeper: Arc<dyn Doorkeeper>, live: LiveHandle) {
        let most = Most { kbps: self.settings.max_bitrate_kbps };
        let mut enabled = self.enabled.clone();
        let desk = Desk::new(live, self.clock.clone(), most, self.settings.max_streams, enabled.clone());
        let desk = Arc::new(desk);
        let slots = Slots::new(self.settings.max_streams);
        while enabled.wait_for(|enabled| *enabled).await.is_ok() {
            let is_switched = tokio::select! {
                () = self.listen(&desk, &doorkeeper, &slots) => true,
                off = enabled.wait_for(|enabled| !enabled) => off.is_ok(),
            };
            // Without the one who switches it, it is off for good.
            if !is_switched {
                return;
            }
            self.addresses.send_replace(Vec::new());
            self.encrypted.closed();
            self.faults.clear(PART);
            tracing::info!("streams from other programs are switched off");
        }
    }

    /// Accepts connections until it is dropped, which drops those that have not published yet.
    async fn listen(&self, desk: &Arc<Desk>, doorkeeper: &Arc<dyn Doorkeeper>, slots: &Slots) {
        let listeners = loop {
            match bind(&self.settings.listen).await {
                Ok(listeners) => break listeners,
                Err(words) => self.faults.tell(PART, &words),
            }
            sleep(AGAIN).await;
        };
        self.faults.clear(PART);
        let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        for address in &addresses {
            tracing::info!("programs can send streams to rtmp://{address}/{}", super::session::APPLICATION);
        }
        self.addresses.send_replace(addresses);
        let door = Door {
            desk: desk.clone(),
            doorkeeper: doorkeeper.clone(),
            slots: slots.clone(),
            memory: self.memory.clone(),
        };
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(door.clone().accept(listener, None));
        }
        let plain = async { while accepting.join_next().await.is_some() {} };
        tokio::join!(plain, self.encrypted.listen(door));
    }
}
