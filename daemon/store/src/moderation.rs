//! Who may not speak, or not come in, and how a chat is run. A restriction holds in one streamer's chats, or everywhere.

use crate::reads::Reads as _;
use crate::record::{self, Record};
use crate::tables::{CHAT_RULES, RESTRICTIONS};
use crate::{Store, StoreError, StreamId, Timestamp, UserId, relation, streams, user};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

/// The key of everywhere: no account has this id, since ids begin with a time.
const EVERYWHERE: u128 = 0;

/// Where a restriction holds.
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

/// How much is barred; a greater one is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// May read, may not write.
    Mute,
    /// May not come in.
    Ban,
}

/// What an account is barred from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// Who is barred.
    pub user: UserId,
    /// How much.
    pub severity: Severity,
    /// Until when; `None`: until it is lifted.
    pub until: Option<Timestamp>,
    /// Who decided.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

impl Record for Restriction {
    const NAME: &'static str = "restriction";
    const VERSION: u8 = 1;
}

/// How a stream's chat is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatRules {
    /// Seconds that everybody waits between two messages; 0: no wait.
    pub slow_mode_seconds: u32,
    /// Whether only followers of the streamer write.
    pub followers_only: bool,
    /// Whether only people with an account read.
    pub members_only: bool,
}

impl Record for ChatRules {
    const NAME: &'static str = "chat rules";
    const VERSION: u8 = 1;
}

impl Store {
    /// Mutes or bans; in place of what the account was barred from there before.
    pub fn restrict(&self, room: Room, restriction: &Restriction) -> Result<(), StoreError> {
        self.write(|tx| {
            user::get(tx, restriction.user)?;
            record::put(tx, RESTRICTIONS, (room.number(), restriction.user.number()), restriction)
        })
    }

    /// Lifts what an account is barred from; says whether there was anything.
    pub fn lift_restriction(&self, room: Room, user: UserId) -> Result<bool, StoreError> {
        self.write(|tx| Ok(tx.open_table(RESTRICTIONS)?.remove((room.number(), user.number()))?.is_some()))
    }

    /// The strictest that holds for an account in a streamer's chats now.
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

    /// What holds in a room, past or not, at most `limit`, by account.
    pub fn restrictions(&self, room: Room, limit: usize) -> Result<Vec<Restriction>, StoreError> {
        self.read(|tx| {
            let table = tx.reading(RESTRICTIONS)?;
            let rows = table.range(relation::of(room.number()))?;
            rows.take(limit).map(|row| record::decode(row?.1.value())).collect()
        })
    }

    /// How a stream's chat is run.
    pub fn chat_rules(&self, stream: StreamId) -> Result<ChatRules, StoreError> {
        self.read(|tx| Ok(record::get(tx, CHAT_RULES, stream.number())?.unwrap_or_default()))
    }

    /// Sets how a stream's chat is run.
    pub fn set_chat_rules(&self, stream: StreamId, rules: &ChatRules) -> Result<(), StoreError> {
        self.write(|tx| {
            streams::facts(tx, stream)?;
            record::put(tx, CHAT_RULES, stream.number(), rules)
        })
    }
}
