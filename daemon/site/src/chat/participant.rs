//! One end of a connection to a room: first the history, then new lines, and a way to write. Dropping it leaves the
//! room.

use super::ask::{Ask, Joined, Leave, Lines, Said, Sender};
use super::doors::Ticket;
use super::error::{Barred, ChatError};
use super::event::{Event, Text};
use super::house::House;
use super::rights::Admitted;
use super::writing::{MESSAGE_CHARACTERS, take_back};
use crate::accounts::logins::Login;
use crate::text;
use perch_store::{Message, MessageId, StreamId};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

/// Messages that a new connection gets.
const NEWEST: usize = 50;
/// Messages read from the store at once for a returning connection.
const PAGE: usize = 256;

/// One end of a connection to a stream's chat.
pub struct Participant {
    house: Arc<House>,
    stream: StreamId,
    /// `None`: the stream has ended, and nothing can be written.
    recipient: Option<(u64, mpsc::Sender<Ask>)>,
    login: Option<Login>,
    /// Lines to send first.
    welcome: Vec<Text>,
    past: Past,
    /// The last message of the history.
    last: Option<MessageId>,
    lines: mpsc::Receiver<Lines>,
    leave: Arc<OnceLock<Leave>>,
    _ticket: Ticket,
}

/// The part of the history still to be read.
#[derive(Debug, Clone, Copy)]
enum Past {
    Newest,
    After(MessageId),
    Read,
}

impl Past {
    fn from(after: Option<MessageId>) -> Self {
        after.map_or(Self::Newest, Self::After)
    }
}

impl Participant {
    /// A participant in a room.
    pub(super) fn taken(
        house: &Arc<House>,
        stream: StreamId,
        joined: Joined,
        after: Option<MessageId>,
        ticket: Ticket,
    ) -> Self {
        // Deleted messages that the returning page had received before they were deleted.
        let deleted =
            joined.deleted.into_iter().filter(|message| after.is_some_and(|after| *message <= after));
        let deleted = deleted.map(|message| (house.render)(&Event::Deleted { message }));
        Self {
            house: house.clone(),
            stream,
            recipient: Some((joined.recipient, joined.room)),
            login: joined.login,
            welcome: std::iter::once(joined.welcome).chain(deleted).collect(),
            past: Past::from(after),
            last: joined.last,
            lines: joined.lines,
            leave: joined.leave,
            _ticket: ticket,
        }
    }

    /// A participant of an ended stream's chat.
    pub(super) fn in_the_past(
        house: &Arc<House>,
        stream: StreamId,
        admitted: &Admitted,
        after: Option<MessageId>,
        ticket: Ticket,
    ) -> Self {
        let welcome = Event::Welcome {
            rules: &admitted.rules,
            you: admitted.user.as_deref(),
            may_write: false,
            restricted: admitted.restricted,
            viewers: 0,
        };
        let (all_there_is, lines) = mpsc::channel(1);
        let ended: Lines = Arc::new([(house.render)(&Event::Ended)]);
        all_there_is.try_send(ended).expect("the channel has just been made, and takes one");
        Self {
            house: house.clone(),
            stream,
            recipient: None,
            login: None,
            welcome: vec![(house.render)(&welcome)],
            past: Past::from(after),
            last: Some(MessageId::from_number(u128::MAX)),
            lines,
            leave: Arc::new(Leave::Ended.into()),
            _ticket: ticket,
        }
    }

    /// The history from the welcome on, in parts; `None` at its end.
    pub async fn past(&mut self) -> Result<Option<Vec<Text>>, ChatError> {
        if !self.welcome.is_empty() {
            return Ok(Some(std::mem::take(&mut self.welcome)));
        }
        let (stream, past) = (self.stream, self.past);
        let Some(last) = self.last.filter(|_| !matches!(past, Past::Read)) else { return Ok(None) };
        let read = self.house.read(move |house| {
            let messages = match past {
                Past::Newest => {
                    let end = MessageId::from_number(last.number().saturating_add(1));
                    house.store.messages_before(stream, Some(end), NEWEST)?
                }
                Past::After(after) => house.store.messages_after(stream, Some(after), PAGE)?,
                Past::Read => Vec::new(),
            };
            let is_all = messages.len() < PAGE || messages.last().is_some_and(|message| message.id >= last);
            let read: Vec<Message> = messages.into_iter().filter(|message| message.id <= last).collect();
            let newest = read.last().map(|message| message.id);
            let text = |message: &Message| {
                let by = house.people.get(&house.store, message.user)?;
                Ok((house.render)(&Event::Message { message, by: by.as_deref(), client_id: None }))
            };
            let texts: Result<Vec<Text>, ChatError> = read.iter().map(text).collect();
            Ok((texts?, newest.filter(|_| !is_all)))
        });
        let (texts, newest) = read.await?;
        self.past = newest.map_or(Past::Read, Past::After);
        Ok(Some(texts))
    }

    /// New lines, after all of the history. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Lines, Leave> {
        match self.lines.recv().await {
            Some(lines) => Ok(lines),
            None => Err(self.leave.get().copied().unwrap_or(Leave::Closing)),
        }
    }

    /// Sends a message; `client_id` comes back with it, or with the error. Waits while the room is busy.
    pub async fn say(&self, text: &str, client_id: Option<String>) -> Result<(), ChatError> {
        let by = self.login.clone().ok_or(Barred::Anonymous)?;
        let text = text::line("text", text, 1..=MESSAGE_CHARACTERS)?;
        let (recipient, room) = self.recipient.as_ref().ok_or(ChatError::NoRoom)?;
        let said = Said { sender: Sender::Recipient(*recipient), by, text, client_id };
        room.send(Ask::Say(said)).await.map_err(|_| ChatError::NoRoom)
    }

    /// Deletes a message's text, if this participant's login may.
    pub async fn delete(&self, message: MessageId) -> Result<(), ChatError> {
        let by = self.login.clone().ok_or(Barred::Anonymous)?;
        let stream = self.stream;
        self.house.read(move |house| take_back(house, stream, message, &by)).await?;
        if let Some((_, room)) = &self.recipient {
            // An ended room needs no message.
            let _ = room.send(Ask::Deleted { message }).await;
        }
        Ok(())
    }
}
