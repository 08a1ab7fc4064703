//! Updates of the system over HTTP, on a machine whose scripts (the card image's `/usr/lib/perch/update`) are played by the test: they say how it goes in the
//! folder beside perchd's runtime directory, and take the file away.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::people::{NO_LIMITS, Person};
use support::{Answer, Daemon, Signal, run};
use tempfile::TempDir;

const ADDRESS: &str = "/api/v1/system/update";
const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 128
height = 96
frames_per_second = 5
"#;

/// A machine that takes updates.
struct Board {
    dir: TempDir,
}

impl Board {
    fn new() -> Self {
        let board = Self { dir: tempfile::tempdir().unwrap() };
        for name in ["perch", "perch-update", "data"] {
            std::fs::create_dir(board.path(name)).unwrap();
        }
        board
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&self) -> Daemon {
        let run = self.path("perch");
        let environment = [("RUNTIME_DIRECTORY", run.to_str().unwrap())];
        Daemon::start_with(self.dir.path(), &format!("{CAMERA}{NO_LIMITS}"), &environment)
    }

    /// The scripts say something.
    fn says(&self, state: &str) {
        std::fs::write(self.path("perch-update/new"), state).unwrap();
        std::fs::rename(self.path("perch-update/new"), self.path("perch-update/state")).unwrap();
    }

    /// The scripts heed the word, read what has arrived, and take it away.
    fn take(&self) -> Vec<u8> {
        self.says("installing\n");
        std::fs::remove_file(self.path("perch/update")).unwrap();
        let file = self.path("data/incoming.update");
        let update = std::fs::read(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        update
    }

    /// What is there of updates in the data directory.
    fn left(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.path("data")).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with("incoming")).collect()
    }
}

/// As `image/build.sh` packs one.
fn update(format: &str, dir: &Path) -> Vec<u8> {
    std::fs::create_dir_all(dir.join("boot")).unwrap();
    std::fs::write(dir.join("boot/cmdline.txt"), "root=PARTUUID=0-02\n").unwrap();
    std::fs::write(dir.join("SHA256SUMS"), "0000  system.img\n").unwrap();
    std::fs::write(dir.join("system.img"), vec![7; 1_000_000]).unwrap();
    let format = format!("--format={format}");
    run("tar", &["--create", "--file", "made.update", &format, "SHA256SUMS", "boot", "system.img"], dir);
    std::fs::read(dir.join("made.update")).unwrap()
}

fn ustar() -> Vec<u8> {
    update("ustar", tempfile::tempdir().unwrap().path())
}

/// Says that a body of so many bytes comes, and sends some.
fn begin(owner: &Person, length: usize, some: &[u8]) -> TcpStream {
    begin_at(owner, ADDRESS, length, some)
}

/// The same at this address.
fn begin_at(owner: &Person, address: &str, length: usize, some: &[u8]) -> TcpStream {
    let mut stream = owner.daemon.connect();
    let bearer = owner.token.as_deref().unwrap_or("none");
    write!(
        stream,
        "PUT {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n"
    )
    .unwrap();
    write!(stream, "Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n").unwrap();
    stream.write_all(some).unwrap();
    stream
}

/// What is answered, be all of the body sent or not.
fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let read = stream.read(&mut some).unwrap();
        assert!(read > 0, "closed after {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&some[..read]);
        if !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            continue;
        }
        let answer = Answer::parse(&bytes);
        if answer.body.len() == answer.header("content-length").unwrap().parse::<usize>().unwrap() {
            return answer;
        }
    }
}

fn send(owner: &Person, file: &[u8]) -> Answer {
    answer(begin(owner, file.len(), file))
}

fn state(owner: &Person) -> Value {
    owner.get(ADDRESS).json()["state"].take()
}

/// Waits until perchd is as far: what comes over a connection it sees a moment later.
fn wait_for(owner: &Person, expected: &str) {
    for _ in 0..600 {
        if state(owner) == expected {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    panic!("it is not {expected}, but {}", state(owner));
}

#[test]
fn a_machine_that_takes_none_says_so() {
    let daemon = Daemon::start(NO_LIMITS);
    let owner = Person::owner(&daemon, "olga");
    for refused in [owner.get(ADDRESS), send(&owner, &ustar())] {
        assert_eq!((refused.status, refused.code()), (404, "not_found".to_owned()));
    }
    assert_eq!(owner.get("/api/v1/system").json()["takes_updates"], false);
}

#[test]
fn an_owner_installs_an_update_and_is_told_how_it_goes() {
    let board = Board::new();
    let daemon = board.start();
    let owner = Person::owner(&daemon, "olga");
    assert_eq!(owner.get("/api/v1/system").json()["takes_updates"], true);
    assert_eq!(owner.get(ADDRESS).json(), json!({"state": "idle", "problem": null}));
    let warnings = || owner.get("/api/v1/system").json()["warnings"].to_string();

    for format in ["ustar", "gnu"] {
        let made = update(format, tempfile::tempdir().unwrap().path());
        let accepted = send(&owner, &made);
        assert_eq!((accepted.status, accepted.text()), (202, String::new()));
        daemon.logged("olga installs an update");
        assert!(board.path("perch/update").exists());
        let rights = std::fs::metadata(board.path("data/incoming.update")).unwrap().permissions().mode();
        assert_eq!((board.left(), rights & 0o777), (vec!["incoming.update".to_owned()], 0o600));
        assert_eq!(state(&owner), "installing", "the word is not heeded yet");
        assert_eq!(send(&owner, &made).code(), "update_under_way");
        assert!(board.take() == made, "not what was sent");
        for state in ["installing", "restarting", "trial"] {
            board.says(&format!("{state}\n"));
            assert_eq!(owner.get(ADDRESS).json(), json!({"state": state, "problem": null}));
            assert_eq!(warnings().contains("restarts within"), state != "trial", "{}", warnings());
            let refused = send(&owner, &made);
            assert_eq!((refused.status, refused.code().as_str()), (409, "update_under_way"));
        }
        board.says("refused the file is\u{7} damaged\n");
        assert_eq!(owner.get(ADDRESS).json(), json!({"state": "refused", "problem": "the file is damaged"}));
    }
    let older = "this update (1.0.0) is older than this card's system (1.1.0)";
    board.says(&format!("older {older}\n"));
    assert_eq!(owner.get(ADDRESS).json(), json!({"state": "older", "problem": older}));
    let made = ustar();
    let may_be_older = board.path("perch/update-older");
    let begun = begin_at(&owner, &format!("{ADDRESS}?may_be_older=true"), made.len(), &made);
    assert_eq!(answer(begun).status, 202);
    assert!(may_be_older.exists() && board.path("perch/update").exists());
    assert!(board.take() == made);
    board.says("kept\n");
    assert_eq!(send(&owner, &made).status, 202);
    assert!(!may_be_older.exists(), "it was said of another update");
    board.take();
    for state in ["left", "kept"] {
        board.says(state);
        assert_eq!(owner.get(ADDRESS).json(), json!({"state": state, "problem": null}));
    }
    assert_eq!(board.left(), [""; 0]);
}

#[test]
fn nobody_else_installs_one_or_hears_of_it() {
    let board = Board::new();
    let daemon = board.start();
    Person::owner(&daemon, "olga");
    let made = ustar();
    for (who, status) in [(Person::register(&daemon, "mia"), 403), (Person::nobody(&daemon), 401)] {
        assert_eq!(who.get(ADDRESS).status, status);
        assert_eq!(send(&who, &made).status, status);
    }
    assert!(!board.path("perch/update").exists());
    assert_eq!(board.left(), [""; 0]);
}

#[test]
fn what_is_none_is_refused_at_once_and_leaves_nothing() {
    let board = Board::new();
    let daemon = board.start();
    let owner = Person::owner(&daemon, "olga");
    let made = ustar();
    let mut another = made.clone();
    another[0] = b'T';
    // The rest of it never comes.
    for (file, length) in
        [(&[0; 512][..], 100_000_000), (&another[..512], another.len()), (&made[..511], 511), (b"", 0)]
    {
        let refused = answer(begin(&owner, length, file));
        let problem = refused.json();
        assert_eq!(
            (refused.status, &problem["code"], &problem["field"]),
            (422, &json!("invalid_field"), &json!("update"))
        );
        assert!(problem["detail"].as_str().unwrap().contains("ends in .update"), "{problem}");
        assert_eq!((board.left(), state(&owner)), (vec![], json!("idle")));
    }
    // Whoever does not look at the answer before all is sent, as some browsers, learns of it, too.
    let large = vec![b'x'; 40_000_000];
    let refused = send(&owner, &large);
    assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_field"));
    let stranger = Person::nobody(&daemon);
    assert_eq!(send(&stranger, &large).status, 401);
    let too_large = answer(begin(&owner, (768 << 20) + 1, b""));
    assert_eq!((too_large.status, too_large.code().as_str()), (413, "too_large"));
    assert_eq!((board.left(), state(&owner)), (vec![], json!("idle")));

    // Somebody leaves in the middle, in an orderly way and in another one.
    let mut half = begin(&owner, made.len(), &made[..made.len() / 2]);
    wait_for(&owner, "arriving");
    half.shutdown(Shutdown::Write).unwrap();
    let mut said = Vec::new();
    half.read_to_end(&mut said).unwrap();
    assert!(!said.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&said));
    wait_for(&owner, "idle");
    assert_eq!(board.left(), [""; 0]);
    let half = begin(&owner, made.len(), &made[..made.len() / 2]);
    wait_for(&owner, "arriving");
    drop(half);
    wait_for(&owner, "idle");
    assert_eq!(board.left(), [""; 0]);
    assert!(!board.path("perch/update").exists());
}

#[test]
fn one_arrives_at_a_time() {
    let board = Board::new();
    let daemon = board.start();
    let owner = Person::owner(&daemon, "olga");
    let made = ustar();
    let mut first = begin(&owner, made.len(), &made[..1000]);
    wait_for(&owner, "arriving");
    let second = send(&owner, &made);
    assert_eq!((second.status, second.code().as_str()), (409, "update_arriving"));
    first.write_all(&made[1000..]).unwrap();
    assert_eq!(answer(first).status, 202);
    assert!(board.take() == made, "not what was sent");
}

#[test]
fn nobodys_stream_ends_by_an_update() {
    let board = Board::new();
    let daemon = board.start();
    let owner = Person::owner(&daemon, "olga");
    let made = ustar();
    let go_live = || {
        let live = owner.post("/api/v1/streams", &json!({"title": "Four chicks"})).json();
        format!("/api/v1/streams/{}/stop", live["id"].as_str().unwrap())
    };
    let stop = go_live();
    let refused = send(&owner, &made);
    assert_eq!((refused.status, refused.code().as_str()), (409, "on_air"));
    assert_eq!(owner.post(&stop, &json!({})).status, 200);

    // Somebody goes live while it comes.
    let mut coming = begin(&owner, made.len(), &made[..1000]);
    wait_for(&owner, "arriving");
    let stop = go_live();
    coming.write_all(&made[1000..]).unwrap();
    assert_eq!(answer(coming).code(), "on_air");
    assert_eq!(board.left(), [""; 0]);
    assert!(!board.path("perch/update").exists());
    assert_eq!(owner.post(&stop, &json!({})).status, 200);
    assert_eq!(send(&owner, &made).status, 202);
}

#[test]
fn what_is_left_over_is_removed_at_the_next_start() {
    let board = Board::new();
    let daemon = board.start();
    let owner = Person::owner(&daemon, "olga");
    let made = ustar();
    let _half = begin(&owner, made.len(), &made[..1000]);
    wait_for(&owner, "arriving");
    daemon.signal(Signal::KILL);
    daemon.ended();
    assert_eq!(board.left(), ["incoming.update.part"]);

    let daemon = board.start();
    let owner = Person::login(&daemon, "olga");
    assert_eq!(state(&owner), "idle");
    assert_eq!(board.left(), [""; 0]);
    // It is read while perchd starts anew: it stays for whoever reads it.
    assert_eq!(send(&owner, &made).status, 202);
    daemon.signal(Signal::KILL);
    daemon.ended();
    let daemon = board.start();
    assert_eq!(state(&Person::login(&daemon, "olga")), "installing");
    assert!(board.take() == made, "not what was sent");
    // And when they have left it lying.
    board.says("refused it is damaged\n");
    std::fs::write(board.path("data/incoming.update"), "old").unwrap();
    assert_eq!(daemon.stop(), Some(0));
    let daemon = board.start();
    // It listens before it has looked; it answers after.
    assert_eq!(state(&Person::login(&daemon, "olga")), "refused");
    assert_eq!(board.left(), [""; 0]);
}

#[test]
fn perchd_ends_in_time_while_an_update_arrives() {
    let board = Board::new();
    let daemon = board.start();
    let owner = Person::owner(&daemon, "olga");
    let made = ustar();
    let _half = begin(&owner, made.len(), &made[..1000]);
    wait_for(&owner, "arriving");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(board.left(), [""; 0]);
}
