//! The machine's own commands: beside a running daemon, and where none runs.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::Daemon;
use support::people::{NO_LIMITS, PASSWORD, Person};

/// Runs a command with the data directory of `dir`, and `typed` on its standard input.
fn perchd(dir: &Path, arguments: &[&str], typed: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_perchd"))
        .arg("--config")
        .arg(dir.join("perch.toml"))
        .arg("--data-dir")
        .arg(dir.join("data"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn accounts_are_managed_at_the_console_with_and_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    let socket = daemon.data_dir.join("control.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let code = said(&perchd(dir.path(), &["setup-code"], ""));
    assert_eq!(code, std::fs::read_to_string(daemon.data_dir.join("setup-code")).unwrap());
    Person::owner(&daemon, "olga");
    assert!(!perchd(dir.path(), &["setup-code"], "").status.success());

    said(&perchd(dir.path(), &["user", "add", "ann", "--role", "viewer"], &format!("{PASSWORD}\n")));
    let ann = Person::login(&daemon, "ann");
    assert_eq!(ann.get("/api/v1/me").json()["role"], "viewer");
    said(&perchd(dir.path(), &["user", "role", "ann", "streamer"], ""));
    assert_eq!(ann.get("/api/v1/me").json()["role"], "streamer");
    let refused = perchd(dir.path(), &["user", "role", "olga", "viewer"], "");
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("last owner"), "{why}");
    let short = perchd(dir.path(), &["user", "passwd", "ann"], "short\n");
    assert!(String::from_utf8_lossy(&short.stderr).contains("password"), "{short:?}");
    said(&perchd(dir.path(), &["user", "passwd", "ann"], "another password\n"));
    assert_eq!(ann.get("/api/v1/me").status, 401);

    assert_eq!(daemon.stop(), Some(0));
    assert!(!socket.exists());
    said(&perchd(dir.path(), &["user", "add", "ben"], &format!("{PASSWORD}\n")));
    let list = said(&perchd(dir.path(), &["user", "list"], ""));
    for line in ["olga\towner\tactive", "ann\tstreamer\tactive", "ben\tviewer\tactive"] {
        assert!(list.lines().any(|listed| listed == line), "{list}");
    }
    // Without a daemon the same rules hold, and are told in the same words.
    said(&perchd(dir.path(), &["user", "role", "ben", "streamer"], ""));
    for (arguments, typed, reason) in [
        (["user", "role", "olga", "viewer"].as_slice(), "", "last owner"),
        (&["user", "passwd", "ann"], "short\n", "password: "),
        (&["user", "passwd", "nobody"], "another password\n", "user"),
        (&["user", "add", "ben"], "another password\n", "ben"),
    ] {
        let refused = perchd(dir.path(), arguments, typed);
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && why.contains(reason), "{arguments:?}: {why}");
    }
    let list = said(&perchd(dir.path(), &["user", "list"], ""));
    assert!(list.lines().any(|listed| listed == "ben\tstreamer\tactive"), "{list}");
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    assert_eq!(Person::login(&daemon, "ben").get("/api/v1/me").status, 200);
}

#[test]
fn the_api_is_described_on_the_command_line_as_it_is_over_http() {
    let daemon = Daemon::start(NO_LIMITS);
    let output = Command::new(env!("CARGO_BIN_EXE_perchd")).arg("openapi").output().unwrap();
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, daemon.get("/api/v1/openapi.json").json());
}

#[test]
fn who_may_register_is_set_at_the_console_with_and_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    // An owner without the page: nobody was asked.
    said(&perchd(dir.path(), &["user", "add", "olga", "--role", "owner"], &format!("{PASSWORD}\n")));
    assert_eq!(said(&perchd(dir.path(), &["registration"], "")), "approval\n");
    assert_eq!(said(&perchd(dir.path(), &["registration", "closed"], "")), "closed\n");
    assert_eq!(daemon.get("/api/v1/settings").json()["registration"], "closed");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(said(&perchd(dir.path(), &["registration", "open"], "")), "open\n");
    assert_eq!(said(&perchd(dir.path(), &["registration"], "")), "open\n");
    assert!(!perchd(dir.path(), &["registration", "maybe"], "").status.success());
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    assert_eq!(daemon.get("/api/v1/settings").json()["registration"], "open");
}

/// Only root can try this; others have no rights to give up.
#[test]
fn what_root_makes_in_perchds_folder_is_perchds() {
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};
    const PERCH: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("perch.toml"), "").unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for path in [dir.path(), &data] {
        chown(path, Some(PERCH), Some(PERCH)).unwrap();
    }
    said(&perchd(dir.path(), &["user", "add", "olga", "--role", "owner"], &format!("{PASSWORD}\n")));
    let made: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(made.iter().any(|path| path.ends_with("perch.redb")), "{made:?}");
    for path in made {
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().uid(), PERCH, "{}", path.display());
    }
    // A store that is a way to a file of root's is not written.
    let theirs = dir.path().join("theirs");
    std::fs::rename(data.join("perch.redb"), &theirs).unwrap();
    chown(&theirs, Some(0), Some(0)).unwrap();
    symlink(&theirs, data.join("perch.redb")).unwrap();
    let before = std::fs::read(&theirs).unwrap();
    let refused = perchd(dir.path(), &["user", "add", "ann", "--role", "viewer"], &format!("{PASSWORD}\n"));
    assert!(!refused.status.success(), "{refused:?}");
    assert!(std::fs::read(&theirs).unwrap() == before, "somebody else's file was written");
}
