//! What a room is asked, and what it answers to somebody who joins.

use super::error::{Barred, ChatError};
use super::event::Text;
use crate::accounts::logins::Login;
use perch_store::MessageId;
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};

/// What is sent at once; shared by all who are sent it.
pub(super) type Lines = Arc<[Text]>;

/// What a room is asked.
pub(super) enum Ask {
    Join {
        who: Option<Login>,
        answer: oneshot::Sender<Result<Joined, ChatError>>,
    },
    Say(Said),
    /// A message has lost its text in the store.
    Deleted {
        message: MessageId,
    },
}

/// What somebody wants to say.
pub(super) struct Said {
    pub(super) chair: u64,
    pub(super) by: Login,
    pub(super) text: String,
    pub(super) client_id: Option<String>,
}

/// A chair that has been taken.
pub(super) struct Joined {
    pub(super) chair: u64,
    pub(super) room: mpsc::Sender<Ask>,
    pub(super) login: Option<Login>,
    pub(super) welcome: Text,
    /// What was stored last before; `lines` has what comes after it.
    pub(super) last: Option<MessageId>,
    pub(super) lines: mpsc::Receiver<Lines>,
    /// Why there are no more lines.
    pub(super) leave: Arc<OnceLock<Leave>>,
    /// Which messages have lost their text lately.
    pub(super) deleted: Vec<MessageId>,
}

/// Why there is nothing more to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The stream is over.
    Ended,
    /// It took too little of what was said: it may come again, and reads on.
    Slow,
    /// It may not be here any more.
    Barred(Barred),
    /// The daemon ends.
    Closing,
}
