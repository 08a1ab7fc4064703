//! Streams are sent on to servers that nobody here wrote: nginx-rtmp and ffmpeg. What they keep is compared with what the camera program wrote.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::Daemon;
use support::people::Person;

const KEY: &str = "s3cr3t-k3y";

/// One that is free now.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// nginx-rtmp in one process; it keeps what it gets in `folder`.
struct Nginx(Child);

impl Nginx {
    fn start(folder: &Path, port: u16) -> Self {
        let path = folder.display();
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\ndaemon off;\nmaster_process off;\npid {path}/pid;\nerror_log {path}/error.log;\n\
             events {{ }}\nrtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; record all; record_path {path}; \
             record_unique on; }} }} }}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        // As root it would keep files as `nobody`, who may not.
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let mut nginx = Command::new("nginx")
            .args(["-p", folder.to_str().unwrap(), "-c", file.to_str().unwrap(), "-g", user])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed (libnginx-mod-rtmp)");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(nginx.try_wait().unwrap().is_none(), "nginx ended");
            std::thread::yield_now();
        }
        Self(nginx)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn ends(mut self, signal: Signal) {
        self.signal(signal);
        self.0.wait().unwrap();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the server has kept, the oldest first.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "flv")).collect();
    files.sort_by_key(|file| file.metadata().unwrap().modified().unwrap());
    files
}

/// x264 with B-frames, with this sound; no two pictures are the same.
fn clip(folder: &Path, sound: &[&str]) -> PathBuf {
    let file = folder.join("clip.ts");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-y"])
        .args(["-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=60,noise=alls=20:allf=t"])
        .args(["-f", "lavfi", "-i", "anoisesrc=d=60:r=48000:a=0.2"])
        .args(["-c:v", "libx264", "-bf", "2", "-g", "25", "-preset", "fast", "-pix_fmt", "yuv420p"])
        .args(sound)
        .args(["-f", "mpegts"])
        .arg(&file)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    file
}

/// A daemon whose camera plays the clip and is sent on to these servers.
fn relaying(clip: &Path, ports: &[u16]) -> Daemon {
    let names: Vec<_> = (0..ports.len()).map(|n| format!("server-{n}")).collect();
    let clip = clip.to_str().unwrap();
    let mut config = format!(
        "[live]\nautostart = true\n[[camera]]\nsource = \"command\"\nwidth = 160\nheight = 90\nframes_per_second = 25\nrelays = {names:?}\n\
         command = [\"ffmpeg\", \"-loglevel\", \"error\", \"-nostdin\", \"-re\", \"-i\", {clip:?}, \"-c\", \"copy\", \"-f\", \"mpegts\", \"-\"]\n"
    );
    for (name, port) in names.iter().zip(ports) {
        let url = format!("rtmp://127.0.0.1:{port}/live");
        write!(config, "[[relay]]\nname = {name:?}\nurl = {url:?}\nkey = {KEY:?}\n").unwrap();
    }
    Daemon::ready(&config)
}

/// Waits for so many further segments of the stream that everybody on the network watches.
fn wait_for_segments(daemon: &Daemon, count: u64) -> m3u8_rs::MediaPlaylist {
    let read = |path: &str| m3u8_rs::parse_media_playlist_res(&daemon.get(path).body).unwrap();
    let mut playlist = read("/media/live/index.m3u8");
    let last = playlist.media_sequence + playlist.segments.len() as u64;
    for sequence in last..last + count {
        playlist = read(&format!("/media/live/index.m3u8?_HLS_msn={sequence}"));
    }
    playlist
}

/// The viewers on the network have noticed nothing.
fn check_viewers(daemon: &Daemon) {
    let playlist = wait_for_segments(daemon, 1);
    assert!(playlist.segments.iter().all(|segment| !segment.discontinuity));
    assert_eq!(daemon.metric("perch_hls_lagged_total"), 0);
}

/// A packet: presentation and decoding time in milliseconds, and a hash of its bytes.
#[derive(Clone, Debug, PartialEq)]
struct Packet {
    pts: f64,
    dts: f64,
    hash: String,
}

/// Packets of one kind, by ffprobe.
fn packets(file: &Path, kind: &str) -> Vec<Packet> {
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-select_streams", kind, "-show_data_hash", "md5"])
        .args(["-show_entries", "packet=pts_time,dts_time,data_hash", "-of", "json"])
        .arg(file)
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |packet: &serde_json::Value, name: &str| packet[name].as_str().unwrap_or_default().to_owned();
    let time = |packet: &serde_json::Value, name: &str| text(packet, name).parse::<f64>().unwrap() * 1000.0;
    let packets = found["packets"].as_array().unwrap().iter();
    packets
        .map(|packet| Packet {
            pts: time(packet, "pts_time"),
            dts: time(packet, "dts_time"),
            hash: text(packet, "data_hash"),
        })
        .collect()
}

/// The clip as FLV has it: lengths instead of start codes, and parameter sets not among the pictures. ffmpeg does it.
fn as_flv(clip: &Path) -> PathBuf {
    let file = clip.with_file_name("source.flv");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(clip)
        .args(["-c", "copy", "-bsf:v", "filter_units=remove_types=7-9", "-f", "flv"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let moved = clip.with_extension("source");
    std::fs::rename(file, &moved).unwrap();
    moved
}

/// What was kept of a track is what the source has from some packet on: each once, in order, byte for byte, and its time is later than in the source by as much as that of
/// the first picture, to a millisecond.
fn check_track(source: &[Packet], kept: &[Packet], shift: f64) {
    let begin = source.iter().position(|packet| packet.hash == kept[0].hash).expect("it is of the source");
    for (theirs, ours) in source[begin..].iter().zip(kept) {
        assert_eq!(theirs.hash, ours.hash, "{theirs:?} {ours:?}");
        let off = [ours.pts - theirs.pts - shift, ours.dts - theirs.dts - shift];
        // Two roundings: that of the source's FLV, and ours.
        assert!(off.iter().all(|off| off.abs() <= 1.001), "{off:?} {theirs:?} {ours:?}");
    }
}

/// Checks both tracks of what was kept; gives the number of pictures.
fn check_kept(source: &Path, kept: &Path) -> usize {
    let (theirs, ours) = (packets(source, "v"), packets(kept, "v"));
    let first = theirs.iter().find(|packet| packet.hash == ours[0].hash).expect("it is of the source");
    let shift = ours[0].dts - first.dts;
    check_track(&theirs, &ours, shift);
    let (their_sound, our_sound) = (packets(source, "a"), packets(kept, "a"));
    assert!(our_sound.len() > ours.len(), "{} frames of sound", our_sound.len());
    check_track(&their_sound, &our_sound, shift);
    ours.len()
}

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
    let clip = clip.to_str().unwrap();
    let daemon = Daemon::start(&format!(
        "[[camera]]\nsource = \"command\"\nwidth = 160\nheight = 90\nframes_per_second = 25\n\
         command = [\"ffmpeg\", \"-loglevel\", \"error\", \"-nostdin\", \"-re\", \"-i\", {clip:?}, \"-c\", \"copy\", \"-f\", \"mpegts\", \"-\"]\n"
    ));
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
