//! One connection between a peer and the server, with the runtime's time paused: deadlines, slots, and the kernel's
//! buffers.

mod files;

use super::*;
use crate::server::cut_oldest_answers;
use crate::slots::{Admission, Share, Slots};
use crate::stopping::Stopping;
use http_body_util::Full;
use perch_device::memory::{KernelMemory, KernelMemoryWriter};
use perch_studio::memory_budget::{MemoryBudget, Part};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

fn slots(most: usize) -> Arc<Slots> {
    Slots::new(most, &MemoryBudget::of(256 << 20))
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: perch\r\n\r\n";

struct Peer {
    wire: DuplexStream,
    server: JoinHandle<()>,
    traffic: Arc<Traffic>,
    stopping: Stopping,
}

/// A connection that answers every request with `length` bytes, over a wire that holds 1 KiB.
fn connect(slots: &Arc<Slots>, length: usize) -> Peer {
    let body = Bytes::from(vec![b'x'; length]);
    connect_to(slots, move || Response::new(Full::new(body.clone())))
}

/// A connection that answers every request with a segment, which must be taken within 10 s.
fn connect_to_segments(slots: &Arc<Slots>, segment: Bytes) -> Peer {
    connect_to(slots, move || {
        let mut response = Response::new(Full::new(segment.clone()));
        let within = Duration::from_secs(10);
        response.extensions_mut().insert(SegmentAnswer { pages: None, within });
        response
    })
}

fn connect_to<B>(slots: &Arc<Slots>, answer: impl Fn() -> Response<B> + Send + Sync + 'static) -> Peer
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let (Admission::Free(slot) | Admission::InsteadOfIdle(slot)) = slots.take(HERE, Share::Client) else {
        panic!("refused")
    };
    let (wire, stream) = tokio::io::duplex(1024);
    let traffic = Arc::new(Traffic::default());
    let stopping = Stopping::new();
    let answer = move |_| std::future::ready(answer());
    let task = serve(stream, slot, Arc::clone(&traffic), Deadlines::USUAL, stopping.watcher(), answer);
    Peer { wire, server: tokio::spawn(task), traffic, stopping }
}

impl Peer {
    /// Reads until the server closes; returns the bytes, and how long that took.
    async fn read_to_end(&mut self) -> (Vec<u8>, Duration) {
        let (start, mut read) = (Instant::now(), Vec::new());
        self.wire.read_to_end(&mut read).await.unwrap();
        (read, start.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_at_the_deadline_from_accept() {
    let mut peer = connect(&slots(4), 1);
    let (read, took) = peer.read_to_end().await;
    assert!(
        took >= Deadlines::USUAL.head && took < Deadlines::USUAL.head + Duration::from_secs(1),
        "{took:?}"
    );
    assert!(read.is_empty());
    peer.server.await.unwrap();
    assert_eq!(peer.traffic.failed.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_is_cut_off_at_the_same_deadline() {
    let mut peer = connect(&slots(4), 1);
    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for byte in REQUEST.iter().cycle() {
        ticks.tick().await;
        if peer.wire.write_all(&[*byte]).await.is_err() || peer.server.is_finished() {
            break;
        }
    }
    assert!(start.elapsed() <= Deadlines::USUAL.head + Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_between_requests_but_not_for_ever() {
    let mut peer = connect(&slots(4), 1);
    for _ in 0..3 {
        peer.wire.write_all(REQUEST).await.unwrap();
        let mut answer = [0; 1024];
        let read = peer.wire.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    let (_, took) = peer.read_to_end().await;
    assert!(took <= Deadlines::USUAL.head);
}

/// Sends something each minute, for ever, as events do.
struct Events(std::pin::Pin<Box<tokio::time::Sleep>>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        std::task::ready!(self.0.as_mut().poll(cx));
        self.0 = Box::pin(tokio::time::sleep(Duration::from_mins(1)));
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"beat")))))
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_end_is_not_taken_for_an_idle_connection() {
    let mut peer =
        connect_to(&slots(4), || Response::new(Events(Box::pin(tokio::time::sleep(Duration::ZERO)))));
    peer.wire.write_all(REQUEST).await.unwrap();
    let mut heard = Vec::new();
    while heard.windows(4).filter(|bytes| bytes == b"beat").count() < 5 {
        assert_ne!(peer.wire.read_buf(&mut heard).await.unwrap(), 0, "the connection was closed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_dropped() {
    let mut peer = connect(&slots(4), 1_000_000);
    peer.wire.write_all(REQUEST).await.unwrap();
    let start = Instant::now();
    (&mut peer.server).await.unwrap();
    let took = start.elapsed();
    assert!(took >= Deadlines::USUAL.stall && took < Deadlines::USUAL.stall + Duration::from_secs(1));
    assert_eq!(peer.traffic.failed.get(), 1);
}

/// Takes 256 bytes every 5 s, to hold a segment for as long as possible; returns how long that worked.
async fn take_slowly(peer: &mut Peer) -> Duration {
    let start = Instant::now();
    peer.wire.write_all(REQUEST).await.unwrap();
    while let Ok(1..) = peer.wire.read(&mut [0; 256]).await {
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_a_segment_bit_by_bit_is_dropped_when_its_time_is_up() {
    let mut peer = connect_to_segments(&slots(4), Bytes::from(vec![b'x'; 1_000_000]));
    take_slowly(&mut peer).await;
    (&mut peer.server).await.unwrap();
    assert_eq!(peer.traffic.failed.get(), 1);
    assert!(peer.traffic.bytes_sent.get() < 5_000);
}

#[tokio::test(start_paused = true)]
async fn what_the_kernel_holds_for_a_reader_that_is_dropped_goes_with_it() {
    let listener = tokio::net::TcpListener::bind((HERE, 0)).await.unwrap();
    let mut reader = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    reader.write_all(REQUEST).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let Admission::Free(slot) = slots(4).take(HERE, Share::Client) else { panic!("refused") };
    let segment = Bytes::from(vec![b'x'; 64 << 20]); // more than the kernel's buffers hold
    let answer = move |_| {
        let mut response = Response::new(Full::new(segment.clone()));
        let within = Duration::from_secs(10);
        response.extensions_mut().insert(SegmentAnswer { pages: None, within });
        std::future::ready(response)
    };
    let stopping = Stopping::new();
    serve(stream, slot, Arc::default(), Deadlines::USUAL, stopping.watcher(), answer).await;
    let end = reader.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
}

/// Answers a peer over TCP whose kernel takes next to nothing; returns the connection's parts.
async fn answer_to_one_who_takes_nothing(
    length: usize,
    within: Option<Duration>,
) -> (std::net::TcpStream, Arc<Traffic>) {
    let listener = tokio::net::TcpListener::bind((HERE, 0)).await.unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let reader = socket.connect(listener.local_addr().unwrap()).await.unwrap().into_std().unwrap();
    reader.set_nonblocking(false).unwrap();
    (&reader).write_all(REQUEST).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let Admission::Free(slot) = slots(4).take(HERE, Share::Client) else { panic!("refused") };
    let body = Bytes::from(vec![b'x'; length]);
    let answer = move |_| {
        let mut response = Response::new(Full::new(body.clone()));
        if let Some(within) = within {
            response.extensions_mut().insert(SegmentAnswer { pages: None, within });
        }
        std::future::ready(response)
    };
    let (stopping, traffic) = (Stopping::new(), Arc::<Traffic>::default());
    let (start, watcher) = (Instant::now(), stopping.watcher());
    serve(stream, slot, traffic.clone(), Deadlines::USUAL, watcher, answer).await;
    assert!(start.elapsed() <= Deadlines::USUAL.head + Duration::from_secs(1), "{:?}", start.elapsed());
    (reader, traffic)
}

/// A kernel takes up to 4 MiB for a connection, after which nobody here could see that a segment was not taken.
#[tokio::test(start_paused = true)]
async fn a_segment_that_the_kernel_could_hold_is_not_taken_for_sent() {
    let within = Duration::from_secs(10);
    let (mut reader, traffic) = answer_to_one_who_takes_nothing(2 << 20, Some(within)).await;
    let end = reader.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
    assert!(traffic.bytes_sent.get() < 512 << 10, "{}", traffic.bytes_sent.get());
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_has_not_taken_by_the_next_deadline_does_not_stay_in_the_kernel() {
    let (mut reader, traffic) = answer_to_one_who_takes_nothing(50_000, None).await;
    assert!(traffic.bytes_sent.get() > 50_000, "all of it was handed to the kernel");
    let end = reader.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test(start_paused = true)]
async fn a_reader_may_take_one_segment_after_the_other_for_as_long_as_it_likes() {
    let mut peer = connect_to_segments(&slots(4), Bytes::from(vec![b'x'; 500]));
    for _ in 0..10 {
        peer.wire.write_all(REQUEST).await.unwrap();
        assert!(peer.wire.read(&mut [0; 1024]).await.unwrap() > 500);
        tokio::time::advance(Duration::from_secs(8)).await;
    }
    assert_eq!(peer.traffic.failed.get(), 0);
}

/// A segment's bytes, counted in the memory budget.
struct Counted {
    bytes: Vec<u8>,
    _held: perch_studio::memory_budget::Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[tokio::test(start_paused = true)]
async fn where_slow_readers_hold_too_much_the_oldest_answers_are_cut() {
    let memory = MemoryBudget::of(8 << 20);
    let slots = Slots::new(100, &memory);
    let traffic = Arc::<Traffic>::default();
    let cutting = tokio::spawn(cut_oldest_answers(memory.clone(), slots.clone(), traffic.clone()));
    // Each is a quarter of what may be retired.
    let segment = || {
        let held = memory.hold(Part::Retired, 1 << 18);
        Bytes::from_owner(Counted { bytes: vec![b'x'; 1 << 18], _held: held })
    };
    let mut peers = Vec::new();
    for _ in 0..7 {
        let mut peer = connect_to_segments(&slots, segment());
        peer.wire.write_all(REQUEST).await.unwrap();
        peer.wire.read_exact(&mut [0; 100]).await.unwrap();
        peers.push(peer);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(memory.used(Part::Retired), memory.retired_most());
    assert_eq!(traffic.cut.get(), 3);
    let ended: Vec<_> = peers.iter().map(|peer| peer.server.is_finished()).collect();
    assert_eq!(ended, [true, true, true, false, false, false, false]);
    cutting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_served_to_the_end() {
    let mut peer = connect(&slots(4), 10_000);
    peer.wire.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut total = 0;
    loop {
        let mut some = [0; 256];
        let read = peer.wire.read(&mut some).await.unwrap();
        if read == 0 {
            break;
        }
        total += read;
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    assert!(total > 10_000);
    assert_eq!(peer.traffic.failed.get(), 0);
}

/// Lends its bytes to a body, as a segment does.
struct Lent(Arc<KernelMemory>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_the_kernels_memory_arrives_as_it_is_also_in_parts_and_pipelined() {
    let data: Vec<u8> = (0..5000_u32).map(|i| (i % 251) as u8).collect();
    let mut writer = KernelMemoryWriter::new().unwrap();
    writer.write(&data).unwrap();
    let memory = Arc::new(writer.finish().unwrap());
    let part = Bytes::from_owner(Lent(memory.clone())).slice(1000..4000);
    let answer = move |_| {
        let mut response = Response::new(Full::new(part.clone()));
        response
            .extensions_mut()
            .insert(SegmentAnswer { pages: Some(memory.clone()), within: Duration::from_secs(10) });
        std::future::ready(response)
    };
    let Admission::Free(slot) = slots(4).take(HERE, Share::Client) else { panic!("refused") };
    let (wire, stream) = tokio::io::duplex(100);
    let stopping = Stopping::new();
    let task = serve(stream, slot, Arc::default(), Deadlines::USUAL, stopping.watcher(), answer);
    tokio::spawn(task);
    let (mut reader, mut writer) = tokio::io::split(wire);
    let requests = [REQUEST, REQUEST, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"].concat();
    let mut read = Vec::new();
    let (sent, received) = tokio::join!(writer.write_all(&requests), reader.read_to_end(&mut read));
    sent.unwrap();
    received.unwrap();
    let bodies = read.windows(3000).filter(|window| *window == &data[1000..4000]).count();
    assert_eq!(bodies, 3);
}

#[tokio::test(start_paused = true)]
async fn malformed_and_oversized_heads_are_refused() {
    let long = [b"GET /".to_vec(), vec![b'a'; 2 * LONGEST_HEAD]].concat();
    let cases: [(&[u8], &[u8]); 3] = [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 400"),
        (&long, b"HTTP/1.1 4"),
    ];
    for (sent, expected) in cases {
        let mut peer = connect(&slots(4), 1);
        let (mut reader, mut writer) = tokio::io::split(peer.wire);
        let mut read = Vec::new();
        let _ = tokio::join!(writer.write_all(sent), reader.read_to_end(&mut read));
        assert!(read.starts_with(expected), "{:?}", String::from_utf8_lossy(&read));
        (&mut peer.server).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_makes_room() {
    let slots = slots(2);
    let mut idle = connect(&slots, 1);
    let _newcomer = connect(&slots, 1);
    let (_, took) = idle.read_to_end().await;
    assert!(took < Duration::from_secs(1));
    assert_eq!(slots.in_use(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_idle_connections_at_once() {
    let mut peer = connect(&slots(4), 1);
    peer.wire.write_all(REQUEST).await.unwrap();
    let mut answer = [0; 1024];
    assert!(peer.wire.read(&mut answer).await.unwrap() > 0);
    let start = Instant::now();
    peer.stopping.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(1));
}
