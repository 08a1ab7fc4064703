//! The page in Chromium: a minute of the live stream, watched by a browser that knows nothing of the daemon's insides.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use support::{Daemon, TEST_PATTERN, run};

const SECONDS: u32 = 60;

/// Milliseconds from the daemon's start to the first picture on the screen.
const FIRST_PICTURE: i64 = 3000;
/// Between two pictures on the screen: more would be seen as a stall. The test machine codes, plays and compiles at once.
const LONGEST_GAP: f64 = 1000.0;

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

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn a_minute_plays_without_a_stall_at_most_one_segment_behind() {
    let started = unix_milliseconds();
    let daemon = Daemon::start(TEST_PATTERN);
    let screenshot = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    let script = "daemon/app/tests/browser/play.js";
    let args = [script, &daemon.url("/"), &SECONDS.to_string(), screenshot.path().to_str().unwrap()];
    let output = run("node", &args, repository());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let page = &report["page"];

    // hls.js's word for a picture that stands still; how long it does is measured below, at the screen.
    let complaints =
        report["complaints"].as_array().unwrap().iter().filter(|said| *said != "player: bufferStalledError");
    assert_eq!(complaints.count(), 0, "the page complained: {}", report["complaints"]);
    assert_eq!(report["failures"], Value::Array(vec![]), "requests failed");
    assert_eq!(page["state"], "Live");

    // The browser itself takes seconds to start on a small machine; they are not the daemon's.
    let browser = report["opened"].as_i64().unwrap() - started;
    let first_picture = page["firstPicture"].as_i64().unwrap() - report["opened"].as_i64().unwrap();
    println!("browser after {browser} ms, first picture {first_picture} ms later, {}", page["latency"]);
    assert!(first_picture < FIRST_PICTURE, "first picture after {first_picture} ms");

    // Once it plays it never runs dry. (With something left to play, `waiting` is a browser that gets no processor.)
    let events = page["events"].as_array().unwrap().iter();
    let dry = |event: &&Value| event["name"] == "waiting" && number(event, "ahead") < STARVED;
    let stalls: Vec<_> = events.skip_while(|event| event["name"] != "playing").filter(dry).collect();
    assert!(stalls.is_empty(), "ran dry: {stalls:?}");
    let gap = page["longestGap"].as_f64().unwrap();
    assert!(gap < LONGEST_GAP, "{gap} ms between two pictures");

    let samples = page["samples"].as_array().unwrap();
    assert!(samples.len() as u32 > SECONDS, "{} samples", samples.len());
    let number =
        |sample: &Value, key: &str| sample[key].as_f64().unwrap_or_else(|| panic!("no {key}: {sample}"));
    for pair in samples.windows(4) {
        let (earlier, later) = (&pair[0], &pair[3]);
        assert!(number(later, "time") > number(earlier, "time"), "time stands still: {earlier} {later}");
        assert!(
            number(later, "made") > number(earlier, "made"),
            "the picture stands still: {earlier} {later}"
        );
    }
    for sample in samples {
        assert!(number(sample, "segmentsBehind") <= 1.0, "too far behind: {sample}");
    }
}
