//! Reading notifications. `notices` delivers them live.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use perch_store::{
    Notification, NotificationId, NotificationKind, Refusal, Store, StoreError, Stream, User, UserId,
};

/// A notification with its user and stream.
#[derive(Debug)]
pub struct Told {
    /// The stored notification.
    pub notification: Notification,
    /// Who went live or follows, or whose recording it is; `None` also if that account was deleted.
    pub by: Option<User>,
    /// The stream; `None` also if it was deleted.
    pub stream: Option<Stream>,
}

impl Told {
    fn of(store: &Store, notification: Notification) -> Result<Self, StoreError> {
        let stream = notification.kind.stream().map(|stream| if_there(store.stream(stream)));
        let stream = stream.transpose()?.flatten();
        let by = match notification.kind {
            NotificationKind::WentLive { by, .. }
            | NotificationKind::Followed { by }
            | NotificationKind::AccountWaiting { by } => Some(by),
            NotificationKind::StreamStopped { .. } => None,
            NotificationKind::RecordingPaused { .. } | NotificationKind::RecordingWentOn { .. } => {
                stream.as_ref().map(|stream| stream.facts.user)
            }
        };
        let by = by.map(|user| if_there(store.user(user))).transpose()?.flatten();
        Ok(Self { notification, by, stream })
    }
}

/// Maps a deleted record to `None`.
fn if_there<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::Refused(Refusal::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// At most `limit` of the actor's notifications, newest first, made before `before`.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for the console.
pub async fn list(
    site: &Site,
    actor: &Actor,
    before: Option<NotificationId>,
    limit: usize,
) -> Result<Vec<Told>, SiteError> {
    let user = actor.member()?.user;
    site.store(move |store| {
        let found = store.notifications(user, before, limit)?;
        found.into_iter().map(|notification| Told::of(store, notification)).collect::<Result<_, _>>()
    })
    .await
}

/// A notification with its user and stream, for live delivery.
///
/// # Errors
///
/// Those of the store.
pub async fn with_people(site: &Site, notification: Notification) -> Result<Told, SiteError> {
    site.store(move |store| Told::of(store, notification)).await
}

/// How many notifications of `user` are unread.
///
/// # Errors
///
/// Those of the store.
pub async fn unread(site: &Site, user: UserId) -> Result<usize, SiteError> {
    site.store(move |store| store.unread_notifications(user)).await
}

/// Marks the actor's notifications as read, up to `last` or all; returns how many remain unread.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for the console.
pub async fn read(site: &Site, actor: &Actor, last: Option<NotificationId>) -> Result<usize, SiteError> {
    let user = actor.member()?.user;
    let left = site.store(move |store| store.read_notifications(user, last)).await?;
    site.notices.recount(user);
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follows;
    use crate::testing::TestSite;
    use crate::users;
    use perch_store::Role;

    #[tokio::test]
    async fn people_read_what_they_are_told_and_are_not_told_of_who_is_gone() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        for name in ["ben", "cid"] {
            let follower = site.account(name, Role::Viewer).await;
            site.clock.turn(std::time::Duration::from_millis(1));
            follows::follow(&site, &follower, "ann".to_owned()).await.unwrap();
        }
        let told = list(&site, &ann, None, 10).await.unwrap();
        let names: Vec<_> = told.iter().map(|told| told.by.as_ref().unwrap().username.as_str()).collect();
        assert_eq!(names, ["cid", "ben"]);
        assert_eq!(read(&site, &ann, Some(told[1].notification.id)).await.unwrap(), 1);
        assert_eq!(read(&site, &ann, None).await.unwrap(), 0);
        assert_eq!(unread(&site, ann.user().unwrap()).await.unwrap(), 0);
        users::delete(&site, &Actor::Console, "ben".to_owned()).await.unwrap();
        let left = list(&site, &ann, None, 10).await.unwrap();
        assert!(left.iter().all(|told| told.by.as_ref().is_none_or(|by| by.username == "cid")));
        let nobody = list(&site, &site.nobody, None, 10).await;
        assert!(matches!(nobody, Err(SiteError::Unauthenticated)), "{nobody:?}");
    }
}
