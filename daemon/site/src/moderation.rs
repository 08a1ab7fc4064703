//! Mutes, bans and chat rules. A streamer moderates their own chats, owners moderate all.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::FieldError;
use perch_store::{
    ChatRules, Refusal, Restriction, Role, Room, Severity, Store, StreamId, Timestamp, User, UserId,
};

/// Seconds of slow mode at most.
const SLOWEST_SECONDS: u32 = 3600;
/// Seconds of a restriction at most: a year. A longer one should have no end.
const LONGEST_SECONDS: u32 = 366 * 86_400;
/// Restrictions listed at most.
const LISTED: usize = 1000;

/// Where a restriction applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In all chats of this stream's user.
    ChatsOf(StreamId),
    /// In all chats; for owners.
    Everywhere,
}

/// Changes to a chat's rules; `None` keeps the present value.
#[derive(Debug, Clone, Copy, Default)]
pub struct RulesChange {
    /// Seconds between two messages of a person; 0: no slow mode.
    pub slow_mode_seconds: Option<u32>,
    /// True if only followers of the streamer may write.
    pub followers_only: Option<bool>,
    /// True if only people with an account may read.
    pub members_only: Option<bool>,
}

/// A new restriction.
#[derive(Debug, Clone, Copy)]
pub struct NewRestriction {
    /// A mute or a ban.
    pub severity: Severity,
    /// Its duration; `None`: until it is lifted.
    pub seconds: Option<u32>,
}

/// Changes the rules of a stream's chat.
///
/// # Errors
///
/// `Field` for `slow_mode_seconds`, `Refused` with `NotFound`, `Forbidden` unless the actor is the streamer or an owner.
pub async fn change_rules(
    site: &Site,
    actor: &Actor,
    stream: StreamId,
    change: RulesChange,
) -> Result<ChatRules, SiteError> {
    if change.slow_mode_seconds.is_some_and(|seconds| seconds > SLOWEST_SECONDS) {
        let why = format!("at most {SLOWEST_SECONDS}");
        return Err(FieldError { field: "slow_mode_seconds", why }.into());
    }
    let actor = actor.clone();
    let changed = site.store(move |store| {
        let streamer = moderated(store, &actor, stream)?;
        let rules = store.chat_rules(stream)?;
        let rules = ChatRules {
            slow_mode_seconds: change.slow_mode_seconds.unwrap_or(rules.slow_mode_seconds),
            followers_only: change.followers_only.unwrap_or(rules.followers_only),
            members_only: change.members_only.unwrap_or(rules.members_only),
        };
        store.set_chat_rules(stream, &rules)?;
        Ok::<_, SiteError>((streamer, rules))
    });
    let (streamer, rules) = changed.await?;
    site.chat.look_again(Some(streamer));
    Ok(rules)
}

/// The present restrictions, each with its account.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Unauthenticated`, `Forbidden` unless the actor moderates there.
pub async fn restrictions(
    site: &Site,
    actor: &Actor,
    scope: Scope,
) -> Result<Vec<(Restriction, User)>, SiteError> {
    let (actor, now) = (actor.clone(), site.now());
    site.store(move |store| {
        let found = store.restrictions(room(store, &actor, scope)?, LISTED)?;
        let holding = found.into_iter().filter(|found| found.until.is_none_or(|until| until > now));
        let with_user = holding.map(|found| {
            let user = store.user(found.user)?;
            Ok((found, user))
        });
        with_user.collect::<Result<_, SiteError>>()
    })
    .await
}

/// Mutes or bans an account; replaces an earlier restriction there.
///
/// # Errors
///
/// `Field` for `seconds`; `Refused` with `OwnAccount` for the actor's own account and for a streamer in their own chats;
/// `Forbidden` unless the actor moderates there, for the console, and against an owner.
pub async fn restrict(
    site: &Site,
    actor: &Actor,
    scope: Scope,
    username: String,
    new: NewRestriction,
) -> Result<(), SiteError> {
    if new.seconds.is_some_and(|seconds| !(1..=LONGEST_SECONDS).contains(&seconds)) {
        let why = format!("must be from 1 to {LONGEST_SECONDS}, or missing");
        return Err(FieldError { field: "seconds", why }.into());
    }
    let (actor, now) = (actor.clone(), site.now());
    let restricted = site.store(move |store| {
        let room = room(store, &actor, scope)?;
        bar(store, &actor, room, &username, new, now)?;
        Ok::<_, SiteError>(room)
    });
    look_again(site, restricted.await?);
    Ok(())
}

/// Lifts an account's restriction; without one it does nothing.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Unauthenticated`, `Forbidden` unless the actor moderates there.
pub async fn lift(site: &Site, actor: &Actor, scope: Scope, username: String) -> Result<(), SiteError> {
    let actor = actor.clone();
    let lifted = site.store(move |store| {
        let room = room(store, &actor, scope)?;
        store.lift_restriction(room, store.user_by_name(&username)?.id)?;
        Ok::<_, SiteError>(room)
    });
    look_again(site, lifted.await?);
    Ok(())
}

/// The stream's user, if the actor moderates their chats.
fn moderated(store: &Store, actor: &Actor, stream: StreamId) -> Result<UserId, SiteError> {
    let streamer = store.stream(stream)?.facts.user;
    if actor.may_act_for(streamer) { Ok(streamer) } else { Err(SiteError::Forbidden) }
}

fn room(store: &Store, actor: &Actor, scope: Scope) -> Result<Room, SiteError> {
    match scope {
        Scope::ChatsOf(stream) => Ok(Room::Of(moderated(store, actor, stream)?)),
        Scope::Everywhere => actor.owner().map(|()| Room::Everywhere),
    }
}

fn bar(
    store: &Store,
    actor: &Actor,
    room: Room,
    username: &str,
    new: NewRestriction,
    now: Timestamp,
) -> Result<(), SiteError> {
    let (by, user) = (actor.member()?.user, store.user_by_name(username)?);
    if user.id == by || room == Room::Of(user.id) {
        return Err(Refusal::OwnAccount.into());
    }
    // Owners are exempt from the rules of all chats, so a restriction would have no effect.
    if user.role == Role::Owner {
        return Err(SiteError::Forbidden);
    }
    let until = new.seconds.map(|seconds| {
        Timestamp::from_unix_millis(now.unix_millis().saturating_add(i64::from(seconds) * 1000))
    });
    let restriction = Restriction { user: user.id, severity: new.severity, until, by, at: now };
    Ok(store.restrict(room, &restriction)?)
}

fn look_again(site: &Site, room: Room) {
    site.chat.look_again(match room {
        Room::Of(streamer) => Some(streamer),
        Room::Everywhere => None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use std::time::Duration;

    const MUTE: NewRestriction = NewRestriction { severity: Severity::Mute, seconds: None };

    async fn names(site: &Site, actor: &Actor, scope: Scope) -> Vec<String> {
        let found = restrictions(site, actor, scope).await.unwrap();
        found.into_iter().map(|(_, user)| user.username).collect()
    }

    #[tokio::test]
    async fn streamers_moderate_their_chats_and_owners_all() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        site.account("cleo", Role::Viewer).await;
        let chats = Scope::ChatsOf(site.stream(&ann, "front"));
        let cleo = || "cleo".to_owned();
        for (moderator, scope) in [(&ann, chats), (&olga, chats), (&olga, Scope::Everywhere)] {
            restrict(&site, moderator, scope, cleo(), MUTE).await.unwrap();
            assert_eq!(names(&site, moderator, scope).await, ["cleo"]);
            lift(&site, moderator, scope, cleo()).await.unwrap();
            assert_eq!(names(&site, moderator, scope).await, [""; 0]);
        }
        for (actor, scope) in [(&ben, chats), (&ann, Scope::Everywhere), (&Actor::Console, chats)] {
            let refused = restrict(&site, actor, scope, cleo(), MUTE).await;
            assert!(matches!(refused, Err(SiteError::Forbidden)), "{actor}: {refused:?}");
        }
        let ChatRules { slow_mode_seconds, .. } = ChatRules::default();
        let change = RulesChange { followers_only: Some(true), ..RulesChange::default() };
        let Scope::ChatsOf(stream) = chats else { unreachable!() };
        let rules = change_rules(&site, &ann, stream, change).await.unwrap();
        assert_eq!((rules.followers_only, rules.slow_mode_seconds), (true, slow_mode_seconds));
        let slow = RulesChange { slow_mode_seconds: Some(5), ..RulesChange::default() };
        let rules = change_rules(&site, &ann, stream, slow).await.unwrap();
        assert_eq!((rules.followers_only, rules.slow_mode_seconds), (true, 5));
        let refused = change_rules(&site, &ben, stream, slow).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        let slower = RulesChange { slow_mode_seconds: Some(SLOWEST_SECONDS + 1), ..slow };
        assert!(matches!(change_rules(&site, &ann, stream, slower).await, Err(SiteError::Field(_))));
    }

    #[tokio::test]
    async fn nobody_bars_themselves_the_streamer_or_an_owner() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        site.account("oscar", Role::Owner).await;
        let chats = Scope::ChatsOf(site.stream(&ann, "front"));
        for (actor, scope, username) in
            [(&ann, chats, "ann"), (&olga, chats, "ann"), (&olga, Scope::Everywhere, "olga")]
        {
            let refused = restrict(&site, actor, scope, username.to_owned(), MUTE).await;
            assert!(matches!(refused, Err(SiteError::Refused(Refusal::OwnAccount))), "{refused:?}");
        }
        for (actor, scope) in [(&ann, chats), (&olga, Scope::Everywhere)] {
            let refused = restrict(&site, actor, scope, "oscar".to_owned(), MUTE).await;
            assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_restriction_ends_with_its_time() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        site.account("cleo", Role::Viewer).await;
        let for_a_minute = NewRestriction { severity: Severity::Ban, seconds: Some(60) };
        restrict(&site, &olga, Scope::Everywhere, "cleo".to_owned(), for_a_minute).await.unwrap();
        assert_eq!(names(&site, &olga, Scope::Everywhere).await, ["cleo"]);
        site.clock.turn(Duration::from_mins(1));
        assert_eq!(names(&site, &olga, Scope::Everywhere).await, [""; 0]);
        for seconds in [0, LONGEST_SECONDS + 1] {
            let new = NewRestriction { seconds: Some(seconds), ..MUTE };
            let refused = restrict(&site, &olga, Scope::Everywhere, "cleo".to_owned(), new).await;
            assert!(matches!(refused, Err(SiteError::Field(_))), "{refused:?}");
        }
    }
}
