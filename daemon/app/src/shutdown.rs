//! Shutting down: the signals that start it, and the deadline of each step (design §2). `cmd::run` has their order.

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// For ending all streams: cameras stop, readers finish, the end is written to the store.
pub const STREAMS: Duration = Duration::from_secs(6);
/// For closing the chats' sockets with a farewell.
pub const CHATS: Duration = Duration::from_secs(2);
/// For connections to finish their responses.
pub const CONNECTIONS: Duration = Duration::from_secs(5);
/// For finishing the small picture that is being made.
pub const STORYBOARDS: Duration = Duration::from_secs(1);
/// For syncing and closing the store.
pub const STORE: Duration = Duration::from_secs(3);
/// For switching off the lamp.
pub const LAMP: Duration = Duration::from_secs(1);
/// For threads that still block; those that hang are left to the kernel. All deadlines together are below the unit's
/// `TimeoutStopSec`.
pub const THREADS: Duration = Duration::from_secs(1);

/// Exit code after a second signal: 128 + SIGINT, as shells have it.
const TOLD_TWICE: i32 = 130;

/// The signals that end the daemon: SIGTERM from systemd, SIGINT from a keyboard, SIGHUP from a closing terminal.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Installs the handlers. Call it inside the runtime.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal and returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }

    /// Makes the next signal end the process at once.
    pub fn arm(mut self) {
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!("{name} again: exiting at once");
            std::process::exit(TOLD_TWICE);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_studio::shutdown::{CAPTURE, READERS};

    #[test]
    fn all_steps_together_fit_into_the_units_stop_timeout() {
        let unit = include_str!("../../../systemd/perchd.service");
        let line = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
        let allowed = Duration::from_secs(line.parse().unwrap());
        assert!(CAPTURE + READERS + CHATS + CONNECTIONS + STORE + LAMP + THREADS < allowed);
    }
}
