//! What keeps viewers from seeing a stream that is live, as the page shows it to its owner and to nobody else; `browser/advice.js` looks.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;

use support::Daemon;
use support::browser::walk;
use support::people::{NO_LIMITS, PASSWORD, Person};

/// 4:2:2, which most browsers do not play.
const CHROMA: &str = r#"
[[camera]]
name = "chroma"
source = "command"
width = 160
height = 120
frames_per_second = 10
command = ["sh", "-c", "exec ffmpeg -loglevel error -re -f lavfi -i testsrc2=s=160x120:r=10 -c:v libx264 -preset ultrafast -tune zerolatency -g 10 -threads 1 -pix_fmt yuv422p -f h264 -"]
"#;

#[test]
fn an_owner_reads_beside_the_stream_why_some_do_not_see_it() {
    let daemon = Daemon::start(&format!("{NO_LIMITS}{CHROMA}"));
    let owner = Person::owner(&daemon, "ann");
    let started = owner.post("/api/v1/streams", &json!({"title": "Owls", "camera": "chroma"}));
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    while owner.get(&format!("/media/{id}/index.m3u8")).status != 200 {}
    walk("advice", [daemon.url("").as_str(), "ann", PASSWORD, &id, "4:2:2 colour"]);
}
