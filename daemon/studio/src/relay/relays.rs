//! The relays of one stream: which of them are on, and how each is doing.

use super::destinations::Destinations;
use super::status::RelayStatus;
use super::tagger::Asked;
use super::task::{Relaying, Wanted};
use crate::broadcast::Broadcast;
use crate::clock::Clock;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The relays of one stream, as its owner holds them.
pub(crate) struct Relays {
    destinations: Destinations,
    broadcast: Broadcast,
    asked: Asked,
    clock: Arc<dyn Clock>,
    tasks: JoinSet<()>,
    /// One for each destination that was ever on, unless it was deleted since.
    all: Vec<One>,
}

/// The task of one relay.
struct One {
    name: String,
    wanted: watch::Sender<Wanted>,
    status: watch::Receiver<RelayStatus>,
}

/// How the relays of a stream are doing; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct RelaysHandle(Arc<[watch::Receiver<RelayStatus>]>);

impl RelaysHandle {
    /// One for each relay that is on.
    pub fn status(&self) -> Vec<RelayStatus> {
        self.0.iter().map(|status| status.borrow().clone()).collect()
    }
}

impl Relays {
    /// The relays of a stream that is sent nowhere yet.
    pub(crate) fn new(
        destinations: &Destinations,
        broadcast: &Broadcast,
        asked: Asked,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            destinations: destinations.clone(),
            broadcast: broadcast.clone(),
            asked,
            clock: clock.clone(),
            tasks: JoinSet::new(),
            all: Vec::new(),
        }
    }

    /// Sends the stream on to the destinations of these names, and to no others. A name that no destination has is left out; a relay that is on already is not touched.
    pub(crate) fn change(&mut self, names: &[String]) {
        // Those whose destination was deleted.
        while self.tasks.try_join_next().is_some() {}
        self.all.retain(|one| !one.wanted.is_closed());
        for one in &self.all {
            let wanted = if names.contains(&one.name) { Wanted::On } else { Wanted::Off };
            one.wanted.send_if_modified(|before| std::mem::replace(before, wanted) != wanted);
        }
        for name in names {
            if self.all.iter().all(|one| one.name != *name) {
                self.start(name);
            }
        }
    }

    fn start(&mut self, name: &str) {
        let Some(destination) = self.destinations.named(name) else { return };
        let wanted = watch::Sender::new(Wanted::On);
        let (relaying, status) =
            Relaying::new(destination, &self.destinations, &self.broadcast, self.asked, &self.clock);
        self.tasks.spawn(relaying.run(wanted.subscribe(), self.destinations.changes()));
        self.all.push(One { name: name.to_owned(), wanted, status });
    }

    /// For everybody else: those that are on now.
    pub(crate) fn handle(&self) -> RelaysHandle {
        let on = self.all.iter().filter(|one| *one.wanted.borrow() == Wanted::On);
        RelaysHandle(on.map(|one| one.status.clone()).collect())
    }

    /// The stream has ended: sends what is left and takes leave of the servers. A server that takes nothing is not waited for.
    pub(crate) async fn finish(mut self) {
        for one in &self.all {
            one.wanted.send_replace(Wanted::Over);
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::Server;
    use super::super::status::RelayState;
    use super::*;
    use crate::broadcast::{self, Publisher};
    use crate::capture::testing::access_unit;
    use crate::clock::SystemClock;
    use crate::config::{Relay, RtmpUrl, Secret};
    use crate::rtmp::VIDEO;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_mins(1);

    /// A server's end of a connection.
    struct Far {
        stream: TcpStream,
        server: Server,
    }

    impl Far {
        async fn accept(listener: &TcpListener) -> Self {
            let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
            Self { stream, server: Server::new() }
        }

        /// Serves until this is so, or the publisher closes the connection.
        async fn until(&mut self, is_so: impl Fn(&Server) -> bool) {
            let mut input = vec![0; 64 << 10];
            while !is_so(&self.server) {
                let taken = timeout(PATIENCE, self.stream.read(&mut input)).await.unwrap().unwrap();
                if taken == 0 {
                    return;
                }
                self.server.receive(&input[..taken]);
                self.stream.write_all(&std::mem::take(&mut self.server.out)).await.unwrap();
            }
        }

        /// Times of decoding that are written into the pictures, in seconds.
        fn pictures(&self) -> Vec<u8> {
            let pictures = self.server.media.iter().filter(|(kind, body)| *kind == VIDEO && body[1] == 1);
            pictures.map(|(_, body)| body[20]).collect()
        }

        fn has_pictures(server: &Server) -> bool {
            server.media.iter().any(|(kind, body)| *kind == VIDEO && body[1] == 1)
        }

        fn took_leave(&self) -> bool {
            self.server.commands.iter().any(|(name, _)| name == "FCUnpublish")
        }
    }

    /// An IDR a second, whose bytes say when.
    fn publish(publisher: &Publisher, second: u8) {
        let mut unit = access_unit(i64::from(second) * 90_000, true, 100);
        let mut data = unit.data.to_vec();
        data[15] = second;
        unit.data = data.into();
        publisher.publish([unit], SystemClock.monotonic());
    }

    async fn destination(name: &str) -> (TcpListener, Relay) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("rtmp://{}/live", listener.local_addr().unwrap());
        let url = RtmpUrl::parse(&url).ok();
        let relay = Relay { name: name.to_owned(), url, key: Some(Secret::new("k")), ..Relay::default() };
        (listener, relay)
    }

    #[tokio::test]
    async fn relays_are_switched_on_and_off_while_the_stream_runs() {
        let ((first, one), (second, two)) = (destination("one").await, destination("two").await);
        let destinations = Destinations::new(vec![one, two]);
        let (publisher, broadcast) = broadcast::channel();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut relays = Relays::new(&destinations, &broadcast, Asked::default(), &clock);
        let on = |relays: &Relays| -> Vec<_> {
            relays.handle().status().iter().map(|status| status.name.to_string()).collect()
        };
        publish(&publisher, 1);
        relays.change(&["one".to_owned(), "nowhere".to_owned()]);
        assert_eq!(on(&relays), ["one"]);
        let seen = relays.handle();
        let mut far = Far::accept(&first).await;
        far.until(Far::has_pictures).await;
        assert_eq!(far.pictures(), [1]);

        // The second one comes and the first one goes: it is told so, and nothing is sent twice when it comes again.
        relays.change(&["two".to_owned()]);
        assert_eq!(on(&relays), ["two"]);
        far.until(|_| false).await;
        assert!(far.took_leave(), "{:?}", far.server.commands);
        let mut other = Far::accept(&second).await;
        other.until(Far::has_pictures).await;
        let mut first_status = seen.0[0].clone();
        let ended = first_status.wait_for(|status| status.state == RelayState::Ended);
        assert!(timeout(PATIENCE, ended).await.is_ok());
        publish(&publisher, 2);
        relays.change(&["two".to_owned(), "one".to_owned(), "one".to_owned()]);
        let mut again = Far::accept(&first).await;
        again.until(Far::has_pictures).await;
        assert_eq!(again.pictures(), [2]);
        other.until(|server| server.media.iter().filter(|(kind, _)| *kind == VIDEO).count() > 2).await;
        assert_eq!((other.pictures(), other.took_leave()), (vec![1, 2], false));
        assert_eq!(on(&relays).len(), 2);
        assert_eq!(seen.status()[0].connections, 2);

        // Both are told of the end.
        relays.finish().await;
        again.until(|_| false).await;
        other.until(|_| false).await;
        assert!(again.took_leave() && other.took_leave());
    }

    #[tokio::test]
    async fn a_destination_that_is_deleted_and_set_up_again_can_be_switched_on_again() {
        let (listener, one) = destination("one").await;
        let destinations = Destinations::new(Vec::new());
        destinations.set(vec![one.clone()]);
        let (publisher, broadcast) = broadcast::channel();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut relays = Relays::new(&destinations, &broadcast, Asked::default(), &clock);
        publish(&publisher, 1);
        relays.change(&["one".to_owned()]);
        let mut far = Far::accept(&listener).await;
        far.until(Far::has_pictures).await;
        destinations.set(Vec::new());
        far.until(|_| false).await;
        assert!(far.took_leave());
        destinations.set(vec![one]);
        relays.change(&[]);
        relays.change(&["one".to_owned()]);
        publish(&publisher, 2);
        let mut far = Far::accept(&listener).await;
        far.until(Far::has_pictures).await;
        relays.finish().await;
    }
}
