//! The page in Chromium while what is behind it breaks: it plays on by itself, and nobody has to load it anew.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};
use support::browser::Script;
use support::{Daemon, TEST_PATTERN};

/// Milliseconds from when the daemon can serve again until a new picture is on the screen: the page looks for it every 8 s at most.
const BACK: u64 = 15_000;

/// A program that films six seconds and ends: the next seam is never far.
const SHORT_LIVED: &str = r#"
[live]
autostart = true
[[camera]]
name = "front"
source = "command"
width = 320
height = 180
frames_per_second = 25
command = ["ffmpeg", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t", "6", "-c:v", "libx264",
           "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-f", "h264", "-"]
"#;

fn unix_milliseconds() -> u128 {
    #[expect(clippy::disallowed_methods, reason = "compared with the time in the picture")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// Chromium, driven by `browser/seams.js`.
struct Browser {
    script: Script,
}

impl Browser {
    fn start() -> Self {
        let mut script = Script::start("seams", [""; 0]);
        assert_eq!(script.line(), "ready");
        Self { script }
    }

    /// Gives an order; how many milliseconds that took. The page is still the one that was opened.
    fn order(&mut self, order: &str) -> u64 {
        let seen = self.script.ask(order);
        println!("{order}: {seen}");
        assert_eq!(seen["loads"], 1, "the page was loaded anew");
        seen["took"].as_u64().unwrap()
    }
}

#[test]
fn it_plays_on_when_the_daemon_was_killed_and_started_again() {
    let mut browser = Browser::start();
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::ready_in(dir.path(), TEST_PATTERN);
    let address = daemon.address;
    browser.order(&format!("open {}", daemon.url("/")));
    browser.order("pictures 50");
    for _ in 0..2 {
        drop(daemon); // killed
        daemon = Daemon::start_at(dir.path(), TEST_PATTERN, address);
        daemon.told("READY=1");
        let took = browser.order(&format!("newer {}", unix_milliseconds()));
        assert!(took < BACK, "{took} ms");
        browser.order("pictures 50");
    }
}

#[test]
fn it_plays_on_when_a_cameras_program_dies() {
    let mut browser = Browser::start();
    let daemon = Daemon::ready(SHORT_LIVED);
    browser.order(&format!("open {}", daemon.url("/")));
    // Two deaths and what comes after them: more than was ever loaded ahead.
    for _ in 0..8 {
        let took = browser.order("pictures 50");
        assert!(took < BACK, "two seconds of pictures took {took} ms");
    }
    let playlist = daemon.get("/media/live/index.m3u8").text();
    let seams = playlist.matches("#EXT-X-DISCONTINUITY\n").count();
    assert!(seams >= 2, "{playlist}");
}
