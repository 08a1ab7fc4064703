//! The daemon as systemd's service: readiness, watchdog, status in words, and its end.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rustix::io::{FdFlags, fcntl_setfd};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::process::Command;
use support::people::Person;
use support::{Answer, Daemon, Signal, TEST_PATTERN};

/// Short, so that a test sees several.
const WATCHDOG: [(&str, &str); 1] = [("WATCHDOG_USEC", "400000")];

/// Everything told until a state that begins with `last`, line by line.
fn told_until(daemon: &Daemon, last: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while !lines.iter().any(|line| line.starts_with(last)) {
        lines.extend(daemon.next_state().lines().map(ToOwned::to_owned));
    }
    lines
}

fn is_in(lines: &[String], beginning: &str) -> bool {
    lines.iter().any(|line| line.starts_with(beginning))
}

#[test]
fn systemd_is_told_the_states_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(dir.path(), TEST_PATTERN, &WATCHDOG);

    let before = told_until(&daemon, "READY=1");
    let playlist = daemon.get("/media/live/index.m3u8");
    assert_eq!(playlist.status, 200, "ready is when the first segment can be served");
    assert_eq!(daemon.get("/readyz").status, 200);
    assert_eq!(before[0], "STATUS=starting");
    assert!(is_in(&before, "EXTEND_TIMEOUT_USEC="), "{before:?}");
    assert!(is_in(&before, "STATUS=live: test pattern, 640x360, coded by software"), "{before:?}");

    for _ in 0..3 {
        assert!(!is_in(&told_until(&daemon, "WATCHDOG=1"), "READY"), "once is enough");
    }

    daemon.signal(Signal::TERM);
    assert!(is_in(&told_until(&daemon, "STOPPING=1"), "STATUS=shutting down"));
    assert_eq!(daemon.ended(), Some(0));
}

#[test]
fn a_missing_camera_is_waited_for_and_said_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        "[live]\nautostart = true\n[[camera]]\nsource = \"v4l2\"\ndevice = \"/dev/v4l/by-id/none\"\n";
    let daemon = Daemon::start_with(dir.path(), config, &WATCHDOG);

    let waiting = "STATUS=waiting for the camera: no camera: /dev/v4l/by-id/none is not there: plug it in";
    for awaited in [waiting, "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=", "WATCHDOG=1"] {
        let told = told_until(&daemon, awaited);
        assert!(!is_in(&told, "READY"), "{told:?}");
    }

    let ready = daemon.get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("/dev/v4l/by-id/none is not there: plug it in"), "{}", ready.text());
    let camera = &daemon.get("/api/v1/cameras").json()["items"][0];
    assert_eq!(camera["state"], "waiting");
    assert!(camera["detail"].as_str().unwrap().contains("/dev/v4l/by-id/none"), "{camera}");
    assert_eq!(daemon.get("/healthz").status, 200);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_daemon_that_does_not_go_live_by_itself_is_ready_at_once_and_says_so() {
    let daemon = Daemon::start("[live]\nautostart = false\n");
    assert_eq!(told_until(&daemon, "READY=1"), ["STATUS=starting", "READY=1", "STATUS=nothing is live"]);
    assert_eq!(daemon.get("/api/v1/cameras").json()["items"][0]["state"], "stopped");
    assert_eq!(daemon.get("/media/live/index.m3u8").status, 404);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let daemon = Daemon::ready(TEST_PATTERN);
    // Both are waiting when it goes on.
    for signal in [Signal::STOP, Signal::TERM, Signal::INT, Signal::CONT] {
        daemon.signal(signal);
    }
    assert_eq!(daemon.ended(), Some(130));
}

#[test]
fn media_sequence_numbers_go_on_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let numbers = || {
        let daemon = Daemon::ready_in(dir.path(), TEST_PATTERN);
        let text = daemon.get("/media/live/index.m3u8").text();
        let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap();
        let first: u64 = first.parse().unwrap();
        let segments = text.lines().filter(|line| line.starts_with("#EXTINF:")).count() as u64;
        // Dropped here: SIGKILL.
        first..first + segments
    };
    let (before, after) = (numbers(), numbers());
    assert!(after.start >= before.end, "{before:?} {after:?}");
}

#[test]
fn a_button_and_a_lamp_that_are_not_there_are_said_and_harm_nothing() {
    let config = "[button]\nsource = \"gpio\"\nchip = \"none\"\n[lamp]\nenabled = true\nchip = \"none\"\n";
    let daemon = Daemon::start(&format!("{config}{TEST_PATTERN}"));
    told_until(&daemon, "READY=1");
    let warnings = daemon.get("/api/v1/system").json()["warnings"].to_string();
    for part in ["button", "lamp"] {
        let words = format!("The {part} does not work: there is no GPIO chip none; ");
        assert!(warnings.contains(&words), "{warnings}");
    }
    assert_eq!(daemon.get("/readyz").status, 200);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_socket_that_systemd_has_bound_is_served_beside_the_configured_ones() {
    let bound = TcpListener::bind("[::1]:0").unwrap();
    let address = bound.local_addr().unwrap();
    fcntl_setfd(&bound, FdFlags::empty()).unwrap();
    let number = bound.as_raw_fd().to_string();
    let dir = tempfile::tempdir().unwrap();
    let handed_over = [("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", number.as_str())];
    // The same address again, as a person may write it who does not know of perchd.socket.
    let config = format!("[server]\nlisten = [\"127.0.0.1:0\", \"{address}\"]\n");
    let daemon = Daemon::start_as_configured(dir.path(), &config, &handed_over);
    assert_ne!(daemon.address, address);
    drop(bound);

    for asked in [daemon.address, address] {
        let mut stream = TcpStream::connect(asked).unwrap();
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(Answer::read(stream).status, 200, "{asked}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_socket_for_tls_is_known_by_its_name_and_answers_once_there_is_a_certificate() {
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = bound.local_addr().unwrap();
    fcntl_setfd(&bound, FdFlags::empty()).unwrap();
    let number = bound.as_raw_fd().to_string();
    let dir = tempfile::tempdir().unwrap();
    let handed_over =
        [("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", number.as_str()), ("LISTEN_FDNAMES", "https")];
    let config = format!("[server]\nlisten = [\"127.0.0.1:0\"]\n[tls]\nlisten = [\"{address}\"]\n");
    let daemon = Daemon::start_as_configured(dir.path(), &config, &handed_over);
    drop(bound);
    let curl = || {
        let url = format!("https://{address}/healthz");
        Command::new("curl")
            .args(["--silent", "--insecure", "--max-time", "30", &url])
            .status()
            .unwrap()
            .success()
    };
    assert!(!curl(), "there is no certificate");
    let owner = Person::owner(&daemon, "olga");
    let on = owner.patch("/api/v1/https", &serde_json::json!({"enabled": true}));
    let shown = on.json()["trust_address"].as_str().unwrap().to_owned();
    assert!(shown.ends_with(&format!(":{}/trust", daemon.address.port())), "{shown}");
    assert!(curl());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn something_else_than_a_socket_from_systemd_is_refused_in_words() {
    let file = tempfile::tempfile().unwrap();
    fcntl_setfd(&file, FdFlags::empty()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_perchd"))
        .arg("--data-dir")
        .arg(dir.path())
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDS_FIRST_FD", file.as_raw_fd().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("perchd.socket"), "{said}");
}
