//! People in the API.

use super::json::Time;
use super::links::link;
use perch_site::profile::{OwnProfile, Profile};
use perch_store::{Role, Standing, User as Account};
use serde::Serialize;
use utoipa::ToSchema;

/// A short description of a person: beside a stream, a message, a notification.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct UserRef {
    pub(super) username: String,
    pub(super) full_name: String,
    /// The picture's address, a new one for every picture; null without one.
    #[schema(required)]
    pub(super) avatar_url: Option<String>,
}

impl From<&Account> for UserRef {
    fn from(user: &Account) -> Self {
        let avatar_url = (user.avatar_version > 0)
            .then(|| link(format_args!("/api/v1/users/{}/avatar?v={}", user.username, user.avatar_version)));
        Self { username: user.username.clone(), full_name: user.full_name.clone(), avatar_url }
    }
}

impl UserRef {
    /// The name that people read.
    pub(super) fn name(&self) -> &str {
        if self.full_name.is_empty() { &self.username } else { &self.full_name }
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
    /// Number of streams that the caller may see.
    streams: u64,
    /// The id of the user's stream that is on the air.
    #[schema(required)]
    live_stream: Option<String>,
    /// True if the caller follows them; null without a login, and for the caller's own account.
    #[schema(required)]
    is_following: Option<bool>,
}

impl From<Profile> for User {
    fn from(profile: Profile) -> Self {
        Self {
            name: UserRef::from(&profile.user),
            bio: profile.user.bio,
            role: profile.user.role,
            created_at: Time(profile.user.created_at),
            followers: profile.followers,
            following: profile.following,
            streams: profile.streams,
            live_stream: profile.live_stream.map(|stream| stream.to_string()),
            is_following: profile.is_following,
        }
    }
}

/// The caller's account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    #[serde(flatten)]
    user: User,
    email: String,
    /// `active`, `pending` or `suspended`.
    #[schema(value_type = String)]
    standing: Standing,
    unread_notifications: u64,
}

impl From<OwnProfile> for Me {
    fn from(me: OwnProfile) -> Self {
        Self {
            email: me.profile.user.email.clone(),
            standing: me.profile.user.standing,
            unread_notifications: me.unread_notifications,
            user: me.profile.into(),
        }
    }
}
