//! Camera programs that give what browsers do not play, or nothing that is H.264, beside one that is well: each is told in words, and the good one
//! plays on.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::fmt::Write as _;
use support::Daemon;
use support::people::{NO_LIMITS, Person};

/// Ten small pictures a second, as fast as they are shown.
const PICTURES: &str = "ffmpeg -loglevel error -re -f lavfi -i testsrc2=s=160x120:r=10";
const X264: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 10 -threads 1";

/// Name, program, what its camera is then, and what is said of it.
fn programs() -> Vec<(&'static str, String, &'static str, &'static str)> {
    vec![
        ("well", format!("exec {PICTURES} {X264} -pix_fmt yuv420p -f h264 -"), "live", ""),
        ("chroma", format!("exec {PICTURES} {X264} -pix_fmt yuv422p -f h264 -"), "live", "4:2:2 colour"),
        (
            "depth",
            format!("exec {PICTURES} {X264} -pix_fmt yuv420p10le -f mpegts -"),
            "live",
            "10 bits a sample",
        ),
        // Each byte is a write of its own.
        (
            "bytes",
            format!("{PICTURES} {X264} -pix_fmt yuv420p -f h264 - | exec dd bs=1 status=none"),
            "live",
            "",
        ),
        (
            "hevc",
            format!(
                "exec {PICTURES} -c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1 -f mpegts -"
            ),
            "waiting",
            "H.265 (HEVC) and no H.264",
        ),
        ("garbage", "exec cat /dev/urandom".to_owned(), "waiting", "it writes, but no H.264"),
        // A camera that comes back each time, for a second.
        (
            "ends",
            format!("exec {PICTURES} {X264} -t 1 -pix_fmt yuv420p -f h264 -"),
            "",
            "ended with exit status: 0",
        ),
    ]
}

fn config() -> String {
    programs().iter().fold(format!("{NO_LIMITS}[live]\nsegment_seconds = 1\n"), |mut config, (name, program, ..)| {
        let command = format!("[\"sh\", \"-c\", \"{program}\"]");
        write!(
            config,
            "\n[[camera]]\nname = \"{name}\"\nsource = \"command\"\nwidth = 160\nheight = 120\nframes_per_second = 10\ncommand = {command}\n"
        )
        .unwrap();
        config
    })
}

fn camera(person: &Person<'_>, name: &str) -> Value {
    person.get(&format!("/api/v1/cameras/{name}")).json()
}

/// The good stream, whose segments tell how time goes by.
struct Beat<'a> {
    owner: &'a Person<'a>,
    stream: &'a str,
}

impl Beat<'_> {
    /// Waits for its next segment.
    fn wait(&self) {
        let playlist = format!("/media/{}/index.m3u8", self.stream);
        let text = self.owner.get(&playlist).text();
        let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        let first: u64 = first.expect("it plays").parse().unwrap();
        let next = first + text.lines().filter(|line| !line.starts_with('#')).count() as u64;
        let answer = self.owner.get(&format!("{playlist}?_HLS_msn={next}"));
        assert_eq!(answer.status, 200, "the good stream goes on");
    }

    /// Waits until it is so, for 60 segments at most, each of them a second.
    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        assert!(
            (0..60).any(|_| is_so() || {
                self.wait();
                false
            }),
            "never: {what}"
        );
    }
}

#[test]
fn what_a_program_does_wrong_is_told_and_costs_the_others_nothing() {
    let daemon = Daemon::start(&config());
    let owner = Person::owner(&daemon, "ann");
    let mut streams = Vec::new();
    for (name, ..) in programs() {
        let started = owner.post("/api/v1/streams", &json!({"title": name, "camera": name}));
        assert_eq!(started.status, 201, "{name}: {}", started.text());
        streams.push(started.json()["id"].as_str().unwrap().to_owned());
    }
    while owner.get(&format!("/media/{}/index.m3u8", streams[0])).status != 200 {}
    let beat = Beat { owner: &owner, stream: &streams[0] };
    for ((name, _, state, words), id) in programs().iter().zip(&streams) {
        let mut said = Value::Null;
        beat.until(&format!("{name} is {state}, {words}"), || {
            let camera = camera(&owner, name);
            said = camera["detail"].clone();
            (state.is_empty() || camera["state"] == *state)
                && said
                    .as_str()
                    .is_some_and(|said| said.contains(words) && (said.is_empty() == words.is_empty()))
        });
        // The streamer reads the same beside the stream, and viewers do not.
        if !state.is_empty() {
            let shown = owner.get(&format!("/api/v1/streams/{id}")).json()["detail"].clone();
            assert_eq!(shown, if words.is_empty() { Value::Null } else { said }, "{name}");
            let viewer = Person::nobody(&daemon).get(&format!("/api/v1/streams/{id}")).json();
            assert_eq!(viewer["detail"], Value::Null, "{name}");
        }
    }
    // What can be played plays, and so does the stream whose program ends each second, with seams.
    for ((name, _, state, _), id) in
        programs().iter().zip(&streams).filter(|((_, _, state, _), _)| *state != "waiting")
    {
        let playlist = || owner.get(&format!("/media/{id}/index.m3u8"));
        beat.until(name, || playlist().status == 200);
        beat.until(name, || !state.is_empty() || playlist().text().contains("#EXT-X-DISCONTINUITY\n"));
    }
    assert!(daemon.resident_bytes() < 160 << 20, "{} bytes", daemon.resident_bytes());
    assert_eq!(daemon.stop(), Some(0));
}
