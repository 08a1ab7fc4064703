//! Sends without copying: sendfile(2) passes the pages of [`KernelMemory`] and of files to the socket.

use super::file_body::FileRange;
use perch_device::memory::KernelMemory;
use perch_device::socket::{keep_unsent_below, untaken_bytes};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes that the kernel takes for a connection and cannot send yet. By default it takes up to 4 MiB (`tcp_wmem`): a
/// whole segment for a peer that takes nothing. No deadline here would notice, and its memory would stay after the
/// budget has released it.
pub(super) const UNSENT: u32 = 64 << 10;
/// No bound but the kernel's own, for a file: its bytes are in the page cache anyway, and it need not be taken within any
/// time. With [`UNSENT`] the connection's task is woken for every 32 KiB that a peer takes: a download at 20 or 100 MB/s
/// took three to four times the CPU.
pub(super) const UNSENT_OF_FILE: u32 = u32::MAX;

/// A stream that can send pages.
pub(super) trait SendPages {
    /// Sends up to `length` bytes of `pages` from `offset`; returns how many were taken.
    fn poll_send_pages(
        &mut self,
        cx: &mut Context<'_>,
        pages: &KernelMemory,
        offset: u64,
        length: usize,
    ) -> Poll<io::Result<usize>>;

    /// Sends from a range of a file; returns how many bytes were taken. 0: the file has no more.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, range: &FileRange) -> Poll<io::Result<usize>>;

    /// Writes `slices`; the kernel may hold the last packet until more data follows.
    fn poll_send_with_more_to_come(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Bounds the bytes that the kernel takes and cannot send at once, so that a response which the peer does not take
    /// is noticed here.
    fn bound_unsent(&self, bytes: u32);

    /// True while the peer has not taken all that was written.
    fn has_untaken(&self) -> bool;

    /// Makes closing the stream discard unsent data and reset the connection.
    fn discard_unsent(&self);
}

impl SendPages for TcpStream {
    fn poll_send_pages(
        &mut self,
        cx: &mut Context<'_>,
        pages: &KernelMemory,
        offset: u64,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        poll_when_writable(self, cx, || {
            let mut offset = offset;
            Ok(rustix::fs::sendfile(&*self, pages, Some(&mut offset), length)?)
        })
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, range: &FileRange) -> Poll<io::Result<usize>> {
        poll_when_writable(self, cx, || {
            let mut offset = range.at;
            Ok(rustix::fs::sendfile(&*self, &*range.file, Some(&mut offset), range.length as usize)?)
        })
    }

    fn poll_send_with_more_to_come(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        poll_when_writable(self, cx, || {
            Ok(sendmsg(&*self, slices, &mut SendAncillaryBuffer::default(), flags)?)
        })
    }

    fn bound_unsent(&self, bytes: u32) {
        // This fails only on a closed socket.
        let _ = keep_unsent_below(self, bytes);
    }

    fn has_untaken(&self) -> bool {
        untaken_bytes(self).is_ok_and(|bytes| bytes > 0)
    }

    fn discard_unsent(&self) {
        // If this fails, the kernel only takes longer.
        let _ = set_socket_linger(self, Some(Duration::ZERO));
    }
}

fn poll_when_writable(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    write: impl Fn() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, &write) {
            // The socket's readiness was stale; wait for it again.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

#[cfg(test)]
impl SendPages for tokio::io::DuplexStream {
    fn poll_send_pages(
        &mut self,
        cx: &mut Context<'_>,
        pages: &KernelMemory,
        offset: u64,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let from = usize::try_from(offset).unwrap();
        tokio::io::AsyncWrite::poll_write(std::pin::Pin::new(self), cx, &pages.as_ref()[from..from + length])
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, range: &FileRange) -> Poll<io::Result<usize>> {
        let mut bytes = vec![0; range.length as usize];
        let read = std::os::unix::fs::FileExt::read_at(&*range.file, &mut bytes, range.at)?;
        tokio::io::AsyncWrite::poll_write(std::pin::Pin::new(self), cx, &bytes[..read])
    }

    fn poll_send_with_more_to_come(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(std::pin::Pin::new(self), cx, &slices[0])
    }

    fn bound_unsent(&self, _: u32) {}

    fn has_untaken(&self) -> bool {
        false
    }

    fn discard_unsent(&self) {}
}
