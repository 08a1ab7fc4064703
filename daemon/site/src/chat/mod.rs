//! Chat (design §4): a room for each stream that is on the air. A message is delivered once it is stored, in the order in which the store numbered
//! it, so that everybody sees the same; who comes back after a broken connection gets what it missed, once.
//!
//! `room` owns a room and everybody's places in it; `rights` says who may do what there; `seat` is what a connection holds. What is remembered
//! is perch-store's.
//!
//! Must not be here: HTTP, its sockets and JSON (`http/chat`), which come in as a [`Render`].

mod doors;
mod event;
mod pace;
mod people;
mod rights;
mod room;
mod seat;
#[cfg(test)]
mod tests;
mod writing;

pub use event::{Event, Render, Text};
pub use rights::Barred;
pub use seat::{Leave, Seat};

use crate::accounts::Accounts;
use crate::accounts::logins::{Login, Logins};
use crate::text::FieldError;
use doors::Doors;
use people::People;
use perch_store::{
    Message, MessageId, Refusal, Role, Store, StoreError, StreamId, StreamState, Timestamp, User, UserId,
};
use perch_studio::clock::{Clock, wall};
use perch_studio::live::OnAir;
use rights::Place;
use room::{Ask, RoomHandle};
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Semaphore, watch};

/// Of a message, in characters.
pub const MESSAGE_CHARACTERS: usize = 500;
/// Calls of the store at once, beside those that write a room's messages.
const READING: usize = 2;

/// Why somebody may not come in, or not say what they want to say.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// There is no such stream, or it has no chat.
    #[error("there is no chat here")]
    NoRoom,
    /// A message that cannot be one.
    #[error(transparent)]
    Text(#[from] FieldError),
    /// The rules of the room or of the site.
    #[error(transparent)]
    Barred(#[from] Barred),
    /// Not the asker's message, nor in their chat.
    #[error("this message is not yours")]
    NotYours,
    /// As many are in the room as it takes.
    #[error("this chat is full")]
    Full,
    /// One address has as many connections as it gets.
    #[error("too many connections to chats from your address")]
    Crowded,
    /// It failed, or the store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon ends.
    #[error("Perch is shutting down")]
    Closing,
}

/// What all rooms share.
struct House {
    store: Arc<Store>,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    on_air: watch::Receiver<Arc<[OnAir]>>,
    render: Render,
    /// Those that somebody has come into; each takes itself out when its stream is over.
    rooms: Mutex<HashMap<StreamId, RoomHandle>>,
    doors: Arc<Doors>,
    people: People,
    reading: Semaphore,
    closing: watch::Sender<bool>,
}

/// The way into the chats; clones are the same.
#[derive(Clone)]
pub struct ChatHandle(Arc<House>);

impl ChatHandle {
    /// Chats of what is on the air.
    pub fn new(
        store: Arc<Store>,
        accounts: Arc<Accounts>,
        clock: Arc<dyn Clock>,
        on_air: watch::Receiver<Arc<[OnAir]>>,
        render: Render,
    ) -> Self {
        Self(Arc::new(House {
            people: People::new(accounts.logins.changes()),
            store,
            accounts,
            clock,
            on_air,
            render,
            rooms: Mutex::default(),
            doors: Arc::default(),
            reading: Semaphore::new(READING),
            closing: watch::channel(false).0,
        }))
    }

    /// Comes in, from `address`. The seat gives what was said after `after`, or else the newest of it, and then what is being said. Of a stream
    /// that is over it gives the same and its end.
    pub async fn join(
        &self,
        stream: StreamId,
        who: Option<Login>,
        address: IpAddr,
        after: Option<MessageId>,
    ) -> Result<Seat, ChatError> {
        if *self.0.closing.borrow() {
            return Err(ChatError::Closing);
        }
        let ticket = self.0.doors.enter(address).ok_or(ChatError::Crowded)?;
        if let Some(room) = self.0.room(stream) {
            // `None`: it ended in this moment.
            if let Some(joined) = room.join(who.clone()).await {
                return Ok(Seat::taken(&self.0, stream, joined?, after, ticket));
            }
        }
        self.look_back(stream, who, after, ticket).await
    }

    /// A seat at a stream that is over.
    async fn look_back(
        &self,
        stream: StreamId,
        who: Option<Login>,
        after: Option<MessageId>,
        ticket: doors::Ticket,
    ) -> Result<Seat, ChatError> {
        let login = who.clone();
        let admitted = self.0.read(move |house| {
            let facts = match house.store.stream(stream) {
                Ok(stream) => stream.facts,
                Err(StoreError::Refused(Refusal::NotFound { .. })) => return Err(ChatError::NoRoom),
                Err(error) => return Err(error.into()),
            };
            if facts.state != StreamState::Ended {
                return Err(ChatError::NoRoom);
            }
            let place = Place { stream, streamer: facts.user, visibility: facts.visibility };
            rights::admit(house, &place, login.as_ref())
        });
        let admitted = admitted.await?;
        Ok(Seat::in_the_past(&self.0, stream, &admitted, after, ticket))
    }

    /// At most `limit` messages of a stream, on the air or over, said in `offsets_ms` (milliseconds into the stream) after `after`, with their
    /// writers.
    pub async fn messages(
        &self,
        stream: StreamId,
        who: Option<Login>,
        offsets_ms: Range<u64>,
        after: Option<(u64, MessageId)>,
        limit: usize,
    ) -> Result<Vec<(Message, Option<Arc<User>>)>, ChatError> {
        let read = self.0.read(move |house| {
            let facts = house.store.stream(stream)?.facts;
            let place = Place { stream, streamer: facts.user, visibility: facts.visibility };
            rights::admit(house, &place, who.as_ref())?;
            let messages = house.store.messages_between(stream, offsets_ms, after, limit)?;
            let with_writer = messages.into_iter().map(|message| {
                let by = house.people.get(&house.store, message.user)?;
                Ok((message, by))
            });
            with_writer.collect()
        });
        read.await
    }

    /// The sums of a stream's reactions have changed.
    pub fn reacted(&self, stream: StreamId, likes: u64, dislikes: u64) {
        if let Some(room) = self.0.rooms().get(&stream) {
            room.reacted(likes, dislikes);
        }
    }

    /// Rules, restrictions or followers have changed in the store: everybody's rights in the rooms of `streamer` are looked at again; `None`:
    /// in all rooms.
    pub fn look_again(&self, streamer: Option<UserId>) {
        for room in self.0.rooms().values() {
            if streamer.is_none_or(|streamer| room.streamer() == streamer) {
                room.look_again();
            }
        }
    }

    /// Takes a message's text away: one's own; in one's own chat, or as the owner, anybody's.
    pub async fn delete(
        &self,
        stream: StreamId,
        message: MessageId,
        by: Login,
    ) -> Result<Message, ChatError> {
        let deleted = self.0.read(move |house| {
            let by = rights::still_logged_in(house, &by)?.ok_or(Barred::LoggedOut)?;
            let found = house.store.message(stream, message)?;
            let is_moderator = by.role == Role::Owner || house.store.stream(stream)?.facts.user == by.user;
            if found.user != by.user && !is_moderator {
                return Err(ChatError::NotYours);
            }
            Ok(house.store.delete_message(stream, message, by.user)?)
        });
        let deleted = deleted.await?;
        let room = self.0.rooms().get(&stream).cloned();
        if let Some(room) = room {
            room.tell(Ask::Deleted { message }).await;
        }
        Ok(deleted)
    }

    /// Sends everybody away, since the daemon ends; comes back when they are gone.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        self.0.doors.empty().await;
    }
}

impl House {
    /// The room of a stream that is on the air; opened when it is not open yet.
    fn room(self: &Arc<Self>, stream: StreamId) -> Option<RoomHandle> {
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(&stream) {
            return Some(room.clone());
        }
        let place = self.place(stream)?;
        let room = RoomHandle::open(self, place);
        rooms.insert(stream, room.clone());
        Some(room)
    }

    /// Where a stream is, while it is on the air. One that belongs to nobody has no chat.
    fn place(&self, stream: StreamId) -> Option<Place> {
        let on_air = self.on_air.borrow();
        let on_air = on_air.iter().find(|on_air| on_air.stream == stream)?;
        let streamer = on_air.user.filter(|_| on_air.state != StreamState::Ended)?;
        Some(Place { stream, streamer, visibility: on_air.visibility })
    }

    /// Milliseconds into the stream.
    fn offset_ms(&self, stream: StreamId) -> u64 {
        let on_air = self.on_air.borrow();
        let on_air = on_air.iter().find(|on_air| on_air.stream == stream);
        // Before its first picture a stream has no time of its own.
        let zero = on_air.filter(|on_air| on_air.state != StreamState::Starting).map(|on_air| on_air.zero);
        let since = zero.map(|zero| self.clock.monotonic().saturating_sub(zero)).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> Timestamp {
        wall(&*self.clock)
    }

    fn logins(&self) -> &Logins {
        &self.accounts.logins
    }

    /// Runs `work` on a thread that may block, as one of few.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, ChatError> + Send + 'static,
    ) -> Result<T, ChatError> {
        let _turn = self.reading.acquire().await.map_err(|_| ChatError::Closing)?;
        self.work(work).await
    }

    /// Runs `work` on a thread that may block.
    async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, ChatError> + Send + 'static,
    ) -> Result<T, ChatError> {
        let house = self.clone();
        // A thread that is not to be had is the runtime going.
        tokio::task::spawn_blocking(move || work(&house)).await.unwrap_or(Err(ChatError::Closing))
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<StreamId, RoomHandle>> {
        self.rooms.lock().expect("nothing panics while it holds the lock")
    }
}
