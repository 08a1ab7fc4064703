//! Requests to a room, and its answer to a connection that joins.

use super::error::NotSent;
use super::error::{Barred, ChatError};
use super::event::Text;
use crate::accounts::logins::Login;
use perch_store::{Message, MessageId, User};
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};

/// Lines sent at once; all recipients share them.
pub(super) type Lines = Arc<[Text]>;

/// A request to a room.
pub(super) enum Ask {
    Join {
        who: Option<Login>,
        answer: oneshot::Sender<Result<Joined, ChatError>>,
    },
    Say(Said),
    /// Reports that a message's text was deleted in the store.
    Deleted {
        message: MessageId,
    },
}

/// A stored message, and its writer.
pub type Sent = (Message, Option<Arc<User>>);

/// Who learns what became of a message.
pub(super) enum Sender {
    /// A connection of the room, which gets the message with its mark, or the error.
    Recipient(u64),
    /// A request without a connection.
    Request(oneshot::Sender<Result<Sent, NotSent>>),
}

/// A message to send.
pub(super) struct Said {
    pub(super) sender: Sender,
    pub(super) by: Login,
    pub(super) text: String,
    pub(super) client_id: Option<String>,
}

/// A new recipient: the room's answer to a connection that joins.
pub(super) struct Joined {
    pub(super) recipient: u64,
    pub(super) room: mpsc::Sender<Ask>,
    pub(super) login: Option<Login>,
    pub(super) welcome: Text,
    /// The last message stored before it joined; `lines` has those after it.
    pub(super) last: Option<MessageId>,
    pub(super) lines: mpsc::Receiver<Lines>,
    /// Why the lines ended.
    pub(super) leave: Arc<OnceLock<Leave>>,
    /// Messages deleted lately.
    pub(super) deleted: Vec<MessageId>,
}

/// Why a connection's lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The stream is over.
    Ended,
    /// It was too slow; it may reconnect and continue reading.
    Slow,
    /// It is no longer allowed here.
    Barred(Barred),
    /// The daemon is stopping.
    Closing,
}
