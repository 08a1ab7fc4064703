//! Sends pages and files over TLS: they are read into records of TLS, since the kernel cannot encrypt them. Files are in the page cache by then
//! (`page_cache`), so that reading them does not wait for the card.

use super::file_body::FileRange;
use super::send_pages::SendPages;
use perch_device::memory::KernelMemory;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Most bytes of one record (RFC 8446 §5.1).
const RECORD: usize = 16 << 10;

impl SendPages for TlsStream<TcpStream> {
    fn poll_send_pages(
        &mut self,
        cx: &mut Context<'_>,
        pages: &KernelMemory,
        offset: u64,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = pages.as_ref().get(from..from + length).ok_or(io::ErrorKind::UnexpectedEof)?;
        Pin::new(self).poll_write(cx, bytes)
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, range: &FileRange) -> Poll<io::Result<usize>> {
        let mut record = [0; RECORD];
        let most = usize::try_from(range.length).unwrap_or(RECORD).min(RECORD);
        let read = range.file.read_at(&mut record[..most], range.at)?;
        if read == 0 {
            return Poll::Ready(Ok(0));
        }
        Pin::new(self).poll_write(cx, &record[..read])
    }

    fn poll_send_with_more_to_come(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write_vectored(cx, slices)
    }

    fn bound_unsent(&self, bytes: u32) {
        self.get_ref().0.bound_unsent(bytes);
    }

    fn has_untaken(&self) -> bool {
        let (stream, tls) = self.get_ref();
        tls.wants_write() || stream.has_untaken()
    }

    fn discard_unsent(&self) {
        self.get_ref().0.discard_unsent();
    }
}
