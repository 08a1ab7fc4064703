//! Programs that nobody here wrote send streams to a studio.

mod encrypted;
mod strangers;

use super::*;
use crate::broadcast::{Item, Reader, Start, Want};
use crate::capture::controls::KeptControls;
use crate::capture::microphones::Microphones;
use crate::capture::testing;
use crate::certificate::Certificates;
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::faults::Faults;
use crate::live::{BoardHardware, LiveCamera, LiveHandle, LiveSettings, OnAir, Studio};
use crate::memory_budget::{MemoryBudget, Part};
use crate::recorder::Recordings;
use crate::relay::Destinations;
use perch_media::h264::annex_b::nal_units;
use perch_media::sample::Sample;
use perch_store::{
    EndReason, NewUser, PasswordHash, Role, Store, StreamState, Timestamp, UserId, Visibility,
};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

/// Longest wait; enough on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Knows two keys, `one` and `two`.
struct Keys([UserId; 2]);

impl Doorkeeper for Keys {
    fn admit(&self, key: StreamKey) -> Admitting {
        let user = match key.expose() {
            "one" => Ok(self.0[0]),
            "two" => Ok(self.0[1]),
            "barred" => Err(Denied::MayNotGoLive),
            _ => Err(Denied::WrongKey),
        };
        let admission = user.map(|user| Admission {
            user,
            username: key.expose().to_owned(),
            title: "Owls".to_owned(),
            description: String::new(),
            topics: Vec::new(),
            record: false,
            visibility: Visibility::Public,
            relays: Vec::new(),
        });
        Box::pin(async { admission })
    }
}

struct House {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    live: LiveHandle,
    memory: MemoryBudget,
    enabled: watch::Sender<bool>,
    addresses: watch::Receiver<Vec<SocketAddr>>,
    address: SocketAddr,
    certificates: Certificates,
    encrypted: watch::Receiver<Vec<SocketAddr>>,
    users: [UserId; 2],
    _close: oneshot::Sender<()>,
}

impl House {
    async fn new(settings: config::Ingest) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let memory = MemoryBudget::of(256 << 20);
        let faults = Faults::default();
        let recordings = Recordings::new(
            &config::Recording::default(),
            dir.path(),
            store.clone(),
            clock.clone(),
            faults.clone(),
        );
        let live_settings = LiveSettings {
            segment: Duration::from_secs(1),
            window: Duration::from_secs(6),
            autostart: false,
            resume_within: Duration::ZERO,
            memory: memory.clone(),
            recordings,
            relays: Destinations::new(Vec::new()),
        };
        let (studio, live) = Studio::new(
            Arc::new([LiveCamera::new(testing::camera())]),
            Arc::new(BoardHardware {
                clock: clock.clone(),
                controls: KeptControls::default(),
                microphones: Microphones::default(),
            }),
            store.clone(),
            live_settings,
            Arc::default(),
            Arc::new(|_| ()),
            clock.clone(),
        );
        let users = ["ann", "ben"].map(|name| {
            let new = NewUser {
                username: name.to_owned(),
                full_name: String::new(),
                email: String::new(),
                password: PasswordHash::new("x"),
            };
            store.add_user(&new, Role::Streamer, Timestamp::from_unix_millis(1_795_000_000_000)).unwrap().id
        });
        let (close, closed) = oneshot::channel::<()>();
        tokio::spawn(studio.run(async {
            let _ = closed.await;
        }));
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let settings = config::Ingest { listen_tls: listen.clone(), listen, ..settings };
        let enabled = watch::Sender::new(true);
        let certificates = Certificates::default();
        let switch = enabled.subscribe();
        let ingest = Ingest::new(settings, switch, certificates.clone(), memory.clone(), faults, clock);
        let encrypted = ingest.encrypted_addresses();
        let mut addresses = ingest.addresses();
        tokio::spawn(ingest.run(Arc::new(Keys(users)), live.clone()));
        let address = addresses.wait_for(|bound| !bound.is_empty()).await.unwrap()[0];
        Self {
            dir,
            store,
            live,
            memory,
            enabled,
            addresses,
            address,
            certificates,
            encrypted,
            users,
            _close: close,
        }
    }

    fn url(&self, key: &str) -> String {
        format!("rtmp://{}/live/{key}", self.address)
    }

    /// The stream of an account once it is as asked.
    async fn stream(&self, user: UserId, is: impl Fn(&OnAir) -> bool) -> OnAir {
        let mut all = self.live.on_air();
        let found =
            |all: &Arc<[OnAir]>| all.iter().find(|on_air| on_air.user == Some(user) && is(on_air)).cloned();
        let waiting = async { found(&all.wait_for(|all| found(all).is_some()).await.unwrap()).unwrap() };
        tokio::time::timeout(PATIENCE, waiting).await.expect("a stream in time")
    }

    /// All samples of an account's stream that has not begun yet, to its end.
    async fn samples(&self, user: UserId) -> Vec<Sample> {
        let on_air = self.stream(user, |on_air| on_air.ended.is_none()).await;
        let want = Want { patience: Duration::ZERO, at_entry_points: true, start: Start::Oldest };
        let reader = on_air.feed.broadcast().subscribe(want);
        drop(on_air);
        tokio::time::timeout(PATIENCE, read(reader)).await.expect("the stream ends in time")
    }

    async fn ended(&self, user: UserId) -> EndReason {
        let on_air = self.stream(user, |on_air| on_air.ended.is_some()).await;
        assert_eq!(self.store.stream(on_air.stream).unwrap().facts.state, StreamState::Ended);
        on_air.ended.unwrap().0
    }

    /// A clip of `seconds` at 25 pictures a second, two of three of them B-frames, and with sound.
    fn clip(&self, seconds: u32, coding: &[&str]) -> String {
        let path = self.dir.path().join("clip.mp4");
        let path = path.to_str().unwrap().to_owned();
        let picture = format!("testsrc=s=160x90:r=25:d={seconds}");
        let sound = format!("sine=d={seconds}:r=44100");
        let input = ["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
        let usual = [
            "-c:v",
            "libx264",
            "-bf",
            "2",
            "-b_strategy",
            "0",
            "-g",
            "25",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
        ];
        run(&[&["-y"][..], &input, &usual, coding, &[&path]].concat());
        path
    }
}

async fn read(mut reader: Reader) -> Vec<Sample> {
    let mut samples = Vec::new();
    while let Some(item) = reader.next().await {
        match item {
            Item::Sample(published) => samples.push(published.sample),
            Item::Lagged { dropped } => panic!("{dropped} samples are lost"),
        }
    }
    samples
}

fn run(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-v", "error"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs ffmpeg beside the test.
fn ffmpeg(arguments: &[&str]) -> tokio::task::JoinHandle<std::process::Output> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "verbose", "-nostdin"]).args(arguments).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
}

/// The NAL units of slices and SEI in a byte stream.
fn picture_units(annex_b: &[u8]) -> Vec<Vec<u8>> {
    nal_units(annex_b)
        .filter(|unit| matches!(unit.bytes[0] & 0x1f, 1 | 5 | 6))
        .map(|unit| unit.bytes.to_vec())
        .collect()
}

/// Times of a file's packets in seconds: (pts, dts).
fn packet_times(file: &str, kind: &str) -> Vec<(f64, f64)> {
    let arguments = [
        "-v",
        "error",
        "-select_streams",
        kind,
        "-show_entries",
        "packet=pts_time,dts_time",
        "-of",
        "csv=p=0",
        file,
    ];
    let output = Command::new("ffprobe").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Behind the times there may be more, and empty lines.
    let pair = |line: &str| {
        let mut fields = line.split(',').map(|field| field.parse().unwrap());
        (fields.next().unwrap(), fields.next().unwrap())
    };
    text.lines().filter(|line| !line.is_empty()).map(pair).collect()
}

/// Every picture and frame of sound of `file` is in `samples` once, in order, byte for byte, at its time.
fn is_all_of(samples: &[Sample], file: &str) {
    let pictures: Vec<_> = samples.iter().filter_map(Sample::video).collect();
    let sent =
        run(&["-i", file, "-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-"]);
    let came: Vec<_> = pictures.iter().flat_map(|unit| picture_units(&unit.data)).collect();
    assert!(came == picture_units(&sent), "{} NAL units came", came.len());
    let first = pictures[0].times.dts;
    let from = |time| perch_media::time::MediaDuration::as_seconds(time - first);
    let is_near = |a: f64, b: f64| (a - b).abs() < 0.0011;
    let times = packet_times(file, "v");
    let zero = times[0].1;
    assert_eq!(times.len(), pictures.len());
    for (unit, (pts, dts)) in pictures.iter().zip(times) {
        let came = (from(unit.times.pts), from(unit.times.dts));
        assert!(is_near(came.0, pts - zero) && is_near(came.1, dts - zero), "{came:?} {pts} {dts}");
    }
    let sound: Vec<_> = samples.iter().filter_map(Sample::audio).collect();
    let times = packet_times(file, "a");
    // Sound before the first picture goes with none.
    let missing = times.len() - sound.len();
    assert!(missing <= 2, "{missing} frames of sound are missing");
    for (frame, (pts, _)) in sound.iter().zip(&times[missing..]) {
        let came = from(frame.times.pts);
        assert!(is_near(came, pts - zero), "{came} {pts}");
    }
    if !sound.is_empty() {
        let sent = run(&["-i", file, "-map", "0:a", "-c", "copy", "-f", "data", "-"]);
        let came: Vec<u8> = sound.iter().flat_map(|frame| frame.data.to_vec()).collect();
        assert!(sent.ends_with(&came), "sound was changed");
    }
}

#[tokio::test]
async fn ffmpegs_streams_arrive_whole_with_and_without_sound() {
    for without_sound in [&[][..], &["-an"]] {
        let house = House::new(config::Ingest::default()).await;
        let clip = house.clip(3, without_sound);
        let sending = ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &house.url("one")]);
        let samples = house.samples(house.users[0]).await;
        let said = sending.await.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        is_all_of(&samples, &clip);
        assert_eq!(house.ended(house.users[0]).await, EndReason::User);
        // Another one may follow at once.
        let next = ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &house.url("one")]);
        assert!(!house.samples(house.users[0]).await.is_empty() && next.await.unwrap().status.success());
        let stream = house.store.stream(house.stream(house.users[0], |_| true).await.stream).unwrap();
        assert_eq!((stream.details.title.as_str(), stream.details.mode.width), ("Owls", 160));
        let held = || house.memory.used(Part::Publishers);
        for _ in 0..200 {
            if held() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(held(), 0, "memory is given back");
    }
}

/// Sends a signal to a program that this test started.
fn signal(program: &std::process::Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &program.id().to_string()]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn a_program_that_returns_takes_its_stream_up_and_silence_ends_it() {
    let house = House::new(config::Ingest::default()).await;
    let clip = house.clip(30, &[]);
    let send = || {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-re", "-i", &clip, "-c", "copy", "-f", "flv"]);
        command.arg(house.url("one")).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut first = send();
    let begun = house.stream(house.users[0], |on_air| on_air.ended.is_none()).await;
    let want = Want { patience: Duration::ZERO, at_entry_points: true, start: Start::Oldest };
    let reading = tokio::spawn(read(begun.feed.broadcast().subscribe(want)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // It is half open: the kernel holds its connection, and nothing comes.
    signal(&first, "STOP");
    let mut second = send();
    tokio::time::sleep(Duration::from_secs(4)).await;
    first.kill().unwrap();
    first.wait().unwrap();
    let on_air = house.stream(house.users[0], |on_air| on_air.ended.is_none()).await;
    assert_eq!(on_air.stream, begun.stream, "the stream goes on");
    // It leaves without a word.
    second.kill().unwrap();
    second.wait().unwrap();
    let is_told = |on_air: &OnAir| on_air.detail().is_some_and(|words| words.contains("nothing comes"));
    house.stream(house.users[0], is_told).await;
    assert_eq!(house.ended(house.users[0]).await, EndReason::Interruption);
    let samples = tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
    let pictures: Vec<_> = samples.iter().filter_map(Sample::video).collect();
    let seam = pictures.iter().position(|unit| unit.epoch == 1).expect("two connections");
    assert!(pictures[seam].is_entry() && pictures[pictures.len() - 1].epoch == 1);
    assert!(pictures.windows(2).all(|pair| pair[0].times.dts < pair[1].times.dts));
    assert!(!house.live.on_air().borrow().iter().any(|on_air| on_air.ended.is_none()));
}

#[tokio::test]
async fn switched_off_it_takes_nothing_and_ends_what_it_had() {
    let mut house = House::new(config::Ingest::default()).await;
    let clip = house.clip(20, &[]);
    let sending =
        ["one", "two"].map(|key| ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &house.url(key)]));
    for user in house.users {
        house.stream(user, |on_air| on_air.ended.is_none()).await;
    }
    house.enabled.send_replace(false);
    for user in house.users {
        assert_eq!(house.ended(user).await, EndReason::Owner);
    }
    for program in sending {
        assert!(!program.await.unwrap().status.success());
    }
    house.addresses.wait_for(Vec::is_empty).await.unwrap();
    assert!(TcpStream::connect(house.address).await.is_err());
    house.enabled.send_replace(true);
    house.addresses.wait_for(|bound| !bound.is_empty()).await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_faster_than_time_is_held_back() {
    let house = House::new(config::Ingest::default()).await;
    let clip = house.clip(6, &[]);
    let began = SystemClock.monotonic();
    let sending = ffmpeg(&["-i", &clip, "-c", "copy", "-f", "flv", &house.url("one")]);
    let samples = house.samples(house.users[0]).await;
    assert!(sending.await.unwrap().status.success());
    is_all_of(&samples, &clip);
    let took = SystemClock.monotonic().saturating_sub(began);
    assert!(took > Duration::from_secs(3), "{took:?} for a clip of 6 s");
}

#[tokio::test]
async fn a_stream_is_played_by_its_id() {
    let house = House::new(config::Ingest::default()).await;
    let clip = house.clip(8, &[]);
    let sending = ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &house.url("one")]);
    let on_air = house.stream(house.users[0], |on_air| on_air.ended.is_none()).await;
    let file = house.dir.path().join("played.flv");
    let file = file.to_str().unwrap().to_owned();
    let playing = ffmpeg(&["-i", &house.url(&on_air.stream.to_string()), "-c", "copy", "-copyts", &file]);
    let nothing = ffmpeg(&["-i", &house.url("nothing"), "-c", "copy", "-f", "null", "-"]).await.unwrap();
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is no public stream of this name"));
    assert!(sending.await.unwrap().status.success());
    let said = playing.await.unwrap();
    let units = |file: &str| {
        picture_units(&run(&[
            "-i",
            file,
            "-map",
            "0:v",
            "-c",
            "copy",
            "-bsf:v",
            "h264_mp4toannexb",
            "-f",
            "h264",
            "-",
        ]))
    };
    // It begins at a key frame, and goes on to the end.
    let (sent, played) = (units(&clip), units(&file));
    assert!(played.len() > 100 && sent.ends_with(&played), "{} of {}: {said:?}", played.len(), sent.len());
    let sound = run(&["-i", &file, "-map", "0:a", "-c", "copy", "-f", "data", "-"]);
    assert!(run(&["-i", &clip, "-map", "0:a", "-c", "copy", "-f", "data", "-"]).ends_with(&sound));
}

#[tokio::test]
async fn gstreamer_and_librtmp_send_streams_as_whole_as_ffmpeg() {
    let gst = |sink: &str, clip: &str| {
        let source =
            format!("filesrc location={clip} ! qtdemux name=from flvmux streamable=true name=to ! {sink}");
        let tracks = "from.video_0 ! queue ! h264parse ! to.video from.audio_0 ! queue ! aacparse ! to.audio";
        let mut command = Command::new("gst-launch-1.0");
        command.arg("-q").args(source.split(' ')).args(tracks.split(' ')).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    // rtmpsink is librtmp, and so is what OBS has.
    for sink in ["rtmp2sink", "rtmpsink"] {
        let house = House::new(config::Ingest::default()).await;
        let clip = house.clip(4, &[]);
        // Its muxer has times of its own: it begins with three pictures at 0.
        let muxed = house.dir.path().join("muxed.flv");
        let muxed = muxed.to_str().unwrap();
        assert!(gst(&format!("filesink location={muxed}"), &clip).await.unwrap().status.success());
        let sending = gst(&format!("{sink} location={}", house.url("one")), &clip);
        let samples = house.samples(house.users[0]).await;
        let said = sending.await.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        is_all_of(&samples, muxed);
    }
}

#[tokio::test]
async fn a_wrong_key_a_second_program_and_another_codec_are_refused_in_words() {
    let house = House::new(config::Ingest { max_streams: 1, ..config::Ingest::default() }).await;
    let clip = house.clip(20, &[]);
    let refused = async |key: &str, arguments: &[&str]| {
        let url = house.url(key);
        let arguments = [&["-re", "-i", &clip], arguments, &["-f", "flv", &url]].concat();
        let said = ffmpeg(&arguments).await.unwrap();
        assert!(!said.status.success());
        String::from_utf8_lossy(&said.stderr).into_owned()
    };
    let copy = ["-c", "copy"];
    let words = refused("three", &copy).await;
    assert!(words.contains("this stream key is not known"), "{words}");
    let words = refused("barred", &copy).await;
    assert!(words.contains("may not go live"), "{words}");
    let flv1 = ["-c:v", "flv1", "-an"];
    let words = refused("two", &flv1).await;
    assert!(words.contains("Sorenson H.263 is not supported"), "{words}");
    let words = refused("two", &copy).await;
    assert!(words.contains("Sorenson H.263 is not supported"), "it is remembered for a moment: {words}");

    let sending = ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &house.url("one")]);
    let on_air = house.stream(house.users[0], |on_air| on_air.ended.is_none()).await;
    let words = refused("one", &copy).await;
    assert!(words.contains("another program is sending a stream with this key"), "{words}");
    let stopped = house.live.stop(on_air.stream, EndReason::Owner).await.unwrap();
    assert_eq!(stopped.facts.end_reason, Some(EndReason::Owner));
    let said = String::from_utf8_lossy(&sending.await.unwrap().stderr).into_owned();
    let words = refused("one", &copy).await;
    assert!(words.contains("the stream was stopped"), "{words}\n{said}");
}
