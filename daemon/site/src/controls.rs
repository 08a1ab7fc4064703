//! Camera controls: brightness, exposure, focus. Their values are saved, and set again whenever the camera is opened.

use crate::actor::Actor;
use crate::cameras;
use crate::error::SiteError;
use crate::site::Site;
use perch_store::StoreError;
use perch_studio::capture::controls::{self, Control, Values};
use perch_studio::live::LiveCamera;

/// Sets controls of a camera, all or none, and saves them; for owners, and for the user whose stream has the camera. Returns all
/// of its controls with their present values.
///
/// # Errors
///
/// `NotFound`, `Unauthenticated`, `Forbidden`, and `Controls` if the camera is missing or refuses.
pub async fn set(
    site: &Site,
    actor: &Actor,
    camera: &str,
    values: Values,
) -> Result<Vec<Control>, SiteError> {
    actor.streamer()?;
    let camera = cameras::named(site, camera)?;
    may_set(site, actor, camera).await?;
    let wanted = camera.config.clone();
    let (name, asked) = (wanted.name.clone(), values.clone());
    let stand = site.turns.hardware(move || controls::set(&wanted, &asked)).await??;
    let kept = as_taken(&values, stand.iter().map(|control| (control.key.as_str(), control.value)));
    if !kept.is_empty() {
        let known = site.controls.clone();
        let keeping = site.store(move |store| {
            let all = store.keep_camera_controls(&name, &kept)?;
            known.keep(&name, all);
            Ok::<_, StoreError>(())
        });
        keeping.await?;
    }
    Ok(stand)
}

/// Succeeds for owners, and for the user whose stream has the camera.
pub(crate) async fn may_set(site: &Site, actor: &Actor, camera: &LiveCamera) -> Result<(), SiteError> {
    actor.streamer()?;
    if !actor.is_owner() {
        let name = camera.config.name.clone();
        let holder = site.store(move |store| store.stream_on_camera(&name)).await?;
        if holder.is_none_or(|stream| Some(stream.facts.user) != actor.user()) {
            return Err(SiteError::Forbidden);
        }
    }
    Ok(())
}

/// The requested values as the driver took them, rounded to the control's steps. A button has no value to save.
fn as_taken<'a>(asked: &Values, stand: impl Iterator<Item = (&'a str, Option<i32>)>) -> Values {
    stand
        .filter(|(key, _)| asked.contains_key(*key))
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::Role;

    #[tokio::test]
    async fn owners_set_cameras_and_streamers_those_that_they_have() {
        let site = TestSite::with_cameras(&["front", "back"]);
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        site.stream(&ann, "front");
        // A test pattern has no controls, so a permitted request fails at the camera.
        for (actor, camera, may) in [
            (&ann, "front", true),
            (&ann, "back", false),
            (&ben, "front", false),
            (&olga, "back", true),
            (&Actor::Console, "front", true),
        ] {
            let set = set(&site, actor, camera, Values::new()).await;
            assert_eq!(!matches!(set, Err(SiteError::Forbidden)), may, "{actor} {camera}: {set:?}");
        }
        let refused = set(&site, &olga, "side", Values::new()).await;
        assert!(matches!(refused, Err(SiteError::NotFound)), "{refused:?}");
        let refused = set(&site, &site.nobody, "front", Values::new()).await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
    }

    #[test]
    fn what_is_kept_is_what_the_driver_took_of_what_was_asked_for() {
        let stand = [("brightness", Some(55)), ("focus_now", None), ("hue", Some(7))];
        let asked = [("brightness", 57), ("focus_now", 1)].map(|(key, value)| (key.to_owned(), value)).into();
        assert_eq!(as_taken(&asked, stand.into_iter()), [("brightness".to_owned(), 55)].into());
    }
}
