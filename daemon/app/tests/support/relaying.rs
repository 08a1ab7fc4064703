//! Servers of RTMP that nobody here wrote, a stream that is sent on to them, and what they keep compared with what the camera program wrote.

use super::Daemon;
use super::packets::{Packet, packets};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub const KEY: &str = "s3cr3t-k3y";

/// One that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// nginx-rtmp in one process; it keeps what it gets in `folder`.
pub struct Nginx(Child);

impl Nginx {
    pub fn start(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, "")
    }

    /// The same with a block of its stream module, which answers before it where it has TLS.
    pub fn start_with(folder: &Path, port: u16, stream: &str) -> Self {
        let module =
            if stream.is_empty() { "" } else { "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n" };
        let path = folder.display();
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n{module}daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log {path}/error.log;\n\
             events {{ }}\nrtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; record all; record_path {path}; \
             record_unique on; }} }} }}\n{stream}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        // As root it would keep files as `nobody`, who may not.
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let mut nginx = Command::new("nginx")
            .args(["-p", folder.to_str().unwrap(), "-c", file.to_str().unwrap(), "-g", user])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed (libnginx-mod-rtmp, libnginx-mod-stream)");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(nginx.try_wait().unwrap().is_none(), "nginx ended");
            std::thread::yield_now();
        }
        Self(nginx)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    pub fn ends(mut self, signal: Signal) {
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
pub fn kept(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "flv")).collect();
    files.sort_by_key(|file| file.metadata().unwrap().modified().unwrap());
    files
}

/// x264 with B-frames, with this sound; no two pictures are the same.
pub fn clip(folder: &Path, sound: &[&str]) -> PathBuf {
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
pub fn relaying(clip: &Path, ports: &[u16]) -> Daemon {
    let tables: Vec<_> =
        ports.iter().map(|port| format!("url = \"rtmp://127.0.0.1:{port}/live\"\nkey = {KEY:?}")).collect();
    relaying_to(clip, &tables)
}

/// The same to relays of these tables, which have names by their numbers.
pub fn relaying_to(clip: &Path, tables: &[String]) -> Daemon {
    let names: Vec<_> = (0..tables.len()).map(|n| format!("server-{n}")).collect();
    let mut config = format!("[live]\nautostart = true\n{}relays = {names:?}\n", camera(clip));
    for (name, table) in names.iter().zip(tables) {
        write!(config, "[[relay]]\nname = {name:?}\n{table}\n").unwrap();
    }
    Daemon::ready(&config)
}

/// A camera that plays the clip.
pub fn camera(clip: &Path) -> String {
    let clip = clip.to_str().unwrap();
    format!(
        "[[camera]]\nsource = \"command\"\nwidth = 160\nheight = 90\nframes_per_second = 25\n\
         command = [\"ffmpeg\", \"-loglevel\", \"error\", \"-nostdin\", \"-re\", \"-i\", {clip:?}, \"-c\", \"copy\", \"-f\", \"mpegts\", \"-\"]\n"
    )
}

/// Waits for so many further segments of the stream that everybody on the network watches.
pub fn wait_for_segments(daemon: &Daemon, count: u64) -> m3u8_rs::MediaPlaylist {
    let read = |path: &str| m3u8_rs::parse_media_playlist_res(&daemon.get(path).body).unwrap();
    let mut playlist = read("/media/live/index.m3u8");
    let last = playlist.media_sequence + playlist.segments.len() as u64;
    for sequence in last..last + count {
        playlist = read(&format!("/media/live/index.m3u8?_HLS_msn={sequence}"));
    }
    playlist
}

/// The viewers on the network have noticed nothing.
pub fn check_viewers(daemon: &Daemon) {
    let playlist = wait_for_segments(daemon, 1);
    assert!(playlist.segments.iter().all(|segment| !segment.discontinuity));
    assert_eq!(daemon.metric("perch_hls_lagged_total"), 0);
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
pub fn check_kept(source: &Path, kept: &Path) -> usize {
    let (theirs, ours) = (packets(source, "v"), packets(kept, "v"));
    let first = theirs.iter().find(|packet| packet.hash == ours[0].hash).expect("it is of the source");
    let shift = ours[0].dts - first.dts;
    check_track(&theirs, &ours, shift);
    let (their_sound, our_sound) = (packets(source, "a"), packets(kept, "a"));
    assert!(our_sound.len() > ours.len(), "{} frames of sound", our_sound.len());
    check_track(&their_sound, &our_sound, shift);
    ours.len()
}
