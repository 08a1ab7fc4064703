//! One connection of HTTP/2, with the runtime's time paused. The client is hyper's, or writes frames by hand.

use super::*;
use crate::file_body::{Content, FileBody, FileRange};
use crate::slots::{Admission, Share, Slots};
use crate::stopping::Stopping;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{Builder, SendRequest};
use perch_studio::memory_budget::MemoryBudget;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The server's side of a connection.
struct Served {
    server: JoinHandle<()>,
    slots: Arc<Slots>,
    traffic: Arc<Traffic>,
    stopping: Stopping,
}

fn serve_with<F>(answer: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static) -> (DuplexStream, Served)
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let slots = Slots::new(4, &MemoryBudget::of(256 << 20));
    let Admission::Free(slot) = slots.take(HERE, Share::Client) else { panic!("refused") };
    let (wire, stream) = tokio::io::duplex(16 << 10);
    let (traffic, stopping) = (Arc::<Traffic>::default(), Stopping::new());
    let server = tokio::spawn(serve(stream, slot, Arc::clone(&traffic), stopping.watcher(), answer));
    (wire, Served { server, slots, traffic, stopping })
}

/// A client that takes `window` bytes of an answer before it has to read them.
async fn client(wire: DuplexStream, window: u32) -> SendRequest<Empty<Bytes>> {
    let (client, connection) = Builder::new(Tasks::default())
        .initial_stream_window_size(window)
        .handshake(TokioIo::new(wire))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://perch.local:8443{path}")).body(Empty::new()).unwrap()
}

fn bytes(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

#[tokio::test(start_paused = true)]
async fn many_requests_are_answered_side_by_side() {
    let (wire, served) = serve_with(|request| async move {
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        let path = request.uri().path().to_owned();
        // The first answer comes last.
        let number: u64 = path[1..].parse().unwrap();
        tokio::time::sleep(Duration::from_secs(100 - number)).await;
        Response::new(Body::from(format!("{host}{path}")))
    });
    let client = client(wire, 1 << 16).await;
    let asked = (0..60).map(|number| {
        let mut client = client.clone();
        tokio::spawn(async move {
            client.ready().await.unwrap();
            let answer = client.send_request(get(&format!("/{number}"))).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes()
        })
    });
    for (number, asked) in asked.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(asked.await.unwrap(), format!("perch.local:8443/{number}"));
    }
    assert_eq!((served.traffic.requests.get(), served.traffic.failed.get()), (60, 0));
}

#[tokio::test(start_paused = true)]
async fn bytes_of_memory_and_of_files_arrive_as_they_are() {
    let content = bytes(300_000);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    let file = Arc::new(file);
    let sent = content.clone();
    let (wire, _served) = serve_with(move |request| {
        let range = |at, length| Content::File(FileRange { file: Arc::clone(&file), at, length });
        let body = match request.uri().path() {
            "/file" => Body::Files(FileBody::new([range(1000, 100_000), range(0, 5)])),
            "/segment" => Body::from(sent.clone()),
            _ => Body::empty(),
        };
        std::future::ready(Response::new(body))
    });
    let mut client = client(wire, 1 << 16).await;
    for (path, expected) in [
        ("/file", [&content[1000..101_000], &content[..5]].concat()),
        ("/segment", content.to_vec()),
        ("/nothing", Vec::new()),
    ] {
        let answer = client.send_request(get(path)).await.unwrap();
        let length = answer.headers().get(CONTENT_LENGTH).map_or("0", |length| length.to_str().unwrap());
        assert_eq!(length, expected.len().to_string());
        assert!(answer.into_body().collect().await.unwrap().to_bytes() == expected, "{path}");
    }
    let mut head = get("/segment");
    *head.method_mut() = Method::HEAD;
    let answer = client.send_request(head).await.unwrap();
    assert_eq!(answer.headers()[CONTENT_LENGTH], "300000");
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}

/// How long the server kept a connection whose client takes nothing of an answer.
async fn kept_for(within: Option<Duration>) -> Duration {
    let (wire, served) = serve_with(move |_| {
        let mut response = Response::new(Body::from(bytes(300_000)));
        if let Some(within) = within {
            response.extensions_mut().insert(SegmentAnswer { pages: None, within });
        }
        std::future::ready(response)
    });
    let mut client = client(wire, 1000).await;
    let start = Instant::now();
    let _untaken = client.send_request(get("/")).await.unwrap();
    served.server.await.unwrap();
    assert_eq!((served.traffic.failed.get(), served.slots.in_use()), (1, 0));
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_dropped() {
    let kept = kept_for(None).await;
    assert!(kept >= STALL && kept <= STALL + LOOK, "{kept:?}");
    let kept = kept_for(Some(Duration::from_secs(7))).await;
    assert!(kept >= Duration::from_secs(7) && kept <= Duration::from_secs(7) + LOOK, "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_little_now_and_then_gets_all_of_it() {
    let (wire, served) = serve_with(|_| std::future::ready(Response::new(Body::from(bytes(100_000)))));
    let mut client = client(wire, 4000).await;
    let mut body = client.send_request(get("/")).await.unwrap().into_body();
    let mut came = 0;
    let start = Instant::now();
    while let Some(frame) = body.frame().await {
        let before = came;
        came += frame.unwrap().into_data().unwrap().len();
        if came / 4000 > before / 4000 {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }
    assert!(start.elapsed() > 3 * STALL, "{:?}", start.elapsed());
    assert_eq!((came, served.traffic.failed.get()), (100_000, 0));
}

/// Sends something each minute, for ever, as events do.
struct Events(Pin<Box<tokio::time::Sleep>>);

use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        ready!(self.0.as_mut().poll(cx));
        self.0 = Box::pin(tokio::time::sleep(Duration::from_mins(1)));
        Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"beat")))))
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_end_is_neither_idle_nor_stuck() {
    let (wire, served) = serve_with(|_| {
        let events = Events(Box::pin(tokio::time::sleep(Duration::ZERO)));
        std::future::ready(Response::new(Body::Routed(axum::body::Body::new(events))))
    });
    let mut client = client(wire, 1 << 16).await;
    let mut body = client.send_request(get("/")).await.unwrap().into_body();
    for _ in 0..5 {
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "beat");
    }
    assert!(!served.server.is_finished());
    drop(body);
    // Once it is taken back, the connection is idle.
    let start = Instant::now();
    served.server.await.unwrap();
    assert!(start.elapsed() >= IDLE && start.elapsed() <= IDLE + 3 * LOOK, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_when_nobody_asks_and_when_the_server_stops() {
    let (_silent, served) = serve_with(|_| std::future::ready(Response::new(Body::empty())));
    let start = Instant::now();
    served.server.await.unwrap();
    assert!(start.elapsed() <= FIRST_REQUEST + 3 * LOOK, "{:?}", start.elapsed());

    let (wire, served) = serve_with(|_| std::future::ready(Response::new(Body::empty())));
    let mut client = client(wire, 1 << 16).await;
    let answer = client.send_request(get("/")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let start = Instant::now();
    served.stopping.shutdown().await;
    served.server.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_makes_room_and_a_busy_one_does_not() {
    let (wire, served) = serve_with(|request| async move {
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        Response::new(Body::empty())
    });
    let client = client(wire, 1 << 16).await;
    let mut asking = client.clone();
    let slow = tokio::spawn(async move { asking.send_request(get("/slow")).await.unwrap().status() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = served.slots.take(HERE, Share::Client);
    assert!(matches!(second, Admission::Free(_)));
    let third = served.slots.take(HERE, Share::Client);
    assert!(matches!(third, Admission::InsteadOfIdle(_)), "the second, which has asked nothing");
    assert_eq!(slow.await.unwrap(), StatusCode::OK);
    let Admission::InsteadOfIdle(third) = third else { unreachable!() };
    third.answering();
    assert!(matches!(served.slots.take(HERE, Share::Client), Admission::InsteadOfIdle(_)));
    served.server.await.unwrap();
}

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// `GET https://perch/` (RFC 7541, appendix A).
const GET_ROOT: &[u8] = b"\x82\x87\x84\x41\x05perch";

/// The error of GOAWAY with which the server ends a connection after these bytes.
async fn goodbye_after(sent: Vec<u8>) -> (Option<u32>, Served) {
    let (wire, served) = serve_with(|_| async {
        tokio::time::sleep(Duration::from_mins(5)).await;
        Response::new(Body::empty())
    });
    let (mut reader, mut writer) = tokio::io::split(wire);
    let writing = tokio::spawn(async move {
        let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
        // The server may close before it has read everything.
        let _ = writer.write_all(&begin).await;
        let _ = writer.write_all(&sent).await;
        writer
    });
    let mut came = Vec::new();
    let _ = reader.read_to_end(&mut came).await;
    drop(writing.await);
    let (mut at, mut error) = (0, None);
    while let Some(head) = came.get(at..at + 9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if head[3] == GOAWAY {
            let code = &came[at + 13..at + 17];
            error = error.max(Some(u32::from_be_bytes(code.try_into().unwrap())));
        }
        at += 9 + length;
    }
    (error, served)
}

const ENHANCE_YOUR_CALM: u32 = 0xb;

#[tokio::test(start_paused = true)]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let mut sent = Vec::new();
    for number in 0..2000 {
        let stream = 2 * number + 1;
        sent.extend(frame(HEADERS, 0x5, stream, GET_ROOT));
        sent.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let (error, served) = goodbye_after(sent).await;
    assert_eq!(error, Some(ENHANCE_YOUR_CALM));
    let requests = served.traffic.requests.get();
    assert!(requests < 500, "{requests} were answered");
    served.server.await.unwrap();
    assert_eq!(served.slots.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn headers_without_end_end_the_connection() {
    let mut sent = frame(HEADERS, 0x1, 1, GET_ROOT);
    for _ in 0..200 {
        // A literal header that is not indexed, of 1000 bytes, and never END_HEADERS.
        let field = [b"\x00\x01a\x7f\xe9\x06".to_vec(), vec![b'x'; 1000]].concat();
        sent.extend(frame(CONTINUATION, 0, 1, &field));
    }
    let (error, served) = goodbye_after(sent).await;
    assert!(error.is_some(), "{error:?}");
    assert_eq!(served.traffic.requests.get(), 0);
    served.server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_streams_are_open_than_were_offered() {
    let mut sent = Vec::new();
    for number in 0..1000 {
        sent.extend(frame(HEADERS, 0x5, 2 * number + 1, GET_ROOT));
    }
    let (_, served) = goodbye_after(sent).await;
    let requests = served.traffic.requests.get();
    assert!(requests <= u64::from(STREAMS), "{requests} at once");
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_connection() {
    let (mut wire, served) = serve_with(|_| std::future::ready(Response::new(Body::empty())));
    wire.write_all(b"GET / HTTP/1.1\r\nHost: perch\r\n\r\n").await.unwrap();
    let _ = wire.read_to_end(&mut Vec::new()).await;
    served.server.await.unwrap();
    assert_eq!(served.traffic.failed.get(), 1);
}
