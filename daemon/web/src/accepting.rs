//! Accepts connections and finds each a slot, with TLS or without.

use super::client::Client;
use super::slots::{Admission, Share, Slot, Slots};
use super::traffic::Traffic;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Without descriptors or memory, an immediate retry would be a busy loop.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// The next connection; `None`: there is none this time.
pub(super) async fn accept(listener: &TcpListener, traffic: &Traffic) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        // The peer had already gone.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) =>
        {
            None
        }
        Err(error) => {
            if traffic.accept_errors.get().is_multiple_of(100) {
                tracing::warn!(%error, "cannot accept connections at the moment");
            }
            traffic.accept_errors.add(1);
            tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            None
        }
    }
}

/// A slot for the connection; `None`: it was refused.
pub(super) fn admit(
    stream: &TcpStream,
    client: Client,
    share: Share,
    slots: &Arc<Slots>,
    traffic: &Traffic,
) -> Option<Slot> {
    let slot = match slots.take(client.address, share) {
        Admission::Free(slot) => slot,
        Admission::InsteadOfIdle(slot) => {
            traffic.sent_away.add(1);
            slot
        }
        Admission::Refused => {
            traffic.refused.add(1);
            // One attempt, for the client's sake; the connection closes in any case.
            let _ = stream.try_write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
            return None;
        }
    };
    traffic.accepted.add(1);
    // Responses are written whole; Nagle's algorithm would only delay their last packet.
    let _ = stream.set_nodelay(true);
    Some(slot)
}
