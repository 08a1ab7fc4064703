//! Recordings as MP4 files: the encoder's pictures, byte for byte, as ffmpeg's demuxer finds them, while the recording grows, after a cut of the power,
//! and in a clip.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::path::Path;
use support::people::Person;
use support::program::{self, RATE};
use support::{Answer, Daemon, Signal, run};

/// Hashes of a file's coded pictures in their order. Parameter sets, SEI and delimiters (NAL unit types 6 to 9) are left out: they move between
/// samples and headers where one container becomes another.
fn pictures(path: &Path) -> Vec<String> {
    let name = path.to_str().unwrap();
    let coded =
        ["-map", "0:v", "-c", "copy", "-bsf:v", "filter_units=remove_types=6-9", "-f", "framehash", "-"];
    let text = String::from_utf8(
        run("ffmpeg", &[&["-v", "error", "-i", name][..], &coded].concat(), Path::new("/")).stdout,
    );
    let text = text.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

fn seconds(path: &Path) -> f64 {
    let args = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path.to_str().unwrap()];
    String::from_utf8(run("ffprobe", &args, Path::new("/")).stdout).unwrap().trim().parse().unwrap()
}

/// Runs of pictures that follow each other in what was made: the first and the last of each.
fn runs(found: &[String], made: &[String]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for hash in found {
        match runs.last_mut() {
            Some((_, last)) if made.get(*last + 1) == Some(hash) => *last += 1,
            _ => {
                let at = made.iter().position(|known| known == hash).expect("a picture of the encoder");
                runs.push((at, at));
            }
        }
    }
    runs
}

/// Asks for the download until it is so long in seconds. Each look lets time pass.
fn so_long(daemon: &Daemon, path: &str, file: &Path, longest: f64) -> Answer {
    for _ in 0..100_000 {
        let answer = daemon.get(path);
        if answer.status == 200 {
            std::fs::write(file, &answer.body).unwrap();
            if seconds(file) >= longest {
                return answer;
            }
        } else {
            assert_eq!(answer.status, 404, "before there is a whole fragment");
        }
    }
    panic!("the recording was never {longest} s long");
}

#[test]
fn a_recording_is_downloaded_while_it_grows_after_a_power_cut_and_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let config = program::make(dir.path());
    // As one file of ffmpeg's, so that both are read alike.
    run("ffmpeg", &["-v", "error", "-i", "clip.ts", "-c", "copy", "clip.mp4"], dir.path());
    let made = pictures(&dir.path().join("clip.mp4"));
    assert_eq!(made.len(), 1500);

    let daemon = Daemon::start_in(dir.path(), &config);
    let id = program::record(&daemon, "Owl");
    let path = format!("/media/{id}/recording.mp4");
    let file = dir.path().join("so-far.mp4");
    let first = so_long(&daemon, &path, &file, 3.0);
    let name = first.header("content-disposition").unwrap();
    assert!(name.contains("\"Owl, 2") && name.contains(", so far.mp4\""), "{name}");
    let tag = first.header("etag").unwrap().to_owned();
    let found = pictures(&file);
    assert!(
        (found.len() as f64 / RATE - seconds(&file)).abs() < 1.5 / RATE,
        "{} {}",
        found.len(),
        seconds(&file)
    );
    assert_eq!(runs(&found, &made).len(), 1, "while it grows");

    // It goes on growing; whoever has begun a download gets the rest of the same file.
    let second = so_long(&daemon, &path, &file, seconds(&file) + 2.0);
    assert_ne!(second.header("etag"), Some(tag.as_str()));
    assert!(second.body.len() > first.body.len());
    let ask = |range: &str, tag: &str| daemon.ask("GET", &path, &[("Range", range), ("If-Range", tag)]);
    for from in [0, 10, first.body.len() / 2, first.body.len() - 1] {
        let rest = ask(&format!("bytes={from}-"), &tag);
        assert_eq!((rest.status, rest.header("etag")), (206, Some(tag.as_str())), "from {from}");
        assert!(rest.body == first.body[from..], "from {from}");
    }
    assert_eq!(ask(&format!("bytes={}-", first.body.len()), &tag).status, 416, "it has all of that file");
    for other in ["\"other\"", &tag.replace("-mp4-", "-mp4-1"), &tag.replace('a', "b").replace('1', "2")] {
        assert_eq!(ask("bytes=0-9", other).status, 200, "{other}");
    }
    let head = daemon.ask("HEAD", &path, &[]);
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() >= second.body.len());
    let clip_path = format!("{path}?from=1.2&to=2.4");
    let clipped = daemon.get(&clip_path);
    std::fs::write(&file, &clipped.body).unwrap();
    assert_eq!(runs(&pictures(&file), &made).len(), 1, "a clip of what grows");
    assert!((seconds(&file) - 1.2).abs() < 1.5 / RATE, "{}", seconds(&file));
    assert_eq!(daemon.get(&clip_path).header("etag"), clipped.header("etag"), "it does not change any more");

    daemon.signal(Signal::KILL);
    daemon.ended();
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::login(&daemon, "olga");
    let before = seconds_of(&second, &file);
    so_long(&daemon, &path, &file, before + 3.0);
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    let whole = so_long(&daemon, &path, &file, before + 3.0);
    assert!(!whole.header("content-disposition").unwrap().contains("so far"));
    let found = pictures(&file);
    let seen = runs(&found, &made);
    // The program begins anew with the daemon.
    assert_eq!((seen.len(), seen[1].0), (2, 0), "before the cut, and after it: {seen:?}");
    assert!(
        (found.len() as f64 / RATE - seconds(&file)).abs() < 1.5 / RATE,
        "{} {}",
        found.len(),
        seconds(&file)
    );
    let across = (seen[0].1 - seen[0].0) as f64 / RATE;
    let clipped = daemon.get(&format!("{path}?from={}&to={}", across - 0.6, across + 0.6));
    std::fs::write(&file, &clipped.body).unwrap();
    assert_eq!(runs(&pictures(&file), &made).len(), 2, "a clip across the cut");
    assert!((seconds(&file) - 1.2).abs() < 1.5 / RATE, "{}", seconds(&file));
}

fn seconds_of(answer: &Answer, file: &Path) -> f64 {
    std::fs::write(file, &answer.body).unwrap();
    seconds(file)
}
