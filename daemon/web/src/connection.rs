//! One connection: HTTP/1.1 by hyper, with a deadline on everything that waits for the peer.
//!
//! HTTP/1.1, with or without TLS. Browsers and players speak HTTP/2 only over TLS: `http2`.

use super::file_body::FilesToSend;
use super::patient_stream::{Exchange, PatientStream, SegmentAnswer};
use super::send_pages::SendPages;
use super::slots::Slot;
use super::stopping::Watcher;
use super::traffic::Traffic;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a peer may take. A segment has its own deadline: [`SegmentAnswer`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// From accept, and again from the end of each response, until the next request's head is complete.
    pub(super) head: Duration,
    /// Longest time in which the peer takes no byte of a response.
    pub(super) stall: Duration,
}

impl Deadlines {
    /// A player asks every few seconds, and a head fits in one packet, so 15 s are enough for slow and busy peers. A phone may be
    /// out of reach of its access point for a while: 20 s.
    pub(super) const USUAL: Self = Self { head: Duration::from_secs(15), stall: Duration::from_secs(20) };
}

/// A longer head is refused (431); cookies and a long query fit.
pub(super) const LONGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// Answers requests until the peer closes, breaks HTTP or misses a deadline, the connection is closed in favour of another, or
/// the server stops. A connection that becomes a WebSocket keeps the stream and its slot.
pub(super) async fn serve<S, A, F, B>(
    stream: S,
    slot: Slot,
    traffic: Arc<Traffic>,
    deadlines: Deadlines,
    mut stopping: Watcher,
    answer: A,
) where
    S: AsyncRead + AsyncWrite + SendPages + Send + Unpin + 'static,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let exchange = Arc::new(Exchange::new(slot, traffic));
    let stream = PatientStream::new(stream, deadlines.stall, Arc::clone(&exchange));
    let service = service_fn(|request| {
        exchange.begin();
        let answer = answer(request);
        let exchange = &exchange;
        async move {
            let mut response = answer.await;
            // A WebSocket has its own pings. It is never idle between requests, so its slot is not given to another connection.
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                let extensions = response.extensions_mut();
                exchange.answered(extensions.remove::<SegmentAnswer>(), extensions.remove::<FilesToSend>());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(deadlines.head)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut is_told = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    exchange.give_up();
                    exchange.traffic.failed.add(1);
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = stopping.told(), if !is_told => {
                connection.as_mut().graceful_shutdown();
                is_told = true;
            }
            () = exchange.slot.sent_away() => {
                exchange.give_up();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
