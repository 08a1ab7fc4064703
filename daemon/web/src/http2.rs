//! One connection that speaks HTTP/2 (RFC 9113), which browsers do over TLS: many requests at a time, each with the deadlines that a
//! connection of HTTP/1.1 has (`connection`, `patient_stream`), because hyper has none here. Whoever breaks one loses the connection.
//!
//! `WebSocket`s are not offered (RFC 8441): browsers open a connection of HTTP/1.1 for each by themselves.

use super::body::Body;
use super::connection::LONGEST_HEAD;
use super::patient_stream::{Exchange, PatientStream, SegmentAnswer};
use super::send_pages::SendPages;
use super::slots::Slot;
use super::stopping::Watcher;
use super::traffic::Traffic;
use super::unfinished::{Paced, Unfinished};
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

/// Requests at a time. A page asks for some fifty files at once, a browser sends as many as it may and keeps the others back.
const STREAMS: u32 = 64;
/// Bytes of a request's body on the way, and of all bodies of a connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Bytes of an answer that wait for the peer's window.
const SEND_BUFFER: usize = 64 << 10;
/// Requests that were taken back before they were looked at (CVE-2023-44487); the next closes the connection.
const RESETS: usize = 20;
/// Requests that broke the rules; the next closes the connection.
const BROKEN: usize = 64;
/// A peer that answers no PING within as much is gone.
const PING: Duration = Duration::from_secs(20);
/// Time from the handshake to the first request, and for a peer that takes no byte: as for HTTP/1.1.
const FIRST_REQUEST: Duration = Duration::from_secs(15);
const STALL: Duration = Duration::from_secs(20);
/// A connection without requests is kept this long: another one costs a handshake.
const IDLE: Duration = Duration::from_mins(1);
/// Interval at which the deadlines are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The tasks of a connection's requests; they end with it.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// Answers requests until the peer closes, breaks HTTP or misses a deadline, the connection is closed in favour of another, or the server stops.
pub(super) async fn serve<S, A, F>(
    stream: S,
    slot: Slot,
    traffic: Arc<Traffic>,
    mut stopping: Watcher,
    answer: A,
) where
    S: AsyncRead + AsyncWrite + SendPages + Send + Unpin + 'static,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let exchange = Arc::new(Exchange::new(slot, traffic));
    let stream = PatientStream::new(stream, STALL, Arc::clone(&exchange));
    let unfinished = Unfinished::new(Arc::clone(&exchange));
    let service = service_fn(|mut request: Request<Incoming>| {
        exchange.traffic.requests.add(1);
        name_host(&mut request);
        let is_head = *request.method() == Method::HEAD;
        let one = unfinished.begin();
        let answer = answer(request);
        async move {
            let mut response = answer.await;
            let segment = response.extensions_mut().remove::<SegmentAnswer>();
            one.answered(segment.map(|segment| segment.within));
            if is_head {
                response = without_body(response);
            }
            Ok::<_, Infallible>(response.map(|body| Paced::new(body.without_placeholders(), one)))
        }
    });
    let tasks = Tasks::default();
    let connection = http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEAD as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(BROKEN)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut looks = tokio::time::interval(LOOK);
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
            _ = looks.tick() => {
                if unfinished.is_stuck(STALL) {
                    exchange.give_up();
                    exchange.traffic.failed.add(1);
                    tracing::debug!("connection ended: the peer takes nothing");
                    return;
                }
                if unfinished.idles_for(FIRST_REQUEST, IDLE) {
                    if is_told {
                        // It was asked to leave a look ago.
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    is_told = true;
                }
            }
        }
    }
}

/// HTTP/2 names the host in `:authority`; our handlers look for `Host`, as HTTP/1.1 has it. Both may be there, and must then be the same
/// (RFC 9113 §8.3.1): the first counts.
fn name_host<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(|authority| HeaderValue::try_from(authority.as_str()));
    if let Some(Ok(authority)) = authority {
        request.headers_mut().insert(HOST, authority);
    }
}

/// The answer to HEAD: the head alone (RFC 9110 §9.3.2), with the length of what GET would give.
fn without_body(response: Response<Body>) -> Response<Body> {
    let length = response.body().size_hint().exact();
    let mut response = response.map(|_| Body::empty());
    if let Some(length) = length.filter(|length| *length > 0) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
    response
}

#[cfg(test)]
mod tests;
