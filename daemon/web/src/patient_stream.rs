//! A connection's bytes, with the deadlines that hyper lacks. A peer that takes nothing for too long is dropped. So is
//! one that takes too long for a whole segment, even if it keeps taking a little: the segment stays in memory until it
//! is sent. It also notices when a response has been sent, after which its slot may be given to another connection, and
//! passes a segment's pages to the socket, where hyper would copy them. Files are never read into memory: `file_body`
//! says how they are sent, `page_cache` how nobody waits for the card.

use super::file_body::FilesToSend;
use super::page_cache::PageCache;
use super::send_pages::{SendPages, UNSENT, UNSENT_OF_FILE};
use super::slots::Slot;
use super::traffic::Traffic;
use perch_device::memory::KernelMemory;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

/// How a segment is sent; an extension of the response.
#[derive(Clone)]
pub(super) struct SegmentAnswer {
    /// The memory that holds the body, if the kernel can send it without a copy.
    pub(super) pages: Option<Arc<KernelMemory>>,
    /// The peer must take all of it within this time.
    pub(super) within: Duration,
}

/// A segment being sent.
struct Sending {
    pages: Option<Arc<KernelMemory>>,
    until: Instant,
}

/// Shared by the stream and the service of one connection.
pub(super) struct Exchange {
    pub(super) slot: Slot,
    pub(super) traffic: Arc<Traffic>,
    /// The service has given its response to hyper; the next flush of all of it ends the exchange.
    answered: AtomicBool,
    /// True once the connection ends by a deadline, or to make room for another one.
    given_up: AtomicBool,
    /// The response, if it is a segment.
    sending: Mutex<Option<Sending>>,
    /// The files that contain the response, if any do.
    files: Mutex<Option<FilesToSend>>,
}

impl Exchange {
    pub(super) fn new(slot: Slot, traffic: Arc<Traffic>) -> Self {
        Self {
            slot,
            traffic,
            answered: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            sending: Mutex::default(),
            files: Mutex::default(),
        }
    }

    pub(super) fn begin(&self) {
        self.slot.answering();
        self.traffic.requests.add(1);
    }

    /// Notes that the service has given its response; `segment` if it is one, `files` if files contain it.
    pub(super) fn answered(&self, segment: Option<SegmentAnswer>, files: Option<FilesToSend>) {
        *self.files() = files;
        if let Some(SegmentAnswer { pages, within }) = segment {
            self.slot.sending_segment();
            *self.sending() = Some(Sending { pages, until: Instant::now() + within });
        }
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Ends the connection before its peer does.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn sending(&self) -> MutexGuard<'_, Option<Sending>> {
        self.sending.lock().expect("nothing panics while it holds the lock")
    }

    fn files(&self) -> MutexGuard<'_, Option<FilesToSend>> {
        self.files.lock().expect("nothing panics while it holds the lock")
    }

    /// hyper has no more bytes for now. Of a body in files there may be more to come: it is passed on in pieces.
    fn flushed(&self) {
        if self.files().as_ref().is_some_and(|files| !files.is_all_sent()) {
            return;
        }
        if self.answered.swap(false, Ordering::Relaxed) {
            *self.sending() = None;
            self.slot.waiting();
        }
    }
}

/// The stream with its deadlines.
pub(super) struct PatientStream<S: SendPages> {
    inner: S,
    exchange: Arc<Exchange>,
    patience: Duration,
    /// Armed while the peer takes nothing.
    stall: Pin<Box<Sleep>>,
    stalled: bool,
    page_cache: PageCache,
    /// Held while the kernel may take as much of a file as it likes.
    free_of_bounds: Option<OwnedSemaphorePermit>,
}

impl<S: SendPages> PatientStream<S> {
    pub(super) fn new(inner: S, patience: Duration, exchange: Arc<Exchange>) -> Self {
        inner.bound_unsent(UNSENT);
        let stall = Box::pin(tokio::time::sleep(patience));
        let page_cache = PageCache::default();
        Self { inner, exchange, patience, stall, stalled: false, page_cache, free_of_bounds: None }
    }

    /// What is sent next lies in a file, or does not.
    fn sends_file(&mut self, is_file: bool) {
        if is_file && self.free_of_bounds.is_none() {
            self.free_of_bounds = self.exchange.slot.free_of_bounds();
            if self.free_of_bounds.is_some() {
                self.inner.bound_unsent(UNSENT_OF_FILE);
            }
        } else if !is_file && self.free_of_bounds.take().is_some() {
            self.inner.bound_unsent(UNSENT);
        }
    }

    /// Judges a write: progress resets the deadline for the next byte, not the one for the whole segment.
    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(result) => {
                self.stalled = false;
                if let Ok(bytes) = &result {
                    self.exchange.traffic.bytes_sent.add(*bytes as u64);
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                if !self.stalled {
                    self.stalled = true;
                    let stalls_at = Instant::now() + self.patience;
                    let until = self.exchange.sending().as_ref().map(|sending| sending.until);
                    self.stall.as_mut().reset(until.map_or(stalls_at, |until| until.min(stalls_at)));
                }
                ready!(self.stall.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing could be sent for too long: the peer takes nothing, or the card gives nothing",
                )))
            }
        }
    }
}

/// The peer has no use for the rest of an aborted response, nor for what it has not taken by the deadline for its next
/// request. Either would stay in the kernel's buffers for minutes, or as long as the peer takes a byte now and then.
impl<S: SendPages> Drop for PatientStream<S> {
    fn drop(&mut self) {
        let is_left = self.exchange.given_up.load(Ordering::Relaxed) && self.inner.has_untaken();
        if self.exchange.answered.load(Ordering::Relaxed) || is_left {
            self.inner.discard_unsent();
        }
    }
}

impl<S: AsyncRead + SendPages + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

/// The first of `slices` that lies in `pages`, and its offset in them.
fn find_in_pages(pages: &KernelMemory, slices: &[IoSlice<'_>]) -> Option<(usize, u64)> {
    slices
        .iter()
        .enumerate()
        .find_map(|(index, slice)| Some((index, pages.offset_of(slice).filter(|_| !slice.is_empty())?)))
}

impl<S: SendPages> PatientStream<S> {
    /// Sends from the file that the first placeholder in `slices` stands for, or the bytes before that placeholder.
    /// `None`: there is none.
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Option<Poll<io::Result<usize>>> {
        let files = self.exchange.files().clone()?;
        let (before, range) =
            slices.iter().enumerate().find_map(|(index, slice)| Some((index, files.stands_for(slice)?)))?;
        self.sends_file(true);
        if before > 0 {
            return Some(self.inner.poll_send_with_more_to_come(cx, &slices[..before]));
        }
        let range = match self.page_cache.poll_ready(cx, &range) {
            Poll::Ready(Ok(range)) => range,
            Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
            Poll::Pending => return Some(Poll::Pending),
        };
        Some(self.inner.poll_send_file(cx, &range).map(|sent| match sent {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")),
            Ok(sent) => {
                files.sent(sent);
                Ok(sent)
            }
            Err(error) => Err(error),
        }))
    }
}

impl<S: AsyncWrite + SendPages + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(written) = self.poll_send_file(cx, &[IoSlice::new(bytes)]) {
            return self.judge(cx, written);
        }
        self.sends_file(false);
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(written) = self.poll_send_file(cx, slices) {
            return self.judge(cx, written);
        }
        self.sends_file(false);
        let pages = self.exchange.sending().as_ref().and_then(|sending| sending.pages.clone());
        let found = pages.as_deref().and_then(|pages| Some((pages, find_in_pages(pages, slices)?)));
        let written = match found {
            Some((pages, (0, offset))) => self.inner.poll_send_pages(cx, pages, offset, slices[0].len()),
            // The head is sent first; the kernel holds it back to fill the packet with the body.
            Some((_, (before, _))) => self.inner.poll_send_with_more_to_come(cx, &slices[..before]),
            None => Pin::new(&mut self.inner).poll_write_vectored(cx, slices),
        };
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the stream only after it has written everything it holds. TLS may hold some of it back.
        let flushed = Pin::new(&mut self.inner).poll_flush(cx).map_ok(|()| 0);
        let flushed = ready!(self.judge(cx, flushed));
        if flushed.is_ok() {
            self.exchange.flushed();
        }
        Poll::Ready(flushed.map(|_| ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx).map_ok(|()| 0);
        self.judge(cx, shut).map_ok(|_| ())
    }
}
