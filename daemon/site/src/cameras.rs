//! Cameras as people see them: their states, streams and abilities.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::stream;
use perch_store::{Store, StoreError, StreamId, User};
use perch_studio::capture::ability::Ability;
use perch_studio::capture::controls::{self, Control};
use perch_studio::live::LiveCamera;

/// The stream that uses a camera.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The camera's name.
    pub camera: String,
    /// The stream.
    pub stream: StreamId,
    /// The stream's user.
    pub user: User,
}

/// A camera and what can be requested of it.
pub struct AbleCamera<'a> {
    /// The camera.
    pub camera: &'a LiveCamera,
    /// The stream that uses it.
    pub holder: Option<Holder>,
    /// `None` while the camera is missing; its state says why.
    pub ability: Option<Ability>,
    /// The picture's controls; empty if there are none.
    pub controls: Vec<Control>,
}

/// The camera with this name.
///
/// # Errors
///
/// `NotFound`.
pub fn named<'a>(site: &'a Site, name: &str) -> Result<&'a LiveCamera, SiteError> {
    site.cameras.iter().find(|camera| camera.config.name == name).ok_or(SiteError::NotFound)
}

/// Every camera, with its stream if the actor may know of it.
///
/// # Errors
///
/// Those of the store.
pub async fn list<'a>(
    site: &'a Site,
    actor: &Actor,
) -> Result<Vec<(&'a LiveCamera, Option<Holder>)>, SiteError> {
    let actor = actor.clone();
    let mut holders = site.store(move |store| holders(store, &actor)).await?;
    let with_holder = site.cameras.iter().map(|camera| {
        let holder = holders.iter().position(|holder| holder.camera == camera.config.name);
        (camera, holder.map(|holder| holders.swap_remove(holder)))
    });
    Ok(with_holder.collect())
}

/// A camera and what can be requested of it, for those who may go live.
///
/// # Errors
///
/// `NotFound`, `Unauthenticated`, `Forbidden`.
pub async fn show<'a>(site: &'a Site, actor: &Actor, name: &str) -> Result<AbleCamera<'a>, SiteError> {
    actor.streamer()?;
    let camera = named(site, name)?;
    let wanted = camera.config.clone();
    // A missing camera is no error here: its state says what is wrong.
    let looked = site
        .turns
        .hardware(move || (Ability::find_out(&wanted).ok(), controls::list(&wanted).unwrap_or_default()));
    let (ability, controls) = looked.await?;
    let actor = actor.clone();
    let holders = site.store(move |store| holders(store, &actor)).await?;
    let holder = holders.into_iter().find(|holder| holder.camera == camera.config.name);
    Ok(AbleCamera { camera, holder, ability, controls })
}

/// The streams that use the cameras, restricted to those that the actor may know of.
fn holders(store: &Store, actor: &Actor) -> Result<Vec<Holder>, StoreError> {
    let mut streams = store.unfinished_streams()?;
    streams.retain(|stream| stream::may_see(actor, stream.facts.visibility));
    let holder = |stream: perch_store::Stream| {
        let user = store.user(stream.facts.user)?;
        Ok(Holder { camera: stream.details.camera, stream: stream.facts.id, user })
    };
    streams.into_iter().map(holder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{Role, StreamChange, Visibility};

    #[tokio::test]
    async fn a_camera_names_its_stream_to_those_who_may_know_of_it() {
        let site = TestSite::with_cameras(&["front", "back"]);
        let ann = site.account("ann", Role::Streamer).await;
        let stream = site.stream(&ann, "back");
        let whose = async |actor: &Actor| {
            let list = list(&site, actor).await.unwrap();
            let names = list.into_iter().map(|(camera, holder)| {
                (camera.config.name.clone(), holder.map(|holder| holder.user.username))
            });
            names.collect::<Vec<_>>()
        };
        let taken = [("front".to_owned(), None), ("back".to_owned(), Some("ann".to_owned()))];
        assert_eq!(whose(&site.nobody).await, taken);
        let members = StreamChange { visibility: Some(Visibility::Members), ..StreamChange::default() };
        site.store.change_stream(stream, &members).unwrap();
        assert_eq!(whose(&site.nobody).await, [("front".to_owned(), None), ("back".to_owned(), None)]);
        assert_eq!(whose(&ann).await, taken);
        assert_eq!(whose(&Actor::Console).await, taken);
    }

    #[tokio::test]
    async fn streamers_see_what_can_be_asked_of_a_camera() {
        let site = TestSite::with_cameras(&["front"]);
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        let stream = site.stream(&ann, "front");
        let seen = show(&site, &ann, "front").await.unwrap();
        assert_eq!(seen.holder.map(|holder| holder.stream), Some(stream));
        assert!(seen.ability.is_some() && seen.controls.is_empty());
        assert!(matches!(show(&site, &ann, "side").await.err(), Some(SiteError::NotFound)));
        assert!(matches!(show(&site, &ben, "front").await.err(), Some(SiteError::Forbidden)));
        assert!(matches!(show(&site, &site.nobody, "front").await.err(), Some(SiteError::Unauthenticated)));
    }
}
