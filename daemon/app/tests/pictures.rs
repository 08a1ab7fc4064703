//! Uploaded pictures that are made to take memory, against the real daemon: what they cost it and the process that decodes them, at their
//! peak; and uploads that never end.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::json;
use std::collections::HashMap;
use std::io::{Cursor, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::people::{NO_LIMITS, Person};
use support::{Answer, Daemon, PATIENCE};

/// What decoding one picture may take, bytes (`DECODING_BYTES` of perch-site).
const MOST: u64 = 48 << 20;
/// The file itself (8 MiB), and what the daemon does meanwhile.
const BESIDE: u64 = 16 << 20;

const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 128
height = 96
frames_per_second = 5
"#;

fn upload(person: &Person, bytes: &[u8]) -> Answer {
    let bearer = format!("Bearer {}", person.token.as_ref().unwrap());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "image/png")];
    person.daemon.send("PUT", "/api/v1/me/avatar", &headers, bytes)
}

/// Begins an upload of `length` bytes of which hardly any come.
fn trickle(person: &Person, path: &str, length: usize) -> TcpStream {
    let mut stream = person.daemon.connect();
    let token = person.token.as_ref().unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n",
        person.daemon.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"\x89PNG\r\n\x1a\n").unwrap();
    stream
}

/// A chunk of a PNG file (PNG 3rd edition, §5.3).
fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [&kind[..], data].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&named);
    [&(data.len() as u32).to_be_bytes()[..], &named, &crc.sum().to_be_bytes()].concat()
}

fn zeros(count: usize) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    let piece = vec![0; 1 << 20];
    for _ in 0..count >> 20 {
        packed.write_all(&piece).unwrap();
    }
    packed.write_all(&piece[..count % (1 << 20)]).unwrap();
    packed.finish().unwrap()
}

/// A PNG with red, green, blue and alpha, all of it transparent.
fn png(width: u32, height: u32, bits: u8, is_interlaced: bool, extra: &[u8]) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(*b"IHDR", &[&size[..], &[bits, 6, 0, 0, u8::from(is_interlaced)]].concat());
    // Passes of an interlaced picture have a few more rows.
    let rows = if is_interlaced { 2 * height + 16 } else { height };
    let whole = width as usize * height as usize * usize::from(bits / 2) + rows as usize;
    // What its header condemns needs no pixels, which take seconds to pack.
    let data = zeros(if whole as u64 > MOST { 1 << 20 } else { whole });
    [b"\x89PNG\r\n\x1a\n", &header[..], extra, &chunk(*b"IDAT", &data), &chunk(*b"IEND", b"")].concat()
}

/// A progressive JPEG of one colour in 4:4:4: a scan of DC coefficients of one bit each (ITU-T T.81, B.2).
fn progressive(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    jpeg.extend([1; 64]);
    jpeg.extend([0xff, 0xc2, 0, 17, 8]);
    jpeg.extend(height.to_be_bytes());
    jpeg.extend(width.to_be_bytes());
    jpeg.extend([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    jpeg.extend([0xff, 0xc4, 0, 20, 0, 1]);
    jpeg.extend([0; 16]);
    jpeg.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0]);
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    jpeg.extend(vec![0; (3 * blocks).div_ceil(8)]);
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

/// A WebP of one pixel whose Exif chunk claims nearly 4 GiB (RFC 9649, §2.7).
fn webp_with_endless_exif() -> Vec<u8> {
    let simple = encoded(1, 1, ImageFormat::WebP);
    let body =
        [&b"WEBPVP8X\x0a\0\0\0\x08\0\0\0\0\0\0\0\0\0"[..], &simple[12..], b"EXIF\xf0\xff\xff\xffII*\0"]
            .concat();
    [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
}

fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::new(width, height)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The peak of a process's resident memory, bytes; `None` once it is gone.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// What an upload answers, and the bytes that it cost at the peak: those of the daemon beyond what it had, and those of its children.
fn cost(person: &Person, bytes: &[u8]) -> (Answer, u64) {
    let pid = person.daemon.pid();
    // Begins a new peak (proc(5), clear_refs).
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    let before = peak(pid).unwrap();
    let is_done = AtomicBool::new(false);
    let (answer, of_children) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut peaks = HashMap::<u32, u64>::new();
            while !is_done.load(Ordering::Relaxed) {
                for child in children(pid) {
                    if let Some(now) = peak(child) {
                        let most = peaks.entry(child).or_default();
                        *most = now.max(*most);
                    }
                }
                std::thread::yield_now();
            }
            peaks.values().sum::<u64>()
        });
        let answer = upload(person, bytes);
        is_done.store(true, Ordering::Relaxed);
        (answer, watching.join().unwrap())
    });
    (answer, peak(pid).unwrap() - before + of_children)
}

#[test]
fn no_picture_costs_more_memory_than_a_large_photo() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let (small, usual) = cost(&ann, &encoded(64, 64, ImageFormat::Png));
    assert_eq!(small.status, 200, "{}", small.text());
    let profile = chunk(*b"iCCP", &[&b"p\0\0"[..], &zeros(60 << 20)].concat());
    for (what, bytes, status, words) in [
        ("16 bits a colour, 25 megapixels", png(6000, 4190, 16, false, b""), 422, "at most 12 megapixels"),
        ("16 bits a colour, 12 megapixels", png(4000, 3000, 16, false, b""), 422, "50 MB of memory"),
        ("interlaced, 16 bits a colour", png(4000, 3000, 16, true, b""), 422, "50 MB of memory"),
        ("interlaced, within the limit", png(3600, 3000, 8, true, b""), 200, ""),
        ("a large profile", png(64, 64, 8, false, &profile), 0, ""),
        ("progressive, 40 megapixels", progressive(7300, 5500), 422, "at most 12 megapixels"),
        ("progressive, 12 megapixels", progressive(4000, 3000), 422, "50 MB of memory"),
        ("progressive, 2 megapixels", progressive(1600, 1200), 200, ""),
        ("an endless Exif chunk", webp_with_endless_exif(), 0, ""),
        ("a photo of a telephone", encoded(4032, 3024, ImageFormat::Jpeg), 200, ""),
        ("a lossless WebP of 9 megapixels", encoded(3000, 3000, ImageFormat::WebP), 422, "50 MB of memory"),
    ] {
        let (answer, bytes) = cost(&ann, &bytes);
        eprintln!(
            "{what}: {} MB more, {} {}",
            bytes.saturating_sub(usual) >> 20,
            answer.status,
            answer.text()
        );
        // Where it does not matter whether the picture is shown, it is shown or refused.
        if status == 0 {
            assert!(matches!(answer.status, 200 | 422), "{what}: {}", answer.text());
        } else {
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
        }
        assert!(answer.text().contains(words), "{what}: {}", answer.text());
        assert!(
            bytes < usual + MOST + BESIDE,
            "{what} cost {} MB, a small picture {} MB",
            bytes >> 20,
            usual >> 20
        );
    }
    assert_eq!(upload(&ann, &encoded(64, 64, ImageFormat::Png)).status, 200, "the next one is decoded");
}

#[test]
fn uploads_that_trickle_block_nobody_elses_pictures() {
    let daemon = Daemon::start(&format!("{CAMERA}{NO_LIMITS}"));
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let live = ann.post("/api/v1/streams", &json!({"title": "Hens"})).json();
    let of_ann = format!("/api/v1/streams/{}/thumbnail.jpg", live["id"].as_str().unwrap());
    // Refused before the body has come: the stream is not his.
    let mut refused: Vec<_> = (0..4).map(|_| trickle(&ben, &of_ann, 1 << 20)).collect();
    for stream in &mut refused {
        assert_eq!(status(stream), 403);
    }
    // His own avatar: one at a time.
    let mut own: Vec<_> = (0..4).map(|_| trickle(&ben, "/api/v1/me/avatar", 1 << 20)).collect();
    let accepted = upload(&ann, &encoded(64, 64, ImageFormat::Png));
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    let busy = upload(&ben, &encoded(64, 64, ImageFormat::Png));
    assert_eq!((busy.status, busy.code().as_str()), (503, "busy"), "{}", busy.text());
    assert!(busy.text().contains("another picture of yours"), "{}", busy.text());
    own.clear();
}

#[test]
fn a_picture_in_pieces_of_a_byte_costs_what_it_weighs() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let pid = daemon.pid();
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    let before = peak(pid).unwrap();
    let mut stream = daemon.connect();
    let token = ann.token.as_ref().unwrap();
    let head = format!(
        "PUT /api/v1/me/avatar HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n",
        daemon.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let bytes = [b"\x89PNG\r\n\x1a\n".to_vec(), vec![0; 1 << 18]].concat();
    let pieces: Vec<u8> = bytes.iter().flat_map(|byte| [b'1', b'\r', b'\n', *byte, b'\r', b'\n']).collect();
    stream.write_all(&pieces).unwrap();
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(status(&mut stream), 422);
    // A list of a quarter of a million pieces took 8 MB and more.
    let cost = peak(pid).unwrap() - before;
    assert!(cost < 4 << 20, "{} kB", cost >> 10);
}

/// The status of the answer.
fn status(stream: &mut TcpStream) -> u16 {
    stream.set_read_timeout(Some(PATIENCE.min(Duration::from_secs(20)))).unwrap();
    let mut line = [0; 12];
    stream.read_exact(&mut line).expect("an answer comes before the body has");
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}
