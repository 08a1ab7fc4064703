//! The listeners for TLS. They are bound while there is a certificate to show. What follows a handshake is HTTP/2 (`http2`) or the same
//! HTTP/1.1 as without TLS (`connection`).

use super::accepting::{accept, admit};
use super::caller::Peer;
use super::client::Client;
use super::connection::{self, Deadlines};
use super::http2;
use super::router::Answers;
use super::slots::{Share, Slots};
use super::sockets::{self, Inherited};
use super::stopping::Stopping;
use super::traffic::Traffic;
use crate::config::Network;
use perch_studio::certificate::{Acceptor, Certificates};
use perch_studio::faults::Faults;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The part named when the addresses for TLS cannot be bound.
const PART: &str = "port for HTTPS";
/// Pause before an address is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// The names of HTTP's versions over TLS (ALPN, RFC 7301), best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What the listeners need to answer.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) answers: Answers,
    pub(super) slots: Arc<Slots>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) stopping: Arc<Stopping>,
    pub(super) trusted_proxies: Arc<[Network]>,
}

/// HTTPS, which listens as long as there is a certificate.
pub(super) struct Https {
    addresses: Vec<SocketAddr>,
    /// Sockets of systemd, which last.
    inherited: Vec<TcpListener>,
    certificates: Certificates,
    bound: watch::Sender<Vec<SocketAddr>>,
}

impl Https {
    /// HTTPS at `addresses`, in addition to systemd's sockets.
    pub(super) fn new(
        addresses: &[SocketAddr],
        inherited: Inherited,
        certificates: Certificates,
    ) -> Result<Self, sockets::ServeError> {
        let addresses = addresses.iter().filter(|address| !inherited.covers(**address)).copied().collect();
        let inherited = sockets::open(&[], inherited)?;
        let bound = watch::Sender::new(bound_at(&inherited));
        Ok(Self { addresses, inherited, certificates, bound })
    }

    /// The addresses that are bound now; also for waiting for changes.
    pub(super) fn bound(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.bound.subscribe()
    }

    /// Listens and answers until it is dropped.
    pub(super) async fn serve(self, serving: Serving, faults: Faults) {
        let acceptor = Acceptor::new(&self.certificates, &PROTOCOLS);
        let lasting = bound_at(&self.inherited);
        let mut accepting = JoinSet::new();
        for listener in self.inherited {
            log_address(&listener);
            accepting.spawn(accept_all(listener, acceptor.clone(), serving.clone()));
        }
        let mut certificates = self.certificates.changes();
        loop {
            // An error: nobody can show one any more.
            if certificates.wait_for(Option::is_some).await.is_err() {
                return;
            }
            tokio::select! {
                () = listen(&self.addresses, &acceptor, &serving, &faults, &self.bound) => {}
                ended = certificates.wait_for(Option::is_none) => if ended.is_err() {
                    return;
                },
            }
            self.bound.send_replace(lasting.clone());
            faults.clear(PART);
            tracing::info!("HTTPS is switched off");
        }
    }
}

/// Binds the addresses and answers until it is dropped, which closes them.
async fn listen(
    addresses: &[SocketAddr],
    acceptor: &Acceptor,
    serving: &Serving,
    faults: &Faults,
    bound: &watch::Sender<Vec<SocketAddr>>,
) {
    let listeners = loop {
        match sockets::open(addresses, Inherited::default()) {
            Ok(listeners) => break listeners,
            Err(error) => faults.tell(PART, &format!("HTTPS does not work: {error}.")),
        }
        tokio::time::sleep(AGAIN).await;
    };
    faults.clear(PART);
    bound.send_modify(|bound| bound.extend(bound_at(&listeners)));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        log_address(&listener);
        accepting.spawn(accept_all(listener, acceptor.clone(), serving.clone()));
    }
    while accepting.join_next().await.is_some() {}
    std::future::pending::<()>().await;
}

fn bound_at(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

fn log_address(listener: &TcpListener) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!("listening on https://{address}");
    }
}

async fn accept_all(listener: TcpListener, acceptor: Acceptor, serving: Serving) {
    loop {
        let Some((stream, peer)) = accept(&listener, &serving.traffic).await else { continue };
        let client = Client::of_connection(peer, true);
        let share = if client.is_one_of(&serving.trusted_proxies) { Share::Proxy } else { Share::Client };
        let Some(slot) = admit(&stream, client, share, &serving.slots, &serving.traffic) else { continue };
        let (acceptor, Serving { answers, traffic, stopping, .. }) = (acceptor.clone(), serving.clone());
        let mut watcher = stopping.watcher();
        tokio::spawn(async move {
            let stream = tokio::select! {
                shaken = acceptor.accept(stream) => match shaken {
                    Ok(stream) => stream,
                    Err(error) => {
                        traffic.failed.add(1);
                        return tracing::debug!(%peer, "{error}");
                    }
                },
                () = slot.sent_away() => return,
                () = watcher.told() => return,
            };
            traffic.handshakes.add(1);
            let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(PROTOCOLS[0]);
            let peer = Peer::Network(client);
            if speaks_http2 {
                let answer = move |request| {
                    let answers = answers.clone();
                    async move { answers.answer(peer, request).await }
                };
                http2::serve(stream, slot, traffic, watcher, answer).await;
            } else {
                let answer = |request| answers.answer(peer, request);
                connection::serve(stream, slot, traffic, Deadlines::USUAL, watcher, answer).await;
            }
        });
    }
}
