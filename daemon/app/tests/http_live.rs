//! The live stream over HTTP, as players, caches and other people's parsers see it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use m3u8_rs::MediaPlaylist;
use std::io::{Read, Write};
use std::path::Path;
use support::{Answer, Daemon, TEST_PATTERN, run};

const PLAYLIST: &str = "/media/live/index.m3u8";

fn read_playlist(answer: &Answer) -> MediaPlaylist {
    assert_eq!(answer.status, 200, "{}", answer.text());
    m3u8_rs::parse_media_playlist_res(&answer.body).unwrap()
}

fn next_sequence(playlist: &MediaPlaylist) -> u64 {
    playlist.media_sequence + playlist.segments.len() as u64
}

#[test]
fn playlists_and_segments_are_what_players_and_caches_expect() {
    let daemon = Daemon::ready(TEST_PATTERN);

    let answer = daemon.get(PLAYLIST);
    assert_eq!(answer.header("content-type"), Some("application/vnd.apple.mpegurl"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=0, s-maxage=1"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let playlist = read_playlist(&answer);
    assert!(playlist.independent_segments && !playlist.end_list);
    assert!(playlist.segments.iter().all(|segment| segment.program_date_time.is_some()));

    let multivariant = daemon.get("/media/live/main.m3u8");
    let multivariant = m3u8_rs::parse_master_playlist_res(&multivariant.body).unwrap();
    assert_eq!(multivariant.variants[0].uri, "index.m3u8");
    let resolution = multivariant.variants[0].resolution.unwrap();
    assert_eq!((resolution.width, resolution.height), (640, 360));

    let segment_path = format!("/media/live/{}", playlist.segments[0].uri);
    let segment = daemon.get(&segment_path);
    assert_eq!(segment.header("content-type"), Some("video/mp2t"));
    assert_eq!(segment.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert!(segment.body.len() > 188 && segment.body.chunks(188).all(|packet| packet[0] == 0x47));

    let head = daemon.ask("HEAD", &segment_path, &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(segment.body.len().to_string().as_str()));

    let part = daemon.ask("GET", &segment_path, &[("Range", "bytes=188-375")]);
    assert_eq!((part.status, &part.body[..]), (206, &segment.body[188..376]));
    let beyond = daemon.ask("GET", &segment_path, &[("Range", "bytes=999999999-")]);
    assert_eq!((beyond.status, beyond.json()["code"].as_str()), (416, Some("range_not_satisfiable")));

    let unknown = daemon.get("/media/live/999999999.ts");
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("no_such_segment")));
    let written = daemon.ask("DELETE", &segment_path, &[]);
    assert_eq!((written.status, written.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn a_blocking_reload_is_answered_when_the_segment_is_there() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let answer = daemon.get(PLAYLIST);
    let mut next = next_sequence(&read_playlist(&answer));
    for _ in 0..3 {
        let reloaded = read_playlist(&daemon.get(&format!("{PLAYLIST}?_HLS_msn={next}")));
        assert_eq!(next_sequence(&reloaded), next + 1);
        next += 1;
    }
    let tag = daemon.get(&format!("{PLAYLIST}?_HLS_msn={next}")).header("etag").unwrap().to_owned();
    let known = daemon.ask("GET", &format!("{PLAYLIST}?_HLS_msn={next}"), &[("If-None-Match", &tag)]);
    assert_eq!((known.status, known.body.len()), (304, 0));

    let too_far = daemon.get(&format!("{PLAYLIST}?_HLS_msn={}", next + 10));
    assert_eq!((too_far.status, too_far.json()["code"].as_str()), (400, Some("too_far_ahead")));
    let nonsense = daemon.get(&format!("{PLAYLIST}?_HLS_msn=soon"));
    assert_eq!((nonsense.status, nonsense.json()["code"].as_str()), (400, Some("invalid_query")));
}

#[test]
fn names_go_on_after_a_restart_and_are_never_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let first = Daemon::ready_in(dir.path(), TEST_PATTERN);
    let before = read_playlist(&first.get(PLAYLIST));
    drop(first); // killed, as by a power cut
    let second = Daemon::ready_in(dir.path(), TEST_PATTERN);
    let after = read_playlist(&second.get(PLAYLIST));
    assert!(after.media_sequence >= next_sequence(&before));
    let old = &before.segments[0].uri;
    assert!(after.segments.iter().all(|segment| segment.uri != *old));
    assert_eq!(second.get(&format!("/media/live/{old}")).status, 404, "a name of the run before");
}

#[test]
fn ffprobe_reads_it_without_a_warning_and_ffmpeg_decodes_it() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let next = next_sequence(&read_playlist(&daemon.get(PLAYLIST)));
    // So that there is something of every kind of segment: the short ones of the start and whole ones.
    read_playlist(&daemon.get(&format!("{PLAYLIST}?_HLS_msn={}", next + 1)));
    for path in [PLAYLIST, "/media/live/main.m3u8"] {
        let url = daemon.url(path);
        let args =
            ["-v", "warning", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", &url];
        let output = run("ffprobe", &args, Path::new("/"));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{path}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().next(), Some("h264,640,360"), "{path}");
    }
    let url = daemon.url(PLAYLIST);
    let args = ["-v", "warning", "-live_start_index", "0", "-t", "1", "-i", &url, "-f", "null", "-"];
    let output = run("ffmpeg", &args, Path::new("/"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_stop_ends_the_playlist_for_those_who_wait() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let next = next_sequence(&read_playlist(&daemon.get(PLAYLIST)));
    let mut waiting = daemon.connect();
    write!(waiting, "GET {PLAYLIST}?_HLS_msn={} HTTP/1.1\r\nHost: localhost\r\n\r\n", next + 1).unwrap();
    assert_eq!(daemon.stop(), Some(0));
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("#EXT-X-ENDLIST"), "{answer}");
}
