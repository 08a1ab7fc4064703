//! A connection's bytes, with the deadline that hyper lacks: a peer that takes nothing for too long is dropped.
//! It also sees when an answer has left, which is when its place may be given to somebody else, and hands the pages of a segment to
//! the socket where hyper would have them copied.

use super::places::Place;
use super::send_pages::SendPages;
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
use tokio::time::{Instant, Sleep};

/// Shared by the stream and the service of one connection.
pub(super) struct Exchange {
    pub(super) place: Place,
    pub(super) traffic: Arc<Traffic>,
    /// The service has given its answer to hyper; the next complete flush ends the exchange.
    answered: AtomicBool,
    /// What the answer's body lies in, where the kernel can send it without a copy.
    pages: Mutex<Option<Arc<KernelMemory>>>,
}

impl Exchange {
    pub(super) fn new(place: Place, traffic: Arc<Traffic>) -> Self {
        Self { place, traffic, answered: AtomicBool::new(false), pages: Mutex::default() }
    }

    pub(super) fn begin(&self) {
        self.place.answering();
        self.traffic.requests.add(1);
    }

    /// `pages` is what the body lies in, if it lies in the kernel's memory.
    pub(super) fn answered(&self, pages: Option<Arc<KernelMemory>>) {
        *self.pages() = pages;
        self.answered.store(true, Ordering::Relaxed);
    }

    fn pages(&self) -> MutexGuard<'_, Option<Arc<KernelMemory>>> {
        self.pages.lock().expect("nothing panics while it holds the lock")
    }

    fn flushed(&self) {
        if self.answered.swap(false, Ordering::Relaxed) {
            *self.pages() = None;
            self.place.waiting();
        }
    }
}

/// See the module.
pub(super) struct PatientStream<S> {
    inner: S,
    exchange: Arc<Exchange>,
    patience: Duration,
    /// Armed while the peer takes nothing.
    stall: Pin<Box<Sleep>>,
    stalled: bool,
}

impl<S> PatientStream<S> {
    pub(super) fn new(inner: S, patience: Duration, exchange: Arc<Exchange>) -> Self {
        let stall = Box::pin(tokio::time::sleep(patience));
        Self { inner, exchange, patience, stall, stalled: false }
    }

    /// What a write comes to: progress takes the deadline away, standing still brings it nearer.
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
                    self.stall.as_mut().reset(Instant::now() + self.patience);
                }
                ready!(self.stall.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

/// The first of `slices` that lies in `pages`, and where in them.
fn find_in_pages(pages: &KernelMemory, slices: &[IoSlice<'_>]) -> Option<(usize, u64)> {
    slices
        .iter()
        .enumerate()
        .find_map(|(index, slice)| Some((index, pages.offset_of(slice).filter(|_| !slice.is_empty())?)))
}

impl<S: AsyncWrite + SendPages + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let pages = self.exchange.pages().clone();
        let found = pages.as_deref().and_then(|pages| Some((pages, find_in_pages(pages, slices)?)));
        let written = match found {
            Some((pages, (0, offset))) => self.inner.poll_send_pages(cx, pages, offset, slices[0].len()),
            // The head goes first, and waits for the body to fill its packet.
            Some((_, (before, _))) => self.inner.poll_send_with_more_to_come(cx, &slices[..before]),
            None => Pin::new(&mut self.inner).poll_write_vectored(cx, slices),
        };
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the stream only after it has written all that it holds.
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        self.exchange.flushed();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
