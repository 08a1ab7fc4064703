//! The answers of one connection of HTTP/2 that its peer has not taken yet. h2 keeps what it is given until the peer's windows let it through, and
//! does not say when that was: so an answer is followed by the life of its bytes. It is finished once h2 has dropped the last of them.
//!
//! A peer must take something every some seconds, and a segment within its time: it stays in memory until it is sent.

use super::body::Body;
use super::patient_stream::Exchange;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that h2 is given at a time: those of a frame. A peer that takes less in [`Unfinished::is_stuck`]'s patience counts as one that takes nothing.
const PIECE: usize = 16 << 10;

/// All of a connection's unfinished answers.
#[derive(Clone)]
pub(super) struct Unfinished {
    exchange: Arc<Exchange>,
    all: Arc<Mutex<All>>,
}

struct All {
    next: u64,
    answers: HashMap<u64, Progress>,
    /// When the last one was finished, or the connection began.
    idle_since: Instant,
    /// There was a request.
    is_used: bool,
}

/// How far an answer is.
struct Progress {
    /// When h2 asked for bytes, or the peer took some.
    moved_at: Instant,
    /// h2 has asked for bytes that are not there yet: the peer waits for us.
    is_asked: bool,
    /// Pieces that h2 keeps.
    pieces: usize,
    /// A segment must be taken by then.
    until: Option<Instant>,
}

/// One answer; finished when the last clone is dropped.
pub(super) struct One {
    number: u64,
    of: Unfinished,
}

impl Unfinished {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        let all = All { next: 0, answers: HashMap::new(), idle_since: Instant::now(), is_used: false };
        Self { exchange, all: Arc::new(Mutex::new(all)) }
    }

    /// A request has come.
    pub(super) fn begin(&self) -> Arc<One> {
        self.exchange.slot.answering();
        let mut all = self.all();
        let number = all.next;
        all.next += 1;
        all.is_used = true;
        let progress = Progress { moved_at: Instant::now(), is_asked: true, pieces: 0, until: None };
        all.answers.insert(number, progress);
        drop(all);
        Arc::new(One { number, of: self.clone() })
    }

    /// True if an answer has waited for the peer for `patience`, or a segment beyond its time.
    pub(super) fn is_stuck(&self, patience: Duration) -> bool {
        let now = Instant::now();
        self.all().answers.values().any(|one| {
            let waits_for_peer = one.pieces > 0 || !one.is_asked;
            waits_for_peer && now - one.moved_at >= patience || one.until.is_some_and(|until| now >= until)
        })
    }

    /// True if there has been no request for `first` since the connection began, or none for `later` since the last one was finished.
    pub(super) fn idles_for(&self, first: Duration, later: Duration) -> bool {
        let all = self.all();
        let limit = if all.is_used { later } else { first };
        all.answers.is_empty() && all.idle_since.elapsed() >= limit
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, number: u64) {
        let mut all = self.all();
        let was_segment = all.answers.remove(&number).is_some_and(|one| one.until.is_some());
        let is_idle = all.answers.is_empty();
        if is_idle {
            all.idle_since = Instant::now();
        }
        let has_segments = all.answers.values().any(|one| one.until.is_some());
        drop(all);
        if is_idle {
            self.exchange.slot.waiting();
        } else if was_segment && !has_segments {
            self.exchange.slot.segment_sent();
        }
    }
}

impl One {
    /// The answer is there; a segment must be taken `within` its time.
    pub(super) fn answered(&self, within: Option<Duration>) {
        self.change(|one, now| {
            one.is_asked = false;
            one.until = within.map(|within| now + within);
        });
        if within.is_some() {
            self.of.exchange.slot.sending_segment();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Progress, Instant)) {
        let now = Instant::now();
        if let Some(one) = self.of.all().answers.get_mut(&self.number) {
            one.moved_at = now;
            change(one, now);
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.of.finish(self.number);
    }
}

/// Bytes on their way to the peer.
struct Piece {
    bytes: Bytes,
    one: Arc<One>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.one.change(|one, _| one.pieces -= 1);
    }
}

/// An answer's body, given to h2 in small pieces that are followed.
pub(super) struct Paced {
    body: Body,
    /// Bytes of the body that were not passed on yet.
    rest: Bytes,
    one: Arc<One>,
}

impl Paced {
    pub(super) fn new(body: Body, one: Arc<One>) -> Self {
        Self { body, rest: Bytes::new(), one }
    }

    fn next_piece(&mut self) -> Frame<Bytes> {
        let bytes = self.rest.split_to(self.rest.len().min(PIECE));
        self.one.change(|one, _| {
            one.is_asked = false;
            one.pieces += 1;
        });
        Frame::data(Bytes::from_owner(Piece { bytes, one: Arc::clone(&self.one) }))
    }
}

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            self.one.change(|one, _| one.is_asked = true);
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        Poll::Ready(Some(Ok(self.next_piece())))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
