//! Why a chat refuses: an error of the whole request, or a rule that bars one person.

use crate::text::FieldError;
use perch_store::{StoreError, Timestamp};

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

/// Which rule bars somebody from a chat, or from writing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// The login is over.
    #[error("your login has ended: log in again")]
    LoggedOut,
    /// Nobody is logged in, and only members may read.
    #[error("only people with an account read along here: log in first")]
    MembersOnly,
    /// Banned from this streamer's chats, or from all.
    #[error("you are banned from this chat")]
    Banned {
        /// `None`: until it is lifted.
        until: Option<Timestamp>,
    },
    /// Nobody is logged in.
    #[error("log in to write")]
    Anonymous,
    /// Muted in this streamer's chats, or in all.
    #[error("you are muted in this chat")]
    Muted {
        /// `None`: until it is lifted.
        until: Option<Timestamp>,
    },
    /// The room is for followers.
    #[error("only followers of the streamer write here")]
    FollowersOnly,
    /// At the machine's own console sits no account.
    #[error("an account is needed to write")]
    NoAccount,
}

impl Barred {
    /// Stable, for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LoggedOut | Self::Anonymous => "unauthenticated",
            Self::MembersOnly => "members_only",
            Self::Banned { .. } => "banned",
            Self::Muted { .. } => "muted",
            Self::FollowersOnly => "followers_only",
            Self::NoAccount => "forbidden",
        }
    }

    pub(super) const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Banned { until } | Self::Muted { until } => until,
            _ => None,
        }
    }
}
