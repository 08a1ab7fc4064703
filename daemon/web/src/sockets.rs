//! Listening sockets: the addresses of the configuration, and those that systemd has bound (`perchd.socket`: port 80,
//! `perchd-https.socket`: port 443; perchd then needs no capability for them).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel queues between two rounds of the accept loop.
const BACKLOG: u32 = 1024;

/// Why listening failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error(
        "{0} is in use by another program: stop that one, or choose another port with --listen, server.listen or tls.listen"
    )]
    InUse(SocketAddr),
    /// Ports under 1024 are for root.
    #[error(
        "no permission to listen on {0}: ports under 1024 need CAP_NET_BIND_SERVICE; choose one above, such as 8080"
    )]
    Permission(SocketAddr),
    /// This machine does not have such an address.
    #[error("cannot listen on {address}: {error}")]
    Other {
        /// The configured address.
        address: SocketAddr,
        /// The kernel's error.
        error: io::Error,
    },
    /// systemd passed an unusable socket.
    #[error(
        "systemd passed an unusable socket: {0}; perchd.socket and perchd-https.socket must have only ListenStream= with ports"
    )]
    Inherited(io::Error),
}

/// The name of systemd's sockets for TLS (`FileDescriptorName=`).
const HTTPS: &str = "https";

/// Sockets that systemd has bound (`sd_listen_fds(3)`).
#[derive(Default)]
pub struct Inherited(Vec<std::net::TcpListener>);

/// Sockets of systemd by what is spoken on them.
#[derive(Default)]
pub struct InheritedSockets {
    /// HTTP.
    pub http: Inherited,
    /// HTTP over TLS.
    pub https: Inherited,
}

impl InheritedSockets {
    /// Takes over the sockets. Call it once, before any thread starts: it reads the environment and clears it for child
    /// processes.
    pub fn take() -> Result<Self, ServeError> {
        // One name for each socket, separated by colons.
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut handed_over = listenfd::ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..handed_over.len() {
            let taken = handed_over.take_tcp_listener(index).map_err(ServeError::Inherited)?;
            let of_kind = if names.next() == Some(HTTPS) { &mut sockets.https } else { &mut sockets.http };
            of_kind.0.extend(taken);
        }
        Ok(sockets)
    }
}

impl Inherited {
    /// True if these sockets already serve `address`.
    pub(super) fn covers(&self, address: SocketAddr) -> bool {
        self.0.iter().filter_map(|socket| socket.local_addr().ok()).any(|bound| {
            let everywhere = bound.ip().is_unspecified() && (bound.is_ipv6() || address.is_ipv4());
            bound == address || everywhere && bound.port() == address.port()
        })
    }
}

/// Binds every one of `addresses`; systemd's sockets come after them. Call it inside the runtime.
pub(crate) fn open(addresses: &[SocketAddr], inherited: Inherited) -> Result<Vec<TcpListener>, ServeError> {
    let ours = addresses.iter().filter(|address| !inherited.covers(**address));
    let mut listeners = ours.map(|address| listen(*address, addresses)).collect::<Result<Vec<_>, _>>()?;
    for socket in inherited.0 {
        let listener = socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket));
        listeners.push(listener.map_err(ServeError::Inherited)?);
    }
    Ok(listeners)
}

fn listen(address: SocketAddr, all: &[SocketAddr]) -> Result<TcpListener, ServeError> {
    match try_listen(address, all) {
        // Without IPv6 in the kernel, IPv4 is enough.
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
        // `[::]` means every address, whatever the machine's setting, unless IPv4 has a socket of its own.
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
