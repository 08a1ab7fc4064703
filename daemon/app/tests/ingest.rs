//! Programs send streams by RTMP: what they send is on the page, in HLS and in the recording as it was sent.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::Daemon;
use support::packets::{Packet, as_flv, packets};
use support::people::{NO_LIMITS, Person};

const CONFIG: &str = "
[ingest]
listen = [\"127.0.0.1:0\"]
[[camera]]
name = \"front\"
source = \"test-pattern\"
encoder = \"software\"
width = 320
height = 180
frames_per_second = 10
tone = true
";

/// A daemon whose owner has switched ingest on, and the address for programs.
fn house() -> (Daemon, String) {
    let daemon = Daemon::start(&format!("{CONFIG}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let off = owner.get("/api/v1/me/ingest").json();
    assert_eq!(off["enabled"], false, "{off}");
    let switched = owner.patch(
        "/api/v1/settings",
        &json!({"ingest": true, "registration": "open", "new_user_role": "streamer"}),
    );
    assert_eq!(switched.status, 200, "{}", switched.text());
    let line = daemon.logged("programs can send streams to");
    let address = line.split_whitespace().find(|word| word.starts_with("rtmp://")).unwrap().to_owned();
    (daemon, address)
}

/// A person's key, and what their stream is begun with.
fn prepared(person: &Person<'_>, details: &Value) -> String {
    let answer = person.patch("/api/v1/me/ingest", details);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let made = person.post("/api/v1/me/ingest/key", &json!({})).json();
    made["key"].as_str().unwrap().to_owned()
}

/// x264 with B-frames and AAC; no two pictures are the same.
fn clip(folder: &Path, seconds: u32) -> PathBuf {
    let file = folder.join("clip.mp4");
    let picture = format!("testsrc=s=160x90:r=25:d={seconds},noise=alls=20:allf=t");
    let sound = format!("anoisesrc=d={seconds}:r=44100:a=0.2");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-y"])
        .args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args([
            "-c:v",
            "libx264",
            "-bf",
            "2",
            "-b_strategy",
            "0",
            "-g",
            "25",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
        ])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    file
}

/// ffmpeg, which sends a clip at the pace of time.
fn send(clip: &Path, to: &str) -> Child {
    Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-re", "-i"])
        .arg(clip)
        .args(["-c", "copy", "-f", "flv", to])
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Every packet of `sent` is in `came` once, in order, byte for byte, and at its time to a millisecond after the shift of the first picture. Frames of sound
/// before the first picture may be missing.
fn is_all_of(came: &Path, sent: &Path) {
    let first = |file: &Path| packets(file, "v")[0].dts;
    let shift = first(came) - first(sent);
    for (kind, may_lack) in [("v", 0), ("a", 2)] {
        let (came, sent) = (packets(came, kind), packets(sent, kind));
        let lacks =
            sent.len().checked_sub(came.len()).unwrap_or_else(|| panic!("{} of {}", came.len(), sent.len()));
        assert!(lacks <= may_lack, "{kind}: {} of {} came", came.len(), sent.len());
        for (ours, theirs) in came.iter().zip(&sent[lacks..]) {
            assert_eq!(ours.hash, theirs.hash, "{ours:?} {theirs:?}");
            let off = [ours.pts - theirs.pts - shift, ours.dts - theirs.dts - shift];
            // The sender's rounding, ours, and that of ffmpeg's FLV.
            assert!(off.iter().all(|off| off.abs() <= 1.5), "{kind} {off:?} {ours:?} {theirs:?}");
        }
    }
}

/// The one stream that is on the air and no camera's.
fn on_air(person: &Person<'_>) -> Vec<Value> {
    let all = person.get("/api/v1/streams?state=live").json();
    let items = all["items"].as_array().unwrap_or_else(|| panic!("{all}"));
    items.iter().filter(|stream| stream["camera"] != "front").cloned().collect()
}

/// All segments of an ended stream, one after the other.
fn segments(person: &Person<'_>, id: &str) -> Vec<u8> {
    let playlist = person.get(&format!("/media/{id}/index.m3u8"));
    let playlist = m3u8_rs::parse_media_playlist_res(&playlist.body).unwrap();
    assert!(playlist.end_list && playlist.segments.iter().skip(1).all(|segment| !segment.discontinuity));
    let fetch = |segment: &m3u8_rs::MediaSegment| person.get(&format!("/media/{id}/{}", segment.uri)).body;
    playlist.segments.iter().flat_map(fetch).collect()
}

#[test]
fn what_a_program_sends_is_in_hls_and_in_the_recording_as_it_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), 6);
    let (daemon, address) = house();
    let ann = Person::register(&daemon, "ann");
    let key = prepared(&ann, &json!({"title": "Owls", "record": true}));
    let mut program = send(&clip, &format!("{address}/{key}"));
    daemon.logged("a program sends a stream");
    daemon.logged("on the air");
    let live = on_air(&ann).remove(0);
    assert_eq!((&live["title"], &live["width"]), (&json!("Owls"), &json!(160)), "{live}");
    let id = live["id"].as_str().unwrap();
    assert!(program.wait().unwrap().success());
    daemon.logged("the stream has ended");
    let ended = ann.get(&format!("/api/v1/streams/{id}")).json();
    assert_eq!((&ended["state"], &ended["end_reason"]), (&json!("ended"), &json!("user")), "{ended}");

    let hls = dir.path().join("hls.ts");
    std::fs::write(&hls, segments(&ann, id)).unwrap();
    is_all_of(&as_flv(&hls), &as_flv(&clip));
    let recording = dir.path().join("recording.mp4");
    std::fs::write(&recording, ann.get(&format!("/media/{id}/recording.mp4")).body).unwrap();
    is_all_of(&as_flv(&recording), &as_flv(&clip));
    assert_eq!(daemon.metric("perch_hls_lagged_total"), 0);
    let secrets = std::fs::read(daemon.data_dir.join("perch.redb")).unwrap();
    assert!(!secrets.is_empty() && daemon.stop() == Some(0));
}

#[test]
fn several_programs_and_a_camera_are_live_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), 10);
    let (daemon, address) = house();
    let people = ["ann", "ben", "cleo"].map(|name| Person::register(&daemon, name));
    let started = people[0].post("/api/v1/streams", &json!({"title": "Nest box"}));
    assert_eq!(started.status, 201, "{}", started.text());
    daemon.logged("on the air");
    let keys = people.each_ref().map(|person| prepared(person, &json!({})));
    let programs = keys.each_ref().map(|key| send(&clip, &format!("{address}/{key}")));
    for _ in &programs {
        daemon.logged("on the air");
    }
    assert_eq!(on_air(&people[0]).len(), 3);
    for mut program in programs {
        assert!(program.wait().unwrap().success());
        daemon.logged("the stream has ended");
    }
    let camera = people[0].get("/api/v1/cameras").json();
    assert_eq!(camera["items"][0]["state"], "live", "{camera}");
    assert_eq!(daemon.metric("perch_hls_lagged_total"), 0);
}

#[test]
fn a_key_that_is_renewed_and_a_switch_that_is_thrown_end_what_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), 30);
    let (daemon, address) = house();
    let ann = Person::register(&daemon, "ann");
    let key = prepared(&ann, &json!({"title": "Owls"}));
    let mut program = send(&clip, &format!("{address}/{key}"));
    daemon.logged("on the air");
    let renewed = ann.post("/api/v1/me/ingest/key", &json!({}));
    assert_eq!(renewed.status, 201, "{}", renewed.text());
    assert!(!program.wait().unwrap().success());
    let mut again = send(&clip, &format!("{address}/{key}"));
    daemon.logged("this stream key is not known");
    assert!(!again.wait().unwrap().success());

    let ben = Person::register(&daemon, "ben");
    let mut program = send(&clip, &format!("{address}/{}", prepared(&ben, &json!({}))));
    daemon.logged("on the air");
    let owner = Person::login(&daemon, "olga");
    assert_eq!(owner.patch("/api/v1/settings", &json!({"ingest": false})).status, 200);
    assert!(!program.wait().unwrap().success());
    daemon.logged("streams from other programs are switched off");
    assert_eq!(daemon.stop(), Some(0));
}

/// The far end of a relay is a Perch like this one.
#[test]
fn a_stream_is_relayed_from_one_perch_to_another() {
    let (far, address) = house();
    let ann = Person::register(&far, "ann");
    let key = prepared(&ann, &json!({"title": "From afar", "record": true}));
    let relay = format!("[[relay]]\nname = \"far\"\nurl = {address:?}\nkey = {key:?}\n");
    let camera = CONFIG.split_once("[[camera]]").unwrap().1;
    let near =
        Daemon::start(&format!("[live]\nautostart = true\n[[camera]]{camera}relays = [\"far\"]\n{relay}"));
    far.logged("on the air");
    let id = on_air(&ann)[0]["id"].as_str().unwrap().to_owned();
    near.logged("takes the stream");
    // Some seconds of it.
    let playlist = |query: &str| {
        let answer = ann.get(&format!("/media/{id}/index.m3u8{query}"));
        m3u8_rs::parse_media_playlist_res(&answer.body).unwrap()
    };
    let first = playlist("");
    let last = first.media_sequence + first.segments.len() as u64;
    for sequence in last..last + 3 {
        playlist(&format!("?_HLS_msn={sequence}"));
    }
    assert_eq!(near.stop(), Some(0));
    far.logged("the program has ended its stream");
    far.logged("the stream has ended");
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("recording.mp4");
    std::fs::write(&recording, ann.get(&format!("/media/{id}/recording.mp4")).body).unwrap();
    let (pictures, sound) = (packets(&recording, "v"), packets(&recording, "a"));
    assert!(pictures.len() > 20 && sound.len() > pictures.len(), "{} {}", pictures.len(), sound.len());
    let steps =
        |packets: &[Packet]| packets.windows(2).map(|pair| pair[1].dts - pair[0].dts).collect::<Vec<_>>();
    assert!(steps(&pictures).iter().all(|step| (50.0..400.0).contains(step)), "{:?}", steps(&pictures));
    assert!(steps(&sound).iter().all(|step| (20.0..24.0).contains(step)), "{:?}", steps(&sound));
}
