//! Likes and dislikes. Open chats of the stream get the new counts.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::stream;
use perch_store::{Reaction, StreamFacts, StreamId};

/// Likes or dislikes a stream, or removes the reaction (`None`); one per account. Returns the stream with its new counts.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden` for the console, `Refused` with `NotFound`.
pub async fn react(
    site: &Site,
    actor: &Actor,
    id: StreamId,
    reaction: Option<Reaction>,
) -> Result<StreamFacts, SiteError> {
    let (user, actor) = (actor.member()?.user, actor.clone());
    let reacted = site.store(move |store| {
        stream::visible(store, &actor, id)?;
        Ok::<_, SiteError>(store.react(user, id, reaction)?)
    });
    let facts = reacted.await?;
    site.chat.reacted(id, facts.likes, facts.dislikes);
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::Role;

    #[tokio::test]
    async fn everybody_with_an_account_has_one_reaction() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        let id = site.stream(&ann, "front");
        for (actor, reaction, likes, dislikes) in [
            (&ann, Some(Reaction::Like), 1, 0),
            (&ben, Some(Reaction::Like), 2, 0),
            (&ben, Some(Reaction::Like), 2, 0),
            (&ben, Some(Reaction::Dislike), 1, 1),
            (&ben, None, 1, 0),
        ] {
            let facts = react(&site, actor, id, reaction).await.unwrap();
            assert_eq!((facts.likes, facts.dislikes), (likes, dislikes), "{actor} {reaction:?}");
        }
        let refused = react(&site, &site.nobody, id, None).await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
        let refused = react(&site, &Actor::Console, id, None).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
    }
}
