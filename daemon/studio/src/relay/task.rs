//! The tasks of a stream's relays: sockets, clock and randomness for [`Uplink`].

use super::connection::{Connection, Moved, Tcp};
use super::destinations::Destinations;
use super::session::Target;
use super::status::RelayStatus;
use super::tagger::Asked;
use super::tls;
use super::uplink::Uplink;
use crate::broadcast::{Broadcast, Item, Reader, Start, Want};
use crate::clock::Clock;
use crate::config::{Relay, RtmpUrl, Secret};
use crate::memory_budget::{Held, Part};
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// Five times a second, and at an entry at once, there is something to send: a processor that is woken seldom needs less.
const WANT: Want = Want { patience: Duration::from_millis(200), at_entry_points: true, start: Start::Newest };
/// To look the server's name up and to connect, and once more for the TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a connection's health is looked at, at least.
const LOOK: Duration = Duration::from_millis(500);
/// After so long it is looked at when there is something else to do, so that nothing is woken for it alone.
const LOOK_EARLY: Duration = Duration::from_millis(350);
/// A server has little to say.
const READ: usize = 4 << 10;
/// Allocations above this are given back once they are empty: a large picture made them.
const KEEP: usize = 64 << 10;
/// To send what is left, and the end of the stream.
const FAREWELL: Duration = Duration::from_millis(800);

/// What a relay's task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Send the stream on.
    On,
    /// Take leave of the server, and wait.
    Off,
    /// Take leave of the server, and end.
    Over,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    /// It has failed.
    Failed,
    /// It is wanted no more.
    Unwanted,
    /// The stream has ended, or the destination was deleted.
    Ended,
}

/// A relay waits a little longer or shorter where the kernel gives no random numbers.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

type Changes = watch::Receiver<Arc<[Relay]>>;

/// One relay's task.
pub(super) struct Relaying {
    uplink: Uplink,
    /// As it was when the connection was opened.
    destination: Relay,
    destinations: Destinations,
    broadcast: Broadcast,
    held: Held,
    clock: Arc<dyn Clock>,
    status: watch::Sender<RelayStatus>,
    /// Of the server's name, which goes on when nobody waits for it any more: there is one thread for it at most.
    lookup: Option<oneshot::Receiver<io::Result<Vec<SocketAddr>>>>,
    /// The connection that failed last. A server behind a network that was cut knows nothing of that, and refuses another stream under the same key: the old one is broken
    /// off when the network carries a new one.
    broken: Option<Connection>,
}

impl Relaying {
    /// A relay that is to be run, and how it is doing.
    pub(super) fn new(
        destination: Relay,
        destinations: &Destinations,
        broadcast: &Broadcast,
        asked: Asked,
        clock: &Arc<dyn Clock>,
    ) -> (Self, watch::Receiver<RelayStatus>) {
        let uplink = Uplink::new(destination.name.as_str().into(), asked, Box::new(random));
        let (status, seen) = watch::channel(uplink.status().clone());
        let relaying = Self {
            uplink,
            destination,
            destinations: destinations.clone(),
            broadcast: broadcast.clone(),
            held: broadcast.share().hold(Part::Relays, 0),
            clock: clock.clone(),
            status,
            lookup: None,
            broken: None,
        };
        (relaying, seen)
    }

    /// Runs until it is over, or its destination is deleted.
    pub(super) async fn run(mut self, mut wanted: watch::Receiver<Wanted>, mut changes: Changes) {
        loop {
            let now_wanted = *wanted.borrow_and_update();
            match now_wanted {
                Wanted::On => {}
                Wanted::Over => break,
                Wanted::Off => {
                    self.break_off();
                    self.uplink.finish();
                    self.tell();
                    // Without its owner there is no stream.
                    if wanted.changed().await.is_err() {
                        break;
                    }
                    continue;
                }
            }
            let now = self.clock.monotonic();
            let pause = self.uplink.connects_at().map_or(Duration::ZERO, |at| at.saturating_sub(now));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // A wrong key that was put right is tried at once.
                () = is_changed(&self.destinations, &self.destination, &mut changes) => {}
                _ = wanted.wait_for(|wanted| *wanted != Wanted::On) => continue,
            }
            let Some(destination) = self.destinations.named(&self.destination.name) else { break };
            if destination != self.destination {
                self.lookup = None;
                self.destination = destination;
            }
            self.uplink.connecting();
            self.tell();
            let opened = tokio::select! {
                opened = self.open() => opened,
                _ = wanted.wait_for(|wanted| *wanted != Wanted::On) => continue,
            };
            let now = self.clock.monotonic();
            let mut closed = Closed::Failed;
            match opened {
                Ok((mut connection, target)) => {
                    self.break_off();
                    self.uplink.opened(target, now);
                    closed = self.carry(&mut connection, &mut wanted, &mut changes).await;
                    self.broken = (closed == Closed::Failed).then_some(connection);
                }
                Err(why) => self.uplink.failed(&why, now),
            }
            self.held.set(self.broken.as_ref().map_or(0, Connection::untaken) as u64);
            match closed {
                Closed::Failed => self.tell(),
                Closed::Unwanted => {}
                Closed::Ended => break,
            }
        }
        self.break_off();
        self.uplink.finish();
        self.tell();
    }

    /// Closes the connection that has failed, if there is one.
    fn break_off(&mut self) {
        if let Some(broken) = self.broken.take() {
            broken.break_off();
        }
        self.held.set(0);
    }

    fn server(&self) -> String {
        self.destination.url.as_ref().map_or_else(String::new, RtmpUrl::server)
    }

    /// Opens a connection; the error is in words.
    async fn open(&mut self) -> Result<(Connection, Target), String> {
        let Some(url) = self.destination.url.clone() else { return Err("it has no address".to_owned()) };
        let known = self.destination.application_and_key();
        let (application, key) = known.ok_or("it has no stream key: set one on the page")?;
        let application = application.to_owned();
        let key = match (key, &self.destination.key_file) {
            (Some(key), _) => key,
            (None, Some(file)) => read_key(file).await?,
            (None, None) => return Err("it has no stream key".to_owned()),
        };
        let target = Target { tc_url: url.of_application(&application), application, key };
        let seconds = CONNECT.as_secs();
        let silent = |_| format!("{} does not answer within {seconds} s", url.server());
        let tcp = timeout(CONNECT, self.connect(&url)).await.map_err(silent).flatten()?;
        if !url.is_encrypted {
            return Ok((Connection::Plain(tcp), target));
        }
        let silent =
            |_| format!("{} does not answer TLS within {seconds} s: does it speak TLS there?", url.server());
        let shaking = tls::connect(tcp, &url.host, self.destination.ca_file.as_deref());
        let tls = timeout(CONNECT, shaking).await.map_err(silent).flatten()?;
        Ok((Connection::Encrypted(Box::new(tls)), target))
    }

    async fn connect(&mut self, url: &RtmpUrl) -> Result<Tcp, String> {
        let addresses = if let Ok(address) = url.host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, url.port)]
        } else {
            let found = self.look_up(&url.host, url.port).await;
            found.map_err(|error| format!("the name {} is not found: {error}", url.host))?
        };
        let connected = Tcp::connect(&addresses).await;
        connected.map_err(|error| format!("cannot connect to {}: {error}", url.server()))
    }

    /// On a thread of its own: a name server that does not answer must not take one of the few threads that the store's calls need.
    async fn look_up(&mut self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if self.lookup.is_none() {
            let (tell, told) = oneshot::channel();
            let host = host.to_owned();
            std::thread::Builder::new().name("look-up".to_owned()).spawn(move || {
                let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
                // The relay may have ended.
                let _ = tell.send(found);
            })?;
            self.lookup = Some(told);
        }
        let Some(lookup) = &mut self.lookup else { return Ok(Vec::new()) };
        let found = lookup.await;
        self.lookup = None;
        found.unwrap_or_else(|_| Err(io::Error::other("the search broke off")))
    }

    /// Sends the stream over an open connection until that fails or is wanted no more.
    async fn carry(
        &mut self,
        connection: &mut Connection,
        wanted: &mut watch::Receiver<Wanted>,
        changes: &mut Changes,
    ) -> Closed {
        let mut reader: Option<Reader> = None;
        // The first look is at once.
        let mut looked_at = self.clock.monotonic().saturating_sub(LOOK);
        let mut input = vec![0; READ];
        // What is being written, and how far it is.
        let (mut output, mut at) = (Vec::new(), 0);
        let closed = loop {
            if self.uplink.connects_at().is_some() {
                break Closed::Failed;
            }
            if self.uplink.sends() && reader.is_none() {
                reader = Some(self.broadcast.subscribe(WANT));
            }
            self.take_samples(&mut reader);
            if at == output.len() {
                if output.capacity() > KEEP {
                    output = Vec::new();
                }
                output.clear();
                at = 0;
                if let Some(out) = self.uplink.out() {
                    std::mem::swap(out, &mut output);
                }
            }
            let since_look = self.clock.monotonic().saturating_sub(looked_at);
            if since_look >= LOOK_EARLY {
                looked_at += since_look;
                self.look(connection, &output, at);
                continue;
            }
            let next_look = LOOK.saturating_sub(since_look);
            let wants_sample = self.uplink.wants_sample();
            tokio::select! {
                moved = connection.exchange(&mut input, &output[at..]) => {
                    let now = self.clock.monotonic();
                    match moved {
                        Ok(Moved::Came(0)) => self.uplink.failed("the server closed the connection", now),
                        Ok(Moved::Came(bytes)) => self.uplink.received(&input[..bytes], now),
                        Ok(Moved::Went(bytes)) => at += bytes,
                        Err(error) => self.uplink.failed(&format!("the connection broke off: {error}"), now),
                    }
                }
                item = next(&mut reader), if wants_sample => match item {
                    Some(item) => self.uplink.push(&item, self.clock.monotonic()),
                    None => break Closed::Ended,
                },
                () = tokio::time::sleep(next_look) => {}
                () = is_changed(&self.destinations, &self.destination, changes) => {
                    if self.destinations.named(&self.destination.name).is_none() {
                        break Closed::Ended;
                    }
                    self.uplink.failed("its settings were changed", self.clock.monotonic());
                }
                _ = wanted.wait_for(|wanted| *wanted != Wanted::On) => {
                    self.take_samples(&mut reader);
                    break Closed::Unwanted;
                }
            }
        };
        if closed != Closed::Failed {
            self.uplink.unpublish();
            output.drain(..at);
            if let Some(out) = self.uplink.out() {
                output.append(out);
            }
            if !matches!(timeout(FAREWELL, connection.close(&output)).await, Ok(Ok(()))) {
                connection.break_off();
            }
        }
        closed
    }

    /// Looks at the health of a connection of which `output` is being written, and is written up to `at`.
    fn look(&mut self, connection: &Connection, output: &Vec<u8>, at: usize) {
        let untaken = connection.untaken();
        let waits = at < output.len() || connection.waits();
        self.uplink.look(connection.written(), untaken as u64, waits, self.clock.monotonic());
        let out = self.uplink.out().map_or(0, |out| out.capacity());
        self.held.set((output.capacity() + out + untaken) as u64);
        self.tell();
    }

    /// Takes what the ring has, as long as it can be sent.
    fn take_samples(&mut self, reader: &mut Option<Reader>) {
        let Some(reader) = reader else { return };
        while self.uplink.wants_sample()
            && let Some(item) = reader.next_of_those_there()
        {
            self.uplink.push(&item, self.clock.monotonic());
        }
    }

    /// Says how it is doing, and what has changed in the log.
    fn tell(&self) {
        let now = self.uplink.status();
        let (is_news, is_slow) = {
            let before = self.status.borrow();
            (before.state.name() != now.state.name(), before.slow != now.slow)
        };
        if is_news {
            super::log::news(now, &self.server());
        }
        if is_slow {
            super::log::slow(now);
        }
        self.status.send_replace(now.clone());
    }
}

/// Completes when the destination is another than this one, or is deleted.
async fn is_changed(destinations: &Destinations, known: &Relay, changes: &mut Changes) {
    loop {
        // The sender is in `destinations`.
        if changes.changed().await.is_err() {
            pending::<()>().await;
        }
        if destinations.named(&known.name).as_ref() != Some(known) {
            return;
        }
    }
}

/// The next item of a reader, if there is one.
async fn next(reader: &mut Option<Reader>) -> Option<Item> {
    match reader {
        Some(reader) => reader.next().await,
        None => pending().await,
    }
}

/// The first line of a file. It is read for each connection, so that a key can be changed.
async fn read_key(file: &Path) -> Result<Secret, String> {
    let path = file.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
    let text = read.map_err(io::Error::other).flatten();
    let text = text.map_err(|error| format!("the key file {} cannot be read: {error}", file.display()))?;
    let key = text.lines().next().unwrap_or_default().trim();
    if key.is_empty() {
        return Err(format!("the key file {} is empty", file.display()));
    }
    Ok(Secret::new(key))
}
