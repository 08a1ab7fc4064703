//! Sixteen streams at once, from test patterns and camera programs: each plays, the site and the store answer, and each costs bounded memory.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::fmt::Write as _;
use support::Daemon;
use support::people::{NO_LIMITS, Person};

const STREAMS: usize = 16;
/// Of them, those from camera programs.
const PROGRAMS: usize = 4;

fn cameras() -> String {
    (0..STREAMS).fold(NO_LIMITS.to_owned(), |mut config, number| {
        write!(config, "\n[[camera]]\nname = \"camera-{number}\"\nwidth = 160\nheight = 120\n").unwrap();
        if number < PROGRAMS {
            let film = "ffmpeg -loglevel error -re -f lavfi -i testsrc2=s=160x120:r=5 -c:v libx264 -preset ultrafast \
                        -tune zerolatency -g 10 -threads 1 -f h264 -";
            let words: Vec<_> = film.split_whitespace().map(|word| format!("\"{word}\"")).collect();
            write!(config, "source = \"command\"\nframes_per_second = 5\ncommand = [{}]\n", words.join(", ")).unwrap();
        } else {
            config.push_str("source = \"test-pattern\"\nframes_per_second = 5\nbitrate_kbps = 100\n");
        }
        config
    })
}

#[test]
fn sixteen_streams_play_at_once_and_the_store_answers() {
    let daemon = Daemon::start(&cameras());
    let owner = Person::owner(&daemon, "olive");
    let mut streams = Vec::new();
    let before = daemon.resident_bytes();
    for number in 0..STREAMS {
        let started =
            owner.post("/api/v1/streams", &json!({"title": "Owls", "camera": format!("camera-{number}")}));
        assert_eq!(started.status, 201, "{}", started.text());
        let id = started.json()["id"].as_str().unwrap().to_owned();
        // The answer waits for the first segment for some seconds.
        while owner.get(&format!("/media/{id}/index.m3u8")).status != 200 {}
        streams.push(id);
        let each = (daemon.resident_bytes().saturating_sub(before) >> 10) / (number as u64 + 1);
        println!("{} streams: {each} KiB each", number + 1);
    }
    for id in &streams {
        let playlist = owner.get(&format!("/media/{id}/index.m3u8")).text();
        let segment = playlist.lines().rfind(|line| !line.starts_with('#')).unwrap().to_owned();
        let segment = owner.get(&format!("/media/{id}/{segment}"));
        assert_eq!((segment.status, segment.body.first()), (200, Some(&0x47)), "{id}");
    }
    let changed = owner.patch(&format!("/api/v1/streams/{}", streams[0]), &json!({"title": "Kites"}));
    assert_eq!(changed.status, 200, "{}", changed.text());
    let live = owner.get("/api/v1/streams?state=live&limit=100").json();
    assert_eq!(live["items"].as_array().unwrap().len(), STREAMS);
    assert_eq!(daemon.get("/readyz").status, 200);
    let featured = &owner.get(&format!("/api/v1/streams/{}", streams[0])).json()["featured"];
    assert_eq!(featured, "chosen", "the one that is live the longest");
    for (method, status, says) in [("PUT", 204, json!("pinned")), ("DELETE", 204, json!(null))] {
        let pinned = format!("/api/v1/streams/{}", streams[5]);
        let answer = match method {
            "PUT" => owner.put(&format!("{pinned}/featured"), &json!({})),
            _ => owner.delete(&format!("{pinned}/featured")),
        };
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(owner.get(&pinned).json()["featured"], says);
    }
    assert_eq!(daemon.stop(), Some(0));
}
