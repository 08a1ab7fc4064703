//! Where connections come in: listening sockets, the accept loop, and the end of it all.
//!
//! Must not be here: what is answered (see `router` and `live`).

use super::caller::Peer;
use super::connection::{self, Deadlines};
use super::console::{self, Listening};
use super::places::{Admission, Place, Places};
use super::router::Answers;
use super::state::Site;
use super::stopping::Stopping;
use super::traffic::Traffic;
use crate::config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Connections that the kernel holds for us between two rounds of the accept loop.
const BACKLOG: u32 = 1024;
/// Descriptors that are not viewers: cameras, the store, recordings, the log, listening sockets.
const DESCRIPTORS_OF_OTHERS: u64 = 96;
/// When there are no descriptors or no memory, trying at once would be a busy loop.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Why the site cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error(
        "{0} is in use by another program: stop that one, or choose another port with --listen or server.listen"
    )]
    InUse(SocketAddr),
    /// Ports under 1024 are for root.
    #[error(
        "no permission to listen on {0}: ports under 1024 need CAP_NET_BIND_SERVICE; choose one above, such as 8080"
    )]
    Permission(SocketAddr),
    /// Such an address is not on this machine.
    #[error("cannot listen on {address}: {error}")]
    Other {
        /// As configured.
        address: SocketAddr,
        /// The kernel's word.
        error: io::Error,
    },
}

/// Sockets that are bound, and the rules for whom to let in.
pub struct Server {
    listeners: Vec<TcpListener>,
    console: Option<Listening>,
    places: Arc<Places>,
    traffic: Arc<Traffic>,
}

impl Server {
    /// Binds every address of the configuration. Must be called inside the runtime.
    pub fn bind(config: &config::Server) -> Result<Self, ServeError> {
        let listeners = config
            .listen
            .iter()
            .map(|address| listen(*address, &config.listen))
            .collect::<Result<Vec<_>, _>>()?;
        let console = console::listen(&config.data_dir)
            .inspect_err(|error| {
                tracing::warn!("commands such as `perchd user` cannot reach this daemon: {error}");
            })
            .ok();
        // Last: who reads this may run a command at once.
        for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            tracing::info!("listening on http://{address}");
        }
        let places = Places::new(config.max_connections.min(affordable_connections()));
        Ok(Self { listeners, console, places, traffic: Arc::default() })
    }

    /// Shows `site` until `stop` completes; then idle connections close at once and the others get `patience` to finish
    /// what they are answering.
    pub async fn serve(self, site: Site, stop: impl Future<Output = ()>, patience: Duration) {
        let answers = Answers::new(site, Arc::clone(&self.traffic), Arc::clone(&self.places));
        let stopping = Arc::new(Stopping::new());
        let mut loops = JoinSet::new();
        if let Some(console) = self.console {
            loops.spawn(console.serve(answers.clone()));
        }
        for listener in self.listeners {
            let (places, traffic) = (Arc::clone(&self.places), Arc::clone(&self.traffic));
            let (answers, stopping) = (answers.clone(), Arc::clone(&stopping));
            loops.spawn(async move {
                loop {
                    let Some((stream, peer)) = accept(&listener, &traffic).await else { continue };
                    let Some(place) = admit(&stream, peer, &places, &traffic) else { continue };
                    let (answers, traffic, watcher) =
                        (answers.clone(), Arc::clone(&traffic), stopping.watcher());
                    tokio::spawn(async move {
                        let answer = |request| answers.answer(Peer::Network(peer), request);
                        connection::serve(stream, place, traffic, Deadlines::USUAL, watcher, answer).await;
                    });
                }
            });
        }
        stop.await;
        loops.shutdown().await;
        if tokio::time::timeout(patience, stopping.shutdown()).await.is_err() {
            tracing::warn!(
                connections = self.places.in_use(),
                "connections cut off: they did not finish in time"
            );
        }
    }
}

async fn accept(listener: &TcpListener, traffic: &Traffic) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        // The peer was gone before we came.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) =>
        {
            None
        }
        Err(error) => {
            if traffic.accept_errors.get().is_multiple_of(100) {
                tracing::warn!(%error, "cannot accept connections for the moment");
            }
            traffic.accept_errors.add(1);
            tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            None
        }
    }
}

fn admit(stream: &TcpStream, peer: SocketAddr, places: &Arc<Places>, traffic: &Traffic) -> Option<Place> {
    let place = match places.take(peer.ip()) {
        Admission::Free(place) => place,
        Admission::InsteadOfIdle(place) => {
            traffic.sent_away.add(1);
            place
        }
        Admission::Refused => {
            traffic.refused.add(1);
            // One try, for the client's sake; the connection closes whatever becomes of it.
            let _ = stream.try_write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
            return None;
        }
    };
    traffic.accepted.add(1);
    // Answers are written whole; Nagle's algorithm would only hold back their last packet.
    let _ = stream.set_nodelay(true);
    Some(place)
}

fn listen(address: SocketAddr, all: &[SocketAddr]) -> Result<TcpListener, ServeError> {
    match try_listen(address, all) {
        // A kernel without IPv6 still has viewers.
        Err(error) if rustix_error(&error) == Some(rustix::io::Errno::AFNOSUPPORT) && any_v6(address) => {
            let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            tracing::warn!("this machine has no IPv6: listening on {v4} instead of {address}");
            try_listen(v4, all).map_err(|error| ServeError::from_io(v4, error))
        }
        result => result.map_err(|error| ServeError::from_io(address, error)),
    }
}

fn try_listen(address: SocketAddr, all: &[SocketAddr]) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if any_v6(address) {
        // `[::]` means everybody, whatever the machine's setting, unless the IPv4 side has its own socket.
        let v4_apart = all.iter().any(|other| other.is_ipv4() && other.port() == address.port());
        rustix::net::sockopt::set_ipv6_v6only(&socket, v4_apart)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn any_v6(address: SocketAddr) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

fn rustix_error(error: &io::Error) -> Option<rustix::io::Errno> {
    error.raw_os_error().map(rustix::io::Errno::from_raw_os_error)
}

impl ServeError {
    fn from_io(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::Permission(address),
            _ => Self::Other { address, error },
        }
    }
}

/// As many connections as there can be descriptors, after raising our own limit to what the system allows.
fn affordable_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { limit.current };
    usize::try_from(limit.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_OF_OTHERS)).unwrap_or(usize::MAX)
}
