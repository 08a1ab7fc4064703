//! The owner's settings for the site.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::ingest_switch::IngestSwitch;
use crate::site::Site;
use crate::text::{self, FieldError};
use perch_store::{Registration, Retention, Role, Store, StoreError};
use std::ops::RangeInclusive;

/// Characters of the site's name, which is shown in the page's title.
const SITE_NAME_CHARACTERS: RangeInclusive<usize> = 1..=50;

/// Days of an age that an owner sets: a hundred years.
const DAYS_MOST: u32 = 36_500;

/// The settings, and whether the site needs setup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The owner's settings.
    pub decided: perch_store::Settings,
    /// Whether programs may publish streams, by the owner's decision or the configuration.
    pub is_ingest_on: bool,
    /// How long things are kept.
    pub retention: Retention,
    /// True if there is no owner yet.
    pub needs_setup: bool,
}

impl Settings {
    fn of(store: &Store, ingest: &IngestSwitch) -> Result<Self, StoreError> {
        let needs_setup = !store.has_owner()?;
        let (decided, retention) = (store.settings()?, store.retention()?);
        Ok(Self { decided, is_ingest_on: ingest.is_on(), retention, needs_setup })
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
    /// How long things are kept.
    pub retention: RetentionChange,
}

/// Changes to how long things are kept: days, 0 for ever; `None` keeps the present value.
#[derive(Debug, Default)]
pub struct RetentionChange {
    /// Ended streams without a recording.
    pub unrecorded_stream_days: Option<u32>,
    /// Chats of other streams.
    pub chat_days: Option<u32>,
    /// Notifications.
    pub notification_days: Option<u32>,
    /// Mutes and bans that ended.
    pub restriction_days: Option<u32>,
    /// Logins that nobody uses.
    pub login_days: Option<u32>,
}

impl RetentionChange {
    fn days(&self) -> [(&'static str, Option<u32>); 5] {
        [
            ("unrecorded_stream_days", self.unrecorded_stream_days),
            ("chat_days", self.chat_days),
            ("notification_days", self.notification_days),
            ("restriction_days", self.restriction_days),
            ("login_days", self.login_days),
        ]
    }

    fn check(&self) -> Result<(), FieldError> {
        match self.days().into_iter().find(|(_, days)| days.is_some_and(|days| days > DAYS_MOST)) {
            Some((field, _)) => Err(FieldError { field, why: format!("must be at most {DAYS_MOST}") }),
            None => Ok(()),
        }
    }

    fn apply(&self, to: &mut Retention) {
        to.unrecorded_stream_days = self.unrecorded_stream_days.unwrap_or(to.unrecorded_stream_days);
        to.chat_days = self.chat_days.unwrap_or(to.chat_days);
        to.notification_days = self.notification_days.unwrap_or(to.notification_days);
        to.restriction_days = self.restriction_days.unwrap_or(to.restriction_days);
        to.login_days = self.login_days.unwrap_or(to.login_days);
    }
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
    change.retention.check()?;
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
        store.change_retention(|retention| change.retention.apply(retention))?;
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
    async fn the_owner_says_how_long_things_are_kept() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let retention =
            RetentionChange { chat_days: Some(7), login_days: Some(0), ..RetentionChange::default() };
        let changed =
            change(&site, &olga, SettingsChange { retention, ..SettingsChange::default() }).await.unwrap();
        let expected = Retention { chat_days: 7, login_days: 0, ..Retention::default() };
        assert_eq!(changed.retention, expected);
        assert_eq!(show(&site).await.unwrap().retention, expected);
        let retention = RetentionChange { chat_days: Some(36_501), ..RetentionChange::default() };
        let refused = change(&site, &olga, SettingsChange { retention, ..SettingsChange::default() }).await;
        assert!(
            matches!(&refused, Err(SiteError::Field(error)) if error.field == "chat_days"),
            "{refused:?}"
        );
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
