//! The page in Chromium: a minute of the live stream, watched by a browser that knows nothing of the daemon's insides.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use support::browser::Script;
use support::{Daemon, TEST_PATTERN};

const SECONDS: u32 = 60;

/// Milliseconds from the daemon's start to the first picture on the screen.
const FIRST_PICTURE: i64 = 3000;
/// Milliseconds from the daemon's start until the picture moves: one and a half segments of 2 s and what a loaded machine adds.
const MOVES: i64 = 5000;
/// Between two pictures on the screen, milliseconds: with something left to play a gap is a browser that gets no processor, and
/// no machine that runs this test starves it for so long.
const LONGEST_GAP: f64 = 3000.0;

/// Less than this left to play is nothing, seconds.
const STARVED: f64 = 0.25;

fn unix_milliseconds() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "compared with the browser's clock")]
    let now = SystemTime::now();
    i64::try_from(now.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn number(of: &Value, key: &str) -> f64 {
    of[key].as_f64().unwrap_or_else(|| panic!("no {key}: {of}"))
}

/// `browser/play.js`, once it runs: that takes seconds on a small machine, and they are not the daemon's.
fn player(screenshot: &Path) -> Script {
    let mut script = Script::start("play", [SECONDS.to_string().as_ref(), screenshot.as_os_str()]);
    assert_eq!(script.line(), "ready");
    script
}

#[test]
fn a_minute_plays_without_a_stall_at_most_one_segment_behind() {
    let screenshot = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    let mut browser = player(screenshot.path());
    let started = unix_milliseconds();
    let daemon = Daemon::start(TEST_PATTERN);
    let report = browser.ask(&daemon.url("/"));
    let page = &report["page"];

    // hls.js's word for a picture that stands still; how long it does is measured below, at the screen.
    let complaints =
        report["complaints"].as_array().unwrap().iter().filter(|said| *said != "player: bufferStalledError");
    assert_eq!(complaints.count(), 0, "the page complained: {}", report["complaints"]);
    assert_eq!(report["failures"], Value::Array(vec![]), "requests failed");
    assert_eq!(page["state"], "Live");

    let first_picture = page["firstPicture"].as_i64().unwrap() - started;
    println!("first picture {first_picture} ms after the daemon's start, latency {}", page["latency"]);
    assert!(first_picture < FIRST_PICTURE, "first picture after {first_picture} ms");

    // Once it plays it never runs dry. (With something left to play, `waiting` is a browser that gets no processor.)
    let events = page["events"].as_array().unwrap().iter();
    let dry = |event: &&Value| event["name"] == "waiting" && number(event, "ahead") < STARVED;
    let stalls: Vec<_> = events.skip_while(|event| event["name"] != "playing").filter(dry).collect();
    assert!(stalls.is_empty(), "ran dry: {stalls:?}");
    let gap = page["longestGap"].as_f64().unwrap();
    assert!(gap < LONGEST_GAP, "{gap} ms between two pictures, at {} s", page["gapAt"]);

    let samples = page["samples"].as_array().unwrap();
    assert!(samples.len() as u32 > SECONDS, "{} samples", samples.len());
    let number =
        |sample: &Value, key: &str| sample[key].as_f64().unwrap_or_else(|| panic!("no {key}: {sample}"));
    // At the beginning of a stream the first picture stands until the player will not run dry (player.js).
    let began = page["events"].as_array().unwrap().iter().find(|event| event["name"] == "playing").unwrap();
    let began_at = began["at"].as_i64().unwrap();
    println!("it moves {} ms after the daemon's start", began_at - started);
    assert!(began_at - started < MOVES, "it moves {} ms after the daemon's start", began_at - started);
    let moving: Vec<_> =
        samples.iter().filter(|sample| sample["now"].as_i64().unwrap() >= began_at).collect();
    for pair in moving.windows(4) {
        let (earlier, later) = (pair[0], pair[3]);
        assert!(number(later, "time") > number(earlier, "time"), "time stands still: {earlier} {later}");
        assert!(
            number(later, "made") > number(earlier, "made"),
            "the picture stands still: {earlier} {later}"
        );
    }
    // Whole segments: in steady state this is 0 or 1. The first segments of a stream are shorter, and of them it may be one and a
    // part, for the player stands one and a half behind the newest picture.
    for sample in samples {
        assert!(number(sample, "segmentsBehind").round() <= 1.0, "too far behind: {sample}");
    }
}
