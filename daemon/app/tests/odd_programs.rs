//! Camera programs whose streams are odd and can be shown all the same, and one that is scrambled: all at once, through the daemon.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use perch_media::h264::annex_b::nal_units;
use perch_media::h264::nal_unit::NalUnitType;
use perch_media::mpegts::{Demuxer, Found, PACKET_BYTES, TimedPicture};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use support::Daemon;
use support::people::{NO_LIMITS, Person};

/// Ticks from picture to picture at ten a second.
const STEP: i64 = 9000;

/// So many seconds of small pictures, ten a second, with a key frame each second.
fn film(seconds: u32, x264: &str, output: &[&str]) -> Vec<u8> {
    film_of("160x120", seconds, x264, output)
}

/// The same in another size.
fn film_of(size: &str, seconds: u32, x264: &str, output: &[&str]) -> Vec<u8> {
    let source = format!("testsrc2=s={size}:r=10:d={seconds}");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
            "-threads",
            "1",
            "-g",
            "10",
        ])
        .args(["-x264-params", x264])
        .args(output)
        .arg("-")
        .output()
        .expect("ffmpeg is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

/// Packets of a transport stream, to be changed.
fn packets(stream: &mut [u8]) -> impl Iterator<Item = (usize, &mut [u8])> {
    stream.chunks_exact_mut(PACKET_BYTES).enumerate()
}

/// Text, and then a stream that was cut within a packet.
fn with_junk_before() -> Vec<u8> {
    let stream = film(30, "", &["-f", "mpegts"]);
    [b"camera 0 is ready, G G G\n".repeat(20), stream[100..].to_vec()].concat()
}

/// The program's clock (PCR) goes an hour ahead after four seconds, and the times of pictures do not.
fn with_another_clock() -> Vec<u8> {
    let mut stream = film(30, "", &["-f", "mpegts"]);
    let half = stream.len() / PACKET_BYTES * 4 / 30;
    let mut jumps = 0;
    for (_, packet) in packets(&mut stream).skip(half) {
        let has_pcr = packet[3] & 0x20 != 0 && packet[4] >= 7 && packet[5] & 0x10 != 0;
        if has_pcr {
            let base: [u8; 4] = packet[6..10].try_into().unwrap();
            let ahead = u32::from_be_bytes(base).wrapping_add(3600 * 90_000 / 2); // the lowest of its 33 bits is in the next byte
            packet[6..10].copy_from_slice(&ahead.to_be_bytes());
            jumps += 1;
        }
    }
    assert!(jumps > 100);
    stream
}

/// `transport_scrambling_control` of every packet of the video (ffmpeg's PID 0x100) is set.
fn scrambled() -> Vec<u8> {
    let mut stream = film(30, "", &["-f", "mpegts"]);
    for (_, packet) in packets(&mut stream).filter(|(_, packet)| packet[1] & 0x1f == 1 && packet[2] == 0) {
        packet[3] |= 0x80;
    }
    stream
}

/// Three seconds of slices come before the first parameter sets.
fn with_late_parameter_sets() -> Vec<u8> {
    let without = film(3, "", &["-bsf:v", "filter_units=remove_types=7-8", "-f", "h264"]);
    [without, film(30, "", &["-f", "h264"])].concat()
}

/// Each second has another SPS id, and the same format.
fn with_alternating_ids() -> Vec<u8> {
    let pair = [0, 1].map(|id| film(1, &format!("sps-id={id}"), &["-f", "h264"]));
    pair.concat().repeat(15)
}

/// After four seconds the pictures are larger.
fn with_another_size() -> Vec<u8> {
    [film(4, "", &["-f", "h264"]), film_of("320x240", 26, "", &["-f", "h264"])].concat()
}

/// A program that writes the file in tenths of a second of its `seconds`, with no regard for packets and pictures, and then nothing more.
fn playing(file: &Path, seconds: usize) -> String {
    let bytes = std::fs::metadata(file).unwrap().len() as usize;
    let piece = bytes.div_ceil(10 * seconds);
    format!("while dd bs={piece} count=1 status=none; do sleep 0.1; done < {}", file.display())
}

/// The first `count` segments of a stream, and the text of the playlist that lists them.
fn record(owner: &Person<'_>, stream: &str, count: usize) -> (Vec<Vec<u8>>, String) {
    let playlist = format!("/media/{stream}/index.m3u8");
    let mut answer = owner.get(&playlist);
    while answer.status != 200 {
        answer = owner.get(&playlist);
    }
    let names = |text: &str| {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let first =
        answer.text().lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok());
    let first: usize = first.unwrap();
    while names(&answer.text()).len() < count {
        let next = first + names(&answer.text()).len();
        answer = owner.get(&format!("{playlist}?_HLS_msn={next}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let text = answer.text();
    let segments = names(&text)
        .iter()
        .take(count)
        .map(|name| owner.get(&format!("/media/{stream}/{name}")).body)
        .collect();
    (segments, text)
}

fn pictures(segment: &[u8]) -> Vec<TimedPicture> {
    let mut demuxer = Demuxer::new();
    demuxer.push(segment);
    demuxer.flush();
    let found = std::iter::from_fn(|| demuxer.next_found());
    found
        .map(|found| match found {
            Found::Picture(picture) => picture,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn steps(segments: &[Vec<u8>]) -> Vec<i64> {
    let times: Vec<_> =
        segments.iter().flat_map(|segment| pictures(segment)).map(|picture| picture.dts).collect();
    times.windows(2).map(|pair| (pair[1] - pair[0]).ticks()).collect()
}

fn sps_of(segment: &[u8]) -> Vec<Vec<u8>> {
    let pictures = pictures(segment);
    let units = pictures.iter().flat_map(|picture| nal_units(&picture.data));
    units.filter(|unit| unit.unit_type() == NalUnitType::SPS).map(|unit| unit.bytes.to_vec()).collect()
}

#[test]
fn odd_streams_that_can_be_shown_are_and_a_scrambled_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let films = [
        ("junk", with_junk_before(), 30),
        ("clock", with_another_clock(), 30),
        ("late", with_late_parameter_sets(), 33),
        ("ids", with_alternating_ids(), 30),
        ("size", with_another_size(), 30),
        ("scrambled", scrambled(), 30),
    ];
    let mut config = format!("{NO_LIMITS}[live]\nsegment_seconds = 1\n");
    for (name, film, seconds) in &films {
        let file = dir.path().join(name);
        std::fs::write(&file, film).unwrap();
        let command = ["sh".to_owned(), "-c".to_owned(), playing(&file, *seconds)];
        let size = "width = 160\nheight = 120\nframes_per_second = 10\nkeyframe_interval_seconds = 1";
        write!(
            config,
            "\n[[camera]]\nname = \"{name}\"\nsource = \"command\"\n{size}\ncommand = {command:?}\n"
        )
        .unwrap();
    }
    let daemon = Daemon::start(&config);
    let owner = Person::owner(&daemon, "ann");
    let streams = films.map(|(name, ..)| {
        let started = owner.post("/api/v1/streams", &json!({"title": name, "camera": name}));
        assert_eq!(started.status, 201, "{name}: {}", started.text());
        started.json()["id"].as_str().unwrap().to_owned()
    });
    let [junk, clock, late, ids, size, _] = &streams;

    for (name, stream) in [("junk", junk), ("clock", clock), ("late", late), ("ids", ids)] {
        let (segments, playlist) = record(&owner, stream, 7);
        assert!(!playlist.contains("#EXT-X-DISCONTINUITY\n"), "{name}: {playlist}");
        let steps = steps(&segments);
        assert!(
            steps.len() >= 50 && steps.iter().all(|step| (1..5 * STEP).contains(step)),
            "{name}: {steps:?}"
        );
        if name == "junk" || name == "clock" {
            assert!(steps.iter().all(|step| *step == STEP), "its own times, {name}: {steps:?}");
        }
        let camera = owner.get(&format!("/api/v1/cameras/{name}")).json();
        assert_eq!((&camera["state"], &camera["detail"]), (&json!("live"), &json!("")), "{name}");
        if name == "ids" {
            let sets: Vec<_> = segments.iter().map(|segment| sps_of(segment)).collect();
            assert!(sets.iter().all(|sets| sets.len() == 1), "{sets:?}");
            assert!(sets.windows(2).all(|pair| pair[0] != pair[1]), "both ids come through");
        }
    }
    let (segments, playlist) = record(&owner, size, 7);
    assert!(playlist.contains("#EXT-X-DISCONTINUITY\n") && segments.len() == 7, "{playlist}");
    let camera = owner.get("/api/v1/cameras/size").json();
    assert_eq!((&camera["width"], &camera["height"]), (&json!(320), &json!(240)), "{camera}");

    let told = || owner.get("/api/v1/cameras/scrambled").json()["detail"].as_str().unwrap().to_owned();
    let words = "its MPEG transport stream is scrambled: switch the encryption off";
    while !told().contains(words) {}
    assert_eq!(daemon.metric("perch_hls_lagged_total"), 0);
    assert_eq!(daemon.stop(), Some(0));
}
