//! Avatars: one picture per person.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::picture::{Purpose, Upload};
use crate::profile::{self, OwnProfile};
use crate::site::Site;
use perch_store::{Refusal, StoreError};

/// Sets the actor's avatar from an uploaded picture (PNG, JPEG, WebP).
///
/// # Errors
///
/// `Picture` for an unreadable or too large file, `Unauthenticated`, and `Forbidden` for the console.
pub async fn set(site: &Site, actor: &Actor, upload: Upload) -> Result<OwnProfile, SiteError> {
    let user = actor.member()?.user;
    let jpeg = site.pictures.make(upload, Purpose::Avatar).await?;
    // Logins in memory and chats also keep the avatar's version.
    site.change_accounts(move |store| {
        store.set_avatar(user, Some(&jpeg))?;
        OwnProfile::of(store, user)
    })
    .await
}

/// Removes the actor's avatar.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for the console.
pub async fn remove(site: &Site, actor: &Actor) -> Result<(), SiteError> {
    let user = actor.member()?.user;
    site.change_accounts(move |store| store.set_avatar(user, None).map(drop)).await
}

/// A user's avatar: a JPEG and its version.
///
/// # Errors
///
/// `Refused` with `NotFound` if the account is hidden from the actor or has no avatar.
pub async fn show(site: &Site, actor: &Actor, username: String) -> Result<(Vec<u8>, u32), SiteError> {
    let actor = actor.clone();
    site.store(move |store| {
        let user = profile::named(store, &username, &actor)?;
        let jpeg = store.avatar(user.id)?.ok_or(Refusal::NotFound { what: "picture" })?;
        Ok::<_, StoreError>((jpeg, user.avatar_version))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestSite, png};
    use perch_store::Role;

    #[tokio::test]
    async fn a_new_picture_has_a_new_version_and_no_picture_is_not_there() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        let see = || show(&site, &site.nobody, "ann".to_owned());
        let none = see().await;
        assert!(matches!(none, Err(SiteError::Refused(Refusal::NotFound { .. }))), "{none:?}");
        set(&site, &ann, site.upload(&ann, &png()).await).await.unwrap();
        let (_, first) = see().await.unwrap();
        let me = set(&site, &ann, site.upload(&ann, &png()).await).await.unwrap();
        let (jpeg, second) = see().await.unwrap();
        assert!(second != first && jpeg.starts_with(&[0xff, 0xd8]));
        assert_eq!(me.profile.user.avatar_version, second);
        let refused = set(&site, &ann, site.upload(&ann, b"not a picture").await).await;
        assert!(matches!(refused, Err(SiteError::Picture(_))), "{refused:?}");
        remove(&site, &ann).await.unwrap();
        assert!(see().await.is_err());
    }
}
