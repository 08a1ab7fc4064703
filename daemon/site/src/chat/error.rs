//! Why a chat refuses: an error of the whole request, or a rule about one person.

use crate::text::FieldError;
use perch_store::{Restriction, Room, Severity, StoreError, Timestamp};
use std::time::Duration;

/// Why a person may not enter a chat or not write there.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// No such stream, or it has no chat.
    #[error("there is no chat here")]
    NoRoom,
    /// An invalid message.
    #[error(transparent)]
    Text(#[from] FieldError),
    /// A rule of the room or of the site.
    #[error(transparent)]
    Barred(#[from] Barred),
    /// The message is neither the actor's own nor in a chat of theirs.
    #[error("this message is not yours")]
    NotYours,
    /// The room is full.
    #[error("this chat is full")]
    Full,
    /// The account, or the address of somebody without one, has too many connections.
    #[error("too many connections to chats from your account, or from your address without one")]
    Crowded,
    /// The store failed or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping.
    #[error("Perch is shutting down")]
    Closing,
    /// A message was not stored.
    #[error(transparent)]
    NotSent(#[from] NotSent),
}

/// Why a message of somebody who is in the chat was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// A rule of the room or of the site.
    #[error(transparent)]
    Barred(#[from] Barred),
    /// Too soon after the writer's last message.
    #[error("wait {} s before your next message", wait.as_secs() + u64::from(wait.subsec_nanos() > 0))]
    TooFast {
        /// How long to wait.
        wait: Duration,
        /// True if the room is in slow mode.
        is_slow_mode: bool,
    },
    /// The store failed or refused.
    #[error("{detail}")]
    NotStored {
        /// A stable code, for programs.
        code: &'static str,
        /// What happened, for people.
        detail: String,
    },
}

impl NotSent {
    /// A stable code, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Barred(barred) => barred.code(),
            Self::TooFast { is_slow_mode: true, .. } => "slow_mode",
            Self::TooFast { is_slow_mode: false, .. } => "too_many_requests",
            Self::NotStored { code, .. } => code,
        }
    }

    /// The mute or ban, if it is one.
    pub const fn restricted(&self) -> Option<Restricted> {
        match self {
            Self::Barred(barred) => barred.restricted(),
            _ => None,
        }
    }
}

/// Where a mute or ban holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Place {
    /// In this stream's chat.
    #[error("this stream's chat")]
    Stream,
    /// In all chats of the stream's user.
    #[error("all chats of this streamer")]
    Chats,
    /// In all chats.
    #[error("all chats of this site")]
    Everywhere,
}

impl From<Room> for Place {
    fn from(room: Room) -> Self {
        match room {
            Room::Stream(_) => Self::Stream,
            Room::ChatsOf(_) => Self::Chats,
            Room::Everywhere => Self::Everywhere,
        }
    }
}

/// A mute or ban, as the person reads it who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restricted {
    /// A mute or a ban.
    pub severity: Severity,
    /// Where it holds.
    pub place: Place,
    /// When it ends; `None`: when it is lifted.
    pub until: Option<Timestamp>,
}

impl From<&(Room, Restriction)> for Restricted {
    fn from((room, found): &(Room, Restriction)) -> Self {
        Self { severity: found.severity, place: (*room).into(), until: found.until }
    }
}

/// The rule that excludes a person from a chat, or from writing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// The login is over.
    #[error("your login has ended: log in again")]
    LoggedOut,
    /// Nobody is logged in, and only members may read.
    #[error("only people with an account can read this chat: log in first")]
    MembersOnly,
    /// Banned from this chat, from this streamer's chats, or from all.
    #[error("you are banned from {}", .0.place)]
    Banned(Restricted),
    /// Nobody is logged in.
    #[error("log in to write")]
    Anonymous,
    /// Muted in this chat, in this streamer's chats, or in all.
    #[error("you are muted in {}", .0.place)]
    Muted(Restricted),
    /// Only followers may write in the room.
    #[error("only followers of the streamer can write here")]
    FollowersOnly,
    /// The machine's own console has no account.
    #[error("writing needs an account")]
    NoAccount,
}

impl Barred {
    /// A stable code, for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LoggedOut | Self::Anonymous => "unauthenticated",
            Self::MembersOnly => "members_only",
            Self::Banned(_) => "banned",
            Self::Muted(_) => "muted",
            Self::FollowersOnly => "followers_only",
            Self::NoAccount => "forbidden",
        }
    }

    /// The mute or ban, if it is one.
    pub const fn restricted(self) -> Option<Restricted> {
        match self {
            Self::Banned(restricted) | Self::Muted(restricted) => Some(restricted),
            _ => None,
        }
    }
}
