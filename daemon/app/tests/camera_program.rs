//! A camera program lives as long as the daemon and no longer, however the daemon ends.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use support::{Daemon, PATIENCE, Signal};

/// Its program says its process id and then writes nothing, so no broken pipe ever tells it that the daemon is gone; and it is deaf to every
/// signal that can be ignored.
const SILENT: &str = r#"
[live]
autostart = true
[[camera]]
name = "front"
source = "command"
command = ["sh", "-c", "trap '' TERM HUP INT; echo it runs as $$ >&2; exec sleep 1000"]
"#;

#[test]
fn a_camera_program_does_not_outlive_a_daemon_that_is_killed() {
    let daemon = Daemon::start(SILENT);
    let line = daemon.logged("it runs as ");
    let id = line.split_once("runs as ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    let program = pidfd_open(Pid::from_raw(id).unwrap(), PidfdFlags::empty()).unwrap();
    daemon.signal(Signal::KILL);
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let ended = poll(&mut [PollFd::new(&program, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ended, 1, "it is left behind and holds its camera");
}

/// A camera whose program is this.
fn program(argv: &str) -> String {
    format!(
        "[live]\nautostart = true\n[[camera]]\nname = \"front\"\nsource = \"command\"\ncommand = {argv}\n"
    )
}

#[test]
fn a_flood_of_garbage_is_given_up_in_words_and_takes_no_memory() {
    let daemon = Daemon::start(&program(r#"["cat", "/dev/zero"]"#));
    daemon.logged("it writes, but no H.264");
    let camera = &daemon.get("/api/v1/cameras").json()["items"][0];
    assert_eq!(camera["state"], "waiting", "{camera}");
    assert!(camera["detail"].as_str().unwrap().contains("it writes, but no H.264"), "{camera}");
    assert!(daemon.resident_bytes() < 96 << 20, "{} bytes", daemon.resident_bytes());
}

#[test]
fn a_program_that_ends_at_once_is_told_with_its_last_words() {
    let daemon = Daemon::start(&program(
        r#"["sh", "-c", "echo usage: camera FILE; echo no such camera >&2; exit 3"]"#,
    ));
    let line = daemon.logged("ended with exit status: 3");
    assert!(line.contains("it last said: no such camera"), "{line}");
    assert!(line.contains("it writes, but no H.264: it looks like text (\"usage: camera FILE\")"), "{line}");
}
