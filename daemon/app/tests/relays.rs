//! Streams are sent on to servers that nobody here wrote: nginx-rtmp and ffmpeg. What they keep is compared with what the camera program wrote.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::process::Command;
use support::packets::{Packet, as_flv, packets};
use support::people::Person;
use support::relaying::{
    KEY, Nginx, camera, check_kept, check_viewers, clip, free_port, kept, relaying, wait_for_segments,
};
use support::{Daemon, Signal};

#[test]
fn a_server_gets_every_picture_and_every_frame_of_sound_once_and_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-c:a", "aac"]);
    let port = free_port();
    let nginx = Nginx::start(dir.path(), port);
    let daemon = relaying(&clip, &[port]);
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 4);
    check_viewers(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    nginx.ends(Signal::QUIT);
    let files = kept(dir.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let pictures = check_kept(&as_flv(&clip), &files[0]);
    assert!(pictures > 150, "{pictures}");
}

#[test]
fn a_stream_without_sound_gets_a_silent_track() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-an"]);
    let port = free_port();
    let nginx = Nginx::start(dir.path(), port);
    let daemon = relaying(&clip, &[port]);
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 3);
    assert_eq!(daemon.stop(), Some(0));
    nginx.ends(Signal::QUIT);
    let kept = kept(dir.path()).remove(0);
    let (pictures, sound) = (packets(&kept, "v"), packets(&kept, "a"));
    let length = |packets: &[Packet]| packets.last().unwrap().dts - packets[0].dts;
    assert!((length(&pictures) - length(&sound)).abs() < 50.0, "{} {}", length(&pictures), length(&sound));
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&kept)
        .args(["-vn", "-f", "s16le", "-"])
        .output()
        .unwrap();
    assert!(decoded.stderr.is_empty(), "{}", String::from_utf8_lossy(&decoded.stderr));
    assert!(decoded.stdout.len() > 48_000 * 4 && decoded.stdout.iter().all(|byte| *byte == 0));
}

#[test]
fn ffmpeg_takes_the_stream_as_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-c:a", "aac", "-ar", "44100"]);
    let port = free_port();
    let file = dir.path().join("kept.flv");
    let mut ffmpeg = Command::new("ffmpeg")
        .args([
            "-loglevel",
            "error",
            "-nostdin",
            "-listen",
            "1",
            "-i",
            &format!("rtmp://127.0.0.1:{port}/live/{KEY}"),
        ])
        .args(["-c", "copy", "-copyts"])
        .arg(&file)
        .spawn()
        .unwrap();
    let daemon = relaying(&clip, &[port]);
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 4);
    assert_eq!(daemon.stop(), Some(0));
    // It ends when the stream is given back.
    ffmpeg.wait().unwrap();
    let pictures = check_kept(&as_flv(&clip), &file);
    assert!(pictures > 150, "{pictures}");
}

#[test]
fn a_server_that_is_killed_or_frozen_gets_the_stream_again_and_viewers_notice_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-c:a", "aac"]);
    let port = free_port();
    let nginx = Nginx::start(dir.path(), port);
    let daemon = relaying(&clip, &[port]);
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 1);
    nginx.ends(Signal::KILL);
    daemon.logged("the stream is not sent on");
    let nginx = Nginx::start(dir.path(), port);
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 1);
    nginx.signal(Signal::STOP);
    let line = daemon.logged("the stream is not sent on");
    assert!(line.contains("nothing for 4 s"), "{line}");
    nginx.signal(Signal::CONT);
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 1);
    check_viewers(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    nginx.ends(Signal::QUIT);
    let (source, files) = (as_flv(&clip), kept(dir.path()));
    assert!(files.len() >= 3, "{files:?}");
    let mut seen = std::collections::HashSet::new();
    for file in &files {
        check_kept(&source, file);
        assert!(
            packets(file, "v").into_iter().all(|packet| seen.insert(packet.hash)),
            "a picture was sent twice"
        );
    }
}

#[test]
fn a_refusal_is_said_in_the_servers_words_and_no_key_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-c:a", "aac"]);
    let port = free_port();
    let _nginx = Nginx::start(dir.path(), port);
    // Two publish under one name: nginx takes the first.
    let daemon = relaying(&clip, &[port, port]);
    let lines = daemon.logged_until("the server refused the stream");
    assert!(lines.last().unwrap().contains("NetStream.Publish.BadName"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(KEY)), "{lines:?}");
    check_viewers(&daemon);
}

/// How the only relay sends the only stream.
fn sent(who: &Person) -> Value {
    who.get("/api/v1/relays").json()["items"][0]["streams"][0].clone()
}

#[test]
fn owners_set_a_relay_up_on_the_page_and_streams_are_sent_there_if_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), &["-c:a", "aac"]);
    let port = free_port();
    let _nginx = Nginx::start(dir.path(), port);
    let daemon = Daemon::start(&camera(&clip));
    let ann = Person::owner(&daemon, "ann");
    let relay = json!({"name": "nginx", "url": format!("rtmp://127.0.0.1:{port}/live"), "key": KEY});
    assert_eq!(ann.post("/api/v1/relays", &relay).status, 201);
    assert_eq!(ann.post("/api/v1/relays", &relay).code(), "relay_taken");
    assert_eq!(Person::nobody(&daemon).get("/api/v1/relays").status, 401);
    let start = json!({"title": "Owls", "relays": ["nginx"]});
    let stream = ann.post("/api/v1/streams", &start).json();
    assert_eq!(stream["relays"], json!(["nginx"]), "{stream}");
    daemon.logged("takes the stream");
    wait_for_segments(&daemon, 2);
    let now = sent(&ann);
    assert_eq!(
        (&now["state"], &now["stream"], &now["detail"]),
        (&json!("live"), &stream["id"], &Value::Null),
        "{now}"
    );
    assert!(
        now["kbps"].as_u64().unwrap() > 0 && now["acknowledged_seconds_ago"].as_u64().unwrap() <= 2,
        "{now}"
    );
    assert_eq!(daemon.metric("perch_relay_live"), 1);
    let text = ann.get("/api/v1/relays").text();
    assert!(!text.contains(KEY), "{text}");

    // Another key: the server is told at once.
    assert_eq!(ann.patch("/api/v1/relays/nginx", &json!({"key": "another"})).status, 200);
    daemon.logged("takes the stream");
    assert!(sent(&ann)["connections"].as_u64().unwrap() >= 2);
    assert_eq!(ann.delete("/api/v1/relays/nginx").status, 204);
    daemon.logged("the stream is no longer sent on");
    assert_eq!(ann.get("/api/v1/relays").json()["items"], json!([]));
    check_viewers(&daemon);
    let names: Vec<_> = kept(dir.path()).iter().map(|file| file.file_name().unwrap().to_owned()).collect();
    assert!(names.iter().any(|name| name.to_str().unwrap().starts_with("another")), "{names:?}");
}
