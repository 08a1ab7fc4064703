//! Following users.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::profile;
use crate::site::Site;
use perch_store::{Store, StoreError, StreamId, User, UserId};
use std::collections::HashMap;

/// Follows a user, who is notified; following again changes nothing.
///
/// # Errors
///
/// `Refused` for an unknown name and for the actor's own, `Unauthenticated`, and `Forbidden` for the console.
pub async fn follow(site: &Site, actor: &Actor, username: String) -> Result<(), SiteError> {
    let (who, now) = (actor.member()?.user, site.now());
    let actor = actor.clone();
    let followed = site.store(move |store| {
        let whom = profile::named(store, &username, &actor)?.id;
        Ok::<_, StoreError>((store.follow(who, whom, now)?, whom))
    });
    let (delivery, whom) = followed.await?;
    site.notices.deliver(&delivery);
    // A chat may be for followers only.
    site.chat.look_again(Some(whom));
    Ok(())
}

/// Stops following a user, who may also be suspended; without following it does nothing.
///
/// # Errors
///
/// `Refused` for an unknown name, `Unauthenticated`, and `Forbidden` for the console.
pub async fn unfollow(site: &Site, actor: &Actor, username: String) -> Result<(), SiteError> {
    let who = actor.member()?.user;
    let unfollowed = site.store(move |store| {
        let whom = store.user_by_name(&username)?.id;
        store.unfollow(who, whom)?;
        Ok::<_, StoreError>(whom)
    });
    let whom = unfollowed.await?;
    site.chat.look_again(Some(whom));
    Ok(())
}

/// Selects followers or followed users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Users who follow this one.
    Followers,
    /// Users whom this one follows.
    Following,
}

/// A person in a list of followers or followed users.
#[derive(Debug)]
pub struct Neighbour {
    /// The account.
    pub user: User,
    /// True if the actor follows them; `None` without an account, and for the actor's own.
    pub is_following: Option<bool>,
}

/// At most `limit` followers of a user, or users it follows: newest accounts first, created before the account `before`.
///
/// # Errors
///
/// `Refused` with `NotFound`, also for an account hidden from the actor.
pub async fn neighbours(
    site: &Site,
    actor: &Actor,
    username: String,
    which: Which,
    before: Option<UserId>,
    limit: usize,
) -> Result<Vec<Neighbour>, SiteError> {
    let actor = actor.clone();
    site.store(move |store| {
        let of = profile::named(store, &username, &actor)?.id;
        let found = match which {
            Which::Followers => store.followers(of, before, limit)?,
            Which::Following => store.following(of, before, limit)?,
        };
        let neighbours = found.into_iter().map(|user| {
            let is_following = profile::is_following(store, &actor, user.id)?;
            Ok(Neighbour { user, is_following })
        });
        neighbours.collect::<Result<_, StoreError>>()
    })
    .await
}

/// Users whom an account follows.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// All who are on the air, by name, with their streams; only on the first page.
    pub on_air: Vec<(User, StreamId)>,
    /// The others, newest accounts first.
    pub quiet: Vec<User>,
}

/// The users whom the actor follows: all who are on the air if `before` is `None` (they are few), and at most `limit` others or a
/// few more, created before the account `before`.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for the console.
pub async fn subscriptions(
    site: &Site,
    actor: &Actor,
    before: Option<UserId>,
    limit: usize,
) -> Result<Subscriptions, SiteError> {
    let user = actor.member()?.user;
    site.store(move |store| subscribed(store, user, before, limit)).await
}

fn subscribed(
    store: &Store,
    user: UserId,
    before: Option<UserId>,
    limit: usize,
) -> Result<Subscriptions, StoreError> {
    let live: HashMap<UserId, StreamId> =
        store.unfinished_streams()?.into_iter().map(|stream| (stream.facts.user, stream.facts.id)).collect();
    let mut on_air = Vec::new();
    if before.is_none() {
        for (streamer, stream) in &live {
            if store.is_following(user, *streamer)? {
                on_air.push((store.user(*streamer)?, *stream));
            }
        }
        on_air.sort_by(|(one, _), (other, _)| one.username.cmp(&other.username));
    }
    // All who are on the air may be among the rows read.
    let found = store.following(user, before, limit + live.len())?;
    let quiet = found.into_iter().filter(|user| !live.contains_key(&user.id)).collect();
    Ok(Subscriptions { on_air, quiet })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{Refusal, Role};

    async fn names(site: &TestSite, of: &str, which: Which) -> Vec<String> {
        let found = neighbours(site, &site.nobody, of.to_owned(), which, None, 10).await.unwrap();
        found.into_iter().map(|neighbour| neighbour.user.username).collect()
    }

    #[tokio::test]
    async fn following_begins_and_ends() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        let ben = site.account("ben", Role::Viewer).await;
        for _ in 0..2 {
            follow(&site, &ann, "ben".to_owned()).await.unwrap();
            assert_eq!(names(&site, "ben", Which::Followers).await, ["ann"]);
            assert_eq!(names(&site, "ann", Which::Following).await, ["ben"]);
        }
        assert_eq!(site.store_now(|store| store.unread_notifications(ben.user().unwrap())).unwrap(), 1);
        for _ in 0..2 {
            unfollow(&site, &ann, "ben".to_owned()).await.unwrap();
            assert!(names(&site, "ben", Which::Followers).await.is_empty());
        }
        let own = follow(&site, &ann, "ann".to_owned()).await;
        assert!(matches!(own, Err(SiteError::Refused(Refusal::OwnAccount))), "{own:?}");
        let nobody = follow(&site, &site.nobody, "ben".to_owned()).await;
        assert!(matches!(nobody, Err(SiteError::Unauthenticated)), "{nobody:?}");
    }

    #[tokio::test]
    async fn those_on_the_air_come_first_and_nobody_is_missing_or_twice() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let mut others = Vec::new();
        for name in ["ben", "cid", "dan", "eve", "fay"] {
            // Ids have the order of the milliseconds in which they were made.
            site.clock.turn(std::time::Duration::from_millis(1));
            others.push(site.account(name, Role::Streamer).await);
        }
        for name in ["ben", "cid", "dan", "eve"] {
            follow(&site, &ann, name.to_owned()).await.unwrap();
        }
        // Cid and Dan are followed; Fay is not.
        for (streamer, camera) in [(1, "one"), (2, "two"), (4, "three")] {
            site.stream(&others[streamer], camera);
        }
        let page = async |before| {
            let page = subscriptions(&site, &ann, before, 1).await.unwrap();
            let on_air: Vec<_> = page.on_air.into_iter().map(|(user, _)| user.username).collect();
            let quiet: Vec<_> = page.quiet.into_iter().map(|user| (user.username, user.id)).collect();
            (on_air, quiet)
        };
        let (on_air, quiet) = page(None).await;
        assert_eq!(on_air, ["cid", "dan"]);
        assert_eq!(quiet[0].0, "eve");
        let (on_air, quiet) = page(Some(quiet[0].1)).await;
        assert!(on_air.is_empty());
        assert_eq!(quiet.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["ben"]);
    }
}
