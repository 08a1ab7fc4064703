//! The watch list: streams that an account has saved for later.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::stream;
use perch_store::StreamId;

/// Puts a stream on the actor's watch list.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden` for the console, `Refused` with `NotFound` and if the list is full.
pub async fn save(site: &Site, actor: &Actor, id: StreamId) -> Result<(), SiteError> {
    let (user, now, actor) = (actor.member()?.user, site.now(), actor.clone());
    site.store(move |store| {
        stream::visible(store, &actor, id)?;
        store.save_stream(user, id, now)?;
        Ok::<_, SiteError>(())
    })
    .await
}

/// Takes a stream off the actor's watch list; if it is not on it, nothing happens.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for the console.
pub async fn remove(site: &Site, actor: &Actor, id: StreamId) -> Result<(), SiteError> {
    let user = actor.member()?.user;
    site.store(move |store| store.unsave_stream(user, id).map(drop)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{Role, StreamChange, Visibility};

    #[tokio::test]
    async fn everybody_has_a_list_of_their_own() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        let id = site.stream(&ann, "front");
        let is_saved = |actor: &Actor| site.store.is_saved(actor.user().unwrap(), id).unwrap();
        save(&site, &ben, id).await.unwrap();
        save(&site, &ben, id).await.unwrap();
        assert_eq!((is_saved(&ann), is_saved(&ben)), (false, true));
        for _ in 0..2 {
            remove(&site, &ben, id).await.unwrap();
        }
        assert!(!is_saved(&ben));
        let members = StreamChange { visibility: Some(Visibility::Members), ..StreamChange::default() };
        site.store.change_stream(id, &members).unwrap();
        save(&site, &ben, id).await.unwrap();
        let refused = save(&site, &site.nobody, id).await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
    }
}
