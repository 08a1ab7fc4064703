//! What happens in a room. It becomes text once, and everybody is sent the same bytes.

use perch_store::{ChatRules, Message, MessageId, User};
use std::sync::Arc;

/// A rendered event; clones share the bytes.
pub type Text = axum::extract::ws::Utf8Bytes;

/// How an event looks on the wire.
pub type Render = fn(&Event<'_>) -> Text;

/// What somebody in a room is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// The first to everybody who comes in.
    Welcome {
        rules: &'a ChatRules,
        /// Who one is taken for.
        you: Option<&'a User>,
        may_write: bool,
        /// How many are in the room.
        viewers: u32,
    },
    /// Something was said, and is stored.
    Message {
        message: &'a Message,
        by: Option<&'a User>,
        /// The writer's own mark, for nobody else.
        client_id: Option<&'a str>,
    },
    /// A message has lost its text.
    Deleted { message: MessageId },
    /// Others have come or gone.
    Presence {
        /// All of them.
        viewers: u32,
        /// Some of those with an account.
        people: &'a [Arc<User>],
    },
    /// The sums of the stream's reactions.
    Reaction { likes: u64, dislikes: u64 },
    /// Rules of the room, or rights in it, have changed.
    Rules { rules: &'a ChatRules, may_write: bool },
    /// The stream is over.
    Ended,
    /// Something was not done.
    Error {
        /// Stable, for programs.
        code: &'static str,
        detail: &'a str,
        /// The writer's own mark.
        client_id: Option<&'a str>,
    },
}
