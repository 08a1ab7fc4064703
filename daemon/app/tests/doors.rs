//! What is refused before anything else looks at it: hosts that are not ours (DNS rebinding), and requests that RFC 9110 and 9112
//! forbid.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Answer, Daemon, TEST_PATTERN};

const PATHS: [&str; 9] = [
    "/",
    "/watch/x",
    "/assets/x/page.js",
    "/api/v1/streams",
    "/media/live/index.m3u8",
    "/media/live/0.ts",
    "/healthz",
    "/metrics",
    "/nothing",
];

fn asked_for(daemon: &Daemon, host: &str, path: &str) -> Answer {
    daemon.ask("GET", path, &[("Host", host)])
}

#[test]
fn only_our_own_hosts_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\nnames = [\"cam.example.org\"]\n{TEST_PATTERN}"
    );
    let daemon = Daemon::start_as_configured(dir.path(), &config, &[]);
    daemon.told("READY=1");
    for stranger in
        ["evil.example", "evil.example:8080", "localhost.evil.example", "192.0.2.99", "[2001:db8::99]:80"]
    {
        for path in PATHS {
            let refused = asked_for(&daemon, stranger, path);
            assert_eq!((refused.status, refused.code().as_str()), (421, "misdirected"), "{stranger} {path}");
            assert_eq!(refused.header("access-control-allow-origin"), None, "{stranger} {path}");
        }
    }
    let register = json!({"username": "eve", "password": PASSWORD}).to_string();
    let own = ("Host", "evil.example");
    let headers = [own, ("Origin", "http://evil.example"), ("Content-Type", "application/json")];
    for path in ["/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/setup"] {
        assert_eq!(daemon.send("POST", path, &headers, register.as_bytes()).status, 421, "{path}");
    }
    // A stranger names itself in the header of proxies; a trusted proxy would be believed.
    let pretending = [("Host", "evil.example"), ("X-Forwarded-Host", "localhost")];
    assert_eq!(daemon.ask("GET", "/", &pretending).status, 421);

    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let name = name.trim();
    let port = daemon.address.port();
    for ours in [
        "localhost".to_owned(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        "[::1]".to_owned(),
        name.to_owned(),
        format!("{name}.local"),
        format!("{name}-2.local"),
        "cam.example.org:8443".to_owned(),
    ] {
        assert_eq!(asked_for(&daemon, &ours, "/media/live/index.m3u8").status, 200, "{ours}");
        assert_eq!(asked_for(&daemon, &ours, "/api/v1/settings").status, 200, "{ours}");
    }
}

#[test]
fn the_other_listeners_ask_for_the_host_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        "[server]\nlisten = [\"[::1]:0\"]\n[[camera]]\nname = \"front\"\nsource = \"test-pattern\"\n";
    let daemon = Daemon::start_as_configured(dir.path(), config, &[]);
    assert!(daemon.address.is_ipv6());
    assert_eq!(asked_for(&daemon, "evil.example", "/").status, 421);
    assert_eq!(asked_for(&daemon, &daemon.address.to_string(), "/").status, 200);
}

#[test]
fn a_request_has_one_host() {
    let daemon = Daemon::start(NO_LIMITS);
    for lines in [
        &["GET /healthz HTTP/1.1", "Connection: close"][..],
        &["GET /healthz HTTP/1.1", "Connection: close", "Host: localhost", "Host: localhost"],
        &["GET /healthz HTTP/1.1", "Connection: close", "Host: localhost", "Host: evil.example"],
        &["GET /healthz HTTP/1.1", "Connection: close", "Host: local host"],
        &["GET /healthz HTTP/1.1", "Connection: close", "Host: user@localhost"],
        &["GET /media/live/index.m3u8 HTTP/1.1", "Connection: close"],
    ] {
        let refused = daemon.raw(lines);
        assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_host"), "{lines:?}");
    }
    assert_eq!(daemon.raw(&["GET /healthz HTTP/1.0"]).status, 200);
    let absolute = ["GET http://evil.example/healthz HTTP/1.1", "Connection: close", "Host: localhost"];
    assert_eq!(daemon.raw(&absolute).status, 421, "RFC 9112, section 3.2.2");
}

#[test]
fn a_body_that_announces_too_much_is_refused_at_once() {
    let daemon = Daemon::start(NO_LIMITS);
    for (path, content_type) in
        [("/api/v1/auth/login", "application/json"), ("/api/v1/auth/register", "application/json")]
    {
        let mut stream: TcpStream = daemon.connect();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nExpect: 100-continue\r\n\
             Content-Length: 9999999999\r\n\r\n"
        )
        .unwrap();
        // Less than the deadline of a body, 20 s, and no `100 Continue`.
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer before any of the body");
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
}

#[test]
fn segments_are_sent_whole_unless_a_range_is_certain() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let playlist = daemon.get("/media/live/index.m3u8").text();
    let name = playlist.lines().find(|line| !line.starts_with('#')).unwrap();
    let path = format!("/media/live/{name}");
    let range = ("Range", "bytes=0-1");
    let part = daemon.ask("GET", &path, &[range]);
    assert_eq!((part.status, part.body.len()), (206, 2));
    let readable = part.header("access-control-expose-headers").unwrap_or_default();
    assert!(
        readable.contains("Content-Range"),
        "a page of another site cannot read Content-Range: {readable}"
    );
    // RFC 9110 §13.1.5: a segment has no validator, so that nothing matches.
    for validator in ["\"other\"", "W/\"other\"", "Sat, 28 Nov 2026 22:00:00 GMT"] {
        let whole = daemon.ask("GET", &path, &[range, ("If-Range", validator)]);
        assert_eq!((whole.status, whole.header("content-range")), (200, None), "{validator}");
    }
    // §14.2: a range is defined for GET only.
    let head = daemon.ask("HEAD", &path, &[range]);
    assert_eq!((head.status, head.header("content-range")), (200, None));
}

#[test]
fn pages_of_other_sites_read_public_media_only() {
    let daemon = Daemon::start(
        "[[camera]]\nname = \"front\"\nsource = \"test-pattern\"\nwidth = 320\nheight = 180\nframes_per_second = 5\n",
    );
    let owner = Person::owner(&daemon, "olga");
    let begun = owner.post(
        "/api/v1/streams",
        &json!({"title": "Ours", "camera": "front", "visibility": "members", "record": true}),
    );
    let id = begun.json()["id"].as_str().unwrap_or_else(|| panic!("{}", begun.text())).to_owned();
    daemon.told("READY=1");
    let origin = ("Origin", "http://other.example");
    let preflight =
        [origin, ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "range")];
    let bearer = format!("Bearer {}", owner.token.as_ref().unwrap());
    let check = || {
        for name in ["index.m3u8", "main.m3u8", "dvr.m3u8", "recording.mp4", "1.mp4", "0.ts"] {
            let path = format!("/media/{id}/{name}");
            for answer in [
                daemon.ask("GET", &path, &[origin]),
                daemon.ask("GET", &path, &[origin, ("Authorization", &bearer)]),
                daemon.ask("HEAD", &path, &[origin]),
                daemon.ask("OPTIONS", &path, &preflight),
            ] {
                assert_eq!(answer.header("access-control-allow-origin"), None, "{path} {}", answer.status);
            }
        }
    };
    check();
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    check();
    assert_eq!(owner.patch(&format!("/api/v1/streams/{id}"), &json!({"visibility": "public"})).status, 200);
    let answer = daemon.ask("OPTIONS", &format!("/media/{id}/dvr.m3u8"), &preflight);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}
