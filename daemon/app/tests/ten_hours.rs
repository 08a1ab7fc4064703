//! A recording of ten hours and 18 GB: its playlist, a seek, a clip and the download, with four people who download at once, and what that takes of memory.
//! Its media is a hole in a file; its index is whole.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use perch_media::recording::index::{Encoder, Header};
use perch_media::recording::{Break, Fragment, Mark, Run, SampleEntry};
use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::PathBuf;
use support::{Daemon, recorded};

const HOURS: u32 = 10;
const PICTURES: u32 = 30;
/// Of a second of media, at 4 Mb/s.
const SECOND: u32 = 500_000;
/// Clients that take nothing; perchd has eight threads that may block.
const SLOW_CLIENTS: usize = 12;
/// What perchd may have resident, bytes: 40 MB, and what a debug build has more.
const MOST_RESIDENT: u64 = 60 << 20;

/// Puts ten hours in the place of the recording that was made.
fn stretch(data_dir: &std::path::Path, stream: &str) -> u64 {
    let folder = data_dir.join("recordings");
    let file = |extension: &str| -> PathBuf {
        let mut entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.extension().is_some_and(|found| found == extension)).unwrap()
    };
    let mut index = std::fs::File::open(file("index")).unwrap();
    let init_bytes = perch_media::recording::index::Reader::new(&mut index).unwrap().header().init_bytes;
    let number = stream.parse::<perch_store::StreamId>().unwrap().number();
    let header = Header { stream: number.to_be_bytes(), part: 1, init_bytes };
    let (mut bytes, mut encoder) = (header.encode(), Encoder::new(&header));
    let mut at = u64::from(init_bytes);
    for second in 0..HOURS * 3600 {
        let sample = |picture: u32| SampleEntry {
            bytes: SECOND / PICTURES - 40 + picture % 7,
            duration: 3000,
            composition_offset: 0,
            is_key: picture == 0,
        };
        let mark = Mark {
            begins_segment: second % 2 == 0,
            is_independent: true,
            before: Break::None,
            stream_offset_ms: u64::from(second) * 1000,
            wall_ms: i64::from(second) * 1000,
        };
        let samples = (0..PICTURES).map(sample).collect();
        let video = Run { decode_time: u64::from(second) * 90_000, data_at: 400, samples };
        encoder.push(&Fragment { at, bytes: SECOND, mark, video, audio: None }, &mut bytes);
        at += u64::from(SECOND);
    }
    std::fs::write(file("index"), bytes).unwrap();
    OpenOptions::new().write(true).open(file("mp4")).unwrap().set_len(at).unwrap();
    at
}

#[test]
fn ten_hours_are_played_clipped_and_downloaded_in_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let id = recorded::make(dir.path(), "public");
    let length = stretch(&dir.path().join("data"), &id);
    let daemon = Daemon::start_in(dir.path(), &recorded::config());
    let media = |name: &str| format!("/media/{id}/{name}");
    let timed = |what: &str, path: &str, headers: &[(&str, &str)]| {
        #[expect(clippy::disallowed_methods, reason = "told, not judged")]
        let began = std::time::Instant::now();
        let answer = daemon.ask("GET", path, headers);
        println!("{what}: {} ms, {} bytes", began.elapsed().as_millis(), answer.body.len());
        answer
    };
    println!("{} MiB resident before", daemon.resident_bytes() >> 20);
    let playlist = timed("playlist", &media("index.m3u8"), &[]).text();
    assert_eq!(playlist.matches("#EXTINF").count(), HOURS as usize * 1800);
    timed("playlist again", &media("index.m3u8"), &[]);
    let far = format!("bytes={}-{}", length / 2, length / 2 + 999_999);
    assert_eq!(timed("a segment in the middle", &media("1.mp4"), &[("Range", &far)]).body.len(), 1_000_000);
    let clip =
        timed("a clip of ten seconds", &format!("{}?from=18000&to=18010", media("recording.mp4")), &[]);
    assert_eq!(clip.status, 200);
    assert!(clip.body.len() < 12 * SECOND as usize);
    let download = media("recording.mp4");
    let first = timed("the first byte of the download", &download, &[("Range", "bytes=0-0")]);
    assert_eq!(first.status, 206);
    timed("the first byte again", &download, &[("Range", "bytes=0-0")]);
    timed("the last bytes of its head", &download, &[("Range", "bytes=4700000-4700999")]);
    timed("a seek in it", &download, &[("Range", "bytes=9000000000-9000999999")]);
    let total: u64 = first.header("content-range").unwrap().rsplit('/').next().unwrap().parse().unwrap();
    assert!(total > length && total < length + length / 500, "{total} of {length}");
    // More slow clients than there are threads that may block: each has got its answer's beginning, and none keeps a thread.
    let slow: Vec<_> = (0..SLOW_CLIENTS)
        .map(|_| {
            let mut stream = daemon.begin("GET", &download, &[], b"");
            stream.read_exact(&mut [0; 100]).unwrap();
            stream
        })
        .collect();
    timed("a playlist beside slow clients", &media("index.m3u8"), &[]);
    println!("{} MiB resident with {} slow clients", daemon.resident_bytes() >> 20, slow.len());
    drop(slow);
    // Four at once: each takes the head and 200 MB, more is more of the same.
    let most = std::thread::scope(|scope| {
        let streams = [0; 4].map(|_| daemon.begin("GET", &media("recording.mp4"), &[], b""));
        let download = |mut stream: std::net::TcpStream| {
            let mut taken = 0;
            let mut buffer = vec![0; 1 << 16];
            while taken < 200_000_000 {
                let read = stream.read(&mut buffer).unwrap();
                assert_ne!(read, 0, "broken off");
                taken += read;
            }
        };
        let four: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || download(stream))).collect();
        let mut most = 0;
        while four.iter().any(|one| !one.is_finished()) {
            most = most.max(daemon.resident_bytes());
        }
        most
    });
    println!("{} MiB resident with four downloads", most >> 20);
    assert!(most < MOST_RESIDENT, "{} MiB", most >> 20);
}
