//! A stream's picture in lists: the one its user chose, else an early one of the stream itself. While the stream is live, lists show what can be
//! seen now.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::picture::{Purpose, Upload};
use crate::site::Site;
use crate::stream::{self, Perspective, SeenStream};
use perch_store::{Refusal, StreamId, Visibility};
use perch_studio::snapshot::Snapshot;
use perch_studio::snapshot::thumbnails::WIDTH;
use std::time::Duration;

/// A thumbnail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// The file.
    pub jpeg: Vec<u8>,
    /// A new number for every picture.
    pub version: u32,
    /// True if everyone may see it, so that shared caches may keep it.
    pub is_public: bool,
}

/// What can be seen now may be so old: lists of streams do not cost each visitor a decoding.
const RECENT: Duration = Duration::from_mins(1);

/// The thumbnail of a stream. `is_now`: of a live stream that nobody chose one for, what could be seen within the last minute.
///
/// # Errors
///
/// `Refused` with `NotFound` if there is none, or the stream is hidden from the actor.
pub async fn show(site: &Site, actor: &Actor, id: StreamId, is_now: bool) -> Result<Thumbnail, SiteError> {
    let now = if is_now { recent(site, actor, id).await } else { None };
    let actor = actor.clone();
    site.store(move |store| {
        let stream = stream::visible(store, &actor, id)?;
        if let Some(Snapshot { jpeg, published_at, .. }) = now
            && !stream.details.has_chosen_thumbnail()
        {
            let version = published_at.as_millis() as u32;
            return Ok(Thumbnail { jpeg: jpeg.into(), version, is_public: false });
        }
        let jpeg = store.thumbnail(id)?.ok_or(Refusal::NotFound { what: "picture" })?;
        let is_public = stream.facts.visibility == Visibility::Public;
        Ok::<_, SiteError>(Thumbnail { jpeg, version: stream.details.thumbnail_version, is_public })
    })
    .await
}

/// What can be seen of a stream that is live, if anything can.
async fn recent(site: &Site, actor: &Actor, id: StreamId) -> Option<Snapshot> {
    let feed = {
        let on_air = site.live.on_air();
        let on_air = on_air.borrow();
        let stream = on_air.iter().find(|stream| stream.stream == id)?;
        stream::may_see(actor, stream.visibility).then(|| stream.feed.clone())?
    };
    let taken = site.snapshots.take_recent(&feed, WIDTH, RECENT).await;
    taken.ok().filter(|snapshot| !snapshot.is_flat)
}

/// Refuses an actor who may not set the stream's thumbnail.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Forbidden`.
pub async fn may_choose(site: &Site, actor: &Actor, id: StreamId) -> Result<(), SiteError> {
    let actor = actor.clone();
    site.store(move |store| stream::editable(store, &actor, id).map(drop)).await
}

/// Sets a stream's thumbnail to the middle of an uploaded picture (PNG, JPEG, WebP); for its user and owners. Call
/// [`may_choose`] before the upload is received.
///
/// # Errors
///
/// `Picture` for an unreadable or too large file, `Refused` with `NotFound`, `Forbidden`.
pub async fn choose(
    site: &Site,
    actor: &Actor,
    id: StreamId,
    upload: Upload,
) -> Result<SeenStream, SiteError> {
    let jpeg = site.pictures.make(upload, Purpose::Thumbnail).await?;
    let (perspective, actor) = (Perspective::of(site, actor), actor.clone());
    site.store(move |store| {
        // Rights may have changed since the upload began.
        stream::editable(store, &actor, id)?;
        store.set_thumbnail(id, &jpeg)?;
        Ok::<_, SiteError>(perspective.see(store, store.stream(id)?)?)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestSite, png};
    use perch_store::{Role, StreamChange};

    #[tokio::test]
    async fn a_chosen_picture_is_seen_by_those_who_see_the_stream_and_another_has_another_version() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let id = site.stream(&ann, "front");
        let none = show(&site, &ann, id, false).await;
        assert!(matches!(none, Err(SiteError::Refused(Refusal::NotFound { what: "picture" }))), "{none:?}");
        let refused = may_choose(&site, &ben, id).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        let refused = choose(&site, &ben, id, site.upload(&ben, &png()).await).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        let refused = choose(&site, &ann, id, site.upload(&ann, b"text").await).await;
        assert!(matches!(refused, Err(SiteError::Picture(_))), "{refused:?}");
        let first = choose(&site, &ann, id, site.upload(&ann, &png()).await)
            .await
            .unwrap()
            .stream
            .details
            .thumbnail_version;
        let second = choose(&site, &ann, id, site.upload(&ann, &png()).await)
            .await
            .unwrap()
            .stream
            .details
            .thumbnail_version;
        assert_ne!(first, second);
        let shown = show(&site, &site.nobody, id, false).await.unwrap();
        assert_eq!((shown.version, shown.is_public), (second, true));
        let members = StreamChange { visibility: Some(Visibility::Members), ..StreamChange::default() };
        site.store.change_stream(id, &members).unwrap();
        assert!(show(&site, &site.nobody, id, false).await.is_err());
        assert!(!show(&site, &ben, id, false).await.unwrap().is_public);
    }
}
