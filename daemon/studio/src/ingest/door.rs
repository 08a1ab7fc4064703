//! The door: accepts connections, and greets each until it says what it wants; then it belongs to a publication, or is refused in words.

use super::connection::{Broken, Connection, Halves};
use super::desk::{Arrival, Desk, Entered};
use super::doorkeeper::{Denied, Doorkeeper, StreamKey};
use super::paced::Paced;
use super::playing;
use super::publication::Publication;
use super::session::Event;
use super::slots::{Slot, Slots};
use crate::certificate::Acceptor;
use crate::memory_budget::MemoryBudget;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// From the connection to the stream key.
const GREETING: Duration = Duration::from_secs(10);
/// For the doorkeeper's answer.
const ADMITTING: Duration = Duration::from_secs(5);
/// Before a wrong key is refused, so that keys are not tried by the thousand.
const WRONG_KEY: Duration = Duration::from_secs(1);
/// Without descriptors or memory, an immediate retry would be a busy loop.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Binds all addresses, or says in words why one cannot be bound.
pub(super) async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, String> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.map_err(|error| {
            format!("Programs cannot send streams: the address {address} cannot be used ({error}). Is another RTMP server running?")
        })?);
    }
    Ok(listeners)
}

/// Lets programs in.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) desk: Arc<Desk>,
    pub(super) doorkeeper: Arc<dyn Doorkeeper>,
    pub(super) slots: Slots,
    pub(super) memory: MemoryBudget,
}

impl Door {
    /// Accepts connections until it is dropped; with TLS if there is an `acceptor`.
    pub(super) async fn accept(self, listener: TcpListener, acceptor: Option<Acceptor>) {
        let mut strangers = JoinSet::new();
        loop {
            while strangers.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // A stranger more than there may be gets no answer.
                    let peer = peer.ip().to_canonical();
                    let Some(slot) = self.slots.take(peer) else { continue };
                    strangers.spawn(self.clone().arrive(stream, acceptor.clone(), peer, slot));
                }
                Err(error) => {
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                    ) {
                        tracing::warn!("cannot accept connections of programs at the moment: {error}");
                        sleep(AFTER_FAILED_ACCEPT).await;
                    }
                }
            }
        }
    }

    /// A program has connected.
    async fn arrive(self, stream: TcpStream, acceptor: Option<Acceptor>, peer: IpAddr, slot: Slot) {
        // Answers are small, and the program waits for them.
        let _ = stream.set_nodelay(true);
        let halves: Halves = if let Some(acceptor) = acceptor {
            match acceptor.accept(stream).await {
                Ok(stream) => {
                    let (receiver, sender) = tokio::io::split(stream);
                    (Box::new(receiver), Box::new(sender))
                }
                Err(error) => return tracing::info!(from = %peer, "a program is not let in: {error}"),
            }
        } else {
            let (receiver, sender) = stream.into_split();
            (Box::new(Paced::new(receiver)), Box::new(sender))
        };
        let connection = Connection::new(peer, halves, &self.memory, slot);
        // Boxed: it holds all that a publication begins with, and most strangers do not get so far.
        Box::pin(self.let_in(connection, peer)).await;
    }

    /// Greets a program, and hands it over or refuses it.
    async fn let_in(self, mut connection: Connection, peer: IpAddr) {
        let key = match timeout(GREETING, greet(&mut connection)).await {
            Ok(Ok(Greeting::Key(key))) => key,
            Ok(Ok(Greeting::Play(name))) => return playing::play(connection, &self.desk, &name).await,
            Ok(Ok(Greeting::Refused(why))) => {
                tracing::info!(from = %peer, "a program is refused: {why}");
                return connection.close().await;
            }
            Ok(Err(broken)) => return tracing::info!(from = %peer, "a program is not let in: {broken}"),
            Err(_) => return tracing::info!(from = %peer, "a program is not let in: it says too little"),
        };
        let admission = match timeout(ADMITTING, self.doorkeeper.admit(key)).await {
            Ok(Ok(admission)) => admission,
            Ok(Err(denied)) => {
                tracing::warn!(from = %peer, "a program is refused: {denied}");
                if denied == Denied::WrongKey {
                    sleep(WRONG_KEY).await;
                }
                return connection.refuse(&denied.to_string()).await;
            }
            Err(_) => return connection.refuse("the card takes too long: try again in a minute").await,
        };
        match self.desk.enter(Arrival { connection, admission }) {
            Entered::Handed => {}
            Entered::New(first, arrivals) => {
                tokio::spawn(Publication::new(self.desk.clone(), first, arrivals).run());
            }
            Entered::Refused(connection, why) => {
                tracing::warn!(from = %peer, "a program is refused: {why}");
                connection.refuse(&why).await;
            }
        }
    }
}

/// How far a greeting came.
enum Greeting {
    Key(StreamKey),
    /// It wants to watch the stream of this name.
    Play(String),
    /// Why, in words.
    Refused(String),
}

/// Talks to a program until it says what it wants to publish or to watch.
async fn greet(connection: &mut Connection) -> Result<Greeting, Broken> {
    loop {
        match connection.next()? {
            Some(Event::Publish(key)) => return Ok(Greeting::Key(key)),
            Some(Event::Play(name)) => return Ok(Greeting::Play(name)),
            Some(Event::Refused(why)) => return Ok(Greeting::Refused(why)),
            // Nothing else comes of a program that was not let in.
            Some(_) => {}
            None => _ = connection.progress(true).await?,
        }
    }
}
