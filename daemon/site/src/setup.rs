//! Setup: creates the first owner, once, for the person with the setup code.

use crate::accounts::attempts::Guess;
use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::password;
use crate::sessions::{self, LoggedIn};
use crate::site::Site;
use crate::text;
use perch_store::{NewUser, Refusal, Registration, Store, StoreError};

/// The name under which guesses of the code are counted; no username has a space.
const SUBJECT: &str = "setup code";

/// The first owner.
#[derive(Debug)]
pub struct NewOwner {
    /// The code as the person typed it.
    pub setup_code: String,
    /// Up to 20 characters.
    pub username: String,
    /// 8 to 128 characters.
    pub password: Password,
    /// Who may register from then on.
    pub registration: Registration,
}

/// Creates the owner and logs in. `agent` is the name that the browser or program gives itself.
///
/// # Errors
///
/// `Refused` if there is an owner, `WrongSetupCode`, `TooMany` after too many wrong ones, `Field` for an invalid value.
pub async fn set_up(site: &Site, actor: &Actor, new: NewOwner, agent: &str) -> Result<LoggedIn, SiteError> {
    if site.store(Store::has_owner).await? {
        return Err(Refusal::OwnerExists.into());
    }
    // Counted per address only: strangers on the LAN must not be able to block the owner.
    let attempt = site.accounts.attempts.begin(SUBJECT, actor.address(), Guess::KnownHere)?;
    if !site.accounts.setup_code.is(&new.setup_code) {
        return Err(SiteError::WrongSetupCode);
    }
    attempt.succeeded();
    let username = text::username(&new.username)?;
    let password = password::acceptable("password", new.password)?;
    let password = site.accounts.passwords.hash(password).await?;
    let owner = NewUser { username, full_name: String::new(), email: String::new(), password };
    let (accounts, now, registration) = (site.accounts.clone(), site.now(), new.registration);
    let made = site.change_accounts(move |store| {
        let owner = store.set_up(&owner, registration, now)?;
        accounts.setup_code.forget();
        Ok::<_, StoreError>(owner)
    });
    let owner = made.await?;
    tracing::info!("{} has set Perch up", owner.username);
    sessions::open(site, owner.id, actor.address(), agent).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, TestSite, password};

    fn owner(setup_code: &str) -> NewOwner {
        NewOwner {
            setup_code: setup_code.to_owned(),
            username: "olga".to_owned(),
            password: password(PASSWORD),
            registration: Registration::Closed,
        }
    }

    #[tokio::test]
    async fn the_code_makes_one_owner() {
        let site = TestSite::new();
        let code = site.accounts.setup_code.shown().unwrap();
        let wrong = set_up(&site, &site.nobody, owner("0000000000"), "test").await;
        assert!(matches!(wrong, Err(SiteError::WrongSetupCode)), "{wrong:?}");
        let made = set_up(&site, &site.nobody, owner(&code), "test").await.unwrap();
        assert_eq!(made.me.profile.user.role, perch_store::Role::Owner);
        let settings = site.store_now(Store::settings).unwrap();
        assert_eq!(settings.registration, Registration::Closed);
        let again = set_up(&site, &site.nobody, owner(&code), "test").await;
        assert!(matches!(again, Err(SiteError::Refused(Refusal::OwnerExists))), "{again:?}");
        assert_eq!(site.accounts.setup_code.shown(), None);
    }

    #[tokio::test]
    async fn a_password_that_is_refused_leaves_the_code_good() {
        let site = TestSite::new();
        let code = site.accounts.setup_code.shown().unwrap();
        let short = NewOwner { password: password("short"), ..owner(&code) };
        let refused = set_up(&site, &site.nobody, short, "test").await;
        assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == "password"), "{refused:?}");
        set_up(&site, &site.nobody, owner(&code), "test").await.unwrap();
    }
}
