//! The actor's own account: changing it, deleting it. `ingest` has its key for other programs.

use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::password;
use crate::profile::OwnProfile;
use crate::registration;
use crate::site::Site;
use crate::text;
use crate::users;
use perch_store::{EndReason, UserChange};

/// Characters of a biography at most.
const BIO_CHARACTERS: usize = 1000;

/// The actor's account.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for the console.
pub async fn show(site: &Site, actor: &Actor) -> Result<OwnProfile, SiteError> {
    let user = actor.member()?.user;
    site.store(move |store| OwnProfile::of(store, user)).await
}

/// Changes the actor's profile; `None` keeps the present value.
///
/// # Errors
///
/// `Field` for an invalid value, `Refused` for a name that is taken.
pub async fn change(site: &Site, actor: &Actor, change: UserChange) -> Result<OwnProfile, SiteError> {
    let user = actor.member()?.user;
    let change = UserChange {
        username: change.username.map(|name| text::username(&name)).transpose()?,
        full_name: change.full_name.map(|name| registration::full_name(&name)).transpose()?,
        email: change.email.map(|email| text::email(&email)).transpose()?,
        bio: change.bio.map(|bio| text::paragraph("bio", &bio, BIO_CHARACTERS)).transpose()?,
    };
    site.change_accounts(move |store| {
        store.change_user(user, &change)?;
        OwnProfile::of(store, user)
    })
    .await
}

/// Deletes the actor's account with its streams, messages and follows. A stream on the air ends first.
///
/// # Errors
///
/// Those of [`password::confirm`], and `Refused` for the last owner.
pub async fn delete(site: &Site, actor: &Actor, own: Password) -> Result<(), SiteError> {
    let user = actor.member()?.user;
    password::confirm(site, actor, own).await?;
    users::delete_account(site, user, EndReason::User).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, TestSite, password};
    use perch_store::{Refusal, Role};

    #[tokio::test]
    async fn a_change_leaves_alone_what_it_does_not_name() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        let bio = UserChange { bio: Some("Birds".to_owned()), ..UserChange::default() };
        change(&site, &ann, bio).await.unwrap();
        let email = UserChange { email: Some("ann@example.org".to_owned()), ..UserChange::default() };
        let user = change(&site, &ann, email).await.unwrap().profile.user;
        assert_eq!((user.bio.as_str(), user.email.as_str()), ("Birds", "ann@example.org"));
        let none = UserChange { bio: Some(String::new()), ..UserChange::default() };
        let user = change(&site, &ann, none).await.unwrap().profile.user;
        assert_eq!((user.bio.as_str(), user.email.as_str()), ("", "ann@example.org"));
        let long = UserChange { bio: Some("x".repeat(BIO_CHARACTERS + 1)), ..UserChange::default() };
        let refused = change(&site, &ann, long).await;
        assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == "bio"), "{refused:?}");
    }

    #[tokio::test]
    async fn an_account_goes_with_its_password_and_its_streams() {
        let site = TestSite::new();
        site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let stream = site.stream(&ann, "front");
        let wrong = delete(&site, &ann, password("not this one")).await;
        assert!(matches!(wrong, Err(SiteError::WrongPassword)), "{wrong:?}");
        assert!(site.store_now(|store| store.stream(stream)).is_ok());
        delete(&site, &ann, password(PASSWORD)).await.unwrap();
        assert!(site.store_now(|store| store.stream(stream)).is_err());
        assert!(!site.is_open(&ann).await);
    }

    #[tokio::test]
    async fn the_last_owner_stays_and_stays_on_the_air() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let stream = site.stream(&olga, "front");
        let refused = delete(&site, &olga, password(PASSWORD)).await;
        assert!(matches!(refused, Err(SiteError::Refused(Refusal::LastOwner))), "{refused:?}");
        assert_eq!(site.store_now(|store| store.stream(stream)).unwrap().facts.end_reason, None);
    }
}
