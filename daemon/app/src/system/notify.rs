//! Messages to systemd (`sd_notify(3)`). Without systemd they go nowhere.
//!
//! - `READY=1` once: when the first segment can be served, or at once if no stream starts by itself.
//! - Until then `EXTEND_TIMEOUT_USEC=`, as long as the cameras' threads live: a board that waits for its camera is not
//!   killed by the start timeout, one that hangs is.
//! - `WATCHDOG=1` only while access units move or a missing camera is reported and waited for, and while the store answers.
//! - `STATUS=` in words, whenever it changes. `STOPPING=1` at the end.

use perch_site::store_probe::StoreProbe;
use perch_store::StreamState;
use perch_studio::capture::status::CameraState;
use perch_studio::clock::{Clock, next_round};
use perch_studio::feed::FeedStatus;
use perch_studio::hls::HlsHandle;
use perch_studio::live::OnAir;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A capture thread without a sign of life for this long hangs. Opening a slow camera takes 8 s at most.
pub const HANGS: Duration = Duration::from_secs(10);
/// A store without an answer for this long hangs. Cards stall for 8 s at times, and a commit may meet several such stalls.
const STORE_HANGS: Duration = Duration::from_secs(30);
/// Time between two checks without a shorter watchdog interval; also how much each check extends the start timeout.
const USUAL_PERIOD: Duration = Duration::from_secs(5);
const EXTENSION: Duration = Duration::from_secs(30);

/// The state that systemd is told about.
pub struct Told {
    /// The streams on the air. `READY=1` waits for those at the start; later changes update `STATUS=`.
    pub on_air: watch::Receiver<Arc<[OnAir]>>,
    /// Reports whether the store still answers.
    pub store_probe: StoreProbe,
}

/// Sends messages until dropped. It must run on the runtime with everything else, so that a hanging runtime stops the watchdog
/// messages.
pub async fn tell(told: Told, clock: Arc<dyn Clock>) {
    let watchdog = sd_notify::watchdog_enabled();
    let period = watchdog.map_or(USUAL_PERIOD, |w| (w / 2).min(USUAL_PERIOD));
    let mut teller = Teller { watchdog: watchdog.is_some(), ..Teller::default() };
    let mut on_air = told.on_air.clone();
    let mut first = on_air.borrow_and_update().first().map(|on_air| on_air.hls.clone());
    loop {
        let now = clock.monotonic();
        let running = running(&on_air.borrow());
        let looked = Looked {
            ready: first.as_ref().is_none_or(HlsHandle::is_ready),
            status: running
                .first()
                .map_or_else(|| "nothing is live".to_owned(), |feed| status(&feed.state().borrow())),
            silent_for: silent_for(&running, now),
            store_waits: told.store_probe.waits(),
        };
        send(&teller.messages(looked));
        let changed = async {
            // The sender is gone: never completes, so that the loop does not spin.
            if on_air.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let ready = async {
            match &mut first {
                Some(hls) if !teller.said_ready => hls.ready().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = next_round(&*clock, period) => {}
            () = changed => {}
            () = ready => {}
        }
    }
}

/// The feeds that must give signs of life. One that hung at the end of its stream is no longer watched.
pub fn running(on_air: &[OnAir]) -> Vec<FeedStatus> {
    let running = on_air.iter().filter(|on_air| on_air.state != StreamState::Ended);
    let feeds = running.map(|on_air| on_air.feed.clone());
    feeds.filter(|feed| *feed.state().borrow() != CameraState::Stopped).collect()
}

/// Time since the longest-silent feed gave a sign of life.
pub fn silent_for(running: &[FeedStatus], now: Duration) -> Duration {
    let silent_for = |feed: &FeedStatus| now.saturating_sub(feed.heartbeat().last_progress());
    running.iter().map(silent_for).max().unwrap_or_default()
}

/// Reports the start: opening the store on a slow card comes before the first check.
pub fn starting() {
    send(&[Message::Status("starting".to_owned())]);
}

/// Reports the end.
pub fn stopping() {
    send(&[Message::Stopping, Message::Status("shutting down".to_owned())]);
}

fn status(camera: &CameraState) -> String {
    match camera {
        CameraState::Starting => "starting the camera".to_owned(),
        CameraState::Live { source, .. } => format!(
            "live: {}, {}x{}, coded by {}",
            source.camera, source.width, source.height, source.encoder
        ),
        CameraState::Waiting { reason } => format!("waiting for the camera: {reason}"),
        CameraState::Stopped => "nothing is live".to_owned(),
    }
}

#[derive(Debug, PartialEq)]
enum Message {
    Ready,
    Status(String),
    Watchdog,
    ExtendStart,
    Stopping,
}

/// The result of one check.
struct Looked {
    ready: bool,
    status: String,
    /// Silence of the longest-silent camera.
    silent_for: Duration,
    /// How long the store has not answered.
    store_waits: Duration,
}

/// Decides what to send; remembers what was sent.
#[derive(Default)]
struct Teller {
    watchdog: bool,
    said_ready: bool,
    said_status: String,
}

impl Teller {
    fn messages(&mut self, looked: Looked) -> Vec<Message> {
        let mut messages = Vec::new();
        let lives = looked.silent_for < HANGS && looked.store_waits < STORE_HANGS;
        if looked.ready && !self.said_ready {
            self.said_ready = true;
            messages.push(Message::Ready);
        }
        let status = if lives {
            looked.status
        } else if looked.store_waits >= STORE_HANGS {
            format!("the store has not answered for {} s", looked.store_waits.as_secs())
        } else {
            format!("the camera's thread has been silent for {} s", looked.silent_for.as_secs())
        };
        if status != self.said_status {
            self.said_status.clone_from(&status);
            messages.push(Message::Status(status));
        }
        if lives && !self.said_ready {
            messages.push(Message::ExtendStart);
        }
        if lives && self.watchdog {
            messages.push(Message::Watchdog);
        }
        messages
    }
}

fn send(messages: &[Message]) {
    let states: Vec<NotifyState<'_>> = messages
        .iter()
        .map(|message| match message {
            Message::Ready => NotifyState::Ready,
            Message::Status(text) => NotifyState::Status(text),
            Message::Watchdog => NotifyState::Watchdog,
            Message::ExtendStart => NotifyState::ExtendTimeoutUsec(EXTENSION.as_micros() as u32),
            Message::Stopping => NotifyState::Stopping,
        })
        .collect();
    if states.is_empty() {
        return;
    }
    if let Err(error) = sd_notify::notify(&states) {
        tracing::debug!(%error, "cannot notify systemd");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(ready: bool, status: &str, silent_seconds: u64) -> Looked {
        Looked {
            ready,
            status: status.to_owned(),
            silent_for: Duration::from_secs(silent_seconds),
            store_waits: Duration::ZERO,
        }
    }

    fn status(text: &str) -> Message {
        Message::Status(text.to_owned())
    }

    #[test]
    fn ready_is_said_once_and_only_with_the_first_segment() {
        let mut teller = Teller { watchdog: true, ..Teller::default() };
        assert_eq!(
            teller.messages(look(false, "starting", 0)),
            [status("starting"), Message::ExtendStart, Message::Watchdog]
        );
        assert_eq!(teller.messages(look(false, "starting", 1)), [Message::ExtendStart, Message::Watchdog]);
        assert_eq!(
            teller.messages(look(true, "live", 0)),
            [Message::Ready, status("live"), Message::Watchdog]
        );
        assert_eq!(teller.messages(look(true, "live", 0)), [Message::Watchdog]);
        assert_eq!(
            teller.messages(look(true, "waiting", 0)),
            [status("waiting"), Message::Watchdog],
            "a missing camera is waited for"
        );
    }

    #[test]
    fn a_silent_camera_thread_gets_neither_watchdog_nor_more_time_to_start() {
        let mut teller = Teller { watchdog: true, ..Teller::default() };
        teller.messages(look(false, "starting", 0));
        assert_eq!(
            teller.messages(look(false, "starting", 12)),
            [status("the camera's thread has been silent for 12 s")]
        );
        assert_eq!(
            teller.messages(look(false, "starting", 0)),
            [status("starting"), Message::ExtendStart, Message::Watchdog],
            "a camera that delivers again is healthy"
        );
    }

    #[test]
    fn a_store_that_does_not_answer_gets_no_watchdog_either() {
        let mut teller = Teller { watchdog: true, ..Teller::default() };
        teller.messages(look(true, "live", 0));
        let store_waits =
            |seconds| Looked { store_waits: Duration::from_secs(seconds), ..look(true, "live", 0) };
        assert_eq!(teller.messages(store_waits(20)), [Message::Watchdog], "a card that stalls is waited for");
        assert_eq!(teller.messages(store_waits(31)), [status("the store has not answered for 31 s")]);
        assert_eq!(teller.messages(store_waits(36)), [status("the store has not answered for 36 s")]);
        assert_eq!(teller.messages(look(true, "live", 0)), [status("live"), Message::Watchdog]);
    }

    #[test]
    fn without_a_watchdog_none_is_fed() {
        let mut teller = Teller::default();
        assert_eq!(teller.messages(look(true, "live", 0)), [Message::Ready, status("live")]);
        assert_eq!(teller.messages(look(true, "live", 0)), []);
    }
}
