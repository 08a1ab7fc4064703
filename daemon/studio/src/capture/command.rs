//! A child process that writes H.264 (Annex B) to its standard output: `rpicam-vid` and anything like it.
//!
//! The argument list goes to the kernel as it is, never through a shell. The child leads a process group of its own, which ends with this
//! source; when this process is killed, the kernel kills the child (`perch_device::child`). Its standard error goes to our log, 20 lines a
//! second at most. A stream that carries no times is read as it comes and stamped with the time of reading; the assembler of access units
//! removes the jitter of that.
//!
//! Must not be here: when to start it again (`supervisor`), what the bytes mean (`perch-media`).

mod child_log;
mod held;

use self::child_log::ChildLog;
use self::held::{Held, LINGER, PIPE, Piece};
use super::source::{CodedSource, Output, SourceDescription, SourceError};
use crate::clock::Clock;
use crate::config;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Bytes that are asked for at a time at least: more than most pictures have.
const LEAST_READ: usize = 64 << 10;
/// A wait that took no longer was none: the bytes were there already.
const AT_ONCE: Duration = Duration::from_micros(200);
/// How long a child that closed its output may take to exit, so that its exit status can be told.
const EXIT: Duration = Duration::from_millis(500);
/// Time between SIGTERM and SIGKILL.
const TERMINATE: Duration = Duration::from_secs(2);
/// Pause between two checks whether the child has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running child.
pub(super) struct CommandSource {
    child: Child,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    read_at: Duration,
    /// Bytes of the last read.
    read_bytes: usize,
    /// The last read left nothing in the pipe.
    is_drained: bool,
    carries_times: bool,
    /// Pieces of a stream that carries no times.
    held: Held,
    log: ChildLog,
    clock: Arc<dyn Clock>,
    description: SourceDescription,
}

impl CommandSource {
    /// Starts `camera.command`.
    pub(super) fn start(camera: &config::Camera, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let Some((program, arguments)) = camera.command.split_first() else {
            return Err(SourceError::Missing(
                "`command` is empty: name a program that writes H.264".to_owned(),
            ));
        };
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => SourceError::Missing(format!(
                "there is no program {program}: install it, or name another in `command`"
            )),
            ErrorKind::PermissionDenied => {
                SourceError::Permission(format!("{program} may not be run by this user: see its file mode"))
            }
            _ => SourceError::Failed(format!("{program} cannot be started: {error}")),
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The capture thread starts it, and drops it before it ends: the child lives no longer than its thread.
        let mut child = perch_device::child::spawn(&mut command).map_err(failed)?;
        let stdout = child.stdout.take().expect("it was asked to be a pipe");
        let stderr = child.stderr.take();
        if let Err(error) = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE) {
            tracing::debug!(%error, "the pipe keeps its default size");
        }
        let source = Self {
            child,
            stdout,
            stderr,
            read_at: clock.monotonic(),
            read_bytes: 0,
            is_drained: true,
            carries_times: false,
            held: Held::default(),
            log: ChildLog::new(&camera.name, program),
            clock,
            description: SourceDescription {
                camera: format!("the program {program}"),
                encoder: format!("the program {program}"),
                width: camera.width,
                height: camera.height,
                frames_per_second: camera.frames_per_second,
            },
        };
        for pipe in
            [Some(source.stdout.as_fd()), source.stderr.as_ref().map(AsFd::as_fd)].into_iter().flatten()
        {
            rustix::io::ioctl_fionbio(pipe, true).map_err(|error| source.failed(&error.to_string()))?;
        }
        Ok(source)
    }

    fn failed(&self, what: &str) -> SourceError {
        SourceError::Failed(format!("{}: {what}", self.description.camera))
    }

    /// Waits until the child writes, `timeout` at most; returns whether it wrote to standard output.
    fn wait(&mut self, timeout: Duration) -> Result<bool, SourceError> {
        // This cannot fail: timeouts are far below the most that a timespec holds.
        let timeout = timeout.try_into().ok();
        let stderr = self.stderr.as_ref().map_or(self.stdout.as_fd(), AsFd::as_fd);
        let mut pipes =
            [PollFd::new(&self.stdout, PollFlags::IN), PollFd::from_borrowed_fd(stderr, PollFlags::IN)];
        let open = if self.stderr.is_some() { 2 } else { 1 };
        match rustix::event::poll(&mut pipes[..open], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(self.failed(&format!("poll: {error}"))),
        }
        let [stdout_ready, stderr_ready] = pipes.map(|pipe| !pipe.revents().is_empty());
        if stderr_ready {
            self.read_stderr();
        }
        Ok(stdout_ready)
    }

    fn read_stderr(&mut self) {
        let Some(stderr) = &self.stderr else { return };
        let mut bytes = [0; 4096];
        match rustix::io::read(stderr, &mut bytes) {
            Ok(0) => self.stderr = None,
            Ok(read) => self.log.take(&bytes[..read], self.clock.monotonic()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => self.stderr = None,
        }
    }

    /// The error that says why the child closed its output.
    fn ended(&mut self) -> SourceError {
        self.read_stderr();
        let until = self.clock.monotonic() + EXIT;
        let how = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break format!("ended with {status}"),
                Ok(None) if self.clock.monotonic() < until => self.clock.park(LOOK_AGAIN),
                Ok(None) | Err(_) => break "closed its output".to_owned(),
            }
        };
        let said = self.log.last_line().map(|line| format!("; it last said: {line}")).unwrap_or_default();
        self.failed(&format!("{how}{said}"))
    }

    /// Waits until `done`, `deadline` at most; returns whether it is.
    fn wait_until(&mut self, deadline: Duration, done: impl Fn(&mut Self) -> bool) -> bool {
        let until = self.clock.monotonic() + deadline;
        loop {
            if done(self) {
                return true;
            }
            if self.clock.monotonic() >= until {
                return false;
            }
            self.clock.park(LOOK_AGAIN);
        }
    }

    fn child_has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether the child and all processes of its group have ended.
    fn group_has_ended(&mut self) -> bool {
        self.child_has_ended() && self.group().is_none_or(|group| test_kill_process_group(group).is_err())
    }

    /// The next piece, or nothing when none came within `timeout`.
    fn read(&mut self, timeout: Duration) -> Result<Option<Piece>, SourceError> {
        let mut was_there = !self.is_drained;
        if self.is_drained {
            let mut asked_at = self.clock.monotonic();
            if self.carries_times && self.read_bytes < PIPE / 4 {
                self.clock.park((self.read_at + LINGER).saturating_sub(asked_at));
                asked_at = self.clock.monotonic();
            }
            if !self.wait(timeout)? {
                return Ok(None);
            }
            was_there = self.clock.monotonic() <= asked_at + AT_ONCE;
        }
        let mut chunk = Vec::with_capacity((2 * self.read_bytes).clamp(LEAST_READ, PIPE));
        match rustix::io::read(&self.stdout, rustix::buffer::spare_capacity(&mut chunk)) {
            // What came before the end is handed on before it.
            Ok(0) if !self.held.is_empty() => Ok(None),
            Ok(0) => Err(self.ended()),
            Ok(read) => {
                self.is_drained = read < chunk.capacity();
                self.read_bytes = read;
                // Pictures share these bytes as long as they are kept, so unused space behind them would be kept, too.
                chunk.shrink_to_fit();
                let last_read_at = std::mem::replace(&mut self.read_at, self.clock.monotonic());
                let since = if was_there { last_read_at } else { self.read_at };
                Ok(Some(Piece { data: chunk.into(), since, read_at: self.read_at }))
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {
                self.is_drained = true;
                Ok(None)
            }
            Err(error) => Err(self.failed(&format!("its output cannot be read: {error}"))),
        }
    }
}

impl CodedSource for CommandSource {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        loop {
            if let Some(piece) = self.held.take() {
                return Ok(piece.into());
            }
            match self.read(timeout)? {
                Some(piece) if self.carries_times => return Ok(piece.into()),
                Some(piece) => self.held.push(piece),
                None if self.held.is_empty() => return Ok(Output::Nothing),
                None => self.held.hand_on(),
            }
        }
    }

    fn carries_times(&mut self) {
        self.carries_times = true;
    }

    /// Does nothing: a child cannot be asked for an IDR. It makes them as its arguments say.
    fn force_key_frame(&mut self) {}

    fn finish(&mut self) -> bool {
        self.signal(Signal::TERM);
        true
    }

    fn description(&self) -> SourceDescription {
        self.description.clone()
    }
}

impl CommandSource {
    /// The child's process group, which exists until the last of its processes has ended.
    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Signals the child and all processes of its group.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group() {
            // ESRCH means that all of them have ended, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for CommandSource {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if self.wait_until(TERMINATE, Self::group_has_ended) {
            return;
        }
        self.signal(Signal::KILL);
        // No process survives SIGKILL; the child's own children are reaped by their new parent.
        if !self.wait_until(TERMINATE, Self::child_has_ended) {
            tracing::error!(
                "{} (process {}) hangs in the kernel and is left behind",
                self.description.camera,
                self.child.id()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::camera;
    use crate::clock::{HandClock, SystemClock};

    fn start(command: &[&str]) -> Result<CommandSource, SourceError> {
        let mut camera = camera();
        camera.command = command.iter().map(|&word| word.to_owned()).collect();
        CommandSource::start(&camera, Arc::new(SystemClock))
    }

    /// All of its output, and the error at its end.
    fn drain(source: &mut CommandSource) -> (Vec<u8>, SourceError) {
        let mut all = Vec::new();
        loop {
            match source.next(Duration::from_secs(10)) {
                Ok(Output::Stream { data, .. }) => all.extend_from_slice(&data),
                Ok(Output::Nothing) => {}
                Ok(Output::Picture(_) | Output::Sound(_)) => panic!("a child gives bytes"),
                Err(error) => return (all, error),
            }
        }
    }

    #[test]
    fn what_the_child_writes_comes_whole_and_its_end_is_explained() {
        let mut source =
            start(&["sh", "-c", "head -c 300000 /dev/zero; echo no camera here >&2; exit 3"]).unwrap();
        let (all, error) = drain(&mut source);
        assert_eq!(all.len(), 300_000);
        let words = error.to_string();
        assert!(words.contains("exit status: 3") && words.contains("no camera here"), "{words}");
    }

    #[test]
    fn what_lay_in_the_pipe_came_since_the_last_look() {
        let mut source = start(&["echo", "a"]).unwrap();
        let started = source.read_at;
        while !source.wait(Duration::from_secs(10)).unwrap() {}
        let Ok(Output::Stream { since, read_at, .. }) = source.next(Duration::ZERO) else {
            panic!("nothing")
        };
        assert!(since == started && read_at > since);
    }

    #[test]
    fn bytes_that_carry_their_times_are_left_in_the_pipe_for_a_moment() {
        let clock = Arc::new(HandClock::default());
        let mut camera = camera();
        camera.command = ["sh", "-c", "while echo a; do :; done"].map(str::to_owned).to_vec();
        let mut source = CommandSource::start(&camera, clock.clone()).unwrap();
        let drained = |source: &mut CommandSource| {
            let before = clock.monotonic();
            source.is_drained = true;
            source.read_bytes = 1;
            while !matches!(source.next(Duration::from_secs(10)), Ok(Output::Stream { .. })) {}
            clock.monotonic().saturating_sub(before)
        };
        assert_eq!(drained(&mut source), Duration::ZERO);
        source.carries_times();
        while source.held.take().is_some() {}
        assert_eq!(drained(&mut source), LINGER);
        assert_eq!(drained(&mut source), LINGER, "since the last read");
        source.read_bytes = PIPE / 4;
        source.is_drained = true;
        let before = clock.monotonic();
        while !matches!(source.next(Duration::from_secs(10)), Ok(Output::Stream { .. })) {}
        assert_eq!(clock.monotonic(), before, "the pipe would fill");
    }

    #[test]
    fn no_shell_looks_at_the_arguments() {
        let (all, _) = drain(&mut start(&["printf", "%s", "$(echo a); b > c"]).unwrap());
        assert_eq!(all, b"$(echo a); b > c");
    }

    #[test]
    fn a_program_that_is_not_there_is_said_with_the_way_out() {
        let error = start(&["no-such-camera-program"]).err().expect("it cannot be started");
        assert!(matches!(error, SourceError::Missing(_)));
        assert!(error.to_string().contains("install it"), "{error}");
        assert!(matches!(start(&[]).err(), Some(SourceError::Missing(_))));
    }

    #[test]
    fn the_child_and_its_children_end_with_the_source() {
        // The grandchild outlives its parent and ignores SIGTERM.
        let deaf = "trap '' TERM; echo $$; exec sleep 1000";
        let mut source = start(&["sh", "-c", "sh -c \"$0\" & wait", deaf]).unwrap();
        let Ok(Output::Stream { data, .. }) = source.next(Duration::from_secs(10)) else { panic!("no pid") };
        let pid: i32 = std::str::from_utf8(&data).unwrap().trim().parse().unwrap();
        drop(source);
        // It was sent SIGKILL. The process that inherits it may take a while to reap it.
        let until = SystemClock.monotonic() + Duration::from_secs(10);
        let runs = || {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !(state.is_empty() || state.contains(") Z") || state.contains(") X"))
        };
        while runs() {
            assert!(SystemClock.monotonic() < until, "process {pid} still runs");
            SystemClock.park(LOOK_AGAIN);
        }
    }
}
