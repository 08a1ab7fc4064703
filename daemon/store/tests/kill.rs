//! `kill -9` under mixed writes: a child process writes and reports what was acknowledged; it is killed at any moment, and the
//! store must open again, be sound and hold everything that was reported. 20 rounds, or as many as requested:
//!
//!     cargo test -p perch-store --test kill -- --rounds 200

#![allow(clippy::unwrap_used, reason = "in a test an error ends the test")]

use perch_store::{
    EndReason, MessageId, NewMessage, NewStream, NewUser, PasswordHash, Reaction, Role, Store, StreamId,
    StreamState, Timestamp, UserId, VideoMode, Viewer, Visibility,
};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;

const ROUNDS: u64 = 20;
/// Writers in a child, each with its own camera.
const WRITERS: u64 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [mode, path, round] if mode == "write" => {
            write(Path::new(path), round.parse().expect("the parent gives a number"))
        }
        [flag, rounds] if flag == "--rounds" => survive(rounds.parse().expect("--rounds takes a number")),
        // As under `cargo test NAME`: another test's name selects nothing here.
        [filter, ..] if !filter.starts_with('-') && !"kill".contains(filter.as_str()) => ExitCode::SUCCESS,
        _ => survive(ROUNDS),
    }
}

/// A sequence of numbers from a seed: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

// The child.

fn write(path: &Path, round: u64) -> ExitCode {
    acknowledge("opening");
    let store = Store::open(path).expect("the store opens after every kill");
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                let numbers = Numbers(round * WRITERS + number);
                Writer { store, numbers, round, number, step: 0 }.write();
            });
        }
    });
    ExitCode::SUCCESS
}

static OUTPUT: Mutex<()> = Mutex::new(());

/// Only committed changes are reported.
fn acknowledge(what: &str) {
    let _whole_lines = OUTPUT.lock().expect("no writer panics while it speaks");
    let mut out = std::io::stdout();
    // Without a parent there is no reason to continue.
    if writeln!(out, "{what}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

struct Writer<'a> {
    store: &'a Store,
    numbers: Numbers,
    round: u64,
    number: u64,
    step: u64,
}

impl Writer<'_> {
    /// Until killed, or until the parent must be gone.
    fn write(&mut self) {
        let camera = format!("camera-{}", self.number);
        if let Some(left) = self.store.stream_on_camera(&camera).unwrap() {
            self.store.end_stream(left.facts.id, EndReason::Interruption, self.now()).unwrap();
            acknowledge(&format!("ended {}", left.facts.id));
        }
        while self.step < 3_000 {
            let user = self.register();
            let stream = self.start(user, &camera);
            for _ in 0..self.numbers.next(6) {
                self.speak(stream, user);
            }
            self.store.end_stream(stream, EndReason::User, self.now()).unwrap();
            acknowledge(&format!("ended {stream}"));
        }
    }

    fn now(&mut self) -> Timestamp {
        self.step += 1;
        Timestamp::from_unix_millis(1_795_000_000_000 + (self.round * 100_000 + self.step).cast_signed())
    }

    fn register(&mut self) -> UserId {
        let now = self.now();
        let name = format!("u{}-{}-{}", self.round, self.number, self.step);
        let new = NewUser {
            username: name.clone(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("$"),
        };
        let user = self.store.add_user(&new, Role::Streamer, now).unwrap().id;
        acknowledge(&format!("user {user} {name}"));
        let mut token = [0; 32];
        token[..16].copy_from_slice(&user.number().to_be_bytes());
        let expires = Timestamp::from_unix_millis(i64::MAX);
        let session = self.store.open_session(user, &token, "", now, expires).unwrap().id;
        acknowledge(&format!("session {user} {session}"));
        user
    }

    fn start(&mut self, user: UserId, camera: &str) -> StreamId {
        let now = self.now();
        let new = NewStream {
            user,
            title: format!("Stream {} of round {}", self.step, self.round),
            description: "Owls in the garden at night".to_owned(),
            topics: Vec::new(),
            camera: camera.to_owned(),
            mode: VideoMode { width: 640, height: 480, frames_per_second: 30, bitrate_kbps: 1000 },
            duration_seconds: None,
            record: true,
            visibility: Visibility::Public,
            relays: Vec::new(),
        };
        let stream = self.store.start_stream(&new, now).unwrap().facts.id;
        acknowledge(&format!("stream {stream} {user}"));
        self.store.stream_live(stream, now).unwrap();
        self.store.react(user, stream, Some(Reaction::Like)).unwrap();
        acknowledge(&format!("like {stream} {user}"));
        self.store.count_views(&[(stream, user.into()), (stream, Viewer::anonymous(1))]).unwrap();
        acknowledge(&format!("views {stream} 2"));
        stream
    }

    fn speak(&mut self, stream: StreamId, user: UserId) {
        let now = self.now();
        let group: Vec<NewMessage> = (0..=self.numbers.next(4))
            .map(|number| NewMessage {
                stream,
                user,
                offset_ms: number,
                text: format!("{}-{number}", self.step),
            })
            .collect();
        for stored in self.store.append_messages(&group, now).unwrap() {
            let stored = stored.unwrap();
            acknowledge(&format!("message {stream} {} {}", stored.id, stored.text));
        }
    }
}

// The parent.

fn survive(rounds: u64) -> ExitCode {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perch.redb");
    let mut acknowledged = Vec::new();
    let mut numbers = Numbers(2026);
    println!("\nrunning 1 test");
    for round in 0..rounds {
        // The first line is printed before the store is opened: one round in eight is killed while it opens.
        let lines = if round % 8 == 7 { 1 } else { 1 + numbers.next(120) };
        run_and_kill(&path, round, lines, &mut acknowledged);
        check(&path, &acknowledged);
    }
    println!("test kill_9 ... ok ({rounds} rounds, {} acknowledged writes kept)", acknowledged.len());
    println!("\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n");
    ExitCode::SUCCESS
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // SIGKILL; the child may have ended by itself, which the check of its output shows.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run_and_kill(path: &Path, round: u64, lines: u64, acknowledged: &mut Vec<String>) {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args([Path::new("write"), path, Path::new(&round.to_string())])
        .stdout(Stdio::piped())
        .spawn()
        .map(Killed)
        .unwrap();
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let mut read = 0;
    let mut line = String::new();
    // What was reported before the kill is still in the pipe, and counts too.
    loop {
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        read += 1;
        if read == lines {
            child.0.kill().unwrap();
        }
        if line.ends_with('\n') && line.trim() != "opening" {
            acknowledged.push(line.trim().to_owned());
        }
    }
    assert!(read >= lines, "the child ended by itself in round {round}, after {read} lines");
}

/// Everything ever acknowledged, in all rounds.
fn check(path: &Path, acknowledged: &[String]) {
    let store = Store::open(path).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    let mut messages: BTreeMap<StreamId, BTreeMap<MessageId, String>> = BTreeMap::new();
    for line in acknowledged {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["user", id, name] => assert_eq!(store.user_by_name(name).unwrap().id, id.parse().unwrap()),
            ["session", user, session] => {
                let user: UserId = user.parse().unwrap();
                assert_eq!(store.session(session.parse().unwrap()).unwrap().user, user);
            }
            ["stream", id, user] => {
                assert_eq!(store.stream(id.parse().unwrap()).unwrap().facts.user, user.parse().unwrap());
            }
            ["ended", id] => {
                assert_eq!(store.stream(id.parse().unwrap()).unwrap().facts.state, StreamState::Ended);
            }
            ["like", stream, user] => {
                let reaction = store.reaction(user.parse().unwrap(), stream.parse().unwrap()).unwrap();
                assert_eq!(reaction, Some(Reaction::Like));
            }
            ["views", stream, count] => {
                assert_eq!(store.stream(stream.parse().unwrap()).unwrap().facts.views.to_string(), count);
            }
            ["message", stream, id, text] => {
                let of_stream = messages.entry(stream.parse().unwrap()).or_default();
                assert!(
                    of_stream.insert(id.parse().unwrap(), text.to_owned()).is_none(),
                    "said twice: {line}"
                );
            }
            _ => panic!("the child said {line:?}"),
        }
    }
    for (stream, expected) in messages {
        let kept = store.messages_after(stream, None, usize::MAX).unwrap();
        let kept: BTreeMap<MessageId, String> =
            kept.into_iter().map(|message| (message.id, message.text)).collect();
        // There may be more than was acknowledged: committed, but killed before it was reported.
        for (id, text) in &expected {
            assert_eq!(kept.get(id), Some(text), "message {id} of stream {stream}");
        }
    }
}
