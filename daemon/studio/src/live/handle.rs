//! What the studio can be asked, and the handle that asks it.

use super::error::LiveError;
use super::on_air::OnAir;
use crate::feed::Feed;
use perch_store::{EndReason, NewStream, Stream, StreamId, UserId, Visibility};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

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
pub(super) enum Gone {
    Stream(StreamId),
    User(UserId),
}

/// What the studio is asked.
pub(super) enum Request {
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
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) on_air: watch::Receiver<Arc<[OnAir]>>,
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

    /// A stream that had ended was deleted from the store; comes back when its pictures cannot be fetched any more, and
    /// the files of its recording are removed where the card lets them be.
    pub async fn stream_deleted(&self, stream: StreamId) {
        self.tell(|done| Request::Forget { gone: Gone::Stream(stream), done }).await;
    }

    /// An account was deleted from the store with all its streams; comes back as [`Self::stream_deleted`]
    /// does.
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
