//! The listener: binds while ingest is switched on, lets programs in, and hands each to its account's publication.

use super::connection::{Broken, Connection};
use super::desk::{Arrival, Desk, Entered};
use super::doorkeeper::{Denied, Doorkeeper, StreamKey};
use super::pace::Most;
use super::paced::Paced;
use super::playing;
use super::publication::Publication;
use super::session::Event;
use super::slots::{Slot, Slots};
use crate::clock::Clock;
use crate::config;
use crate::faults::Faults;
use crate::live::LiveHandle;
use crate::memory_budget::MemoryBudget;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The part named when its addresses cannot be bound.
const PART: &str = "ingest";
/// From the connection to the stream key.
const GREETING: Duration = Duration::from_secs(10);
/// For the doorkeeper's answer.
const ADMITTING: Duration = Duration::from_secs(5);
/// Before a wrong key is refused, so that keys are not tried by the thousand.
const WRONG_KEY: Duration = Duration::from_secs(1);
/// Pause before an address is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// Without descriptors or memory, an immediate retry would be a busy loop.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Takes the streams of programs.
pub struct Ingest {
    settings: config::Ingest,
    enabled: watch::Receiver<bool>,
    addresses: watch::Sender<Vec<SocketAddr>>,
    memory: MemoryBudget,
    faults: Faults,
    clock: Arc<dyn Clock>,
}

impl Ingest {
    /// Ingest with these settings. It listens while `enabled` says so; switching it off ends the streams of all programs.
    pub fn new(
        settings: config::Ingest,
        enabled: watch::Receiver<bool>,
        memory: MemoryBudget,
        faults: Faults,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { settings, enabled, addresses: watch::Sender::default(), memory, faults, clock }
    }

    /// The addresses that are bound now; also for waiting for changes.
    pub fn addresses(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.addresses.subscribe()
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
            self.faults.clear(PART);
            tracing::info!("streams from other programs are switched off");
        }
    }

    /// Accepts connections until it is dropped, which drops those that have not published yet.
    async fn listen(&self, desk: &Arc<Desk>, doorkeeper: &Arc<dyn Doorkeeper>, slots: &Slots) {
        let listeners = loop {
            match self.bind().await {
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
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let door = Door {
                desk: desk.clone(),
                doorkeeper: doorkeeper.clone(),
                slots: slots.clone(),
                memory: self.memory.clone(),
            };
            accepting.spawn(door.accept(listener));
        }
        while accepting.join_next().await.is_some() {}
    }

    async fn bind(&self) -> Result<Vec<TcpListener>, String> {
        let mut listeners = Vec::new();
        for address in &self.settings.listen {
            let bound = TcpListener::bind(address).await;
            listeners.push(bound.map_err(|error| {
                format!("Programs cannot send streams: the address {address} cannot be used ({error}). Is another RTMP server running?")
            })?);
        }
        Ok(listeners)
    }
}

/// Lets programs in.
#[derive(Clone)]
struct Door {
    desk: Arc<Desk>,
    doorkeeper: Arc<dyn Doorkeeper>,
    slots: Slots,
    memory: MemoryBudget,
}

impl Door {
    /// Accepts connections until it is dropped.
    async fn accept(self, listener: TcpListener) {
        let mut strangers = JoinSet::new();
        loop {
            while strangers.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // A stranger more than there may be gets no answer.
                    let peer = peer.ip().to_canonical();
                    let Some(slot) = self.slots.take(peer) else { continue };
                    strangers.spawn(self.clone().let_in(stream, peer, slot));
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

    /// Greets a program, and hands it over or refuses it.
    async fn let_in(self, stream: TcpStream, peer: IpAddr, slot: Slot) {
        // Answers are small, and the program waits for them.
        let _ = stream.set_nodelay(true);
        let (receiver, sender) = stream.into_split();
        let halves = (Box::new(Paced::new(receiver)) as Box<_>, Box::new(sender) as Box<_>);
        let mut connection = Connection::new(peer, halves, &self.memory, slot);
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
