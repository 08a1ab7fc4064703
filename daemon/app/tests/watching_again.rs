//! Recordings over HTTP against the running daemon: playlists, byte ranges, rights, pins, deletion.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use m3u8_rs::Playlist;
use serde_json::json;
use std::io::Read as _;
use support::people::{PASSWORD, Person};
use support::recorded::{self, PAUSE, SEAM, SECONDS};
use support::{Answer, Daemon};

struct Recorded {
    dir: tempfile::TempDir,
    id: String,
}

fn recorded(visibility: &str) -> (Recorded, Daemon) {
    let dir = tempfile::tempdir().unwrap();
    let id = recorded::make(dir.path(), visibility);
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    (Recorded { dir, id }, daemon)
}

impl Recorded {
    fn media(&self, name: &str) -> String {
        format!("/media/{}/{name}", self.id)
    }

    /// The part as it lies on the card.
    fn file(&self) -> Vec<u8> {
        let mut files = std::fs::read_dir(self.dir.path().join("data/recordings")).unwrap();
        let file = files.find_map(|entry| {
            let path = entry.unwrap().path();
            (path.extension()? == "mp4").then_some(path)
        });
        std::fs::read(file.unwrap()).unwrap()
    }
}

#[test]
fn what_has_ended_is_played_by_byte_ranges_of_its_file() {
    let (recorded, daemon) = recorded("public");
    let file = recorded.file();
    let answer = daemon.get(&recorded.media("index.m3u8"));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    let Ok(Playlist::MediaPlaylist(playlist)) = m3u8_rs::parse_playlist_res(&answer.body) else {
        panic!("{}", answer.text())
    };
    assert!(playlist.end_list);
    let duration: f32 = playlist.segments.iter().map(|segment| segment.duration).sum();
    assert!((duration - SECONDS as f32).abs() < 0.01, "{duration}");
    // A seam is dated anew.
    let dated: Vec<_> = playlist.segments.iter().map(|segment| segment.program_date_time.is_some()).collect();
    assert_eq!(dated.iter().filter(|dated| **dated).count(), 2);
    assert!(dated[0] && dated[SEAM as usize / 2]);
    let mut end = playlist.segments[0].map.as_ref().unwrap().byte_range.as_ref().unwrap().length;
    for segment in &playlist.segments {
        let range = segment.byte_range.as_ref().unwrap();
        let from = range.offset.unwrap();
        assert_eq!(from, end, "segments follow each other");
        end = from + range.length;
        let header = format!("bytes={from}-{}", end - 1);
        let bytes = daemon.ask("GET", &recorded.media(&segment.uri), &[("Range", &header)]);
        assert_eq!(bytes.status, 206);
        assert_eq!(bytes.body, file[from as usize..end as usize]);
    }
    assert_eq!(end, file.len() as u64);
    let again = daemon.ask(
        "GET",
        &recorded.media("index.m3u8"),
        &[("If-None-Match", answer.header("etag").unwrap())],
    );
    assert_eq!((again.status, again.body.len()), (304, 0));
    let path = recorded.media("index.m3u8");
    let packed = daemon.ask("GET", &path, &[("Accept-Encoding", "gzip, br")]);
    assert_eq!(
        (packed.header("content-encoding"), packed.header("vary")),
        (Some("gzip"), Some("accept-encoding"))
    );
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, answer.body);
    let tag = packed.header("etag").unwrap();
    assert_ne!(Some(tag), answer.header("etag"));
    let again = daemon.ask("GET", &path, &[("Accept-Encoding", "gzip"), ("If-None-Match", tag)]);
    assert_eq!((again.status, again.body.len(), again.header("content-encoding")), (304, 0, None));
    let main = daemon.get(&recorded.media("main.m3u8")).text();
    assert!(main.contains("CODECS=\"avc1.42c0") && main.contains("RESOLUTION=320x240"), "{main}");
    assert_eq!(daemon.get(&recorded.media("dvr.m3u8")).body, answer.body);
}

#[test]
fn ranges_of_every_kind_are_answered_as_rfc_9110_says() {
    let (recorded, daemon) = recorded("public");
    let (file, path) = (recorded.file(), recorded.media("1.mp4"));
    let length = file.len();
    let ask = |headers: &[(&str, &str)]| daemon.ask("GET", &path, headers);
    let whole = ask(&[]);
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, Some("bytes")));
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    assert!(whole.body == file);
    let tag = whole.header("etag").unwrap().to_owned();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, length),
        ("bytes=-7", length - 7, length),
        ("bytes=-99999999999", 0, length),
        ("bytes=100-99999999999", 100, length),
    ] {
        let part = ask(&[("Range", range)]);
        assert_eq!(part.status, 206, "{range}");
        let said = format!("bytes {from}-{}/{length}", to - 1);
        assert_eq!(part.header("content-range"), Some(said.as_str()));
        assert!(part.body == file[from..to], "{range}");
    }
    for range in ["bytes=0-1,5-6", "pages=1-2", "bytes=5-2", "bytes=x"] {
        assert_eq!(ask(&[("Range", range)]).status, 200, "{range}");
    }
    let beyond = ask(&[("Range", &format!("bytes={length}-"))]);
    assert_eq!((beyond.status, beyond.code()), (416, "range_not_satisfiable".to_owned()));
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{length}").as_str()));
    let range = ("Range", "bytes=0-9");
    assert_eq!(ask(&[range, ("If-Range", &tag)]).status, 206);
    for other in ["\"other\"", "W/\"other\"", "Sat, 28 Nov 2026 07:30:00 GMT"] {
        assert_eq!(ask(&[range, ("If-Range", other)]).status, 200, "{other}");
    }
    assert_eq!(ask(&[("If-None-Match", &tag)]).status, 304);
    let head = daemon.ask("HEAD", &path, &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
    // A range of anything but GET means nothing (RFC 9110 §14.2).
    let head = daemon.ask("HEAD", &path, &[range]);
    assert_eq!((head.status, head.header("content-range")), (200, None));
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
    for name in ["0.mp4", "2.mp4", "01.mp4", "99999999999.mp4", "1.index"] {
        assert_eq!(daemon.get(&recorded.media(name)).status, 404, "{name}");
    }
}

#[test]
fn a_recording_is_listed_pinned_and_deleted_by_its_user() {
    let (recorded, daemon) = recorded("public");
    let [owner, nobody] = [Person::login(&daemon, "olga"), Person::nobody(&daemon)];
    let other = Person::register(&daemon, "sara");
    let path = format!("/api/v1/recordings/{}", recorded.id);
    let seen = nobody.get(&path).json();
    assert_eq!((seen["title"].as_str(), seen["duration_seconds"].as_f64()), (Some("Nest box"), Some(20.0)));
    assert_eq!((seen["may_edit"].as_bool(), seen["pinned"].as_bool()), (Some(false), Some(false)));
    let after = f64::from(SEAM + PAUSE);
    assert_eq!(
        seen["timeline"],
        json!([{"at_seconds": 0.0, "offset_seconds": 0.0}, {"at_seconds": f64::from(SEAM), "offset_seconds": after}])
    );
    let stream = nobody.get(&format!("/api/v1/streams/{}", recorded.id)).json();
    assert_eq!(stream["recording"]["duration_seconds"], 20.0);
    assert_eq!(stream["playlist_url"], recorded.media("index.m3u8"));
    let listed = |who: &Person<'_>, query: &str| -> usize {
        let list = who.get(&format!("/api/v1/recordings{query}"));
        assert_eq!(list.status, 200, "{}", list.text());
        list.json()["items"].as_array().unwrap().len()
    };
    assert_eq!(
        [listed(&nobody, ""), listed(&nobody, "?user=olga"), listed(&nobody, "?user=sara")],
        [1, 1, 0]
    );
    for (who, status) in [(&nobody, 401), (&other, 403)] {
        assert_eq!(who.patch(&path, &json!({"pinned": true})).status, status);
        assert_eq!(who.delete(&path).status, status);
        assert_eq!(who.get("/api/v1/storage").status, status);
    }
    assert_eq!(owner.patch(&path, &json!({"pinned": true})).json()["pinned"], true);
    let storage = owner.get("/api/v1/storage").json();
    assert_eq!((storage["recordings"].as_u64(), storage["goes_next"].is_null()), (Some(1), true));
    assert_eq!(owner.patch(&path, &json!({"pinned": false})).json()["pinned"], false);
    let storage = owner.get("/api/v1/storage").json();
    assert_eq!(storage["goes_next"]["stream"], recorded.id.as_str());
    assert!(storage["used_bytes"].as_u64().unwrap() >= recorded.file().len() as u64, "{storage}");
    assert_eq!(owner.delete(&path).status, 204);
    assert_eq!([nobody.get(&path).status, owner.delete(&path).status], [404, 404]);
    for name in ["index.m3u8", "main.m3u8", "dvr.m3u8", "1.mp4", "recording.mp4"] {
        assert_eq!(daemon.get(&recorded.media(name)).status, 404, "{name}");
    }
    let stream = nobody.get(&format!("/api/v1/streams/{}", recorded.id)).json();
    assert!(stream["recording"].is_null() && stream["playlist_url"].is_null(), "{stream}");
    // It can be brought back, by the same people.
    let restore = format!("{path}/restore");
    assert_eq!([&nobody, &other].map(|who| who.post(&restore, &json!({})).status), [401, 403]);
    let back = owner.post(&restore, &json!({}));
    assert_eq!((back.status, back.json()["duration_seconds"].as_f64()), (200, Some(20.0)), "{}", back.text());
    assert_eq!(owner.post(&restore, &json!({})).status, 404, "it is back");
    for name in ["index.m3u8", "1.mp4", "recording.mp4"] {
        assert_eq!(daemon.get(&recorded.media(name)).status, 200, "{name}");
    }
}

#[test]
fn the_index_leads_to_the_bytes_of_each_second_page_by_page() {
    let (recorded, daemon) = recorded("public");
    let nobody = Person::nobody(&daemon);
    let path = format!("/api/v1/recordings/{}/index", recorded.id);
    let whole = nobody.get(&path).json();
    let items = whole["items"].as_array().unwrap();
    assert_eq!((items.len(), &whole["next_cursor"]), (SECONDS as usize, &json!(null)));
    let file = recorded.file();
    for (second, item) in (0_u32..).zip(items) {
        let into = f64::from(if second < SEAM { second } else { second + PAUSE });
        assert_eq!(
            (item["number"].as_u64(), item["is_key"].as_bool()),
            (Some(u64::from(second) + 1), Some(true))
        );
        assert_eq!(
            (item["at_seconds"].as_f64(), item["duration_seconds"].as_f64()),
            (Some(second.into()), Some(1.0))
        );
        assert_eq!(item["offset_seconds"].as_f64(), Some(into));
        assert_eq!(item["before"], if second == SEAM { json!("seam") } else { json!(null) });
        assert_eq!(item["url"], recorded.media("1.mp4"));
        let at = item["byte_offset"].as_u64().unwrap() as usize;
        let end = at + item["bytes"].as_u64().unwrap() as usize;
        // A mark, then the tables, then the samples.
        assert_eq!(&file[at + 4..at + 8], b"uuid");
        assert_eq!(
            items
                .get(second as usize + 1)
                .map_or(file.len() as u64, |next| next["byte_offset"].as_u64().unwrap()),
            end as u64
        );
    }
    for limit in [1, 7, 20, 1000] {
        let (mut pages, mut found, mut cursor) = (0, Vec::new(), String::new());
        loop {
            let page = nobody.get(&format!("{path}?limit={limit}{cursor}")).json();
            found.extend(page["items"].as_array().unwrap().clone());
            pages += 1;
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((&found, pages), (items, (SECONDS as usize).div_ceil(limit)));
    }
    for query in ["?limit=0", "?limit=1001", "?cursor=x", "?cursor=-1", "?of=1"] {
        assert_eq!(nobody.get(&format!("{path}{query}")).status, 400, "{query}");
    }
    assert_eq!(nobody.get(&format!("{path}?cursor=99999")).json()["items"], json!([]));
}

#[test]
fn all_recordings_of_a_user_are_deleted_and_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let ids = [recorded::make(dir.path(), "public"), recorded::make(dir.path(), "members")];
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    let [owner, nobody] = [Person::login(&daemon, "olga"), Person::nobody(&daemon)];
    let sara = Person::register(&daemon, "sara");
    let (all, restore) = ("/api/v1/users/olga/recordings", "/api/v1/users/olga/recordings/restore");
    for (who, status) in [(&nobody, 401), (&sara, 403)] {
        assert_eq!([who.delete(all).status, who.post(restore, &json!({})).status], [status; 2]);
    }
    assert_eq!(owner.delete("/api/v1/users/nobody/recordings").status, 404);
    assert_eq!(sara.delete("/api/v1/users/sara/recordings").json(), json!({"recordings": 0}));
    let pinned = owner.patch(&format!("/api/v1/recordings/{}", ids[0]), &json!({"pinned": true}));
    assert_eq!(pinned.status, 200);
    let statuses = || ids.each_ref().map(|id| owner.get(&format!("/media/{id}/recording.mp4")).status);
    assert_eq!(owner.delete(all).json(), json!({"recordings": 2}));
    assert_eq!(statuses(), [404; 2]);
    assert_eq!(owner.get("/api/v1/storage").json()["recordings"], 0);
    assert_eq!(owner.post(restore, &json!({})).json(), json!({"recordings": 2}));
    assert_eq!(owner.post(restore, &json!({})).json(), json!({"recordings": 0}));
    assert_eq!(statuses(), [200; 2]);
    // A restart is the end of it.
    owner.delete(all);
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    let owner = Person::login(&daemon, "olga");
    assert_eq!(owner.post(restore, &json!({})).json(), json!({"recordings": 0}));
    assert_eq!(std::fs::read_dir(dir.path().join("data/recordings")).unwrap().count(), 0);
}

#[test]
fn the_recordings_of_an_account_go_with_it_at_once() {
    let (recorded, daemon) = recorded("public");
    let owner = Person::login(&daemon, "olga");
    let second = json!({"username": "oda", "password": PASSWORD, "role": "owner"});
    assert_eq!(owner.post("/api/v1/users", &second).status, 201);
    assert_eq!(daemon.get(&recorded.media("recording.mp4")).status, 200);
    // What waits to be brought back goes, too.
    assert_eq!(owner.delete(&format!("/api/v1/recordings/{}", recorded.id)).status, 204);
    let oda = Person::login(&daemon, "oda");
    assert_eq!(oda.delete("/api/v1/users/olga").status, 204);
    for name in ["index.m3u8", "main.m3u8", "dvr.m3u8", "1.mp4", "recording.mp4"] {
        assert_eq!(daemon.get(&recorded.media(name)).status, 404, "{name}");
    }
    assert_eq!(oda.post(&format!("/api/v1/recordings/{}/restore", recorded.id), &json!({})).status, 404);
    let folder = recorded.dir.path().join("data/recordings");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "its files are gone");
}

#[test]
fn what_is_for_members_is_for_members_by_every_address() {
    let (recorded, daemon) = recorded("members");
    let [owner, nobody] = [Person::login(&daemon, "olga"), Person::nobody(&daemon)];
    let other = Person::register(&daemon, "sara");
    let api = format!("/api/v1/recordings/{}", recorded.id);
    assert_eq!(nobody.get(&format!("{api}/index")).status, 404);
    let media =
        ["index.m3u8", "main.m3u8", "dvr.m3u8", "1.mp4", "recording.mp4"].map(|name| recorded.media(name));
    for path in media.iter().chain([&api]) {
        assert_eq!(nobody.get(path).status, 404, "{path}");
        for member in [&other, &owner] {
            let answer: Answer = member.get(path);
            assert_eq!(answer.status, 200, "{path}");
            if path != &api {
                assert_eq!(answer.header("cache-control"), Some("private, no-cache"), "{path}");
                assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
            }
        }
    }
    let listed = |who: &Person<'_>| who.get("/api/v1/recordings").json()["items"].as_array().unwrap().len();
    assert_eq!([listed(&nobody), listed(&other), listed(&owner)], [0, 1, 1]);
}

#[test]
fn a_view_of_a_recording_counts_once_and_its_likes_count_on() {
    let (recorded, daemon) = recorded("public");
    let nobody = Person::nobody(&daemon);
    let stream = format!("/api/v1/streams/{}", recorded.id);
    let before = nobody.get(&stream).json()["views"].as_u64().unwrap();
    let views = || nobody.get(&stream).json()["views"].as_u64().unwrap() - before;
    for _ in 0..3 {
        assert_eq!(daemon.get(&recorded.media("index.m3u8")).status, 200);
    }
    // It is counted after the answer.
    while views() == 0 {}
    assert_eq!(views(), 1);
    let sara = Person::register(&daemon, "sara");
    for (reaction, likes) in [("like", 1), ("like", 1), ("none", 0)] {
        let answer = sara.put(&format!("{stream}/reaction"), &json!({"reaction": reaction}));
        assert!(answer.status < 300, "{}", answer.text());
        assert_eq!(nobody.get(&stream).json()["likes"], likes);
    }
}

/// What ffprobe says of the file's one video stream: hashes of its packets as they are coded.
fn packets(dir: &std::path::Path, file: &str) -> Vec<String> {
    let args = ["-v", "error", "-i", file, "-map", "0:v", "-c", "copy", "-f", "framehash", "-"];
    let said = String::from_utf8(support::run("ffmpeg", &args, dir).stdout).unwrap();
    let lines = said.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

fn duration(dir: &std::path::Path, file: &str) -> f64 {
    let args = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", file];
    String::from_utf8(support::run("ffprobe", &args, dir).stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_recording_is_downloaded_as_one_mp4_file_whole_in_ranges_and_as_a_clip() {
    let (recorded, daemon) = recorded("public");
    let dir = tempfile::tempdir().unwrap();
    let path = recorded.media("recording.mp4");
    let whole = daemon.get(&path);
    assert_eq!(whole.status, 200, "{}", String::from_utf8_lossy(&whole.body));
    assert_eq!(
        whole.header("content-disposition"),
        Some(
            "attachment; filename=\"Nest box, 2026-11-28 07.30.mp4\"; filename*=UTF-8''Nest%20box%2C%202026-11-28%2007.30.mp4"
        )
    );
    assert_eq!(whole.header("content-length"), Some(whole.body.len().to_string().as_str()));
    std::fs::write(dir.path().join("whole.mp4"), &whole.body).unwrap();
    std::fs::write(dir.path().join("part.mp4"), recorded.file()).unwrap();
    let pictures = packets(dir.path(), "whole.mp4");
    assert_eq!(pictures.len(), 300);
    assert!(pictures == packets(dir.path(), "part.mp4"), "the encoder's pictures, byte for byte");
    assert!((duration(dir.path(), "whole.mp4") - f64::from(SECONDS)).abs() < 1.0 / 15.0);
    let length = whole.body.len();
    // Within the head, across its end, within the media, and all of it in small pieces.
    let pieces = (0..length).step_by(100_003).map(|at| (at, (at + 100_003).min(length)));
    let mut joined = Vec::new();
    for (from, to) in pieces.clone().chain([(5, 9), (0, 1), (length - 1, length), (1000, length)]) {
        let range = format!("bytes={from}-{}", to - 1);
        let part = daemon.ask("GET", &path, &[("Range", &range)]);
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == whole.body[from..to], "{range}");
        if joined.len() == from && joined.len() < length {
            joined.extend_from_slice(&part.body);
        }
    }
    assert!(joined == whole.body);
    let head = daemon.ask("HEAD", &path, &[]);
    assert_eq!((head.status, head.header("content-length")), (200, whole.header("content-length")));

    let clip = daemon.get(&format!("{path}?from=3.4&to=7"));
    assert_eq!(clip.status, 200);
    let name = clip.header("content-disposition").unwrap();
    assert!(name.contains("\"Nest box, 2026-11-28 07.30, clip from 0.00.03 to 0.00.07.mp4\""), "{name}");
    std::fs::write(dir.path().join("clip.mp4"), &clip.body).unwrap();
    let shown = packets(dir.path(), "clip.mp4");
    assert!(pictures.windows(shown.len()).any(|some| some == shown), "pictures of the recording");
    assert!((duration(dir.path(), "clip.mp4") - 3.6).abs() <= 1.0 / 15.0);
    assert_ne!(clip.header("etag"), whole.header("etag"));
    for wrong in ["?from=7&to=3", "?from=x", "?from=1000&to=1001"] {
        assert_eq!(daemon.get(&format!("{path}{wrong}")).code(), "invalid_query", "{wrong}");
    }
}
