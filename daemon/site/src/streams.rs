//! Finding, changing, ending and deleting streams. [`going_live`](crate::going_live) starts them.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::relays;
use crate::site::Site;
use crate::stream::{self, Perspective, SeenStream};
use crate::stream_text;
use perch_store::{
    Cursor, EndReason, Sort, StateFilter, StoreError, StreamChange, StreamId, StreamQuery, TopicId,
    Visibility,
};

/// Selects and sorts streams.
#[derive(Debug, Clone)]
pub struct Search {
    /// Words that title, description, user or topics must contain, each whole or as a prefix; empty: any.
    pub text: String,
    /// Only streams filed under this topic.
    pub topic: Option<TopicId>,
    /// Only live or only ended streams.
    pub state: Option<StateFilter>,
    /// Only streams of the account with this name.
    pub username: Option<String>,
    /// Only streams of accounts that the actor follows.
    pub following: bool,
    /// Only streams that the actor likes.
    pub liked: bool,
    /// Only streams on the actor's watch list.
    pub saved: bool,
    /// The order.
    pub sort: Sort,
    /// Where the previous page ended.
    pub after: Option<Cursor>,
    /// Streams per page.
    pub limit: usize,
}

/// A page of streams.
#[derive(Debug)]
pub struct FoundStreams {
    /// The streams as the actor sees them.
    pub streams: Vec<SeenStream>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

/// Finds streams that the actor may see.
///
/// # Errors
///
/// `Unauthenticated`, or `Forbidden` for the console, if the search refers to the actor's own account.
pub async fn find(site: &Site, actor: &Actor, search: Search) -> Result<FoundStreams, SiteError> {
    let own = |asked: bool| asked.then(|| actor.member().map(|login| login.user)).transpose();
    let mut query = StreamQuery {
        text: search.text,
        topic: search.topic,
        state: search.state,
        user: None,
        following: own(search.following)?,
        liked: own(search.liked)?,
        saved: own(search.saved)?,
        members: actor.is_member(),
        sort: search.sort,
        after: search.after,
        limit: search.limit,
    };
    let perspective = Perspective::of(site, actor);
    let found = site.lists(move |store| {
        if let Some(username) = search.username {
            match store.user_by_name(&username) {
                Ok(user) => query.user = Some(user.id),
                // An unknown name has no streams.
                Err(StoreError::Refused(_)) => return Ok(FoundStreams { streams: Vec::new(), next: None }),
                Err(error) => return Err(error),
            }
        }
        let page = store.find_streams(&query)?;
        let streams = page.items.into_iter().map(|stream| perspective.see(store, stream));
        Ok::<_, StoreError>(FoundStreams { streams: streams.collect::<Result<_, _>>()?, next: page.next })
    });
    found.await
}

/// One stream.
///
/// # Errors
///
/// `Refused` with `NotFound`, also if it is hidden from the actor.
pub async fn show(site: &Site, actor: &Actor, id: StreamId) -> Result<SeenStream, SiteError> {
    let (perspective, actor) = (Perspective::of(site, actor), actor.clone());
    site.store(move |store| {
        let stream = stream::visible(store, &actor, id)?;
        Ok::<_, SiteError>(perspective.see(store, stream)?)
    })
    .await
}

/// Changes to a stream; `None` keeps the present value.
#[derive(Debug, Clone, Default)]
pub struct ChangeStream {
    /// 1 to 100 characters.
    pub title: Option<String>,
    /// Up to 5000 characters.
    pub description: Option<String>,
    /// Ids of topics.
    pub topics: Option<Vec<String>>,
    /// Who may watch.
    pub visibility: Option<Visibility>,
    /// Names of the relays that it is sent on to from now on.
    pub relays: Option<Vec<String>>,
}

/// Changes a stream's details, who may watch it, and where it is sent on to; for its user and owners.
///
/// # Errors
///
/// `Field` for an invalid value, `Refused` with `NotFound`, `Forbidden`, and `Live` if `relays` is named and the stream is not on the air.
pub async fn change(
    site: &Site,
    actor: &Actor,
    id: StreamId,
    change: ChangeStream,
) -> Result<SeenStream, SiteError> {
    let title = change.title.map(|title| stream_text::title(&title)).transpose()?;
    let description = change.description.map(|words| stream_text::description(&words)).transpose()?;
    let (topics, visibility) = (change.topics, change.visibility);
    if let Some(relays) = change.relays {
        relays::check(site, &relays)?;
        let asker = actor.clone();
        site.store(move |store| stream::editable(store, &asker, id)).await?;
        site.live.change_relays(id, relays).await?;
    }
    let (perspective, actor) = (Perspective::of(site, actor), actor.clone());
    let changed = site.store(move |store| {
        stream::editable(store, &actor, id)?;
        let topics = topics.map(|topics| stream_text::topics(store, &topics)).transpose()?;
        let stream = store.change_stream(id, &StreamChange { title, description, topics, visibility })?;
        Ok::<_, SiteError>(perspective.see(store, stream)?)
    });
    let changed = changed.await?;
    if let Some(visibility) = visibility {
        site.live.visibility_changed(id, visibility).await;
    }
    Ok(changed)
}

/// Ends a stream, for its user and owners; returns when it has ended. An ended stream does not change.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Forbidden`, and `Live` if the studio cannot end it.
pub async fn stop(site: &Site, actor: &Actor, id: StreamId) -> Result<SeenStream, SiteError> {
    let asker = actor.clone();
    let stream = site.store(move |store| stream::editable(store, &asker, id)).await?;
    let is_own = actor.user() == Some(stream.facts.user);
    let reason = if is_own { EndReason::User } else { EndReason::Owner };
    let stream = site.live.stop(id, reason).await?;
    let perspective = Perspective::of(site, actor);
    site.store(move |store| perspective.see(store, stream)).await
}

/// Pins a stream on the air to `/media/live/`, or lets the studio choose again; for owners. A pin is only in memory: it ends with
/// its stream, and with the daemon.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden`, `Refused` with `NotFound`, and `Live` if the stream is not on the air.
pub async fn pin(site: &Site, actor: &Actor, id: StreamId, is_pinned: bool) -> Result<(), SiteError> {
    actor.owner()?;
    site.store(move |store| store.stream(id)).await?;
    Ok(site.live.pin(id, is_pinned).await?)
}

/// Deletes an ended stream with its chat and everything that refers to it; for its user and owners. Its pictures are
/// removed at once.
///
/// # Errors
///
/// `Refused` with `NotEnded` or `NotFound`, and `Forbidden`.
pub async fn delete(site: &Site, actor: &Actor, id: StreamId) -> Result<(), SiteError> {
    let actor = actor.clone();
    let deleted = site.store(move |store| {
        stream::editable(store, &actor, id)?;
        Ok::<_, SiteError>(store.delete_stream(id)?)
    });
    deleted.await?;
    // Only after the deletion: if it fails, the stream's end can still be watched.
    site.live.stream_deleted(id).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::going_live::{self, GoLive};
    use crate::testing::TestSite;
    use crate::users;
    use perch_store::{Reaction, Refusal, Role, StreamState};

    fn all() -> Search {
        Search {
            text: String::new(),
            topic: None,
            state: None,
            username: None,
            following: false,
            liked: false,
            saved: false,
            sort: Sort::Newest,
            after: None,
            limit: 20,
        }
    }

    async fn ids(site: &Site, actor: &Actor, search: Search) -> Vec<StreamId> {
        let found = find(site, actor, search).await.unwrap();
        found.streams.iter().map(|seen| seen.stream.facts.id).collect()
    }

    #[tokio::test]
    async fn a_search_finds_what_one_may_know_of_and_ones_own_marks() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        // Ids made within the same millisecond have no order.
        let [one, two] = ["one", "two"].map(|camera| {
            site.clock.turn(std::time::Duration::from_millis(1));
            site.stream(&ann, camera)
        });
        let hidden = ChangeStream { visibility: Some(Visibility::Members), ..ChangeStream::default() };
        change(&site, &ann, two, hidden).await.unwrap();
        assert_eq!(ids(&site, &site.nobody, all()).await, [one]);
        assert_eq!(ids(&site, &ben, all()).await, [two, one]);
        assert_eq!(ids(&site, &Actor::Console, all()).await, [two, one]);
        let liked = || Search { liked: true, ..all() };
        assert_eq!(ids(&site, &ben, liked()).await, []);
        site.store.react(ben.user().unwrap(), one, Some(Reaction::Like)).unwrap();
        assert_eq!(ids(&site, &ben, liked()).await, [one]);
        assert_eq!(ids(&site, &ann, liked()).await, []);
        let refused = find(&site, &site.nobody, liked()).await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
        let of = |name: &str| Search { username: Some(name.to_owned()), ..all() };
        assert_eq!(ids(&site, &site.nobody, of("Ann")).await, [one]);
        assert_eq!(ids(&site, &site.nobody, of("zoe")).await, []);
        let first = find(&site, &ben, Search { limit: 1, ..all() }).await.unwrap();
        assert_eq!(ids(&site, &ben, Search { after: first.next, ..all() }).await, [one]);
    }

    #[tokio::test]
    async fn a_change_leaves_alone_what_it_does_not_name() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let id = site.stream(&ann, "front");
        let words = ChangeStream { description: Some("In the oak".to_owned()), ..ChangeStream::default() };
        change(&site, &ann, id, words).await.unwrap();
        let title = || ChangeStream { title: Some("Owls".to_owned()), ..ChangeStream::default() };
        let details = change(&site, &ann, id, title()).await.unwrap().stream.details;
        assert_eq!((details.title.as_str(), details.description.as_str()), ("Owls", "In the oak"));
        let refused = change(&site, &ben, id, title()).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        let empty = ChangeStream { title: Some(String::new()), ..ChangeStream::default() };
        let refused = change(&site, &ann, id, empty).await;
        assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == "title"), "{refused:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stream_is_hidden_from_others_as_soon_as_its_user_says_so() {
        let site = TestSite::with_cameras(&["front"]);
        let ann = site.account("ann", Role::Streamer).await;
        let asked = GoLive { title: "Birds".to_owned(), ..GoLive::default() };
        let id = going_live::start(&site, &ann, asked).await.unwrap().stream.facts.id;
        let hidden = ChangeStream { visibility: Some(Visibility::Members), ..ChangeStream::default() };
        change(&site, &ann, id, hidden).await.unwrap();
        assert_eq!(site.live.on_air().borrow()[0].visibility, Visibility::Members);
        assert!(show(&site, &site.nobody, id).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_ended_says_who_ended_it_and_can_be_deleted() {
        let site = TestSite::with_cameras(&["front", "back"]);
        let ann = site.account("ann", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        for (who, camera, reason) in [(&ann, "front", EndReason::User), (&olga, "back", EndReason::Owner)] {
            let asked =
                GoLive { title: "Birds".to_owned(), camera: Some(camera.to_owned()), ..GoLive::default() };
            let id = going_live::start(&site, &ann, asked).await.unwrap().stream.facts.id;
            let refused = delete(&site, who, id).await;
            assert!(matches!(refused, Err(SiteError::Refused(Refusal::NotEnded { .. }))), "{refused:?}");
            for _ in 0..2 {
                let facts = stop(&site, who, id).await.unwrap().stream.facts;
                assert_eq!((facts.state, facts.end_reason), (StreamState::Ended, Some(reason)));
            }
            let is_on_air = || site.live.on_air().borrow().iter().any(|on_air| on_air.stream == id);
            assert!(is_on_air(), "players fetch its end");
            delete(&site, who, id).await.unwrap();
            assert!(show(&site, who, id).await.is_err());
            assert!(!is_on_air(), "its pictures go with it");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_pictures_of_an_account_go_with_it() {
        let site = TestSite::with_cameras(&["front"]);
        let ann = site.account("ann", Role::Streamer).await;
        let asked = GoLive { title: "Birds".to_owned(), ..GoLive::default() };
        let id = going_live::start(&site, &ann, asked).await.unwrap().stream.facts.id;
        users::delete(&site, &Actor::Console, "ann".to_owned()).await.unwrap();
        assert!(show(&site, &Actor::Console, id).await.is_err());
        assert!(site.live.on_air().borrow().is_empty());
    }

    #[tokio::test]
    async fn nobody_ends_or_deletes_the_streams_of_others() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let id = site.stream(&ann, "front");
        assert!(matches!(stop(&site, &ben, id).await, Err(SiteError::Forbidden)));
        assert!(matches!(delete(&site, &ben, id).await, Err(SiteError::Forbidden)));
        assert_eq!(site.store.stream(id).unwrap().facts.state, StreamState::Starting);
    }
}
