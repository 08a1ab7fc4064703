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
