//! People as the API shows them.

use super::json::Time;
use perch_store::{Role, Standing, Store, StoreError, User as Account, UserId};
use serde::Serialize;
use utoipa::ToSchema;

/// A person in a line: beside a stream, a message, a notification.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct UserRef {
    pub(super) username: String,
    pub(super) full_name: String,
    /// Another address for every picture; null where there is none.
    #[schema(required)]
    pub(super) avatar_url: Option<String>,
}

impl From<&Account> for UserRef {
    fn from(user: &Account) -> Self {
        let avatar_url = (user.avatar_version > 0)
            .then(|| format!("/api/v1/users/{}/avatar?v={}", user.username, user.avatar_version));
        Self { username: user.username.clone(), full_name: user.full_name.clone(), avatar_url }
    }
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    #[serde(flatten)]
    name: UserRef,
    bio: String,
    /// `viewer`, `streamer` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    followers: u64,
    following: u64,
    /// How many there are, as far as the asker may see them.
    streams: u64,
    /// The id of the stream that is on the air.
    #[schema(required)]
    live_stream: Option<String>,
    /// Null where nobody is logged in, and of oneself.
    #[schema(required)]
    is_following: Option<bool>,
}

impl User {
    /// As `asker` sees the person.
    pub(super) fn seen_by(store: &Store, user: &Account, asker: Option<UserId>) -> Result<Self, StoreError> {
        let counts = store.follow_counts(user.id)?;
        let is_member = asker.is_some();
        let live = store.unfinished_streams()?.into_iter().find(|stream| {
            let is_public = stream.facts.visibility == perch_store::Visibility::Public;
            stream.facts.user == user.id && (is_public || is_member)
        });
        let is_following = match asker {
            Some(asker) if asker != user.id => Some(store.is_following(asker, user.id)?),
            _ => None,
        };
        Ok(Self {
            name: UserRef::from(user),
            bio: user.bio.clone(),
            role: user.role,
            created_at: Time(user.created_at),
            followers: counts.followers,
            following: counts.following,
            streams: store.count_streams(user.id, is_member)? as u64,
            live_stream: live.map(|stream| stream.facts.id.to_string()),
            is_following,
        })
    }
}

/// Oneself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    #[serde(flatten)]
    user: User,
    email: String,
    /// `active`, `pending` or `suspended`.
    #[schema(value_type = String)]
    standing: Standing,
    unread_notifications: u64,
    /// Whether an ingest key has been made.
    has_stream_key: bool,
}

impl Me {
    /// The account as its owner sees it.
    pub(super) fn of(store: &Store, user: UserId) -> Result<Self, StoreError> {
        let account = store.user(user)?;
        Ok(Self {
            user: User::seen_by(store, &account, Some(user))?,
            email: account.email,
            standing: account.standing,
            unread_notifications: store.unread_notifications(user)? as u64,
            has_stream_key: store.has_stream_key(user)?,
        })
    }
}
