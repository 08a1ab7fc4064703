//! Mutes, bans and chat rules. A restriction applies in one streamer's chats, or everywhere.

use crate::reads::Reads as _;
use crate::record::{self, Record};
use crate::tables::{CHAT_RULES, RESTRICTIONS};
use crate::{Store, StoreError, StreamId, Timestamp, UserId, relation, streams, user};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

/// The key of [`Room::Everywhere`]: no account has this id, since ids begin with a time.
const EVERYWHERE: u128 = 0;

/// Where a restriction applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// In all chats of this streamer.
    Of(UserId),
    /// On the whole site.
    Everywhere,
}

impl Room {
    const fn number(self) -> u128 {
        match self {
            Self::Of(user) => user.number(),
            Self::Everywhere => EVERYWHERE,
        }
    }
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

impl Store {
    /// Mutes or bans an account; replaces its earlier restriction in that room.
    pub fn restrict(&self, room: Room, restriction: &Restriction) -> Result<(), StoreError> {
        self.write(|tx| {
            user::get(tx, restriction.user)?;
            record::put(tx, RESTRICTIONS, (room.number(), restriction.user.number()), restriction)
        })
    }

    /// Lifts an account's restriction; true if there was one.
    pub fn lift_restriction(&self, room: Room, user: UserId) -> Result<bool, StoreError> {
        self.write(|tx| Ok(tx.open_table(RESTRICTIONS)?.remove((room.number(), user.number()))?.is_some()))
    }

    /// The strictest restriction that applies to an account in a streamer's chats now.
    pub fn restriction(
        &self,
        streamer: UserId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Restriction>, StoreError> {
        self.read(|tx| {
            let mut strictest: Option<Restriction> = None;
            for room in [Room::Of(streamer), Room::Everywhere] {
                let found: Option<Restriction> =
                    record::get(tx, RESTRICTIONS, (room.number(), user.number()))?;
                let holds = found.filter(|found| found.until.is_none_or(|until| until > now));
                if holds.as_ref().map(|found| found.severity) > strictest.as_ref().map(|found| found.severity)
                {
                    strictest = holds;
                }
            }
            Ok(strictest)
        })
    }

    /// A room's restrictions, expired ones included, at most `limit`, by account.
    pub fn restrictions(&self, room: Room, limit: usize) -> Result<Vec<Restriction>, StoreError> {
        self.read(|tx| {
            let table = tx.reading(RESTRICTIONS)?;
            let rows = table.range(relation::of(room.number()))?;
            rows.take(limit).map(|row| record::decode(row?.1.value())).collect()
        })
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
