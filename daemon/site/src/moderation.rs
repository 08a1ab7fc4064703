//! Mutes, bans and chat rules. A streamer moderates their own chats, owners moderate all.
//!
//! A restriction holds in the chat of one stream, in all chats of a streamer, or everywhere, and until its end or until it is lifted.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::FieldError;
use perch_store::{
    ChatRules, Refusal, Restricted, Restriction, Role, Room, Severity, Store, Stream, StreamId, Timestamp,
    User, UserId,
};
use std::fmt;
use std::str::FromStr;

/// Seconds of slow mode at most.
const SLOWEST_SECONDS: u32 = 3600;
/// Seconds of a restriction at most: a year. A longer one should have no end.
const LONGEST_SECONDS: u32 = 366 * 86_400;

/// Where a restriction applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the chat of this stream.
    Stream(StreamId),
    /// In all chats of this stream's user.
    ChatsOf(StreamId),
    /// In all chats; for owners.
    Everywhere,
}

/// Selects restrictions.
#[derive(Debug, Clone)]
pub enum Listed {
    /// Those in this stream's chat and in all chats of its user.
    At(StreamId),
    /// Those in all chats; for owners.
    Everywhere,
    /// Those of this account that the actor may lift.
    Of(String),
}

/// A restriction with everything that a moderator reads.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it holds.
    pub room: Room,
    /// The restriction.
    pub restriction: Restriction,
    /// The restricted account.
    pub user: User,
    /// The stream, for a restriction in its chat.
    pub stream: Option<Stream>,
    /// The streamer, for a restriction in all of their chats.
    pub streamer: Option<User>,
}

impl Found {
    /// Its place in lists.
    pub fn place(&self) -> ListPlace {
        ListPlace::of(self.room, &self.restriction)
    }

    fn of(store: &Store, (room, restriction): (Room, Restriction)) -> Result<Self, SiteError> {
        let (stream, streamer) = match room {
            Room::Stream(stream) => (Some(store.stream(stream)?), None),
            Room::ChatsOf(streamer) => (None, Some(store.user(streamer)?)),
            Room::Everywhere => (None, None),
        };
        Ok(Self { room, user: store.user(restriction.user)?, restriction, stream, streamer })
    }
}

/// The place of a restriction in a list: lists begin with the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListPlace {
    at_ms: i64,
    room: u128,
    user: u128,
}

impl ListPlace {
    fn of(room: Room, restriction: &Restriction) -> Self {
        Self { at_ms: restriction.at.unix_millis(), room: room.number(), user: restriction.user.number() }
    }
}

impl fmt::Display for ListPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{:x}", self.at_ms, self.room, self.user)
    }
}

/// A text that is no place of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no place of a list")]
pub struct NoPlace;

impl FromStr for ListPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(NoPlace);
        let number = |text: &str| u128::from_str_radix(text, 16).map_err(|_| NoPlace);
        let at_ms = part()?.parse().map_err(|_| NoPlace)?;
        let (room, user) = (number(part()?)?, number(part()?)?);
        if parts.next().is_some() { Err(NoPlace) } else { Ok(Self { at_ms, room, user }) }
    }
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

/// The restrictions that hold now, newest first: at most `limit`, after `before`.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Unauthenticated`, `Forbidden` unless the actor moderates there. `Listed::Of` is for everyone with an
/// account: it shows nothing that the actor may not lift.
pub async fn restrictions(
    site: &Site,
    actor: &Actor,
    listed: Listed,
    before: Option<ListPlace>,
    limit: usize,
) -> Result<Vec<Found>, SiteError> {
    let (actor, now) = (actor.clone(), site.now());
    site.store(move |store| {
        let which = match listed {
            Listed::At(stream) => {
                let streamer = moderated(store, &actor, stream)?;
                Restricted::In(vec![Room::Stream(stream), Room::ChatsOf(streamer)])
            }
            Listed::Everywhere => {
                actor.owner()?;
                Restricted::In(vec![Room::Everywhere])
            }
            Listed::Of(username) => {
                actor.member()?;
                Restricted::Of(store.user_by_name(&username)?.id)
            }
        };
        let mut found = store.restrictions(&which, now)?;
        found.retain(|(room, one)| before.is_none_or(|before| ListPlace::of(*room, one) < before));
        found.sort_by_key(|(room, one)| std::cmp::Reverse(ListPlace::of(*room, one)));
        let mut shown = Vec::new();
        for one in found {
            if shown.len() == limit {
                break;
            }
            if may_moderate(store, &actor, one.0)? {
                shown.push(Found::of(store, one)?);
            }
        }
        Ok::<_, SiteError>(shown)
    })
    .await
}

/// Mutes or bans an account; replaces an earlier restriction there.
///
/// # Errors
///
/// `Field` for `seconds`; `Refused` with `BarsSelf`, `BarsStreamer` in their own chats, `BarsOwner`, `NotFound`; `Forbidden` unless
/// the actor moderates there, and for the console.
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
    site.chat.restrictions_changed(restricted.await?);
    Ok(())
}

/// Lifts an account's restrictions; those that it does not have do nothing.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Unauthenticated`, `Forbidden` unless the actor moderates there.
pub async fn lift(site: &Site, actor: &Actor, scopes: Vec<Scope>, username: String) -> Result<(), SiteError> {
    let actor = actor.clone();
    let lifted = site.store(move |store| {
        let rooms: Vec<Room> =
            scopes.into_iter().map(|scope| room(store, &actor, scope)).collect::<Result<_, _>>()?;
        let user = store.user_by_name(&username)?.id;
        for &room in &rooms {
            store.lift_restriction(room, user)?;
        }
        Ok::<_, SiteError>(rooms)
    });
    for room in lifted.await? {
        site.chat.restrictions_changed(room);
    }
    Ok(())
}

/// Lifts an account's restriction in the room with this number (`Room::number`).
///
/// # Errors
///
/// Those of [`lift`].
pub async fn lift_in(site: &Site, actor: &Actor, number: u128, username: String) -> Result<(), SiteError> {
    let actor = actor.clone();
    let lifted = site.store(move |store| {
        let user = store.user_by_name(&username)?.id;
        let room = store.room(number)?.ok_or(Refusal::NotFound { what: "chat" })?;
        if !may_moderate(store, &actor, room)? {
            return Err(SiteError::Forbidden);
        }
        store.lift_restriction(room, user)?;
        Ok(room)
    });
    site.chat.restrictions_changed(lifted.await?);
    Ok(())
}

/// True if the actor may impose and lift restrictions in a room.
fn may_moderate(store: &Store, actor: &Actor, room: Room) -> Result<bool, SiteError> {
    Ok(match room {
        Room::Stream(stream) => actor.may_act_for(store.stream(stream)?.facts.user),
        Room::ChatsOf(streamer) => actor.may_act_for(streamer),
        Room::Everywhere => actor.is_owner(),
    })
}

/// The stream's user, if the actor moderates their chats.
fn moderated(store: &Store, actor: &Actor, stream: StreamId) -> Result<UserId, SiteError> {
    let streamer = store.stream(stream)?.facts.user;
    if actor.may_act_for(streamer) { Ok(streamer) } else { Err(SiteError::Forbidden) }
}

fn room(store: &Store, actor: &Actor, scope: Scope) -> Result<Room, SiteError> {
    match scope {
        Scope::Stream(stream) => moderated(store, actor, stream).map(|_| Room::Stream(stream)),
        Scope::ChatsOf(stream) => Ok(Room::ChatsOf(moderated(store, actor, stream)?)),
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
    if user.id == by {
        return Err(Refusal::BarsSelf.into());
    }
    let streamer = match room {
        Room::Stream(stream) => Some(store.stream(stream)?.facts.user),
        Room::ChatsOf(streamer) => Some(streamer),
        Room::Everywhere => None,
    };
    if streamer == Some(user.id) {
        return Err(Refusal::BarsStreamer.into());
    }
    // Owners are exempt from the rules of all chats, so a restriction would have no effect.
    if user.role == Role::Owner {
        return Err(Refusal::BarsOwner.into());
    }
    let until = new.seconds.map(|seconds| {
        Timestamp::from_unix_millis(now.unix_millis().saturating_add(i64::from(seconds) * 1000))
    });
    let restriction = Restriction { user: user.id, severity: new.severity, until, by, at: now };
    Ok(store.restrict(room, &restriction)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use std::time::Duration;

    const MUTE: NewRestriction = NewRestriction { severity: Severity::Mute, seconds: None };

    async fn names(site: &Site, actor: &Actor, scope: Scope) -> Vec<String> {
        let listed = match scope {
            Scope::Stream(stream) | Scope::ChatsOf(stream) => Listed::At(stream),
            Scope::Everywhere => Listed::Everywhere,
        };
        let found = restrictions(site, actor, listed, None, 10).await.unwrap();
        found.into_iter().map(|found| found.user.username).collect()
    }

    #[tokio::test]
    async fn streamers_moderate_their_chats_and_owners_all() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        site.account("cleo", Role::Viewer).await;
        let stream = site.stream(&ann, "front");
        let (chat, chats) = (Scope::Stream(stream), Scope::ChatsOf(stream));
        let cleo = || "cleo".to_owned();
        for (moderator, scope) in
            [(&ann, chat), (&ann, chats), (&olga, chat), (&olga, chats), (&olga, Scope::Everywhere)]
        {
            restrict(&site, moderator, scope, cleo(), MUTE).await.unwrap();
            assert_eq!(names(&site, moderator, scope).await, ["cleo"]);
            lift(&site, moderator, vec![scope], cleo()).await.unwrap();
            assert_eq!(names(&site, moderator, scope).await, [""; 0]);
        }
        for (actor, scope) in
            [(&ben, chat), (&ben, chats), (&ann, Scope::Everywhere), (&Actor::Console, chats)]
        {
            let refused = restrict(&site, actor, scope, cleo(), MUTE).await;
            assert!(matches!(refused, Err(SiteError::Forbidden)), "{actor}: {refused:?}");
        }
        let ChatRules { slow_mode_seconds, .. } = ChatRules::default();
        let change = RulesChange { followers_only: Some(true), ..RulesChange::default() };
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
        let stream = site.stream(&ann, "front");
        for (actor, scope, username, refusal) in [
            (&ann, Scope::Stream(stream), "ann", Refusal::BarsSelf),
            (&ann, Scope::ChatsOf(stream), "ann", Refusal::BarsSelf),
            (&olga, Scope::Everywhere, "olga", Refusal::BarsSelf),
            (&olga, Scope::Stream(stream), "ann", Refusal::BarsStreamer),
            (&olga, Scope::ChatsOf(stream), "ann", Refusal::BarsStreamer),
            (&ann, Scope::ChatsOf(stream), "oscar", Refusal::BarsOwner),
            (&olga, Scope::Everywhere, "oscar", Refusal::BarsOwner),
        ] {
            let refused = restrict(&site, actor, scope, username.to_owned(), MUTE).await;
            assert!(matches!(&refused, Err(SiteError::Refused(found)) if *found == refusal), "{refused:?}");
        }
    }

    /// A list was cut before those were left out that had ended.
    #[tokio::test]
    async fn a_list_is_filtered_before_it_is_cut_and_goes_on_where_it_was_cut() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        for number in 0..6 {
            let name = format!("cleo{number}");
            site.account(&name, Role::Viewer).await;
            let seconds = (number % 2 == 0).then_some(60);
            let new = NewRestriction { severity: Severity::Ban, seconds };
            restrict(&site, &olga, Scope::Everywhere, name, new).await.unwrap();
            site.clock.turn(Duration::from_millis(1));
        }
        site.clock.turn(Duration::from_mins(1));
        let page = async |before, limit| {
            restrictions(&site, &olga, Listed::Everywhere, before, limit).await.unwrap()
        };
        let named = |found: &[Found]| -> Vec<String> {
            found.iter().map(|found| found.user.username.clone()).collect()
        };
        let first = page(None, 2).await;
        assert_eq!(named(&first), ["cleo5", "cleo3"]);
        let place: ListPlace = first[1].place().to_string().parse().unwrap();
        assert_eq!(named(&page(Some(place), 2).await), ["cleo1"]);
        for odd in ["", "1.2", "1.2.x", "1.2.3.4", "x.2.3"] {
            assert_eq!(odd.parse::<ListPlace>(), Err(NoPlace), "{odd}");
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
