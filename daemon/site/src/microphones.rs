//! The cameras' microphones: their state, muting and gain. What is set is saved.

use crate::actor::Actor;
use crate::cameras;
use crate::controls;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::FieldError;
use perch_store::{CameraMicrophone, Store, StoreError};
use perch_studio::capture::microphones::{GAIN_DB, MicrophoneSettings, MicrophoneState, Microphones};
use perch_studio::live::LiveCamera;

/// A change; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct MicrophoneChange {
    /// Silence instead of sound.
    pub muted: Option<bool>,
    /// dB, within [`GAIN_DB`].
    pub gain_db: Option<i32>,
}

/// A camera's microphone as it is now, for those who may go live.
///
/// # Errors
///
/// `NotFound`, `Unauthenticated`, `Forbidden`.
pub fn show(
    site: &Site,
    actor: &Actor,
    camera: &str,
) -> Result<(MicrophoneSettings, MicrophoneState), SiteError> {
    actor.streamer()?;
    Ok(of(site, cameras::named(site, camera)?))
}

/// The microphone of a camera as it is now.
pub fn of(site: &Site, camera: &LiveCamera) -> (MicrophoneSettings, MicrophoneState) {
    let microphone = site.microphones.of(&camera.config);
    (microphone.settings(), microphone.state())
}

/// Mutes a microphone or changes its gain, at once and for later; for owners, and for the user whose stream has the camera.
///
/// # Errors
///
/// `NotFound`, `Unauthenticated`, `Forbidden`, and `Field` for a gain out of bounds.
pub async fn set(
    site: &Site,
    actor: &Actor,
    camera: &str,
    change: MicrophoneChange,
) -> Result<(MicrophoneSettings, MicrophoneState), SiteError> {
    actor.streamer()?;
    let camera = cameras::named(site, camera)?;
    controls::may_set(site, actor, camera).await?;
    if change.gain_db.is_some_and(|gain| !GAIN_DB.contains(&gain.into())) {
        let why = format!("must be a whole number from {} to {} dB", GAIN_DB.start(), GAIN_DB.end());
        return Err(FieldError { field: "gain_db", why }.into());
    }
    let microphone = site.microphones.of(&camera.config);
    let name = camera.config.name.clone();
    let keeping = site.store(move |store| {
        // Within the store's turn, so that of two changes at once none is lost.
        let now = microphone.settings();
        let set = MicrophoneSettings {
            muted: change.muted.unwrap_or(now.muted),
            gain_db: change.gain_db.unwrap_or(now.gain_db),
        };
        store.keep_camera_microphone(&name, CameraMicrophone { muted: set.muted, gain_db: set.gain_db })?;
        microphone.set(set);
        Ok::<_, StoreError>(())
    });
    keeping.await?;
    Ok(of(site, camera))
}

/// Sets the microphones as they are in the store; those that nobody has set stay as configured.
///
/// # Errors
///
/// Those of the store.
pub fn load<'a>(
    store: &Store,
    cameras: impl IntoIterator<Item = &'a perch_studio::config::Camera>,
    microphones: &Microphones,
) -> Result<(), StoreError> {
    for camera in cameras {
        if let Some(CameraMicrophone { muted, gain_db }) = store.camera_microphone(&camera.name)? {
            let gain_db = i64::from(gain_db).clamp(*GAIN_DB.start(), *GAIN_DB.end()) as i32;
            microphones.of(camera).set(MicrophoneSettings { muted, gain_db });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::Role;

    #[tokio::test]
    async fn owners_mute_and_so_do_those_who_are_live_and_it_is_kept() {
        let site = TestSite::with_cameras(&["front", "back"]);
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        site.stream(&ann, "front");
        let muted = MicrophoneChange { muted: Some(true), gain_db: None };
        for (actor, camera, may) in
            [(&ann, "front", true), (&ann, "back", false), (&ben, "front", false), (&olga, "back", true)]
        {
            let set = set(&site, actor, camera, muted).await;
            assert_eq!(!matches!(set, Err(SiteError::Forbidden)), may, "{actor} {camera}: {set:?}");
        }
        assert!(matches!(set(&site, &olga, "side", muted).await, Err(SiteError::NotFound)));
        assert!(matches!(show(&site, &site.nobody, "front"), Err(SiteError::Unauthenticated)));

        let louder = MicrophoneChange { muted: None, gain_db: Some(6) };
        set(&site, &olga, "front", louder).await.unwrap();
        let wanted = MicrophoneSettings { muted: true, gain_db: 6 };
        assert_eq!(show(&site, &ben, "front").unwrap().0, wanted);
        for gain in [-31, 31, i32::MAX] {
            let refused = set(&site, &olga, "front", MicrophoneChange { gain_db: Some(gain), ..muted }).await;
            assert!(matches!(refused, Err(SiteError::Field(_))), "{gain}: {refused:?}");
        }

        // As at the next start.
        let microphones = Microphones::default();
        load(&site.store, site.cameras.iter().map(|camera| &*camera.config), &microphones).unwrap();
        assert_eq!(microphones.of(&site.cameras[0].config).settings(), wanted);
    }
}
