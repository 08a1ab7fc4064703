//! Profiles as others see them, and as their owners do.

use crate::actor::Actor;
use perch_store::{Refusal, Standing, Store, StoreError, StreamId, User, UserId, Visibility};

/// An account as an actor sees it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The account.
    pub user: User,
    /// Accounts that follow it.
    pub followers: u64,
    /// Accounts that it follows.
    pub following: u64,
    /// Number of its streams that the actor may see.
    pub streams: u64,
    /// Its stream that is on the air, if the actor may see it.
    pub live_stream: Option<StreamId>,
    /// True if the actor follows it; `None` without an account, and for the actor's own.
    pub is_following: Option<bool>,
}

impl Profile {
    /// `user` as `actor` sees it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn seen_by(store: &Store, user: User, actor: &Actor) -> Result<Self, StoreError> {
        let counts = store.follow_counts(user.id)?;
        let is_member = actor.is_member();
        let live = store.unfinished_streams()?.into_iter().find(|stream| {
            let is_public = stream.facts.visibility == Visibility::Public;
            stream.facts.user == user.id && (is_public || is_member)
        });
        Ok(Self {
            followers: counts.followers,
            following: counts.following,
            streams: store.count_streams(user.id, is_member)? as u64,
            live_stream: live.map(|stream| stream.facts.id),
            is_following: is_following(store, actor, user.id)?,
            user,
        })
    }
}

/// An account as its owner sees it.
#[derive(Debug, Clone)]
pub struct OwnProfile {
    /// The part that others see, too.
    pub profile: Profile,
    /// Unread notifications.
    pub unread_notifications: u64,
}

impl OwnProfile {
    /// The account `user` as its owner sees it.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown account, and those of the store.
    pub fn of(store: &Store, user: UserId) -> Result<Self, StoreError> {
        let account = store.user(user)?;
        let counts = store.follow_counts(user)?;
        let live = store.unfinished_streams()?.into_iter().find(|stream| stream.facts.user == user);
        Ok(Self {
            unread_notifications: store.unread_notifications(user)? as u64,
            profile: Profile {
                user: account,
                followers: counts.followers,
                following: counts.following,
                streams: store.count_streams(user, true)? as u64,
                live_stream: live.map(|stream| stream.facts.id),
                is_following: None,
            },
        })
    }
}

/// True if `actor` follows `user`; `None` without an account, and for the actor's own.
pub fn is_following(store: &Store, actor: &Actor, user: UserId) -> Result<Option<bool>, StoreError> {
    let other = actor.user().filter(|actor| *actor != user);
    other.map(|actor| store.is_following(actor, user)).transpose()
}

/// The account with this name, if the actor may see it: only owners see pending and suspended accounts.
///
/// # Errors
///
/// `NotFound`, and those of the store.
pub fn named(store: &Store, username: &str, actor: &Actor) -> Result<User, StoreError> {
    let user = store.user_by_name(username)?;
    if user.standing == Standing::Active || actor.is_owner() {
        Ok(user)
    } else {
        Err(Refusal::NotFound { what: "user" }.into())
    }
}
