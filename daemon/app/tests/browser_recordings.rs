//! Recordings in Chromium: play, seek, chat in step, clip, download, delete, undo; rewind while live and back. `browser/recording.js` does it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::people::{PASSWORD, Person};
use support::{Daemon, browser, recorded, run};

/// Milliseconds from pressing Live until the picture moves. The target is a second; a debug build on a busy machine gets more.
const BACK_TO_LIVE: u64 = 4000;

/// Where pictures of the screen go. Kept when somebody wants to look at them.
fn pictures(dir: &Path) -> PathBuf {
    let pictures = std::env::var_os("PERCH_TEST_PICTURES").map_or(dir.join("pictures"), Into::into);
    std::fs::create_dir_all(&pictures).unwrap();
    pictures
}

fn walk(daemon: &Daemon, pictures: &Path, stream: Option<&str>) -> Value {
    let output = Command::new("node")
        .args(["browser/recording.js", &daemon.url(""), PASSWORD])
        .arg(pictures)
        .args(stream)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
        .output()
        .expect("node is there: `make test` installs what the tests need");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["complaints"], Value::Array(vec![]), "the page complained");
    report
}

#[test]
fn a_recording_is_watched_clipped_downloaded_deleted_and_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let id = recorded::make(dir.path(), "public");
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    daemon.logged("made the small pictures");
    let whole = daemon.get(&format!("/media/{id}/recording.mp4")).body;
    let clip = daemon.get(&format!("/media/{id}/recording.mp4?from=4&to=7")).body;
    let pictures = pictures(dir.path());
    let report = walk(&daemon, &pictures, Some(&id));
    assert!(std::fs::read(pictures.join("whole.mp4")).unwrap() == whole);
    assert!(std::fs::read(pictures.join("clip.mp4")).unwrap() == clip);
    assert_eq!(report["downloads"][1], "Nest box, 2026-11-28 07.30.mp4");
    assert_eq!(daemon.get(&format!("/media/{id}/index.m3u8")).status, 404, "it was deleted in the end");
}

#[test]
fn a_live_stream_is_rewound_and_back_at_once_and_its_recording_is_played() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    let _owner = Person::owner(&daemon, "olga");
    let pictures = pictures(dir.path());
    let report = walk(&daemon, &pictures, None);
    let name = report["downloads"][0].as_str().unwrap();
    assert!(name.starts_with("Nest box, ") && name.ends_with(", so far.mp4"), "{name}");
    run("ffmpeg", &["-v", "error", "-xerror", "-i", "so-far.mp4", "-f", "null", "-"], &pictures);
    let took = report["backToLive"].as_u64().unwrap();
    println!("back to live in {took} ms");
    assert!(took < BACK_TO_LIVE, "{took} ms");
}

/// A camera that gives no picture.
const DARK: &str = "[[camera]]\nname = \"dark\"\nsource = \"command\"\ncommand = [\"sleep\", \"600\"]\n";

#[test]
fn lists_offer_no_stream_without_a_picture_and_tell_the_size_only_to_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let id = recorded::make(dir.path(), "public");
    let daemon = Daemon::start_in(dir.path(), &format!("{}{DARK}", recorded::config()));
    let owner = Person::login(&daemon, "olga");
    Person::register(&daemon, "ben");
    let asked = json!({"title": "Dark", "camera": "dark", "record": true});
    let started = owner.post("/api/v1/streams", &asked);
    assert_eq!(started.status, 201, "{}", started.text());
    let dark = started.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(owner.post(&format!("/api/v1/streams/{dark}/stop"), &json!({})).status, 200);
    for list in ["streams", "streams?state=recorded", "streams?user=olga", "streams?q=dark", "recordings"] {
        let listed = owner.get(&format!("/api/v1/{list}")).json();
        assert!(!listed["items"].to_string().contains(&dark), "{list}: {listed}");
    }

    let bytes = owner.get(&format!("/api/v1/recordings/{id}")).json()["bytes"].as_f64().unwrap();
    let size = format!("{} MiB", (bytes / f64::from(1 << 20)).round());
    let arguments = [&daemon.url(""), PASSWORD, "/u/olga", "olga", "ben"];
    let report = browser::walk("lists", arguments);
    for (username, is_theirs) in [("", false), ("ben", false), ("olga", true)] {
        for (list, cards) in report["seen"][username].as_object().unwrap() {
            let [card] = &cards.as_array().unwrap()[..] else { panic!("{username}, {list}: {cards}") };
            let card = card.as_str().unwrap();
            assert!(card.contains("Nest box") && card.contains("0:20"), "{username}, {list}: {card}");
            assert_eq!(card.contains(&size), is_theirs, "{username}, {list}: {card}, {size}");
        }
    }
}
