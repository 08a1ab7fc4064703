//! Streaming with other programs and sending streams on, in Chromium: `browser/programs.js` makes a key, prepares a stream, sets relays up, goes live and
//! switches a relay in mid-stream. It ends with an error at the first step that does not come out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::net::TcpListener;
use support::Daemon;
use support::browser::{pictures, walk};
use support::people::{NO_LIMITS, PASSWORD, Person};

const CONFIG: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 640
height = 360
frames_per_second = 10
bitrate_kbps = 1000
[ingest]
listen = ["127.0.0.1:0"]
"#;

#[test]
fn an_owner_lets_programs_in_and_sends_a_stream_on() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), &format!("{CONFIG}{NO_LIMITS}"));
    Person::owner(&daemon, "ann");
    // A server that takes a connection and never answers.
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let relay = format!("rtmp://127.0.0.1:{}/live", server.local_addr().unwrap().port());
    let report = walk("programs", [&daemon.url(""), "ann", PASSWORD, &relay, &pictures(dir.path())]);
    assert_eq!(report["steps"].as_array().unwrap().len(), 9, "{report}");
}
