//! The requests to the studio, and the handle for making them.

use super::error::LiveError;
use super::on_air::OnAir;
use crate::feed::Feed;
use perch_store::{EndReason, NewStream, Stream, StreamId, UserId, Visibility};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// The effect of a press of the button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// Nothing was on the air; this stream is now.
    Started(StreamId),
    /// These streams were on the air, and end.
    Ending(Vec<StreamId>),
}

/// The thing that was deleted from the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gone {
    Stream(StreamId),
    User(UserId),
}

/// A request to the studio.
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
    ChangeRelays {
        stream: StreamId,
        change: ChangeRelays,
    },
}

/// Where a stream is to be sent on to from now on.
pub(super) struct ChangeRelays {
    pub(super) relays: Vec<String>,
    pub(super) answer: oneshot::Sender<Result<(), LiveError>>,
}

/// A handle for going live, stopping, and seeing the streams on the air; clones share it.
#[derive(Clone)]
pub struct LiveHandle {
    /// Bounded, because people press buttons.
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) on_air: watch::Receiver<Arc<[OnAir]>>,
}

impl LiveHandle {
    /// Goes live: claims the camera and sets it up for this stream. Returns as soon as the stream is
    /// [`StreamState::Starting`].
    pub async fn start(&self, new: NewStream) -> Result<Stream, LiveError> {
        self.ask(|answer| Request::Start { new: Box::new(new), feed: None, answer }).await
    }

    /// Goes live with the pictures of `feed`. `new.camera` names its [`Origin`]; the mode follows from the feed's
    /// pictures.
    pub async fn publish(&self, new: NewStream, feed: Box<dyn Feed>) -> Result<Stream, LiveError> {
        self.ask(|answer| Request::Start { new: Box::new(new), feed: Some(feed), answer }).await
    }

    /// Pins a stream on the air to `/media/live/`, or lets the studio choose again. The pin is only in memory: it ends
    /// with its stream, and with the daemon. Refused if the stream is not on the air.
    pub async fn pin(&self, stream: StreamId, is_pinned: bool) -> Result<(), LiveError> {
        self.ask(|answer| Request::Pin { stream, is_pinned, answer }).await
    }

    /// Sends a stream on the air on to these relays and to no others, and writes that into the store. Relays that are on already go on untouched; those that are not
    /// among the names take leave of their servers; new ones begin at the next key frame. Returns when it is decided, not when the servers have answered. A name that no
    /// relay has is left out. Refused if the stream is not on the air.
    pub async fn change_relays(&self, stream: StreamId, relays: Vec<String>) -> Result<(), LiveError> {
        self.ask(|answer| Request::ChangeRelays { stream, change: ChangeRelays { relays, answer } }).await
    }

    /// Stops a stream; returns when it has ended. A stream that has ended stays unchanged.
    pub async fn stop(&self, stream: StreamId, reason: EndReason) -> Result<Stream, LiveError> {
        self.ask(|answer| Request::Stop { stream, reason, answer }).await
    }

    /// Handles a press of the button: ends all streams on the air, or goes live with the first camera, as autostart
    /// does.
    pub async fn press(&self) -> Result<Pressed, LiveError> {
        self.ask(|answer| Request::Press { answer }).await
    }

    /// Applies a change in the store of who may watch; returns when it is done.
    pub async fn visibility_changed(&self, stream: StreamId, visibility: Visibility) {
        self.tell(|done| Request::Change { stream, visibility, done }).await;
    }

    /// Removes an ended stream that was deleted from the store; returns when its pictures can no longer be fetched, and
    /// the files of its recording are removed, if the card allows it.
    pub async fn stream_deleted(&self, stream: StreamId) {
        self.tell(|done| Request::Forget { gone: Gone::Stream(stream), done }).await;
    }

    /// Removes all streams of an account that was deleted from the store; returns like [`Self::stream_deleted`].
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

    /// The streams on the air; also for waiting for changes of the list and of the feeds' states.
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
