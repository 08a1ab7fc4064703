//! The owner's settings for the site.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::ingest_switch::IngestSwitch;
use crate::site::Site;
use crate::text::{self, FieldError};
use perch_store::{Registration, Role, Store, StoreError};
use std::ops::RangeInclusive;

/// Characters of the site's name, which is shown in the page's title.
const SITE_NAME_CHARACTERS: RangeInclusive<usize> = 1..=50;

/// The settings, and whether the site needs setup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The owner's settings.
    pub decided: perch_store::Settings,
    /// Whether programs may publish streams, by the owner's decision or the configuration.
    pub is_ingest_on: bool,
    /// True if there is no owner yet.
    pub needs_setup: bool,
}

impl Settings {
    fn of(store: &Store, ingest: &IngestSwitch) -> Result<Self, StoreError> {
        let needs_setup = !store.has_owner()?;
        Ok(Self { decided: store.settings()?, is_ingest_on: ingest.is_on(), needs_setup })
    }
}

/// The settings; for everyone.
///
/// # Errors
///
/// Those of the store.
pub async fn show(site: &Site) -> Result<Settings, SiteError> {
    let ingest = site.ingest.clone();
    site.store(move |store| Settings::of(store, &ingest)).await
}

/// Changes; `None` keeps the present value.
#[derive(Debug, Default)]
pub struct SettingsChange {
    /// 1 to 50 characters.
    pub site_name: Option<String>,
    /// Who may register.
    pub registration: Option<Registration>,
    /// The role of a newly registered account; never `Owner`.
    pub new_user_role: Option<Role>,
    /// Whether programs may publish streams.
    pub ingest: Option<bool>,
}

/// Changes the settings; for owners.
///
/// # Errors
///
/// `Field` for an invalid value, `Unauthenticated` and `Forbidden`.
pub async fn change(site: &Site, actor: &Actor, change: SettingsChange) -> Result<Settings, SiteError> {
    actor.owner()?;
    let site_name =
        change.site_name.map(|name| text::name("site_name", &name, SITE_NAME_CHARACTERS)).transpose()?;
    if change.new_user_role == Some(Role::Owner) {
        let why = "must be viewer or streamer: nobody can register as an owner".to_owned();
        return Err(FieldError { field: "new_user_role", why }.into());
    }
    let ingest = site.ingest.clone();
    site.store(move |store| {
        store.change_settings(|settings| {
            if let Some(name) = &site_name {
                settings.site_name.clone_from(name);
            }
            settings.registration = change.registration.unwrap_or(settings.registration);
            settings.new_user_role = change.new_user_role.unwrap_or(settings.new_user_role);
            settings.ingest = change.ingest.or(settings.ingest);
        })?;
        ingest.load(store)?;
        Settings::of(store, &ingest)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;

    #[tokio::test]
    async fn owners_change_what_they_name_and_nothing_else() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let before = show(&site).await.unwrap();
        let name = SettingsChange { site_name: Some("Nest".to_owned()), ..SettingsChange::default() };
        let named = change(&site, &olga, name).await.unwrap();
        assert_eq!(named.decided.site_name, "Nest");
        assert_eq!(named.decided.registration, before.decided.registration);
        let closed = SettingsChange { registration: Some(Registration::Closed), ..SettingsChange::default() };
        let closed = change(&site, &olga, closed).await.unwrap();
        assert_eq!((closed.decided.site_name.as_str(), closed.needs_setup), ("Nest", false));
        assert_eq!(closed, show(&site).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_registers_as_an_owner_and_nobody_else_decides() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let owner = || SettingsChange { new_user_role: Some(Role::Owner), ..SettingsChange::default() };
        let refused = change(&site, &olga, owner()).await;
        assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == "new_user_role"));
        let refused = change(&site, &ann, SettingsChange::default()).await;
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
    }
}
