//! Every stream that showed a picture is listed with one: of itself, in which something can be seen, or the one its user chose.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use support::Daemon;
use support::people::{NO_LIMITS, Person};

/// A program's camera: five seconds of black, then a picture. A key frame a second.
const LENS_CAP: &str = r#"
[[camera]]
name = "front"
source = "command"
command = ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=10", "-vf", "drawbox=t=fill:c=black:enable='lt(t,5)'",
    "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10", "-f", "h264", "-"]
"#;

/// The stream's picture: its address, and its mean brightness of 255.
fn listed(owner: &Person, id: &str) -> Option<(String, f64)> {
    let stream = owner.get(&format!("/api/v1/streams/{id}")).json();
    let url = stream["thumbnail_url"].as_str()?.to_owned();
    let answer = owner.get(&url);
    assert_eq!(answer.status, 200, "{url}: {}", answer.text());
    let picture = image::load_from_memory_with_format(&answer.body, image::ImageFormat::Jpeg).unwrap();
    let luma = picture.into_luma8();
    let sum: f64 = luma.pixels().map(|pixel| f64::from(pixel.0[0])).sum();
    Some((url, sum / luma.pixels().len() as f64))
}

fn wait_for<T>(daemon: &Daemon, mut look: impl FnMut() -> Option<T>) -> T {
    // Playlists come every two seconds.
    let mut next = 1;
    for _ in 0..30 {
        if let Some(found) = look() {
            return found;
        }
        let playlist = daemon.get("/media/live/index.m3u8").text();
        let first = playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        let count = playlist.lines().filter(|line| line.starts_with("#EXTINF")).count();
        next = first.map_or(next, |first| first.parse::<usize>().unwrap() + count);
        daemon.get(&format!("/media/live/index.m3u8?_HLS_msn={next}"));
    }
    panic!("not within a minute");
}

#[test]
fn a_stream_is_listed_with_an_early_picture_in_which_something_can_be_seen() {
    let daemon = Daemon::start(&format!("{NO_LIMITS}{LENS_CAP}"));
    let owner = Person::owner(&daemon, "olga");
    let started = owner.post("/api/v1/streams", &json!({"title": "Nest box", "record": false}));
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let (url, _) = wait_for(&daemon, || listed(&owner, &id));
    assert!(url.contains("?minute="), "of a live stream, what can be seen now: {url}");
    let kept = |of: &str| owner.get(&format!("/api/v1/streams/{of}/thumbnail.jpg"));
    let black = kept(&id).body;
    // The tries after 3, 6 and 12 s: one of them meets the picture.
    let seen = wait_for(&daemon, || Some(kept(&id).body).filter(|jpeg| *jpeg != black));
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    let (url, brightness) = listed(&owner, &id).unwrap();
    assert!(url.contains("?v="), "what has ended keeps its picture: {url}");
    assert!(brightness > 60.0, "{brightness}");
    assert_eq!(owner.get(&url).body, seen);

    // A stream that ends at once has its first picture.
    let started = owner.post("/api/v1/streams", &json!({"title": "Short", "record": false}));
    let short = started.json()["id"].as_str().unwrap().to_owned();
    wait_for(&daemon, || listed(&owner, &short));
    assert_eq!(owner.post(&format!("/api/v1/streams/{short}/stop"), &json!({})).status, 200);
    let (_, brightness) = listed(&owner, &short).unwrap();
    assert!(brightness < 30.0, "{brightness}");
    assert_ne!(owner.get(&format!("/api/v1/streams/{id}")).json()["thumbnail_url"], Value::Null);
}
