//! The end of the daemon: what asks for it, and steps that each have a deadline (design §2). The order is `cmd::run`'s.

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// For all streams to come to their end: cameras, readers, and the end written to the store.
pub const STREAMS: Duration = Duration::from_secs(6);
/// For the sockets of the chats to say goodbye.
pub const CHATS: Duration = Duration::from_secs(2);
/// For connections to finish what they are being sent.
pub const CONNECTIONS: Duration = Duration::from_secs(5);
/// For the store to be synced and closed.
pub const STORE: Duration = Duration::from_secs(3);
/// For the lamp to be switched off.
pub const LAMP: Duration = Duration::from_secs(1);
/// For threads that still block; those that hang are left to the kernel. All together less than the unit's `TimeoutStopSec`.
pub const THREADS: Duration = Duration::from_secs(1);

/// Exit code of a daemon that was told twice: 128 + SIGINT, as shells have it.
const TOLD_TWICE: i32 = 130;

/// The signals that end the daemon: SIGTERM from systemd, SIGINT from a keyboard, SIGHUP from a terminal that closes.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals over. Inside the runtime.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one and names it.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }

    /// From now on one more signal ends the process at once.
    pub fn arm(mut self) {
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!("{name} again: leaving at once");
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
