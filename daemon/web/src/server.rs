//! The accept loop and the shutdown of connections.
//!
//! Not here: the origin of the sockets (`sockets`), and the answers (`router`, `media`).

use super::accepting::{accept, admit};
use super::caller::Peer;
use super::client::Client;
use super::connection::{self, Deadlines};
use super::console::{self, Listening};
use super::https::{Https, Serving};
use super::links;
use super::router::{Answers, Doors};
use super::slots::{Share, Slots};
use super::sockets::{self, InheritedSockets, ServeError};
use super::stopping::Stopping;
use super::traffic::Traffic;
use crate::config;
use perch_site::Site;
use perch_studio::certificate::Certificates;
use perch_studio::memory_budget::MemoryBudget;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// File descriptors for other uses: cameras, the store, recordings, the log, listening sockets.
const DESCRIPTORS_OF_OTHERS: u64 = 96;

/// Time for a connection's task to end. Twenty cuts a second are faster than segments retire.
const AFTER_CUT: Duration = Duration::from_millis(50);

/// Bound sockets, and the rules for admitting connections.
pub struct Server {
    listeners: Vec<TcpListener>,
    https: Https,
    console: Option<Listening>,
    most_connections: usize,
    doors: Doors,
    traffic: Arc<Traffic>,
}

impl Server {
    /// Binds every address of the configuration, in addition to systemd's sockets; those for TLS once there is a certificate to show. Call it inside the
    /// runtime.
    pub fn bind(
        config: &config::Server,
        tls: &config::Tls,
        inherited: InheritedSockets,
        certificates: Certificates,
    ) -> Result<Self, ServeError> {
        links::set_path(&config.path);
        let listeners = sockets::open(&config.listen, inherited.http)?;
        let https = Https::new(&tls.listen, inherited.https, certificates)?;
        let console = console::listen(&config.data_dir)
            .inspect_err(|error| {
                tracing::warn!("commands such as `perchd user` cannot reach this daemon: {error}");
            })
            .ok();
        // Last: a reader of this line may run a command at once.
        for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            tracing::info!("listening on http://{address}");
        }
        let most_connections = config.max_connections.min(affordable_connections());
        let doors = Doors {
            names: config.names.clone(),
            trusted_proxies: config.trusted_proxies.clone().into(),
            metrics_from: config.metrics_from.clone().into(),
        };
        Ok(Self { listeners, https, console, most_connections, doors, traffic: Arc::default() })
    }

    /// The addresses that are bound for TLS; also for waiting for changes.
    pub fn https_addresses(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.https.bound()
    }

    /// The port of HTTP that people are told: 80, if it is bound.
    pub fn http_port(&self) -> Option<u16> {
        let ports = || self.listeners.iter().filter_map(|listener| Some(listener.local_addr().ok()?.port()));
        ports().find(|port| *port == 80).or_else(|| ports().next())
    }

    /// Serves `site` until `stop` completes; then idle connections close at once, and the others get `patience` to finish their
    /// response.
    pub async fn serve(self, site: Site, stop: impl Future<Output = ()>, patience: Duration) {
        let slots = Slots::new(self.most_connections, &site.memory);
        let (memory, faults) = (site.memory.clone(), site.faults.clone());
        let answers = Answers::new(site, Arc::clone(&self.traffic), Arc::clone(&slots), &self.doors);
        let stopping = Arc::new(Stopping::new());
        let mut loops = JoinSet::new();
        loops.spawn(cut_oldest_answers(memory, Arc::clone(&slots), Arc::clone(&self.traffic)));
        if let Some(console) = self.console {
            loops.spawn(console.serve(answers.clone()));
        }
        let serving = Serving {
            answers: answers.clone(),
            slots: Arc::clone(&slots),
            traffic: Arc::clone(&self.traffic),
            stopping: Arc::clone(&stopping),
            trusted_proxies: Arc::clone(&self.doors.trusted_proxies),
        };
        loops.spawn(self.https.serve(serving, faults));
        for listener in self.listeners {
            let (slots, traffic) = (Arc::clone(&slots), Arc::clone(&self.traffic));
            let (answers, stopping) = (answers.clone(), Arc::clone(&stopping));
            let trusted = Arc::clone(&self.doors.trusted_proxies);
            loops.spawn(async move {
                loop {
                    let Some((stream, peer)) = accept(&listener, &traffic).await else { continue };
                    let client = Client::of_connection(peer, false);
                    let share = if client.is_one_of(&trusted) { Share::Proxy } else { Share::Client };
                    let Some(slot) = admit(&stream, client, share, &slots, &traffic) else { continue };
                    let (answers, traffic, watcher) =
                        (answers.clone(), Arc::clone(&traffic), stopping.watcher());
                    tokio::spawn(async move {
                        let answer = |request| answers.answer(Peer::Network(client), request);
                        connection::serve(stream, slot, traffic, Deadlines::USUAL, watcher, answer).await;
                    });
                }
            });
        }
        stop.await;
        loops.shutdown().await;
        if tokio::time::timeout(patience, stopping.shutdown()).await.is_err() {
            tracing::warn!(connections = slots.in_use(), "connections cut off: they did not finish in time");
        }
    }
}

/// Limits the retired segments held by slow viewers to their part of the memory: cuts the longest-running response, and the next
/// one if that was not enough.
pub(super) async fn cut_oldest_answers(memory: MemoryBudget, slots: Arc<Slots>, traffic: Arc<Traffic>) {
    loop {
        memory.retired_is_over().await;
        if slots.cut_oldest_answer() {
            traffic.cut.add(1);
        }
        // Its memory is released when its task has ended.
        tokio::time::sleep(AFTER_CUT).await;
    }
}

/// The number of connections that the descriptors allow, after raising our own limit to what the system permits.
fn affordable_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { limit.current };
    usize::try_from(limit.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_OF_OTHERS)).unwrap_or(usize::MAX)
}
