//! Small pictures along a recording's time line, made by a daemon at work and read by others.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use image::RgbImage;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use support::people::Person;
use support::{Answer, Daemon, Signal, recorded, run};

/// Where the API says that the pictures are, once they have been made.
fn track(daemon: &Daemon, id: &str) -> String {
    daemon.logged("made the small pictures");
    let details = daemon.get(&format!("/api/v1/recordings/{id}")).json();
    details["thumbnails_url"].as_str().unwrap().to_owned()
}

/// A cue: from, to (seconds), sheet, and left, top, width, height on it.
type Cue = (f64, f64, String, [u32; 4]);

/// As ffprobe reads `WebVTT`.
fn cues(answer: &Answer, dir: &Path) -> Vec<Cue> {
    std::fs::write(dir.join("track.vtt"), &answer.body).unwrap();
    let options = ["-v", "error", "-f", "webvtt", "-show_packets", "-show_data", "-of", "json", "track.vtt"];
    let read: Value = serde_json::from_slice(&run("ffprobe", &options, dir).stdout).unwrap();
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let text = answer.text();
    let mut payloads = text.lines().filter(|line| line.contains("#xywh="));
    let cues = read["packets"].as_array().unwrap().iter().map(|packet| {
        let (sheet, place) = payloads.next().unwrap().split_once("#xywh=").unwrap();
        let place: Vec<u32> = place.split(',').map(|number| number.parse().unwrap()).collect();
        let from = number(&packet["pts_time"]);
        (from, from + number(&packet["duration_time"]), sheet.to_owned(), place.try_into().unwrap())
    });
    cues.collect()
}

fn sheet(answer: &Answer) -> RgbImage {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/jpeg")));
    image::load_from_memory_with_format(&answer.body, image::ImageFormat::Jpeg).unwrap().into_rgb8()
}

#[test]
fn each_second_has_its_picture_and_all_are_gone_with_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    let id = recorded::make(dir.path(), "public");
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    let (owner, nobody) = (Person::login(&daemon, "olga"), Person::nobody(&daemon));
    let address = track(&daemon, &id);
    let answer = daemon.get(&address);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/vtt; charset=utf-8")));
    let cues = cues(&answer, dir.path());
    assert_eq!(cues.len(), 10, "one each two seconds");
    let folder = address.rsplit_once('/').unwrap().0;
    let mut sheets = HashMap::new();
    let mut expected_from = 0.0;
    for (from, to, name, [left, top, width, height]) in &cues {
        assert!((from - expected_from).abs() < 0.01 && to > from, "{cues:?}");
        expected_from = *to;
        let sheet =
            sheets.entry(name.clone()).or_insert_with(|| sheet(&daemon.get(&format!("{folder}/{name}"))));
        assert_eq!((*width, *height), (160, 120));
        let seen = sheet.get_pixel(left + width / 2, top + height / 12).0[1];
        let luma = (i32::from(recorded::band(from.round() as u64)) - 16) * 255 / 219;
        assert!((i32::from(seen) - luma).abs() < 12, "at {from} s: {seen}, not {luma}");
    }
    assert!(
        (expected_from - f64::from(recorded::SECONDS)).abs() < 0.2,
        "the last one ends with the recording"
    );

    // As every other address of a recording: tags, ranges of rights, and gone at once.
    let first = format!("{folder}/thumbnails-1.jpg");
    for address in [&address, &first] {
        let answer = daemon.get(address);
        assert_eq!(answer.header("cache-control"), Some("public, no-cache"));
        let tag = answer.header("etag").unwrap();
        assert_eq!(daemon.ask("GET", address, &[("If-None-Match", tag)]).status, 304);
        assert_eq!(daemon.ask("HEAD", address, &[]).status, 200);
    }
    for nowhere in ["thumbnails-2.jpg", "thumbnails-0.jpg", "thumbnails-01.jpg", "thumbnails-x.jpg"] {
        assert_eq!(daemon.get(&format!("{folder}/{nowhere}")).status, 404, "{nowhere}");
    }
    let members = json!({"visibility": "members"});
    assert_eq!(owner.patch(&format!("/api/v1/streams/{id}"), &members).status, 200);
    for address in [&address, &first] {
        assert_eq!((nobody.get(address).status, owner.get(address).status), (404, 200), "{address}");
    }
    // They count, and go with the recording.
    let board = || {
        let files = std::fs::read_dir(daemon.data_dir.join("recordings")).unwrap();
        files
            .map(|file| file.unwrap())
            .find(|file| file.path().extension().is_some_and(|it| it == "storyboard"))
    };
    let bytes = board().unwrap().metadata().unwrap().len();
    let used = owner.get("/api/v1/storage").json()["used_bytes"].as_u64().unwrap();
    let files = std::fs::read_dir(daemon.data_dir.join("recordings")).unwrap();
    let all: u64 = files
        .map(|file| file.unwrap())
        .filter(|file| file.path().extension().is_some_and(|it| it != "json"))
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert_eq!(used, all, "of which {bytes} are small pictures");
    assert_eq!(owner.delete(&format!("/api/v1/recordings/{id}")).status, 204);
    for address in [&address, &first] {
        assert_eq!(owner.get(address).status, 404, "{address}");
    }
}

#[test]
fn what_is_missing_after_a_restart_is_made_again_and_a_strangers_file_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let id = recorded::make(dir.path(), "public");
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    let before = daemon.get(&track(&daemon, &id)).text();
    let folder = daemon.data_dir.join("recordings");
    assert_eq!(daemon.stop(), Some(0));
    let board = || {
        let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|it| it == "storyboard")).unwrap()
    };
    let whole = std::fs::read(board()).unwrap();
    for left in [&whole[..whole.len() - 7], b"another program's file, that has this name by chance"] {
        std::fs::write(board(), left).unwrap();
        let daemon = Daemon::start_in(dir.path(), &recorded::config());
        daemon.logged("made the small pictures");
        assert!(std::fs::read(board()).unwrap() == whole);
        assert_eq!(daemon.get(&format!("/media/{id}/thumbnails.vtt")).text(), before);
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn a_stream_that_goes_on_after_a_power_cut_has_pictures_of_both_halves_and_keeps_the_one_that_it_is_listed_with()
 {
    let dir = tempfile::tempdir().unwrap();
    let config = recorded::config();
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olga");
    let started = owner.post("/api/v1/streams", &json!({"title": "Nest box", "record": true}));
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let recording = format!("/api/v1/recordings/{id}");
    let seconds = |daemon: &Daemon| daemon.get(&recording).json()["duration_seconds"].as_f64().unwrap_or(0.0);
    let kept = |daemon: &Daemon| daemon.get(&format!("/api/v1/streams/{id}/thumbnail.jpg"));
    // Each look lets time pass. The picture that is kept is taken some seconds into the stream.
    while seconds(&daemon) < 6.0 {}
    let listed_with = kept(&daemon);
    assert_eq!(listed_with.status, 200);
    daemon.signal(Signal::KILL);
    daemon.ended();

    let daemon = Daemon::start_in(dir.path(), &config);
    let before = seconds(&daemon);
    assert!(before > 3.0, "{before} s");
    while seconds(&daemon) < before + 5.0 {}
    let owner = Person::login(&daemon, "olga");
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    let whole = seconds(&daemon);
    assert!(kept(&daemon).body == listed_with.body, "it had its picture");
    let stream = owner.get(&format!("/api/v1/streams/{id}")).json();
    assert!(stream["thumbnail_url"].as_str().unwrap().contains("?v="), "{stream}");

    // A daemon that starts looks at once for what is missing.
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start_in(dir.path(), &config);
    let address = track(&daemon, &id);
    let cues = cues(&daemon.get(&address), dir.path());
    let ends = cues.last().unwrap().1;
    assert!((ends - whole).abs() < 0.2, "{cues:?}, and {whole} s are recorded");
    assert!(cues.windows(2).all(|pair| (pair[1].0 - pair[0].1).abs() < 0.01), "no hole: {cues:?}");
    assert!(cues.iter().any(|cue| cue.0 > before), "{cues:?} begins again after {before} s");
    let folder = address.rsplit_once('/').unwrap().0;
    for (from, _, name, [left, top, width, height]) in &cues {
        let sheet = sheet(&daemon.get(&format!("{folder}/{name}")));
        let of_picture = |x, y| sheet.get_pixel(left + width * x / 8, top + height * y / 8).0;
        let colours: std::collections::HashSet<_> = (1..8).map(|x| of_picture(x, 4)).collect();
        assert!(colours.len() > 3, "at {from} s there is nothing to see");
    }
}
