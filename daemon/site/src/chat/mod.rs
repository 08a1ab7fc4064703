//! Chat (design §4): a room for each stream that is on the air. A message is delivered after it is stored, in the order of the
//! store, so that everyone sees the same; a client that reconnects gets what it missed, once.
//!
//! `house` is shared by all rooms; `room` owns one room and its connections; `rights` decides who may do what there; `participant` is a
//! one end of a connection. perch-store keeps the messages.
//!
//! Not here: HTTP, sockets and JSON (perch-web's `chat`); the last comes in as a [`Render`].

mod ask;
mod doors;
mod error;
mod event;
mod house;
mod pace;
mod participant;
mod people;
mod rights;
mod room;
#[cfg(test)]
mod tests;
mod writing;

pub use ask::{Leave, Sent};
pub use error::{Barred, ChatError, NotSent, Place, Restricted};
pub use event::{Event, Render, Text};
pub use participant::Participant;
pub use writing::MESSAGE_CHARACTERS;

use crate::accounts::Accounts;
use crate::accounts::logins::Login;
use crate::text;
use ask::{Ask, Said, Sender};
use doors::{Subject, Ticket};
pub use house::Overhear;
use house::{House, READING, RoomInfo};
use people::People;
use perch_store::{
    Message, MessageId, Refusal, Room, Store, StoreError, StreamId, StreamState, User, UserId,
};
use perch_studio::clock::Clock;
use perch_studio::live::OnAir;
use room::RoomHandle;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use tokio::sync::{Semaphore, oneshot, watch};

/// A handle of all chats; clones share them.
#[derive(Clone)]
pub struct ChatHandle {
    house: Arc<House>,
    /// Open rooms. One that is over is removed when the next one opens.
    rooms: Arc<Mutex<HashMap<StreamId, RoomHandle>>>,
}

impl ChatHandle {
    /// Chats of the streams on the air.
    pub fn new(
        store: Arc<Store>,
        accounts: Arc<Accounts>,
        clock: Arc<dyn Clock>,
        on_air: watch::Receiver<Arc<[OnAir]>>,
        render: Render,
    ) -> Self {
        let house = House {
            people: People::new(accounts.logins.changes()),
            store,
            accounts,
            clock,
            on_air,
            render,
            doors: Arc::default(),
            reading: Semaphore::new(READING),
            closing: watch::channel(false).0,
            overhear: OnceLock::new(),
        };
        Self { house: Arc::new(house), rooms: Arc::default() }
    }

    /// Passes every message to `overhear` once it is stored. Only the first call has an effect.
    pub fn pass_on(&self, overhear: Overhear) {
        let _ = self.house.overhear.set(overhear);
    }

    /// Joins the chat from `address`. The participant gets the messages after `after`, or the newest ones without it,
    /// and then new messages. For an ended stream the messages are followed by the end.
    pub async fn join(
        &self,
        stream: StreamId,
        who: Option<Login>,
        address: IpAddr,
        after: Option<MessageId>,
    ) -> Result<Participant, ChatError> {
        if *self.house.closing.borrow() {
            return Err(ChatError::Closing);
        }
        let account = who.as_ref().map(|login| login.user);
        let ticket = self.house.doors.enter(Subject::of(account, address)).ok_or(ChatError::Crowded)?;
        if let Some(room) = self.room(stream) {
            // `None`: the room has just ended.
            if let Some(joined) = room.join(who.clone()).await {
                return Ok(Participant::taken(&self.house, stream, joined?, after, ticket));
            }
        }
        self.look_back(stream, who, after, ticket).await
    }

    /// A participant of an ended stream's chat.
    async fn look_back(
        &self,
        stream: StreamId,
        who: Option<Login>,
        after: Option<MessageId>,
        ticket: Ticket,
    ) -> Result<Participant, ChatError> {
        let login = who.clone();
        let admitted = self.house.read(move |house| {
            let facts = match house.store.stream(stream) {
                Ok(stream) => stream.facts,
                Err(StoreError::Refused(Refusal::NotFound { .. })) => return Err(ChatError::NoRoom),
                Err(error) => return Err(error.into()),
            };
            if facts.state != StreamState::Ended {
                return Err(ChatError::NoRoom);
            }
            let info = RoomInfo { stream, streamer: facts.user, visibility: facts.visibility };
            rights::admit(house, &info, login.as_ref())
        });
        let admitted = admitted.await?;
        Ok(Participant::in_the_past(&self.house, stream, &admitted, after, ticket))
    }

    /// At most `limit` messages of a stream, on the air or ended, sent in `offsets_ms` (milliseconds into the stream) after
    /// `after`, with their writers.
    pub async fn messages(
        &self,
        stream: StreamId,
        who: Option<Login>,
        offsets_ms: Range<u64>,
        after: Option<(u64, MessageId)>,
        limit: usize,
    ) -> Result<Vec<(Message, Option<Arc<User>>)>, ChatError> {
        let read = self.house.read(move |house| {
            let facts = house.store.stream(stream)?.facts;
            let info = RoomInfo { stream, streamer: facts.user, visibility: facts.visibility };
            rights::admit(house, &info, who.as_ref())?;
            let messages = house.store.messages_between(stream, offsets_ms, after, limit)?;
            let with_writer = messages.into_iter().map(|message| {
                let by = house.people.get(&house.store, message.user)?;
                Ok((message, by))
            });
            with_writer.collect()
        });
        read.await
    }

    /// Sends a message without a connection to the room, under the same rules; returns it once it is stored.
    pub async fn say(&self, stream: StreamId, by: Login, text: &str) -> Result<Sent, ChatError> {
        if *self.house.closing.borrow() {
            return Err(ChatError::Closing);
        }
        let text = text::line("text", text, 1..=MESSAGE_CHARACTERS)?;
        let room = self.room(stream).ok_or(ChatError::NoRoom)?;
        let (answer, answered) = oneshot::channel();
        room.tell(Ask::Say(Said { sender: Sender::Request(answer), by, text, client_id: None })).await;
        Ok(answered.await.map_err(|_| ChatError::NoRoom)??)
    }

    /// Sends the new counts of a stream's reactions.
    pub fn reacted(&self, stream: StreamId, likes: u64, dislikes: u64) {
        if let Some(room) = self.rooms().get(&stream) {
            room.reacted(likes, dislikes);
        }
    }

    /// Checks everyone's rights in the rooms of `streamer` again, because rules, restrictions or followers have changed
    /// in the store; `None`: in all rooms.
    pub fn look_again(&self, streamer: Option<UserId>) {
        for room in self.rooms().values() {
            if streamer.is_none_or(|streamer| room.streamer() == streamer) {
                room.look_again();
            }
        }
    }

    /// Checks everyone's rights in a room of restrictions again.
    pub fn restrictions_changed(&self, room: Room) {
        match room {
            Room::Stream(stream) => {
                if let Some(room) = self.rooms().get(&stream) {
                    room.look_again();
                }
            }
            Room::ChatsOf(streamer) => self.look_again(Some(streamer)),
            Room::Everywhere => self.look_again(None),
        }
    }

    /// Deletes a message's text: the actor's own, any in the actor's own chat, and any for owners.
    pub async fn delete(
        &self,
        stream: StreamId,
        message: MessageId,
        by: Login,
    ) -> Result<Message, ChatError> {
        let deleted = self.house.read(move |house| writing::take_back(house, stream, message, &by)).await?;
        let room = self.rooms().get(&stream).cloned();
        if let Some(room) = room {
            room.tell(Ask::Deleted { message }).await;
        }
        Ok(deleted)
    }

    /// Closes all connections because the daemon stops; returns when they are closed.
    pub async fn close(&self) {
        self.house.closing.send_replace(true);
        self.house.doors.empty().await;
    }

    /// The room of a stream on the air; opened if necessary.
    fn room(&self, stream: StreamId) -> Option<RoomHandle> {
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(&stream).filter(|room| !room.is_over()) {
            return Some(room.clone());
        }
        let info = self.house.info(stream)?;
        rooms.retain(|_, room| !room.is_over());
        let room = RoomHandle::open(&self.house, info);
        rooms.insert(stream, room.clone());
        Some(room)
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<StreamId, RoomHandle>> {
        self.rooms.lock().expect("nothing panics while it holds the lock")
    }
}
