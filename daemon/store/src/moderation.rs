//! Mutes, bans and chat rules. A restriction applies in one stream's chat, in all chats of a streamer, or everywhere.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::{CHAT_RULES, RESTRICTIONS, STREAM_FACTS, USERS};
use crate::{Refusal, Store, StoreError, StreamId, Timestamp, UserId, relation, streams, user};
use redb::{ReadableTable as _, ReadableTableMetadata as _};
use serde::{Deserialize, Serialize};

/// Mutes and bans on the whole site. A list of them is read whole, which takes a few milliseconds for this many.
pub const RESTRICTIONS_MOST: usize = 10_000;

/// The key of [`Room::Everywhere`]: nothing has this id, since ids begin with a time.
const EVERYWHERE: u128 = 0;

/// Where a restriction applies. Ids of streams and accounts share a table: they are random, and never the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// In the chat of this stream.
    Stream(StreamId),
    /// In the chats of all streams of this streamer.
    ChatsOf(UserId),
    /// On the whole site.
    Everywhere,
}

impl Room {
    /// Its key: the id of the stream or of the streamer, or 0.
    pub const fn number(self) -> u128 {
        match self {
            Self::Stream(stream) => stream.number(),
            Self::ChatsOf(user) => user.number(),
            Self::Everywhere => EVERYWHERE,
        }
    }
}

/// Selects restrictions.
#[derive(Clone, Debug)]
pub enum Restricted {
    /// Those in these rooms.
    In(Vec<Room>),
    /// Those of this account, in all rooms.
    Of(UserId),
}

/// How strict a restriction is; a greater one is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// May read, but not write.
    Mute,
    /// May not enter.
    Ban,
}

/// A mute or ban of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// The restricted account.
    pub user: UserId,
    /// How strict it is.
    pub severity: Severity,
    /// When it ends; `None`: when it is lifted.
    pub until: Option<Timestamp>,
    /// Who imposed it.
    pub by: UserId,
    /// When it was imposed.
    pub at: Timestamp,
}

impl Restriction {
    /// True until it ends.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.end() > now
    }

    /// When it ends; one without an end ends after all others.
    fn end(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::from_unix_millis(i64::MAX))
    }
}

impl Record for Restriction {
    const NAME: &'static str = "restriction";
    const VERSION: u8 = 1;
}

/// The rules of a stream's chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatRules {
    /// Seconds that everyone must wait between two messages; 0: no wait.
    pub slow_mode_seconds: u32,
    /// True if only followers of the streamer may write.
    pub followers_only: bool,
    /// True if only people with an account may read.
    pub members_only: bool,
}

impl Record for ChatRules {
    const NAME: &'static str = "chat rules";
    const VERSION: u8 = 1;
}

fn room_of(tx: &impl Reads, number: u128) -> Outcome<Option<Room>> {
    Ok(if number == EVERYWHERE {
        Some(Room::Everywhere)
    } else if tx.reading(STREAM_FACTS)?.get(number)?.is_some() {
        Some(Room::Stream(StreamId::from_number(number)))
    } else if tx.reading(USERS)?.get(number)?.is_some() {
        Some(Room::ChatsOf(UserId::from_number(number)))
    } else {
        None
    })
}

impl Store {
    /// Mutes or bans an account; replaces its earlier restriction in that room. Restrictions that have ended by now are deleted.
    pub fn restrict(&self, room: Room, restriction: &Restriction) -> Result<(), StoreError> {
        self.write(|tx| {
            user::get(tx, restriction.user)?;
            if let Room::Stream(stream) = room {
                streams::facts(tx, stream)?;
            }
            let key = (room.number(), restriction.user.number());
            let mut table = tx.open_table(RESTRICTIONS)?;
            // A record that cannot be read is kept, so that the next read reports it.
            table.retain(|_, bytes| {
                record::decode::<Restriction>(bytes).map_or(true, |found| found.holds_at(restriction.at))
            })?;
            if table.len()? >= RESTRICTIONS_MOST as u64 && table.get(key)?.is_none() {
                return Err(Refusal::TooMany { what: "mutes and bans", most: RESTRICTIONS_MOST }.into());
            }
            drop(table);
            record::put(tx, RESTRICTIONS, key, restriction)
        })
    }

    /// Lifts an account's restriction; true if there was one.
    pub fn lift_restriction(&self, room: Room, user: UserId) -> Result<bool, StoreError> {
        self.write(|tx| Ok(tx.open_table(RESTRICTIONS)?.remove((room.number(), user.number()))?.is_some()))
    }

    /// What holds for an account in a stream's chat now: of the strictest restrictions the one that ends last.
    pub fn restriction(
        &self,
        stream: StreamId,
        streamer: UserId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<(Room, Restriction)>, StoreError> {
        self.read(|tx| {
            let mut holding = Vec::new();
            for room in [Room::Stream(stream), Room::ChatsOf(streamer), Room::Everywhere] {
                let found: Option<Restriction> =
                    record::get(tx, RESTRICTIONS, (room.number(), user.number()))?;
                holding.extend(found.filter(|found| found.holds_at(now)).map(|found| (room, found)));
            }
            Ok(holding.into_iter().max_by_key(|(_, found)| (found.severity, found.end())))
        })
    }

    /// The restrictions that hold now, with their rooms.
    pub fn restrictions(
        &self,
        which: &Restricted,
        now: Timestamp,
    ) -> Result<Vec<(Room, Restriction)>, StoreError> {
        self.read(|tx| {
            let table = tx.reading(RESTRICTIONS)?;
            let mut found = Vec::new();
            match which {
                Restricted::In(rooms) => {
                    for &room in rooms {
                        for row in table.range(relation::of(room.number()))? {
                            found.push((room, record::decode::<Restriction>(row?.1.value())?));
                        }
                    }
                }
                Restricted::Of(user) => {
                    for row in table.iter()? {
                        let (key, bytes) = row?;
                        let (room, barred) = key.value();
                        if barred == user.number()
                            && let Some(room) = room_of(tx, room)?
                        {
                            found.push((room, record::decode(bytes.value())?));
                        }
                    }
                }
            }
            found.retain(|(_, restriction)| restriction.holds_at(now));
            Ok(found)
        })
    }

    /// The room with this number; `None` if its stream or streamer does not exist.
    pub fn room(&self, number: u128) -> Result<Option<Room>, StoreError> {
        self.read(|tx| room_of(tx, number))
    }

    /// The rules of a stream's chat.
    pub fn chat_rules(&self, stream: StreamId) -> Result<ChatRules, StoreError> {
        self.read(|tx| Ok(record::get(tx, CHAT_RULES, stream.number())?.unwrap_or_default()))
    }

    /// Sets the rules of a stream's chat.
    pub fn set_chat_rules(&self, stream: StreamId, rules: &ChatRules) -> Result<(), StoreError> {
        self.write(|tx| {
            streams::facts(tx, stream)?;
            record::put(tx, CHAT_RULES, stream.number(), rules)
        })
    }
}
