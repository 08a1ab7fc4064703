//! Child processes that end when this process does, however it ends (`PR_SET_PDEATHSIG` of prctl(2)).

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

/// Starts `command` as the leader of a process group of its own. The kernel sends it SIGKILL when the *thread* that called this ends, so that
/// thread has to live at least as long as the child; when the process is killed, all its threads end.
///
/// The signal reaches the child alone. What the child itself has started goes by its own means (a broken pipe), or by the service's control
/// group. The kernel forgets the setting when the child executes a program with set-user-id bits or file capabilities.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let parent = getpid();
    command.process_group(0);
    // SAFETY: the closure runs between fork and exec, where only async-signal-safe functions may be called. It makes two system calls and
    // neither allocates nor takes a lock; an `io::Error` of an error number does not allocate either.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the call above: then nobody is going to send the signal.
            if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
        })
    };
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn a_child_ends_with_the_thread_that_started_it() {
        let start = || spawn(Command::new("sh").args(["-c", "trap '' TERM HUP; exec sleep 1000"])).unwrap();
        let mut child = std::thread::spawn(start).join().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn a_child_leads_its_own_group_and_ends_as_it_likes() {
        let script = r#"read -r line < /proc/self/stat; set -- $line; [ "$5" = "$$" ]"#;
        let status = spawn(Command::new("sh").args(["-c", script])).unwrap().wait().unwrap();
        assert!(status.success(), "{status}");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let error = spawn(&mut Command::new("/no/such/program")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
