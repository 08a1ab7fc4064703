//! A publisher's socket, read a few times a second: programs send pictures in packets of a kilobyte or less, hundreds a second, and to be woken for each
//! costs more than all that is done with them.

use perch_device::socket::readable_from;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Instant, Sleep, sleep};

/// The handshake and the commands, some kilobytes back and forth, are read as they come. More is pictures and sound.
const AT_ONCE: usize = 64 << 10;
/// From one read that took everything to the next.
const REST: Duration = Duration::from_millis(50);
/// The kernel wakes nobody for less: the bytes of 50 ms at 10 Mb/s. It makes the receive buffer at least twice as large (`tcp_set_rcvlowat`).
const WAKES_FOR: u32 = 64 << 10;

/// Reads at once at first, and then every [`REST`]. Nothing is held back but by the kernel, so a read that fills its buffer is followed by another at once.
pub(super) struct Paced {
    stream: OwnedReadHalf,
    /// Bytes that came before the pace was set.
    came: usize,
    rests: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    /// Reads from this socket.
    pub(super) const fn new(stream: OwnedReadHalf) -> Self {
        Self { stream, came: 0, rests: None }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, came, rests } = self.get_mut();
        let Some(rests) = rests else {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut *stream).poll_read(context, buffer))?;
            *came += buffer.filled().len() - before;
            // A kernel that cannot do it wakes us more often, and that is all.
            if *came >= AT_ONCE && readable_from(stream.as_ref(), WAKES_FOR).is_ok() {
                *rests = Some(Box::pin(sleep(REST)));
            }
            return Poll::Ready(Ok(()));
        };
        loop {
            ready!(rests.as_mut().poll(context));
            // Not by tokio's way, which asks the kernel only after it was woken.
            match recv(stream.as_ref(), buffer.initialize_unfilled(), RecvFlags::DONTWAIT) {
                Ok((_, bytes)) => {
                    buffer.advance(bytes);
                    if buffer.remaining() > 0 {
                        rests.as_mut().reset(Instant::now() + REST);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::AGAIN) => rests.as_mut().reset(Instant::now() + REST),
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn everything_comes_in_few_reads_and_so_does_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut paced = Paced::new(stream.into_split().0);
        let mut input = vec![0; 32 << 10];
        sender.write_all(b"hello").await.unwrap();
        assert_eq!(paced.read(&mut input).await.unwrap(), 5, "at once");
        let sending = tokio::spawn(async move {
            for number in 0..100_000_u32 {
                sender.write_all(&number.to_be_bytes()).await.unwrap();
            }
        });
        let (mut came, mut reads) = (Vec::new(), 0);
        loop {
            let bytes = paced.read(&mut input).await.unwrap();
            if bytes == 0 {
                break;
            }
            came.extend_from_slice(&input[..bytes]);
            reads += u32::from(paced.rests.is_some());
        }
        sending.await.unwrap();
        assert!((0..100_000_u32).flat_map(u32::to_be_bytes).eq(came));
        assert!(reads < 2000, "{reads}");
    }
}
