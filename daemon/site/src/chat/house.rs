//! State shared by all rooms: the store, the accounts, what is on the air, and the turns at the store.

use super::doors::Doors;
use super::error::ChatError;
use super::event::Render;
use super::people::People;
use crate::accounts::Accounts;
use crate::accounts::logins::Logins;
use perch_store::{Message, Store, StreamId, StreamState, Timestamp, User, UserId, Visibility};
use perch_studio::clock::{Clock, wall};
use perch_studio::live::OnAir;
use std::sync::{Arc, OnceLock};
use tokio::sync::{Semaphore, watch};

/// Concurrent calls of the store, besides those that write a room's messages.
pub(super) const READING: usize = 2;

/// State shared by all rooms.
pub(super) struct House {
    pub(super) store: Arc<Store>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) on_air: watch::Receiver<Arc<[OnAir]>>,
    pub(super) render: Render,
    pub(super) doors: Arc<Doors>,
    pub(super) people: People,
    pub(super) reading: Semaphore,
    pub(super) closing: watch::Sender<bool>,
    /// Told of every message that was stored.
    pub(super) overhear: OnceLock<Overhear>,
}

/// Takes a message that was stored in a stream's chat, with its writer; must not block.
pub type Overhear = Box<dyn Fn(StreamId, &Message, Option<&User>) + Send + Sync>;

/// What a room needs to know of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoomInfo {
    pub(super) stream: StreamId,
    /// The stream's user.
    pub(super) streamer: UserId,
    pub(super) visibility: Visibility,
}

impl House {
    /// The facts that the room of a stream on the air needs. A stream without a user has no chat.
    pub(super) fn info(&self, stream: StreamId) -> Option<RoomInfo> {
        let on_air = self.on_air.borrow();
        let on_air = on_air.iter().find(|on_air| on_air.stream == stream)?;
        let streamer = on_air.user.filter(|_| on_air.state != StreamState::Ended)?;
        Some(RoomInfo { stream, streamer, visibility: on_air.visibility })
    }

    /// Milliseconds into the stream.
    pub(super) fn offset_ms(&self, stream: StreamId) -> u64 {
        let on_air = self.on_air.borrow();
        let on_air = on_air.iter().find(|on_air| on_air.stream == stream);
        // A stream has no time of its own before its first picture.
        let zero = on_air.filter(|on_air| on_air.state != StreamState::Starting).map(|on_air| on_air.zero);
        let since = zero.map(|zero| self.clock.monotonic().saturating_sub(zero)).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn now(&self) -> Timestamp {
        wall(&*self.clock)
    }

    pub(super) fn logins(&self) -> &Logins {
        &self.accounts.logins
    }

    /// Runs `work` on a thread that may block, after waiting for a turn.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, ChatError> + Send + 'static,
    ) -> Result<T, ChatError> {
        let _turn = self.reading.acquire().await.map_err(|_| ChatError::Closing)?;
        self.work(work).await
    }

    /// Runs `work` on a thread that may block.
    pub(super) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, ChatError> + Send + 'static,
    ) -> Result<T, ChatError> {
        let house = self.clone();
        // A failure means that the runtime is stopping.
        tokio::task::spawn_blocking(move || work(&house)).await.unwrap_or(Err(ChatError::Closing))
    }
}
