//! Events in a room. Each is rendered once, and all recipients get the same bytes.

use super::error::Restricted;
use bytes::Bytes;
use perch_store::{ChatRules, Message, MessageId, User};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A rendered event in UTF-8; clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    /// The bytes, shared.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("it was made of a String")
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Renders an event for the wire.
pub type Render = fn(&Event<'_>) -> Text;

/// An event for the people in a room.
#[derive(Debug)]
pub enum Event<'a> {
    /// The first event for a new connection.
    Welcome {
        /// The room's rules.
        rules: &'a ChatRules,
        /// The reader's account.
        you: Option<&'a User>,
        /// True if the reader may write here.
        may_write: bool,
        /// The mute of the reader.
        restricted: Option<Restricted>,
        /// Number of viewers in the room.
        viewers: u32,
    },
    /// A message, already stored.
    Message {
        /// The stored message.
        message: &'a Message,
        /// Its writer, while the account exists.
        by: Option<&'a User>,
        /// The writer's own id for the message, only for the writer.
        client_id: Option<&'a str>,
    },
    /// A message's text was deleted.
    Deleted {
        /// The message.
        message: MessageId,
    },
    /// People came or left.
    Presence {
        /// The number of viewers.
        viewers: u32,
        /// Some of those with an account.
        people: &'a [Arc<User>],
    },
    /// The stream's reactions changed.
    Reaction {
        /// All likes of the stream.
        likes: u64,
        /// All dislikes of the stream.
        dislikes: u64,
    },
    /// The room's rules, or the reader's rights, changed.
    Rules {
        /// The new rules.
        rules: &'a ChatRules,
        /// True if the reader may write now.
        may_write: bool,
        /// The mute of the reader.
        restricted: Option<Restricted>,
    },
    /// The stream has ended.
    Ended,
    /// A request failed.
    Error {
        /// A stable code, for programs.
        code: &'static str,
        /// Why, in words for the writer.
        detail: &'a str,
        /// The mute or ban that is the reason.
        restricted: Option<Restricted>,
        /// The writer's own id for the message.
        client_id: Option<&'a str>,
    },
}
