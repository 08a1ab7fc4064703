//! Chat, by stream. A message's id gives its order for everyone; its offset gives its position beside the recording. A deleted
//! message keeps its id and loses its text, so a client that continues reading after it misses nothing.

use crate::failure::{Failure, Outcome};
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::{MESSAGE_OFFSETS, MESSAGES};
use crate::writing::WriteTransaction;
use crate::{
    MessageId, Refusal, Store, StoreError, StreamId, Timestamp, UserId, new_id, relation, streams, user,
};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::ops::{Bound, Range};

/// A message in a stream's chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id; greater than that of every earlier message in the stream.
    pub id: MessageId,
    /// Who wrote it.
    pub user: UserId,
    /// Milliseconds into the stream.
    pub offset_ms: u64,
    /// When it was written.
    pub sent_at: Timestamp,
    /// Its text; empty once deleted.
    pub text: String,
    /// Who deleted it.
    pub deleted_by: Option<UserId>,
}

impl Record for Message {
    const NAME: &'static str = "message";
    const VERSION: u8 = 1;
}

/// A message to be stored. The caller has checked that its writer may send it, and its length and characters.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The stream whose chat it belongs to.
    pub stream: StreamId,
    /// Who wrote it.
    pub user: UserId,
    /// Milliseconds into the stream.
    pub offset_ms: u64,
    /// Its text.
    pub text: String,
}

impl Store {
    /// Stores messages in order, in one commit. Each has its own result: one for a deleted stream does not stop the others.
    pub fn append_messages(
        &self,
        new: &[NewMessage],
        now: Timestamp,
    ) -> Result<Vec<Result<Message, Refusal>>, StoreError> {
        self.write(|tx| {
            new.iter()
                .map(|new| match append(tx, new, now) {
                    Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
                    appended => appended.map(Ok),
                })
                .collect()
        })
    }

    /// At most `limit` messages after `after` (`None`: from the first), oldest first.
    pub fn messages_after(
        &self,
        stream: StreamId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.read(|tx| {
            let number = stream.number();
            let first = Bound::Included((number, u128::MIN));
            let start = after.map_or(first, |after| Bound::Excluded((number, after.number())));
            let table = tx.reading(MESSAGES)?;
            let rows = table.range((start, Bound::Included((number, u128::MAX))))?;
            rows.take(limit).map(|row| record::decode(row?.1.value())).collect()
        })
    }

    /// The last `limit` messages before `before` (`None`: the newest), oldest first: a page of history.
    pub fn messages_before(
        &self,
        stream: StreamId,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.read(|tx| {
            let end = before.map_or(u128::MAX, MessageId::number);
            let table = tx.reading(MESSAGES)?;
            let rows = table.range((stream.number(), u128::MIN)..(stream.number(), end))?;
            let page: Outcome<Vec<_>> =
                rows.rev().take(limit).map(|row| record::decode(row?.1.value())).collect();
            page.map(|mut page| {
                page.reverse();
                page
            })
        })
    }

    /// At most `limit` messages written in `offsets_ms` (milliseconds into the stream), after `after` within that range: the chat
    /// beside a recording.
    pub fn messages_between(
        &self,
        stream: StreamId,
        offsets_ms: Range<u64>,
        after: Option<(u64, MessageId)>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.read(|tx| {
            let number = stream.number();
            let first = Bound::Included((number, offsets_ms.start, u128::MIN));
            let start = match after {
                Some((offset, id)) if offset >= offsets_ms.start => {
                    Bound::Excluded((number, offset, id.number()))
                }
                _ => first,
            };
            let past = after.is_some_and(|(offset, _)| offset >= offsets_ms.end);
            if offsets_ms.is_empty() || past {
                return Ok(Vec::new());
            }
            let table = tx.reading(MESSAGE_OFFSETS)?;
            let rows = table.range((start, Bound::Excluded((number, offsets_ms.end, u128::MIN))))?;
            rows.take(limit)
                .map(|row| {
                    let (_, _, message) = row?.0.value();
                    get(tx, stream, MessageId::from_number(message))
                })
                .collect()
        })
    }

    /// One message.
    pub fn message(&self, stream: StreamId, message: MessageId) -> Result<Message, StoreError> {
        self.read(|tx| get(tx, stream, message))
    }

    /// Deletes a message's text. The caller checks who may do so. A second deletion keeps the first one's `deleted_by`.
    pub fn delete_message(
        &self,
        stream: StreamId,
        message: MessageId,
        by: UserId,
    ) -> Result<Message, StoreError> {
        self.write(|tx| {
            let mut gone = get(tx, stream, message)?;
            if gone.deleted_by.is_none() {
                gone.text.clear();
                gone.deleted_by = Some(by);
                record::put(tx, MESSAGES, (stream.number(), message.number()), &gone)?;
            }
            Ok(gone)
        })
    }
}

fn get(tx: &impl Reads, stream: StreamId, message: MessageId) -> Outcome<Message> {
    record::get(tx, MESSAGES, (stream.number(), message.number()))?
        .ok_or_else(|| Refusal::NotFound { what: "message" }.into())
}

fn last_id(tx: &impl Reads, stream: u128) -> Outcome<Option<u128>> {
    let table = tx.reading(MESSAGES)?;
    let last = table.range(relation::of(stream))?.next_back().transpose()?;
    Ok(last.map(|(key, _)| key.value().1))
}

fn append(tx: &WriteTransaction, new: &NewMessage, now: Timestamp) -> Outcome<Message> {
    streams::facts(tx, new.stream)?;
    user::get(tx, new.user)?;
    let number = new.stream.number();
    let last = last_id(tx, number)?;
    let message = Message {
        id: MessageId::from_number(new_id::after(last, now)?),
        user: new.user,
        offset_ms: new.offset_ms,
        sent_at: now,
        text: new.text.clone(),
        deleted_by: None,
    };
    record::put(tx, MESSAGES, (number, message.id.number()), &message)?;
    tx.open_table(MESSAGE_OFFSETS)?.insert((number, message.offset_ms, message.id.number()), ())?;
    Ok(message)
}

/// Removes all messages of an account that is being deleted.
pub(crate) fn forget_writer(tx: &WriteTransaction, user: UserId) -> Outcome<()> {
    let mut places = Vec::new();
    for row in tx.open_table(MESSAGES)?.iter()? {
        let (key, value) = row?;
        let message: Message = record::decode(value.value())?;
        if message.user == user {
            places.push((key.value(), message.offset_ms));
        }
    }
    let mut messages = tx.open_table(MESSAGES)?;
    let mut offsets = tx.open_table(MESSAGE_OFFSETS)?;
    for ((stream, message), offset) in places {
        messages.remove((stream, message))?;
        offsets.remove((stream, offset, message))?;
    }
    Ok(())
}
