//! Bytes of a TCP connection that the kernel holds: until the peer has taken them (tcp(7)), and until we read them (socket(7)).

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// Makes the kernel take no more for `socket` while it has `bytes` unsent bytes (`TCP_NOTSENT_LOWAT`). Bytes in flight
/// do not count, so the connection stays as fast as before.
pub fn keep_unsent_below(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, bytes)
}

/// Makes poll(2) and epoll(7) call `socket` readable only once `bytes` bytes are there, or it has ended (`SO_RCVLOWAT`). Reading takes what is there all the same.
pub fn readable_from(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, bytes)
}

fn set(socket: impl AsFd, level: libc::c_int, option: libc::c_int, bytes: u32) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let length = size_of_val(&bytes) as libc::socklen_t;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call; the kernel reads `length` bytes from `bytes`, which are there.
    let done = unsafe { libc::setsockopt(descriptor, level, option, (&raw const bytes).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Bytes that were written and that the peer has not acknowledged (`SIOCOUTQ`, which Linux also calls `TIOCOUTQ`).
pub fn untaken_bytes(socket: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed for the call; the kernel writes one `int` to `bytes`.
    let done = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if done == 0 { Ok(usize::try_from(bytes).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_socket_is_readable_from_so_many_bytes_on_and_at_its_end() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        readable_from(&stream, 1000).unwrap();
        let is_readable = |stream: &TcpStream, milliseconds: i64| {
            let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
            let mut polled = [PollFd::new(stream, PollFlags::IN)];
            poll(&mut polled, Some(&timeout)).unwrap() == 1
        };
        sender.write_all(&[0; 999]).unwrap();
        assert!(!is_readable(&stream, 50));
        sender.write_all(&[0; 1]).unwrap();
        assert!(is_readable(&stream, 900));
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.read(&mut [0; 4096]).unwrap(), 1000);
        sender.write_all(&[0; 10]).unwrap();
        drop(sender);
        assert!(is_readable(&stream, 900));
        assert_eq!(stream.read(&mut [0; 4096]).unwrap(), 10);
        assert!(readable_from(std::fs::File::open("/dev/null").unwrap(), 1).is_err());
    }

    #[test]
    fn the_kernel_takes_little_for_a_peer_that_takes_nothing() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        keep_unsent_below(&stream, 64 << 10).unwrap();
        let chunk = vec![0; 16 << 10];
        let mut written = 0;
        while let Ok(bytes) = stream.write(&chunk) {
            written += bytes;
        }
        let untaken = untaken_bytes(&stream).unwrap();
        assert!((1..=256 << 10).contains(&untaken), "{untaken} of {written}");
        // All of it arrives once the peer wants it.
        reader.read_exact(&mut vec![0; written]).unwrap();
        keep_unsent_below(&reader, 1).unwrap();
        assert!(untaken_bytes(std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}
