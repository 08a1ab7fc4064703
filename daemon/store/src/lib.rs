//! What Perch remembers, in one redb file: the site's people, streams and chat, and what must be unique for ever.
//!
//! No tokio: the daemon calls it through `spawn_blocking`, and no transaction outlives a call. Time is an argument, tokens and
//! passwords come as digests. Every call that writes is one commit, one fdatasync of the card, all or nothing; so callers reserve in
//! blocks and write in groups ([`Store::append_messages`], [`Store::count_views`]). What a person may do is the caller's; what must hold
//! together is here, and [`Store::verify`] recounts it.
#![forbid(unsafe_code)]

mod backup;
mod deletion;
mod error;
mod file;
mod follows;
mod id;
mod media_sequence;
mod messages;
mod moderation;
mod notifications;
mod pictures;
mod reactions;
mod record;
mod redating;
mod refusal;
mod relation;
mod reserve;
mod saved;
mod schema;
mod search;
mod sessions;
mod settings;
mod stream;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod topics;
mod transaction;
mod users;
mod verify;
mod views;

pub use backup::{Backup, BackupContents};
pub use error::StoreError;
pub use follows::FollowCounts;
pub use id::{IdError, MessageId, NotificationId, SessionId, StreamId, Timestamp, TopicId, UserId};
pub use messages::{Message, NewMessage};
pub use moderation::{ChatRules, Restriction, Room, Severity};
pub use notifications::{Delivery, NOTIFICATIONS_PER_USER, Notification, NotificationKind};
pub use pictures::PICTURE_BYTES;
pub use reactions::Reaction;
pub use redating::ClockCorrection;
pub use refusal::Refusal;
pub use search::query::{Cursor, CursorError, Page, Sort, StateFilter, StreamQuery};
pub use sessions::{SESSIONS_PER_USER, Session, TokenDigest};
pub use settings::{Registration, Settings, SigningKey};
pub use stream::{
    EndReason, NewStream, Stream, StreamChange, StreamDetails, StreamFacts, StreamState, VideoMode,
    Visibility,
};
pub use streams::TOPICS_PER_STREAM;
pub use topics::{TOPICS_MOST, Topic};
pub use users::{NewUser, PasswordHash, Role, Standing, User, UserChange, UserQuery};
pub use views::Viewer;

use redb::Database;
use reserve::Reserve;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// The open store. One process writes to it at a time; share it by reference.
pub struct Store {
    /// `None` after the card failed, until the next call opens it anew.
    database: RwLock<Option<Database>>,
    open: Opener,
    path: PathBuf,
    /// `None` for one that is no site's: a backup, a test's.
    reserve: Option<Reserve>,
}

impl Store {
    /// Opens the store, or makes it where there is none; one of an earlier Perch is migrated. A file that is damaged, foreign or of a
    /// newer Perch is an error and stays as it is. Reads the whole file, and after a power cut repairs it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = file::open(path)?;
        schema::bring_up_to_date(&database, path)?;
        let again = path.to_owned();
        let store = Self::of(database, path.to_owned(), Box::new(move || file::open_existing(&again)));
        Ok(Self { reserve: Some(Reserve::beside(path)), ..store })
    }

    fn of(database: Database, path: PathBuf, open: Opener) -> Self {
        Self { database: RwLock::new(Some(database)), open, path, reserve: None }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}
