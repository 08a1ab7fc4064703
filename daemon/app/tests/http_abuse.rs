//! Malformed HTTP, slow heads and ten thousand idle connections: refused or timed out, and the stream does not stutter.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use support::{Daemon, TEST_PATTERN};

const IDLE: usize = 10_000;

/// Every one of us is a descriptor.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|most| most > IDLE as u64 + 500),
        "this test opens {IDLE} connections, and the hard limit of open files is {limit:?}: raise it (ulimit -Hn)"
    );
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// Whether the server has closed; waits for it.
fn is_closed_in_the_end(mut stream: &TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 512]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return true,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits for the next segments one by one, as a player does.
fn play(daemon: &Daemon, segments: u64) {
    let read = |path: &str| m3u8_rs::parse_media_playlist_res(&daemon.get(path).body).unwrap();
    let playlist = read("/media/live/index.m3u8");
    let next = playlist.media_sequence + playlist.segments.len() as u64;
    for sequence in next..next + segments {
        let playlist = read(&format!("/media/live/index.m3u8?_HLS_msn={sequence}"));
        let newest = &playlist.segments.last().unwrap().uri;
        assert_eq!(daemon.get(&format!("/media/live/{newest}")).status, 200);
    }
}

fn assert_nothing_was_lost(daemon: &Daemon) {
    assert_eq!(daemon.metric("perch_seams_total"), 0);
    assert_eq!(daemon.metric("perch_hls_lagged_total"), 0);
    assert_eq!(daemon.metric("perch_capture_errors_total{feed=\"front\",kind=\"discarded\"}"), 0);
}

#[test]
fn ten_thousand_idle_connections_cost_a_viewer_nothing() {
    raise_descriptor_limit();
    let daemon = Daemon::ready(TEST_PATTERN);
    let mut crowd: Vec<TcpStream> = (0..IDLE).map(|_| daemon.connect()).collect();
    // Half of a head each, for some.
    for stream in crowd.iter_mut().skip(IDLE - 100) {
        let _ = stream.write_all(b"GET /media/live/index.m3u8 HTTP/1.1\r\nHost: ");
    }
    play(&daemon, 2);
    assert!(daemon.metric("perch_http_connections_sent_away_total") > 0);
    assert!(daemon.metric("perch_http_connections_open") <= 2048);
    // The rest is timed out: the youngest too.
    assert!(is_closed_in_the_end(&crowd[0]) && is_closed_in_the_end(&crowd[IDLE - 1]));
    play(&daemon, 1);
    assert_nothing_was_lost(&daemon);
}

#[test]
fn malformed_http_is_refused_and_nothing_else_notices() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let long_head = [b"GET / HTTP/1.1\r\nCookie: ".to_vec(), vec![b'x'; 100_000]].concat();
    let many_headers = [b"GET / HTTP/1.1\r\n".to_vec(), b"A: b\r\n".repeat(1000), b"\r\n".to_vec()].concat();
    let cases: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        &long_head,
        &many_headers,
    ];
    for sent in cases {
        let mut stream = daemon.connect();
        // The server may have closed already.
        let _ = stream.write_all(sent);
        let mut answer = Vec::new();
        // A reset after the refusal is as good as an orderly end: we were still writing.
        let end = stream.read_to_end(&mut answer).map_err(|error| error.kind());
        assert!(matches!(end, Ok(_) | Err(ErrorKind::ConnectionReset)), "{end:?}: not closed");
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{} was answered {}",
            String::from_utf8_lossy(&sent[..sent.len().min(60)]),
            String::from_utf8_lossy(&answer)
        );
    }
    for path in ["/media/live/..%2f..%2fetc%2fpasswd", "/assets/../../etc/passwd", "/media/live/", "/%ff%00"]
    {
        assert_eq!(daemon.get(path).status, 404, "{path}");
    }
    play(&daemon, 1);
    assert_nothing_was_lost(&daemon);
}
