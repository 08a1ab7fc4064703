//! How long things are kept, and the deletion of what is older: a sweep goes through the tables in steps, each of which looks at few
//! rows and deletes few, so that nobody waits for it and a full card has room for it.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::{
    MESSAGE_OFFSETS, MESSAGES, NOTIFICATIONS, RECORDINGS, RESTRICTIONS, SESSIONS, SETTINGS, STREAM_FACTS,
    VIEWS,
};
use crate::writing::WriteTransaction;
use crate::{
    Message, Notification, Restriction, Session, Store, StoreError, StreamFacts, StreamId, StreamState,
    Timestamp, notifications, relation, sessions, streams,
};
use redb::{Key, ReadTransaction, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

const RETENTION: &str = "retention";
const DAY_MS: i64 = 86_400_000;
/// Rows that a step looks at.
const LOOKED_AT_MOST: usize = 500;
/// Rows of messages, views, notifications or restrictions that a step deletes.
const DELETED_MOST: usize = 200;
/// Logins that a step closes: each has up to 2,900 used tokens, one for every 15 minutes of 30 days.
const LOGINS_MOST: usize = 5;

/// For how many days things are kept; 0: for ever. What belongs to a stream that has not ended is always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Ended streams without a recording, with their chats: after their end.
    pub unrecorded_stream_days: u32,
    /// Chats of other streams: after the stream's end.
    pub chat_days: u32,
    /// Notifications.
    pub notification_days: u32,
    /// Mutes and bans: after they ended. Those without an end are kept.
    pub restriction_days: u32,
    /// Logins that nobody uses. They end after 30 days in any case.
    pub login_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            unrecorded_stream_days: 90,
            chat_days: 365,
            notification_days: 90,
            restriction_days: 30,
            login_days: 30,
        }
    }
}

impl Record for Retention {
    const NAME: &'static str = "retention";
    const VERSION: u8 = 1;
}

/// Where a sweep has come to. A new one begins with [`Sweep::default`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep(Stage);

/// The key of the row before the next one, by table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Streams(Option<u128>),
    Notifications(Option<(u128, u128)>),
    Restrictions(Option<(u128, u128)>),
    Logins(Option<u128>),
}

impl Default for Sweep {
    fn default() -> Self {
        Self(Stage::Streams(None))
    }
}

/// What a step of a sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Rows that it deleted.
    pub deleted: usize,
    /// Where the next step begins; `None`: the sweep is over.
    pub next: Option<Sweep>,
}

impl Store {
    /// How long things are kept.
    pub fn retention(&self) -> Result<Retention, StoreError> {
        self.read(|tx| Ok(record::get(tx, SETTINGS, RETENTION)?.unwrap_or_default()))
    }

    /// Changes how long things are kept: `change` gets the present values.
    pub fn change_retention(&self, change: impl Fn(&mut Retention)) -> Result<Retention, StoreError> {
        self.write(|tx| {
            let mut retention = record::get(tx, SETTINGS, RETENTION)?.unwrap_or_default();
            change(&mut retention);
            record::put(tx, SETTINGS, RETENTION, &retention)?;
            Ok(retention)
        })
    }

    /// One step of a sweep: deletes some of what was too old at `now`, in one commit; without such rows there is none.
    pub fn sweep(&self, sweep: Sweep, now: Timestamp) -> Result<Step, StoreError> {
        let retention = self.retention()?;
        let too_old = |time: Timestamp, days: u32| {
            let age = now.unix_millis().saturating_sub(time.unix_millis());
            days > 0 && age > i64::from(days) * DAY_MS
        };
        match sweep.0 {
            Stage::Streams(after) => self.sweep_streams(after, &retention, &too_old),
            Stage::Notifications(after) => {
                let goes = |told: &Notification| too_old(told.at, retention.notification_days);
                let found = self.read(|tx| look(tx, NOTIFICATIONS, after, DELETED_MOST, goes))?;
                self.delete_rows(NOTIFICATIONS, &found.keys)?;
                Ok(found.step(Stage::Notifications, Stage::Restrictions(None)))
            }
            Stage::Restrictions(after) => {
                let goes = |barred: &Restriction| {
                    barred.until.is_some_and(|until| too_old(until, retention.restriction_days))
                };
                let found = self.read(|tx| look(tx, RESTRICTIONS, after, DELETED_MOST, goes))?;
                self.delete_rows(RESTRICTIONS, &found.keys)?;
                Ok(found.step(Stage::Restrictions, Stage::Logins(None)))
            }
            Stage::Logins(after) => {
                let goes = |login: &Session| {
                    login.expires_at <= now || too_old(login.refreshed_at, retention.login_days)
                };
                let found = self.read(|tx| look(tx, SESSIONS, after, LOGINS_MOST, goes))?;
                if !found.keys.is_empty() {
                    self.write(|tx| {
                        for &key in &found.keys {
                            // It may have been used since.
                            if let Some(login) = record::get(tx, SESSIONS, key)?.filter(&goes) {
                                sessions::close(tx, &login)?;
                            }
                        }
                        Ok(())
                    })?;
                }
                let is_over = found.last.is_none();
                let step = found.step(Stage::Logins, Stage::Logins(None));
                Ok(Step { next: step.next.filter(|_| !is_over), ..step })
            }
        }
    }

    /// Deletes rows by their keys. Neither notifications nor restrictions are changed in what makes them too old.
    fn delete_rows(
        &self,
        table: TableDefinition<'static, (u128, u128), &'static [u8]>,
        keys: &[(u128, u128)],
    ) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let mut table = tx.open_table(table)?;
            for key in keys {
                table.remove(key)?;
            }
            Ok(())
        })
    }

    /// Deletes one stream or the chat of one, or a part of it.
    fn sweep_streams(
        &self,
        after: Option<u128>,
        retention: &Retention,
        too_old: &impl Fn(Timestamp, u32) -> bool,
    ) -> Result<Step, StoreError> {
        let is_due = |tx: &ReadTransaction, facts: &StreamFacts| due(tx, facts, retention, too_old);
        let (mut last, found) = self.read(|tx| {
            let mut last = after;
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            for row in
                tx.open_table(STREAM_FACTS)?.range::<u128>((start, Bound::Unbounded))?.take(LOOKED_AT_MOST)
            {
                let (key, bytes) = row?;
                let facts: StreamFacts = record::decode(bytes.value())?;
                if let Some(due) = is_due(tx, &facts)? {
                    return Ok((last, Some((facts.id, due))));
                }
                last = Some(key.value());
            }
            Ok((last, None))
        })?;
        let Some((stream, _)) = found else {
            let is_over = last == after;
            last = last.filter(|_| !is_over);
            let next = if is_over { Stage::Notifications(None) } else { Stage::Streams(last) };
            return Ok(Step { deleted: 0, next: Some(Sweep(next)) });
        };
        let deleted = self.write(|tx| {
            // It may have been deleted, or its recording brought back, since.
            let Some(facts) = record::get::<StreamFacts, _>(tx, STREAM_FACTS, stream.number())? else {
                return Ok(0);
            };
            match due(tx, &facts, retention, too_old)? {
                Some(Due::Chat) => delete_messages(tx, stream),
                Some(Due::Stream) => delete_some(tx, facts),
                None => Ok(0),
            }
        })?;
        // The same stream again, until nothing of it is too old.
        Ok(Step { deleted, next: Some(Sweep(Stage::Streams(last))) })
    }
}

/// What of a stream is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Chat,
    Stream,
}

fn due(
    tx: &impl Reads,
    facts: &StreamFacts,
    retention: &Retention,
    too_old: &impl Fn(Timestamp, u32) -> bool,
) -> Outcome<Option<Due>> {
    let Some(ended_at) = facts.ended_at.filter(|_| facts.state == StreamState::Ended) else {
        return Ok(None);
    };
    let number = facts.id.number();
    // The row of a deleted recording stays until its files are gone, and it may be brought back until then.
    if too_old(ended_at, retention.unrecorded_stream_days) && tx.reading(RECORDINGS)?.get(number)?.is_none() {
        return Ok(Some(Due::Stream));
    }
    let has_chat = || {
        Ok::<_, crate::failure::Failure>(tx.reading(MESSAGES)?.range(relation::of(number))?.next().is_some())
    };
    Ok((too_old(ended_at, retention.chat_days) && has_chat()?).then_some(Due::Chat))
}

/// Deletes some messages of a stream, the oldest first; returns how many.
fn delete_messages(tx: &WriteTransaction, stream: StreamId) -> Outcome<usize> {
    let mut messages = tx.open_table(MESSAGES)?;
    let mut gone: Vec<(u128, u64)> = Vec::new();
    for row in messages.range(relation::of(stream.number()))?.take(DELETED_MOST) {
        let (key, bytes) = row?;
        let message: Message = record::decode(bytes.value())?;
        gone.push((key.value().1, message.offset_ms));
    }
    let mut offsets = tx.open_table(MESSAGE_OFFSETS)?;
    for &(message, offset) in &gone {
        messages.remove((stream.number(), message))?;
        offsets.remove((stream.number(), offset, message))?;
    }
    Ok(gone.len())
}

/// Deletes some of a stream's messages; once it has none, some of its views; then the stream. Returns the number of rows.
fn delete_some(tx: &WriteTransaction, mut facts: StreamFacts) -> Outcome<usize> {
    let messages = delete_messages(tx, facts.id)?;
    if messages > 0 {
        return Ok(messages);
    }
    let number = facts.id.number();
    let mut left = DELETED_MOST;
    for view in tx.open_table(VIEWS)?.extract_from_if(relation::of(number), |_, ()| true)?.take(left) {
        view?;
        left -= 1;
    }
    if left == 0 {
        facts.views = facts.views.saturating_sub(DELETED_MOST as u64);
        streams::put_facts(tx, &facts)?;
        return Ok(DELETED_MOST);
    }
    streams::delete(tx, facts.id)?;
    notifications::forget(tx, |kind| kind.stream() == Some(facts.id))?;
    Ok(DELETED_MOST - left + 1)
}

/// Rows that a step found.
struct Found<K> {
    /// Keys of those that are too old.
    keys: Vec<K>,
    /// The last row looked at; `None`: there was none.
    last: Option<K>,
}

impl<K> Found<K> {
    fn step(self, stage: impl Fn(Option<K>) -> Stage, after_that: Stage) -> Step {
        let next = if self.last.is_some() { stage(self.last) } else { after_that };
        Step { deleted: self.keys.len(), next: Some(Sweep(next)) }
    }
}

/// Looks at rows after `after`, until `most` are too old.
fn look<K, R: Record>(
    tx: &impl Reads,
    table: TableDefinition<'static, K, &'static [u8]>,
    after: Option<K>,
    most: usize,
    goes: impl Fn(&R) -> bool,
) -> Outcome<Found<K>>
where
    K: for<'a> Key<SelfType<'a> = K> + Copy + 'static,
{
    let mut found = Found { keys: Vec::new(), last: None };
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    for row in tx.reading(table)?.range::<K>((start, Bound::Unbounded))?.take(LOOKED_AT_MOST) {
        let (key, bytes) = row?;
        found.last = Some(key.value());
        if goes(&record::decode(bytes.value())?) {
            found.keys.push(key.value());
        }
        if found.keys.len() == most {
            break;
        }
    }
    Ok(found)
}
