//! The memory of Perch in one redb file: the site's people, streams and chat.
//!
//! No tokio: the daemon calls it through `spawn_blocking`, and no transaction outlives a call. Time is an argument,
//! tokens and passwords come as digests. Every call that changes something is one commit, one fdatasync of the card, all
//! or nothing; a call that changes nothing costs no sync. So callers write in groups ([`Store::append_messages`], [`Store::count_views`]). The caller checks what a
//! person may do; the store keeps its records consistent with each other, and [`Store::verify`] recounts them.
#![forbid(unsafe_code)]

mod api_tokens;
mod backup;
mod bounded;
mod deletion;
mod derived;
mod error;
mod failure;
mod file;
mod follows;
mod https;
mod id;
mod ingest_keys;
mod lists;
mod messages;
mod moderation;
mod new_id;
mod notifications;
mod opening;
mod other_sites;
mod overlay;
mod pictures;
mod reactions;
mod reads;
mod record;
mod recordings;
mod redating;
mod refusal;
mod relation;
mod relays;
mod reserve;
mod retention;
mod saved;
mod schema;
mod search;
mod sessions;
mod settings;
mod site_settings;
mod skeletons;
mod store;
mod stream;
mod stream_keys;
mod stream_state;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod topic;
mod topics;
mod transaction;
mod user;
mod users;
mod verify;
mod views;
mod webhooks;
mod writing;

pub use api_tokens::{API_TOKENS_PER_USER, ApiToken, NewApiToken, Scope};
pub use backup::{Backup, BackupContents};
pub use error::StoreError;
pub use follows::FollowCounts;
pub use https::HttpsSettings;
pub use id::{
    ApiTokenId, IdError, MessageId, NotificationId, SessionId, StreamId, Timestamp, TopicId, UserId,
    WebhookDeliveryId, WebhookId,
};
pub use ingest_keys::{IngestKey, PreparedStream};
pub use messages::{Message, NewMessage};
pub use moderation::{ChatRules, RESTRICTIONS_MOST, Restricted, Restriction, Room, Severity};
pub use notifications::{Delivery, NOTIFICATIONS_PER_USER, Notification, NotificationKind, RecordingTrouble};
pub use other_sites::OtherSites;
pub use pictures::PICTURE_BYTES;
pub use reactions::Reaction;
pub use recordings::{Recording, RecordingQuery, RecordingState};
pub use redating::ClockCorrection;
pub use refusal::Refusal;
pub use relays::{RELAYS_MOST, RelayChange, RelayKey, StoredRelay};
pub use retention::{Retention, Step, Sweep};
pub use search::cursor::{Cursor, CursorError};
pub use search::query::{Page, Sort, StateFilter, StreamQuery};
pub use sessions::{SESSIONS_PER_USER, Session, TokenDigest};
pub use settings::{CameraMicrophone, SigningKey};
pub use site_settings::{Registration, Settings};
pub use store::Store;
pub use stream::{
    EndReason, NewStream, Stream, StreamChange, StreamDetails, StreamFacts, VideoMode, Visibility,
};
pub use stream_keys::StreamKeys;
pub use stream_state::StreamState;
pub use streams::TOPICS_PER_STREAM;
pub use topic::{TOPICS_MOST, Topic};
pub use user::{NewUser, PasswordHash, Role, Standing, User, UserChange, UserQuery};
pub use views::Viewer;
pub use webhooks::{
    DELIVERIES_PER_WEBHOOK, DeliveryState, EventKind, WEBHOOKS_MOST, Webhook, WebhookChange, WebhookDelivery,
    WebhookSecret,
};
