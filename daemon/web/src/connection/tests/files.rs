//! Answers that lie in files.

use super::*;
use crate::file_body::{Compute, Computed, Content, FileBody, FileRange};

/// A file that is sent to a peer who takes nothing; what the peer and the server hold of it.
async fn send_to_one_who_takes_nothing(
    slots: &Arc<Slots>,
    file: &Arc<std::fs::File>,
) -> (Arc<Traffic>, std::net::TcpStream, Stopping) {
    let listener = tokio::net::TcpListener::bind((HERE, 0)).await.unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let reader = socket.connect(listener.local_addr().unwrap()).await.unwrap().into_std().unwrap();
    (&reader).write_all(REQUEST).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let Admission::Free(slot) = slots.take(HERE, Share::Client) else { panic!("refused") };
    let file = file.clone();
    let answer = move |_| {
        let range = FileRange { file: file.clone(), at: 0, length: 64 << 20 };
        let body = FileBody::new([Content::File(range)]);
        let to_send = body.to_send();
        let mut response = Response::new(body);
        response.extensions_mut().insert(to_send);
        std::future::ready(response)
    };
    let (stopping, traffic) = (Stopping::new(), Arc::<Traffic>::default());
    let watcher = stopping.watcher();
    tokio::spawn(serve(stream, slot, traffic.clone(), Deadlines::USUAL, watcher, answer));
    (traffic, reader, stopping)
}

/// The kernel then takes a file in large pieces, which saves CPU; what it holds for all downloads together is bounded.
#[tokio::test]
async fn the_kernel_may_take_much_of_a_file_but_not_for_everybody() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(64 << 20).unwrap();
    let (file, slots) = (Arc::new(file), slots(100));
    let mut downloads = Vec::new();
    for _ in 0..20 {
        let download = send_to_one_who_takes_nothing(&slots, &file).await;
        // Until the kernel takes no more.
        let mut before = 0;
        while download.0.bytes_sent.get() > before || before == 0 {
            before = download.0.bytes_sent.get();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        downloads.push(download);
    }
    let taken: Vec<_> = downloads.iter().map(|(traffic, ..)| traffic.bytes_sent.get()).collect();
    assert_eq!(taken.iter().filter(|bytes| **bytes > 512 << 10).count(), 8, "{taken:?}");
    // Who comes once others have gone is one of them.
    drop(downloads);
    while slots.in_use() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (traffic, _reader, _stopping) = send_to_one_who_takes_nothing(&slots, &file).await;
    while traffic.bytes_sent.get() <= 512 << 10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Computes bytes, one at a time.
struct ByteByByte(&'static [u8]);

impl Compute for ByteByByte {
    fn skip(&mut self, bytes: u64) {
        self.0 = &self.0[bytes as usize..];
    }

    fn read(&mut self, _: usize) -> std::io::Result<Vec<u8>> {
        Ok(self.0.split_off_first().map(|byte| vec![*byte]).unwrap_or_default())
    }
}

/// What comes out of a connection whose every answer is made of `head` and of the ranges of a file with these bytes.
async fn sent_of_a_file(
    file_bytes: &[u8],
    head: &'static [u8],
    ranges: &[(u64, u64)],
    requests: &[u8],
) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(file_bytes).unwrap();
    let file = Arc::new(file);
    let ranges = ranges.to_vec();
    let answer = move |_| {
        let files =
            ranges.iter().map(|&(at, length)| Content::File(FileRange { file: file.clone(), at, length }));
        let head = Content::Computed(Computed::new(ByteByByte(head), head.len() as u64));
        let body = FileBody::new(std::iter::once(head).chain(files));
        let to_send = body.to_send();
        let mut response = Response::new(body);
        response.extensions_mut().insert(to_send);
        std::future::ready(response)
    };
    let Admission::Free(slot) = slots(4).take(HERE, Share::Client) else { panic!("refused") };
    let (wire, stream) = tokio::io::duplex(100_000);
    let stopping = Stopping::new();
    tokio::spawn(serve(stream, slot, Arc::default(), Deadlines::USUAL, stopping.watcher(), answer));
    let (mut reader, mut writer) = tokio::io::split(wire);
    let mut read = Vec::new();
    let (sent, received) = tokio::join!(writer.write_all(requests), reader.read_to_end(&mut read));
    sent.unwrap();
    received.unwrap();
    read
}

const LAST: &[u8] = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

fn bodies(read: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    let mut rest = read;
    while let Some(end) = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&rest[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        bodies.push(&rest[end + 4..end + 4 + length]);
        rest = &rest[end + 4 + length..];
    }
    bodies
}

#[tokio::test]
async fn files_arrive_as_they_are_also_several_and_pipelined() {
    let data: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let ranges = [(0, 1), (7, 0), (1000, 2_000_000), (2_999_999, 1)];
    let read = sent_of_a_file(&data, b"head", &ranges, &[REQUEST, LAST].concat()).await;
    let expected = [b"head", &data[..1], &data[1000..2_001_000], &data[2_999_999..]].concat();
    let bodies = bodies(&read);
    assert_eq!(bodies.len(), 2);
    assert!(bodies.iter().all(|body| **body == expected));
}

#[tokio::test]
async fn a_head_request_is_told_the_length_alone() {
    let head = b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n";
    let read = sent_of_a_file(b"a file", b"", &[(0, 6)], head).await;
    let read = String::from_utf8(read).unwrap();
    assert!(read.contains("content-length: 6\r\n") && read.ends_with("\r\n\r\n"), "{read}");
}

#[tokio::test]
async fn a_file_that_has_become_shorter_breaks_the_answer_off() {
    let read = sent_of_a_file(b"a file", b"", &[(0, 6), (4, 600)], LAST).await;
    let read = String::from_utf8(read).unwrap();
    // The error may come before anything was sent.
    assert!(read.is_empty() || read.contains("content-length: 606\r\n"), "{read}");
    assert!(read.len() < 600, "{read}");
}

/// hyper flushes where a piece has left, and not at the end alone.
#[tokio::test(start_paused = true)]
async fn a_download_is_not_taken_for_an_idle_connection_before_its_end() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(2 << 20).unwrap();
    let (file, slots) = (Arc::new(file), slots(2));
    let Admission::Free(slot) = slots.take(HERE, Share::Client) else { panic!("refused") };
    let answer = move |_| {
        let body = FileBody::new([Content::File(FileRange { file: file.clone(), at: 0, length: 2 << 20 })]);
        let to_send = body.to_send();
        let mut response = Response::new(body);
        response.extensions_mut().insert(to_send);
        std::future::ready(response)
    };
    // It holds the first piece and a part of the second.
    let (mut wire, stream) = tokio::io::duplex(600_000);
    let stopping = Stopping::new();
    tokio::spawn(serve(stream, slot, Arc::default(), Deadlines::USUAL, stopping.watcher(), answer));
    wire.write_all(REQUEST).await.unwrap();
    let mut read = Vec::with_capacity(3 << 20);
    wire.read_buf(&mut read).await.unwrap();
    let head = read.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    while read.len() + 600_000 < head + (2 << 20) {
        assert!(matches!(slots.take(HERE, Share::Client), Admission::Refused), "after {} bytes", read.len());
        assert_ne!(wire.read_buf(&mut read).await.unwrap(), 0);
        tokio::task::yield_now().await;
    }
    while read.len() < head + (2 << 20) {
        wire.read_buf(&mut read).await.unwrap();
    }
    tokio::task::yield_now().await;
    assert!(matches!(slots.take(HERE, Share::Client), Admission::InsteadOfIdle(_)), "it has ended");
}
