//! What happens in a room. It becomes text once, and everybody is sent the same bytes.

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

/// How an event looks on the wire.
pub type Render = fn(&Event<'_>) -> Text;

/// What somebody in a room is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// The first to everybody who comes in.
    Welcome {
        /// Rules of the room.
        rules: &'a ChatRules,
        /// Who one is taken for.
        you: Option<&'a User>,
        /// Whether one may write here.
        may_write: bool,
        /// How many are in the room.
        viewers: u32,
    },
    /// Something was said, and is stored.
    Message {
        /// As it is stored.
        message: &'a Message,
        /// Its writer, while there is an account.
        by: Option<&'a User>,
        /// The writer's own mark, for nobody else.
        client_id: Option<&'a str>,
    },
    /// A message has lost its text.
    Deleted {
        /// Which.
        message: MessageId,
    },
    /// Others have come or gone.
    Presence {
        /// All of them.
        viewers: u32,
        /// Some of those with an account.
        people: &'a [Arc<User>],
    },
    /// The sums of the stream's reactions.
    Reaction {
        /// All of the stream.
        likes: u64,
        /// All of the stream.
        dislikes: u64,
    },
    /// Rules of the room, or rights in it, have changed.
    Rules {
        /// As they are now.
        rules: &'a ChatRules,
        /// Whether one may write here now.
        may_write: bool,
    },
    /// The stream is over.
    Ended,
    /// Something was not done.
    Error {
        /// Stable, for programs.
        code: &'static str,
        /// Why, in words for the writer.
        detail: &'a str,
        /// The writer's own mark.
        client_id: Option<&'a str>,
    },
}
