//! Recordings as whoever takes the card out finds them: files that any player opens, also after the power was cut.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use perch_store::{Recording, RecordingState, Store};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::people::{NO_LIMITS, Person};
use support::{Daemon, Signal, run};

const CONFIG: &str = r#"
[recording]
keep_free = "0 MB"
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 240
frames_per_second = 10
bitrate_kbps = 500
[[camera]]
name = "back"
source = "test-pattern"
width = 160
height = 120
frames_per_second = 10
bitrate_kbps = 200
"#;

fn config() -> String {
    format!("{NO_LIMITS}{CONFIG}")
}

/// Goes live; the stream's id.
fn record(person: &Person<'_>, camera: &str, title: &str) -> String {
    let answer = person.post("/api/v1/streams", &json!({"title": title, "camera": camera, "record": true}));
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn media(dir: &Path) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(dir.join("data/recordings")) else { return Vec::new() };
    let paths = folder.map(|entry| entry.unwrap().path());
    let mut media: Vec<_> = paths.filter(|path| path.extension().is_some_and(|kind| kind == "mp4")).collect();
    media.sort();
    media
}

/// Waits until each of so many files has so many bytes. Each look asks the daemon, which lets time pass.
fn grown(daemon: &Daemon, dir: &Path, files: usize, bytes: u64) -> Vec<PathBuf> {
    for _ in 0..1_000_000 {
        assert_eq!(daemon.get("/healthz").status, 200);
        let media = media(dir);
        let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |found| found.len());
        if media.len() == files && media.iter().all(|path| length(path) >= bytes) {
            return media;
        }
    }
    panic!("{files} recordings of {bytes} bytes never came: {:?}", media(dir));
}

/// What ffprobe finds: pictures, and the length in seconds. It must have nothing to complain of.
fn probed(path: &Path) -> (u64, f64) {
    let name = path.to_str().unwrap();
    let args = [
        "-v",
        "warning",
        "-count_packets",
        "-show_entries",
        "stream=codec_name,nb_read_packets:format=duration",
        "-of",
        "json",
        name,
    ];
    let output = run("ffprobe", &args, Path::new("/"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["streams"][0]["codec_name"], "h264");
    let packets = found["streams"][0]["nb_read_packets"].as_str().unwrap().parse().unwrap();
    (packets, found["format"]["duration"].as_str().unwrap().parse().unwrap())
}

/// Decodes every picture.
fn decoded(path: &Path) {
    let output =
        run("ffmpeg", &["-v", "warning", "-i", path.to_str().unwrap(), "-f", "null", "-"], Path::new("/"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", path.display());
}

fn kept(dir: &Path) -> Vec<Recording> {
    Store::open(&dir.join("data/perch.redb")).unwrap().all_recordings().unwrap()
}

#[test]
fn two_streams_at_once_become_files_that_any_player_opens() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), &config());
    let owner = Person::owner(&daemon, "olive");
    let streams = [record(&owner, "front", "Nest: box"), record(&owner, "back", "Pond")];
    let growing = grown(&daemon, dir.path(), 2, 30_000);
    // A file that grows can be opened at any moment.
    assert!(probed(&growing[0]).0 > 0);
    for stream in &streams {
        assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    }
    assert_eq!(daemon.stop(), Some(0));
    let recordings = kept(dir.path());
    assert_eq!(recordings.len(), 2);
    for (recording, path) in recordings
        .iter()
        .map(|recording| (recording, dir.path().join(format!("data/recordings/{}.mp4", recording.name))))
    {
        assert_eq!((recording.state, recording.parts), (RecordingState::Ended, 1));
        let (pictures, seconds) = probed(&path);
        assert!((seconds - recording.duration_ms as f64 / 1000.0).abs() < 0.11, "{seconds} {recording:?}");
        assert!(pictures >= 10, "{pictures}");
        decoded(&path);
        let index = path.with_extension("index");
        let bytes = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert_eq!(recording.bytes, bytes(&path) + bytes(&index));
        let described: Value =
            serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
        assert_eq!(
            (&described["streamer"], &described["stream"]),
            (&json!("olive"), &json!(recording.stream.to_string()))
        );
    }
    assert!(recordings.iter().any(|recording| recording.name.contains(" Nest box ")), "{recordings:?}");
}

#[test]
fn a_recording_outlives_power_cuts_and_goes_on_in_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = 30_000;
    let mut cuts = Vec::new();
    for round in 0..3 {
        let daemon = Daemon::start_in(dir.path(), &config());
        if round == 0 {
            record(&Person::owner(&daemon, "olive"), "front", "Nest");
        } else {
            let row = &kept_while_running(&daemon);
            assert_eq!(row["record"], true);
        }
        let path = grown(&daemon, dir.path(), 1, bytes).remove(0);
        daemon.signal(Signal::KILL);
        daemon.ended();
        let length = std::fs::metadata(&path).unwrap().len();
        // What was just being written is torn.
        std::fs::File::options().write(true).open(&path).unwrap().set_len(length - 100).unwrap();
        assert_eq!(kept(dir.path())[0].state, RecordingState::Recording);
        cuts.push(length);
        bytes = length + 30_000;
    }
    let daemon = Daemon::start_in(dir.path(), &config());
    let path = grown(&daemon, dir.path(), 1, bytes).remove(0);
    assert!(console(dir.path(), &["recordings", "list"]).contains("\trecording\t"));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(console(dir.path(), &["recordings", "verify"]), "");
    assert!(console(dir.path(), &["recordings", "list"]).contains("\tended\t"));
    let [recording] = &kept(dir.path())[..] else { panic!("one stream, one recording") };
    assert_eq!((recording.state, recording.parts), (RecordingState::Ended, 1));
    let (pictures, seconds) = probed(&path);
    assert!((seconds - recording.duration_ms as f64 / 1000.0).abs() < 0.11, "{seconds} {recording:?}");
    assert!(pictures > 40, "{pictures}");
    decoded(&path);
}

/// The stream that goes on.
fn kept_while_running(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/streams").json()["items"][0].clone()
}

/// What a command of the machine says.
fn console(dir: &Path, arguments: &[&str]) -> String {
    let mut all = vec!["--config", "perch.toml", "--data-dir", "data"];
    all.extend(arguments);
    String::from_utf8(run(env!("CARGO_BIN_EXE_perchd"), &all, dir).stdout).unwrap()
}

/// A disk of its own for recordings, 48 MB; unmounted when dropped. Needs root and a loop device.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new(make: &str, arguments: &[&str]) -> Self {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        let image = std::fs::File::create(disk.dir.path().join("image")).unwrap();
        image.set_len(48 << 20).unwrap();
        run(make, &[arguments, &["image"]].concat(), disk.dir.path());
        std::fs::create_dir(disk.path()).unwrap();
        run("mount", &["-o", "loop", "image", "disk"], disk.dir.path());
        std::fs::create_dir(disk.path().join("perch")).unwrap();
        disk
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn config(&self) -> String {
        let folder = format!("[recording]\nbudget = \"100%\"\nfolder = \"{}/perch\"", self.path().display());
        config().replace("[recording]", &folder)
    }

    fn media(&self) -> Option<PathBuf> {
        let paths = std::fs::read_dir(self.path().join("perch")).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "mp4")).max()
    }

    fn grown(&self, daemon: &Daemon, bytes: u64) -> u64 {
        for _ in 0..1_000_000 {
            assert_eq!(daemon.get("/healthz").status, 200);
            let length = self.media().map_or(0, |path| std::fs::metadata(path).unwrap().len());
            if length >= bytes {
                return length;
            }
        }
        panic!("the recording never had {bytes} bytes");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the daemon of a test that fails still has files open.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(std::thread::panicking() || unmounted.unwrap().success());
    }
}

/// The newest segment's number: live goes on while it grows.
fn segments(daemon: &Daemon) -> u64 {
    daemon.metric("perch_segments_total")
}

#[test]
fn a_disk_that_is_full_is_told_live_goes_on_and_recording_goes_on_when_there_is_room() {
    let (disk, dir) = (Disk::new("mkfs.ext4", &["-q", "-m", "0"]), tempfile::tempdir().unwrap());
    let daemon = Daemon::start_in(dir.path(), &disk.config());
    let owner = Person::owner(&daemon, "olive");
    let stream = record(&owner, "front", "Nest");
    let before = disk.grown(&daemon, 30_000);
    // Somebody else fills it.
    let full = disk.path().join("full");
    let filled =
        Command::new("dd").args(["if=/dev/zero", "bs=64k"]).arg(format!("of={}", full.display())).output();
    assert!(!filled.unwrap().status.success(), "until there is no room");
    daemon.logged("there is no room left for recordings");
    let trouble = owner.get(&format!("/api/v1/recordings/{stream}")).json()["trouble"].clone();
    assert!(trouble.as_str().unwrap().contains("no room left"), "{trouble}");
    // Its streamer is told, once, however often the card is tried.
    let told = loop {
        let told = owner.get("/api/v1/me/notifications").json()["items"].clone();
        if !told[0].is_null() {
            break told;
        }
    };
    assert_eq!((&told[0]["kind"], &told[0]["reason"]), (&json!("recording_paused"), &json!("no_room")));
    assert_eq!((&told[0]["stream"]["id"], told.as_array().unwrap().len()), (&json!(stream), 1));
    let beside_the_stream = || owner.get(&format!("/api/v1/streams/{stream}")).json()["detail"].clone();
    assert_eq!(beside_the_stream(), trouble);
    let seen = segments(&daemon);
    while segments(&daemon) < seen + 2 {}
    std::fs::remove_file(full).unwrap();
    daemon.logged("the recording is all right again");
    disk.grown(&daemon, before + 30_000);
    assert_eq!(beside_the_stream(), Value::Null);
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    let path = disk.media().unwrap();
    let (pictures, _) = probed(&path);
    assert!(pictures > 20, "{pictures}");
    decoded(&path);
    assert_eq!(daemon.stop(), Some(0));
    let [recording] = &kept(dir.path())[..] else { panic!("one stream, one recording") };
    assert_eq!((recording.state, recording.parts), (RecordingState::Ended, 1));
    assert_eq!(console(dir.path(), &["recordings", "verify"]), "");
}

#[test]
fn a_disk_that_turns_read_only_is_told_and_the_recording_ends_with_what_it_has() {
    let (disk, dir) = (Disk::new("mkfs.ext4", &["-q"]), tempfile::tempdir().unwrap());
    let daemon = Daemon::start_in(dir.path(), &disk.config());
    let owner = Person::owner(&daemon, "olive");
    let stream = record(&owner, "front", "Nest");
    disk.grown(&daemon, 30_000);
    // What ext4 does by itself after an error of the card.
    let told = || owner.get("/api/v1/storage").json()["disk"].clone();
    assert_eq!((&told()["kind"], &told()["is_read_only"]), (&json!("disk"), &json!(false)));
    run("mount", &["-o", "remount,abort", disk.path().to_str().unwrap()], disk.dir.path());
    daemon.logged("Nothing is recorded just now");
    // The first refusal may be an I/O error, of what ext4 had begun; each look lets time pass until the next one.
    while told()["is_read_only"] != true {}
    assert!(told()["name"].as_str().unwrap().starts_with("loop"), "{}", told());
    let seen = segments(&daemon);
    while segments(&daemon) < seen + 2 {}
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    assert!(probed(&disk.media().unwrap()).0 > 0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Hashes of the decoded pictures of a file, in their order.
fn hashes(path: &Path) -> Vec<String> {
    let args = [
        "-v",
        "error",
        "-i",
        path.to_str().unwrap(),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        "-f",
        "framehash",
        "-hash",
        "md5",
        "-",
    ];
    let text = String::from_utf8(run("ffmpeg", &args, Path::new("/")).stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

#[test]
fn b_frames_and_sound_of_a_camera_program_are_recorded_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let clip = dir.path().join("clip.ts");
    let (name, sources) = (clip.to_str().unwrap(), ["testsrc=s=160x90:r=25:d=60", "sine=d=60:r=48000"]);
    let inputs = ["-f", "lavfi", "-i", sources[0], "-f", "lavfi", "-i", sources[1]];
    let coding =
        ["-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-y", name];
    run("ffmpeg", &[&["-v", "error"][..], &inputs, &coding].concat(), dir.path());
    let program = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", name, "-c", "copy", "-f", "mpegts", "-"];
    let config = format!(
        "{NO_LIMITS}[recording]\nkeep_free = \"0 MB\"\n[[camera]]\nname = \"front\"\nsource = \"command\"\nwidth = 160\nheight = 90\n\
         frames_per_second = 25\ncommand = {program:?}\n"
    );
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olive");
    let stream = record(&owner, "front", "Owl");
    let path = grown(&daemon, dir.path(), 1, 150_000).remove(0);
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(media(dir.path()).len(), 1, "sound is there from the first part on");

    let (recorded, made) = (hashes(&path), hashes(&clip));
    assert!(recorded.len() > 50, "{}", recorded.len());
    let begins = made.iter().position(|hash| *hash == recorded[0]).expect("it is a picture of the clip");
    assert_eq!(recorded[..], made[begins..begins + recorded.len()]);
    let args = [
        "-v",
        "warning",
        "-show_entries",
        "stream=codec_name,duration",
        "-of",
        "csv=p=0",
        path.to_str().unwrap(),
    ];
    let output = run("ffprobe", &args, Path::new("/"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).unwrap();
    let tracks: Vec<(&str, f64)> = text
        .lines()
        .map(|line| line.split_once(',').unwrap())
        .map(|(codec, length)| (codec, length.parse().unwrap()))
        .collect();
    let [("h264", pictures), ("aac", sound)] = tracks[..] else { panic!("{text}") };
    assert!((pictures - sound).abs() < 0.5, "{text}");
    decoded(&path);
}

/// Presentation times of a file's pictures in seconds, from the first one on, in decoding order.
fn times(path: &Path) -> Vec<f64> {
    let args = ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"];
    let output = run("ffprobe", &[&args[..], &[path.to_str().unwrap()]].concat(), Path::new("/"));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(',')).filter(|line| !line.is_empty());
    let times: Vec<f64> = lines.map(|time| time.parse().unwrap()).collect();
    let first = times[0];
    times.iter().map(|time| time - first).collect()
}

#[test]
fn pictures_at_a_varying_rate_are_recorded_at_their_own_times() {
    let dir = tempfile::tempdir().unwrap();
    let clip = dir.path().join("clip.ts");
    let name = clip.to_str().unwrap();
    // Of 25 pictures a second every third and fifth is left out, and from the fourth second on 20 of 25. A key frame each second, and B-frames.
    let pictures = "testsrc=s=160x90:r=25:d=40,select='if(lt(mod(t,8),4),mod(n,3)*mod(n,5),not(mod(n,5)))',format=yuv420p";
    let coding =
        ["-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-b_strategy", "0"];
    let cut = ["-force_key_frames", "expr:gte(t,n_forced)", "-muxdelay", "0", "-y", name];
    run("ffmpeg", &[&["-v", "error", "-f", "lavfi", "-i", pictures][..], &coding, &cut].concat(), dir.path());
    let program = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", name, "-c", "copy", "-f", "mpegts", "-"];
    let config = format!(
        "{NO_LIMITS}[recording]\nkeep_free = \"0 MB\"\n[[camera]]\nname = \"front\"\nsource = \"command\"\nwidth = 160\nheight = 90\n\
         frames_per_second = 25\ncommand = {program:?}\n"
    );
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olive");
    let stream = record(&owner, "front", "Owl");
    let address = format!("/api/v1/recordings/{stream}");
    // Both rates. Each look lets time pass.
    while owner.get(&address).json()["duration_seconds"].as_f64().is_none_or(|seconds| seconds < 7.0) {}
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    let seconds = owner.get(&address).json()["duration_seconds"].as_f64().unwrap();
    let path = media(dir.path()).remove(0);
    let (recorded, made) = (times(&path), times(&clip));
    assert!(recorded.len() > 50, "{}", recorded.len());
    for (recorded, made) in recorded.iter().zip(&made) {
        assert!((recorded - made).abs() < 0.001, "{recorded} s, not {made} s");
    }
    let mut shown = recorded.clone();
    shown.sort_by(f64::total_cmp);
    let steps: Vec<f64> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().any(|step| *step < 0.05) && steps.iter().any(|step| *step > 0.19), "{steps:?}");
    // How long the last picture lasts is not known, and with B-frames decoding is ahead of presentation by two pictures at most.
    let last = shown.last().unwrap();
    assert!((seconds - last).abs() < 0.61, "{seconds} s, and the last picture at {last} s");
    let (pictures, found) = probed(&path);
    assert_eq!(pictures, recorded.len() as u64);
    assert!((found - seconds).abs() < 0.21, "{found} s, not {seconds} s");
    assert_eq!(daemon.stop(), Some(0));
}
