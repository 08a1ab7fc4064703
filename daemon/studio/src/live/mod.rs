//! Going live: the one place where streams start and stop, whoever asks (page, API, button, the daemon's own start).
//!
//! [`studio`] is the one owner of what is on the air; it starts a task for each stream ([`running`]), which owns the camera's thread and the
//! hls reader for as long as the stream lasts, and writes what happens to it into the store. Everybody else has a [`LiveHandle`] and watches
//! [`OnAir`]. A stream always comes to its end in the store: by its user, the owner, its duration, the button, shutdown, or at the next start
//! of a daemon that was killed.
//!
//! Must not be here: how cameras are opened (`capture`), HTTP, chat.

mod camera;
mod running;
mod studio;
mod viewers;

pub use camera::{BoardHardware, LiveCamera};
pub use studio::{LiveSettings, Studio, Tell};
pub use viewers::{Viewers, viewer_of_address, viewer_of_cookie};

use crate::capture::ability::Unable;
use crate::hls::HlsHandle;
use crate::memory_budget::NoMemory;
use perch_store::{EndReason, NewStream, StoreError, Stream, StreamId, StreamState, UserId, Visibility};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// A stream that is on the air, or went off it less than a minute ago.
#[derive(Clone, Debug)]
pub struct OnAir {
    /// Its id.
    pub stream: StreamId,
    /// Whose it is. `None`: the appliance's own, before it has an owner; not in the store.
    pub user: Option<UserId>,
    /// The camera's name.
    pub camera: Arc<str>,
    /// Who may watch.
    pub visibility: Visibility,
    /// Where it is in its life.
    pub state: StreamState,
    /// Monotonic time of offset 0: when its first picture went out.
    pub zero: Duration,
    /// Its playlist and segments.
    pub hls: HlsHandle,
    /// Who watches.
    pub viewers: Arc<Viewers>,
}

/// Why a stream was not started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// None is configured under this name.
    #[error("there is no camera {camera}; there is {there}")]
    NoSuchCamera {
        /// As asked for.
        camera: String,
        /// Those that there are.
        there: String,
    },
    /// The camera and the encoder cannot do it.
    #[error(transparent)]
    Unable(#[from] Unable),
    /// Too many streams, or too high a bitrate.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// Not plugged in, not allowed, no encoder.
    #[error("{0}")]
    CameraUnavailable(String),
    /// The rules of the site, or the store itself.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The kernel gives no random numbers, which the id of a stream without an owner is made of.
    #[error("no random numbers from the kernel: {0}")]
    Random(#[from] getrandom::Error),
    /// The thread of the camera cannot be started.
    #[error("cannot start the camera's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The daemon ends.
    #[error("Perch is shutting down")]
    ShuttingDown,
}

/// What a press of the button did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// Nothing was on the air; this is now.
    Started(StreamId),
    /// This was on the air, and ends.
    Ending(Vec<StreamId>),
}

/// What was deleted from the store.
#[derive(Clone, Copy, Debug)]
enum Gone {
    Stream(StreamId),
    User(UserId),
}

/// What the studio is asked.
enum Request {
    Press { answer: oneshot::Sender<Result<Pressed, LiveError>> },
    Start { new: Box<NewStream>, answer: oneshot::Sender<Result<Stream, LiveError>> },
    Stop { stream: StreamId, reason: EndReason, answer: oneshot::Sender<Result<Stream, LiveError>> },
    Forget { gone: Gone, done: oneshot::Sender<()> },
    Change { stream: StreamId, visibility: Visibility, done: oneshot::Sender<()> },
}

/// The way to go live, to stop, and to see what is on the air; clones are the same.
#[derive(Clone)]
pub struct LiveHandle {
    /// Bounded: people who press buttons.
    requests: mpsc::Sender<Request>,
    on_air: watch::Receiver<Arc<[OnAir]>>,
}

impl LiveHandle {
    /// Goes live: the camera is taken and set up for this stream. Comes back as soon as it is [`StreamState::Starting`].
    pub async fn start(&self, new: NewStream) -> Result<Stream, LiveError> {
        self.ask(|answer| Request::Start { new: Box::new(new), answer }).await
    }

    /// Stops a stream; comes back when it has ended. One that has ended before stays as it ended.
    pub async fn stop(&self, stream: StreamId, reason: EndReason) -> Result<Stream, LiveError> {
        self.ask(|answer| Request::Stop { stream, reason, answer }).await
    }

    /// Somebody presses the button: ends what is on the air, or goes live with the first camera as autostart does.
    pub async fn press(&self) -> Result<Pressed, LiveError> {
        self.ask(|answer| Request::Press { answer }).await
    }

    /// Who may watch has changed in the store; comes back when it is so.
    pub async fn visibility_changed(&self, stream: StreamId, visibility: Visibility) {
        self.tell(|done| Request::Change { stream, visibility, done }).await;
    }

    /// A stream that had ended was deleted from the store; comes back when its pictures cannot be fetched any more.
    pub async fn stream_deleted(&self, stream: StreamId) {
        self.tell(|done| Request::Forget { gone: Gone::Stream(stream), done }).await;
    }

    /// An account was deleted from the store with all its streams; comes back when their pictures cannot be fetched any more.
    pub async fn user_deleted(&self, user: UserId) {
        self.tell(|done| Request::Forget { gone: Gone::User(user), done }).await;
    }

    async fn tell(&self, request: impl FnOnce(oneshot::Sender<()>) -> Request) {
        let (done, is_done) = oneshot::channel();
        // A studio that is gone has nothing on the air.
        if self.requests.send(request(done)).await.is_ok() {
            let _ = is_done.await;
        }
    }

    /// What is on the air; also to wait for changes of it and of its cameras' states.
    pub fn on_air(&self) -> watch::Receiver<Arc<[OnAir]>> {
        self.on_air.clone()
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, LiveError>>) -> Request,
    ) -> Result<T, LiveError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| LiveError::ShuttingDown)?;
        answered.await.unwrap_or(Err(LiveError::ShuttingDown))
    }
}
