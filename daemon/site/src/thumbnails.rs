//! A stream's picture in lists: the one its user chose, else the last one from its camera.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::picture::Purpose;
use crate::site::Site;
use crate::stream::{self, Perspective, SeenStream};
use bytes::Bytes;
use perch_store::{Refusal, StreamId, Visibility};

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

/// The thumbnail of a stream.
///
/// # Errors
///
/// `Refused` with `NotFound` if there is none, or the stream is hidden from the actor.
pub async fn show(site: &Site, actor: &Actor, id: StreamId) -> Result<Thumbnail, SiteError> {
    let actor = actor.clone();
    site.store(move |store| {
        let stream = stream::visible(store, &actor, id)?;
        let jpeg = store.thumbnail(id)?.ok_or(Refusal::NotFound { what: "picture" })?;
        let is_public = stream.facts.visibility == Visibility::Public;
        Ok::<_, SiteError>(Thumbnail { jpeg, version: stream.details.thumbnail_version, is_public })
    })
    .await
}

/// Sets a stream's thumbnail to the middle of an uploaded picture (PNG, JPEG, WebP); for its user and owners. Hold a
/// [slot](crate::picture::Pictures::slot) for the upload.
///
/// # Errors
///
/// `Picture` for an unreadable or too large file, `Refused` with `NotFound`, `Forbidden`.
pub async fn choose(
    site: &Site,
    actor: &Actor,
    id: StreamId,
    upload: Bytes,
) -> Result<SeenStream, SiteError> {
    // Checked before decoding, and again before storing: rights can change meanwhile.
    let asker = actor.clone();
    site.store(move |store| stream::editable(store, &asker, id)).await?;
    let jpeg = site.pictures.make(upload, Purpose::Thumbnail).await?;
    let (perspective, actor) = (Perspective::of(site, actor), actor.clone());
    site.store(move |store| {
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
        let none = show(&site, &ann, id).await;
        assert!(matches!(none, Err(SiteError::Refused(Refusal::NotFound { what: "picture" }))), "{none:?}");
        let refused = choose(&site, &ben, id, png()).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        let refused = choose(&site, &ann, id, Bytes::from_static(b"text")).await;
        assert!(matches!(refused, Err(SiteError::Picture(_))), "{refused:?}");
        let first = choose(&site, &ann, id, png()).await.unwrap().stream.details.thumbnail_version;
        let second = choose(&site, &ann, id, png()).await.unwrap().stream.details.thumbnail_version;
        assert_ne!(first, second);
        let shown = show(&site, &site.nobody, id).await.unwrap();
        assert_eq!((shown.version, shown.is_public), (second, true));
        let members = StreamChange { visibility: Some(Visibility::Members), ..StreamChange::default() };
        site.store.change_stream(id, &members).unwrap();
        assert!(show(&site, &site.nobody, id).await.is_err());
        assert!(!show(&site, &ben, id).await.unwrap().is_public);
    }
}
