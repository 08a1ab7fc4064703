//! Going live: the one place where streams start and stop, whoever asks (page, API, button, the daemon's own start).
//!
//! [`studio`] is the one owner of what is on the air, and waits for nothing that may be slow: what precedes a stream ([`starting`]) and the stream
//! itself ([`running`]) are tasks. A stream's task owns its feed and its hls reader, and writes what happens to the stream into the store. Everybody
//! else has a [`LiveHandle`] and watches [`OnAir`]. A stream always comes to its end in the store: by its user, the owner, its duration, the button,
//! or at the next start of a daemon that was stopped for longer than `live.resume_seconds`. An end that the card does not take is written later
//! ([`ends`]).
//!
//! Must not be here: how cameras are opened (`capture`), HTTP, chat.

mod camera;
mod ends;
mod featured;
mod running;
mod shared;
mod starting;
mod studio;
#[cfg(test)]
mod tests;
mod viewers;

pub use camera::{BoardHardware, Hardware, LiveCamera};
pub use featured::featured;
pub use shared::{LiveSettings, Tell};
pub use studio::Studio;
pub use viewers::{Viewers, viewer_of_address, viewer_of_cookie};

use crate::capture::ability::Unable;
use crate::feed::{Feed, FeedStatus, Origin};
use crate::hls::HlsHandle;
use crate::memory_budget::NoMemory;
use perch_store::{
    EndReason, NewStream, StoreError, Stream, StreamId, StreamState, Timestamp, UserId, VideoMode, Visibility,
};
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
    /// Where its pictures come from.
    pub origin: Origin,
    /// What publishes them.
    pub feed: FeedStatus,
    /// The mode that was asked for. Zeros where nobody can ask: a publisher's is found out ([`Self::mode`]).
    pub asked: VideoMode,
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
    /// The owner wants it at `/media/live/`.
    pub is_pinned: bool,
    /// How and when it ended. The store may learn it later, when the card takes no writes.
    pub ended: Option<(EndReason, Timestamp)>,
}

impl OnAir {
    /// The mode of its pictures: what is really on the air. `None` before the first picture.
    pub fn mode(&self) -> Option<VideoMode> {
        self.feed.mode(self.asked)
    }

    /// Puts into what the store says what it may not know yet.
    pub fn complete(&self, stream: &mut Stream) {
        stream.details.mode = self.mode().unwrap_or(stream.details.mode);
        if let Some((reason, at)) = self.ended {
            ends::mark_ended(&mut stream.facts, reason, at);
        }
    }
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
    /// Another stream has the origin.
    #[error("{0} has a stream already")]
    OriginTaken(Origin),
    /// Only what is on the air can be pinned.
    #[error("this stream is not on the air")]
    NotOnAir,
    /// It was stopped before it was on the air.
    #[error("the stream was stopped before it began")]
    Stopped,
    /// Too many starts wait for their cameras.
    #[error("too many streams are being started: try again in a few seconds")]
    Busy,
    /// The feed's thread cannot be started.
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
    Press {
        answer: oneshot::Sender<Result<Pressed, LiveError>>,
    },
    Start {
        new: Box<NewStream>,
        feed: Option<Box<dyn Feed>>,
        answer: oneshot::Sender<Result<Stream, LiveError>>,
    },
    Stop {
        stream: StreamId,
        reason: EndReason,
        answer: oneshot::Sender<Result<Stream, LiveError>>,
    },
    Forget {
        gone: Gone,
        done: oneshot::Sender<()>,
    },
    Change {
        stream: StreamId,
        visibility: Visibility,
        done: oneshot::Sender<()>,
    },
    Pin {
        stream: StreamId,
        is_pinned: bool,
        answer: oneshot::Sender<Result<(), LiveError>>,
    },
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
        self.ask(|answer| Request::Start { new: Box::new(new), feed: None, answer }).await
    }

    /// Goes live with what `feed` publishes. `new.camera` names its [`Origin`]; its mode is what the feed's pictures turn out to be.
    pub async fn publish(&self, new: NewStream, feed: Box<dyn Feed>) -> Result<Stream, LiveError> {
        self.ask(|answer| Request::Start { new: Box::new(new), feed: Some(feed), answer }).await
    }

    /// Puts a stream that is on the air at `/media/live/`, or leaves the choice to the studio again. It is kept in memory: a pin ends with its stream,
    /// and with the daemon. Refused where the stream is not on the air.
    pub async fn pin(&self, stream: StreamId, is_pinned: bool) -> Result<(), LiveError> {
        self.ask(|answer| Request::Pin { stream, is_pinned, answer }).await
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

    /// What is on the air; also to wait for changes of it and of its feeds' states.
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
