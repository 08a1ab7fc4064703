//! How often the store syncs the card, as strace sees it: once for each call that changes something, never for others.
#![allow(clippy::unwrap_used, reason = "in a test an error ends the test")]

use perch_store::{
    NewMessage, NewStream, NewUser, PasswordHash, Reaction, Role, Store, StoreError, Sweep, Timestamp,
    VideoMode, Viewer, Visibility,
};
use std::path::Path;
use std::process::Command;

/// The environment variable that names the store's folder to the traced process.
const FOLDER: &str = "PERCH_TRACED_STORE";
/// System calls that wait for the card, and the one with which the traced process says where it is.
const TRACED: &str = "trace=ftruncate,fsync,fdatasync,sync,syncfs,msync,statx,newfstatat,stat";

const CALLS: usize = 10;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_000_000_000 + seconds * 1000)
}

/// A system call that stands out in the trace.
fn mark(phase: &str) {
    assert!(Path::new("/phase").join(phase).metadata().is_err());
}

fn traced(folder: &Path) -> Result<(), StoreError> {
    let store = Store::open(&folder.join("perch.redb"))?;
    let new = NewUser {
        username: "ana".to_owned(),
        full_name: String::new(),
        email: String::new(),
        password: PasswordHash::new("$"),
    };
    let ana = store.add_user(&new, Role::Streamer, at(0))?.id;
    store.open_session(ana, &[1; 32], "", at(0), at(99))?;
    let new = NewStream {
        user: ana,
        title: "Owls".to_owned(),
        description: String::new(),
        topics: Vec::new(),
        camera: "front".to_owned(),
        mode: VideoMode { width: 640, height: 480, frames_per_second: 30, bitrate_kbps: 900 },
        duration_seconds: None,
        record: false,
        visibility: Visibility::Public,
        relays: Vec::new(),
    };
    let stream = store.start_stream(&new, at(0))?.facts.id;
    store.stream_live(stream, at(1))?;
    store.raise_peak_viewers(stream, 5)?;
    store.count_views(&[(stream, Viewer::anonymous(7))])?;
    store.react(ana, stream, Some(Reaction::Like))?;
    store.change_settings(|_| ())?;

    mark("changes");
    for second in 0..CALLS {
        let text = "hello".to_owned();
        store.append_messages(&[NewMessage { stream, user: ana, offset_ms: second as u64, text }], at(2))?;
    }
    mark("strangers");
    for guess in 0..CALLS {
        let token = &[100 + guess as u8; 32];
        assert!(store.refresh_session(token, &[2; 32], at(3), at(99)).is_err());
        assert!(!store.close_session_of(token)?);
    }
    mark("repetitions");
    for _ in 0..CALLS {
        store.raise_peak_viewers(stream, 4)?;
        store.count_views(&[(stream, Viewer::anonymous(7))])?;
        store.react(ana, stream, Some(Reaction::Like))?;
        store.stream_live(stream, at(4))?;
        store.change_settings(|_| ())?;
        store.read_notifications(ana, None)?;
        store.sweep(Sweep::default(), at(5))?;
        assert!(!store.unsave_stream(ana, stream)?);
    }
    mark("refusals");
    for _ in 0..CALLS {
        assert!(store.start_stream(&new, at(6)).is_err(), "the camera is taken");
    }
    mark("end");
    Ok(())
}

#[test]
fn a_change_syncs_the_card_once_and_anything_else_never() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return traced(Path::new(&folder)).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let run = Command::new("strace")
        .args(["-f", "-e", TRACED, "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, dir.path())
        .output()
        .expect("strace is there: daemon/setup.sh test");
    assert!(run.status.success(), "{run:?}");
    let trace = std::fs::read_to_string(trace).unwrap();
    let syncs = |phase: &str| {
        let (_, from) = trace.split_once(&format!("\"/phase/{phase}\"")).unwrap();
        let (until, _) = from.split_once("\"/phase/").unwrap();
        let count = |call: &str| until.lines().filter(|line| line.contains(call)).count();
        // redb also syncs when the file grows, by about its own length.
        count("sync(") - count("ftruncate(")
    };
    let found = ["changes", "strangers", "repetitions", "refusals"].map(syncs);
    assert_eq!(found, [CALLS, 0, 0, 0], "{trace}");
}
