//! A connection to a server, with TLS or without.

use perch_device::socket::{keep_unsent_below, untaken_bytes};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Bytes that the kernel may hold without having sent them: what is late is then known here, and not only when megabytes are.
const UNSENT: u32 = 64 << 10;

/// A TCP connection that counts what the kernel takes.
pub(super) struct Tcp {
    stream: TcpStream,
    written: u64,
}

/// A connection to a server.
pub(super) enum Connection {
    Plain(Tcp),
    Encrypted(Box<TlsStream<Tcp>>),
}

/// What has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many bytes came; 0: the server has closed the connection.
    Came(usize),
    /// So many bytes went.
    Went(usize),
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Tcp {
    /// Connects to the first of the addresses that answers.
    pub(super) async fn connect(addresses: &[SocketAddr]) -> io::Result<Self> {
        let stream = TcpStream::connect(addresses).await?;
        // Without these a connection is slower to notice what goes wrong, and works.
        let _ = (stream.set_nodelay(true), keep_unsent_below(&stream, UNSENT));
        Ok(Self { stream, written: 0 })
    }
}

impl Connection {
    fn tcp(&self) -> &Tcp {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Encrypted(tls) => tls.get_ref().0,
        }
    }

    fn stream(&mut self) -> &mut dyn Duplex {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Encrypted(tls) => &mut **tls,
        }
    }

    /// Reads into `input` and writes from `output`, whichever can be done first. Nothing is lost where it is not waited for.
    pub(super) async fn exchange(&mut self, input: &mut [u8], output: &[u8]) -> io::Result<Moved> {
        let mut stream = Pin::new(self.stream());
        poll_fn(|context| {
            if !output.is_empty() {
                if let Poll::Ready(written) = stream.as_mut().poll_write(context, output) {
                    return Poll::Ready(written.map(Moved::Went));
                }
            } else if let Poll::Ready(Err(error)) = stream.as_mut().poll_flush(context) {
                // TLS keeps what the kernel did not take.
                return Poll::Ready(Err(error));
            }
            let mut buffer = ReadBuf::new(input);
            match ready!(stream.as_mut().poll_read(context, &mut buffer)) {
                // The server has closed it without taking leave, as many do.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(Moved::Came(0))),
                read => Poll::Ready(read.map(|()| Moved::Came(buffer.filled().len()))),
            }
        })
        .await
    }

    /// Writes all of it, and closes the connection.
    pub(super) async fn close(&mut self, output: &[u8]) -> io::Result<()> {
        let stream = self.stream();
        stream.write_all(output).await?;
        stream.shutdown().await
    }

    /// Closes it without another word once it is dropped: a server that takes nothing would keep the kernel busy for minutes.
    pub(super) fn break_off(&self) {
        // It then lasts longer.
        let _ = self.tcp().stream.set_zero_linger();
    }

    /// Bytes that the kernel has taken in all.
    pub(super) fn written(&self) -> u64 {
        self.tcp().written
    }

    /// Bytes that the kernel has taken, and that the server's kernel has not.
    pub(super) fn untaken(&self) -> usize {
        untaken_bytes(&self.tcp().stream).unwrap_or(0)
    }

    /// Whether bytes wait that the kernel has not taken.
    pub(super) fn waits(&self) -> bool {
        if let Self::Encrypted(tls) = self { tls.get_ref().1.wants_write() } else { false }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
