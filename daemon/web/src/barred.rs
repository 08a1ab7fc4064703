//! The mute or ban that keeps a person out of a chat, as they read it.

use super::json::Time;
use perch_site::chat::{Place, Restricted};
use perch_store::{Room, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a mute or ban holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeName {
    /// In the chat of one stream.
    Stream,
    /// In all chats of its user.
    Chats,
    /// In all chats of the site.
    Everywhere,
}

impl From<Place> for ScopeName {
    fn from(place: Place) -> Self {
        match place {
            Place::Stream => Self::Stream,
            Place::Chats => Self::Chats,
            Place::Everywhere => Self::Everywhere,
        }
    }
}

impl From<Room> for ScopeName {
    fn from(room: Room) -> Self {
        Place::from(room).into()
    }
}

/// A mute or ban of the reader.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = Barred)]
pub(super) struct BarredLine {
    /// `mute` or `ban`.
    #[schema(value_type = String)]
    severity: Severity,
    /// `stream`, `chats` (all of the streamer) or `everywhere`.
    #[schema(value_type = String)]
    scope: ScopeName,
    /// When it ends; null: when it is lifted.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
}

impl From<Restricted> for BarredLine {
    fn from(restricted: Restricted) -> Self {
        Self {
            severity: restricted.severity,
            scope: restricted.place.into(),
            until: restricted.until.map(Time),
        }
    }
}
