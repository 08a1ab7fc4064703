//! Registration of new accounts, as the owner's settings allow.

use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::password;
use crate::sessions::{self, LoggedIn};
use crate::site::Site;
use crate::text::{self, FieldError};
use perch_store::{NewUser, Refusal, Registration, Standing, Store, StoreError, User};

/// Characters of a person's name.
const FULL_NAME_CHARACTERS: usize = 100;

/// A new account.
#[derive(Debug)]
pub struct NewPerson {
    /// Up to 20 characters.
    pub username: String,
    /// 8 to 128 characters.
    pub password: Password,
    /// May be empty.
    pub full_name: String,
    /// May be empty.
    pub email: String,
}

/// The result of a registration.
#[derive(Debug)]
pub enum Registered {
    /// The account is created and logged in.
    LoggedIn(Box<LoggedIn>),
    /// The account is created and waits for the owner's approval.
    Pending(Box<User>),
}

/// Creates an account and logs it in. `agent` is the name that the browser or program gives itself.
///
/// # Errors
///
/// `Field` for an invalid value, `Refused` if the name is taken or registration is closed, `TooMany` for many accounts from one
/// address.
pub async fn register(
    site: &Site,
    actor: &Actor,
    person: NewPerson,
    agent: &str,
) -> Result<Registered, SiteError> {
    let username = text::username(&person.username)?;
    let password = password::acceptable("password", person.password)?;
    let full_name = full_name(&person.full_name)?;
    let email = text::email(&person.email)?;
    // Checked before the expensive hash.
    let name = username.clone();
    site.store(move |store| may_register(store, &name)).await?;
    site.limits.admit_registration(actor.address())?;
    let password = site.accounts.passwords.hash(password).await?;
    let (new, now) = (NewUser { username, full_name, email, password }, site.now());
    let (user, told) = site.store(move |store| store.register(&new, now)).await?;
    site.notices.deliver(&told);
    if user.standing == Standing::Active {
        let login = sessions::open(site, user.id, actor.address(), agent).await?;
        Ok(Registered::LoggedIn(Box::new(login)))
    } else {
        Ok(Registered::Pending(Box::new(user)))
    }
}

/// Checks a person's name; may be empty.
pub(crate) fn full_name(text: &str) -> Result<String, FieldError> {
    text::name("full_name", text, 0..=FULL_NAME_CHARACTERS)
}

fn may_register(store: &Store, username: &str) -> Result<(), StoreError> {
    if store.settings()?.registration == Registration::Closed {
        return Err(Refusal::RegistrationClosed.into());
    }
    store.must_be_free(username)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, TestSite, password};

    async fn try_as(site: &TestSite, name: &str) -> Result<Registered, SiteError> {
        let person = NewPerson {
            username: name.to_owned(),
            password: password(PASSWORD),
            full_name: String::new(),
            email: String::new(),
        };
        register(site, &site.nobody, person, "test").await
    }

    fn set(site: &TestSite, registration: Registration) {
        site.store_now(|store| store.change_settings(|settings| settings.registration = registration))
            .unwrap();
    }

    #[tokio::test]
    async fn accounts_are_made_as_the_owner_allows() {
        let site = TestSite::new();
        site.account("olga", perch_store::Role::Owner).await;
        set(&site, Registration::Open);
        let Ok(Registered::LoggedIn(login)) = try_as(&site, "ann").await else { panic!("not logged in") };
        assert_eq!(login.me.profile.user.username, "ann");
        set(&site, Registration::Approval);
        let Ok(Registered::Pending(user)) = try_as(&site, "ben").await else { panic!("not pending") };
        assert_eq!(user.standing, Standing::Pending);
        set(&site, Registration::Closed);
        let closed = try_as(&site, "cid").await;
        assert!(matches!(closed, Err(SiteError::Refused(Refusal::RegistrationClosed))), "{closed:?}");
        set(&site, Registration::Open);
        let taken = try_as(&site, "Ann").await;
        assert!(matches!(taken, Err(SiteError::Refused(Refusal::UsernameTaken { .. }))), "{taken:?}");
    }

    #[tokio::test]
    async fn one_address_makes_a_few_accounts_an_hour() {
        let site = TestSite::new();
        site.account("olga", perch_store::Role::Owner).await;
        set(&site, Registration::Open);
        for number in 0..TestSite::REGISTRATIONS_PER_HOUR {
            try_as(&site, &format!("user{number}")).await.unwrap();
        }
        let refused = try_as(&site, "another").await;
        assert!(matches!(refused, Err(SiteError::TooMany { .. })), "{refused:?}");
        // A taken name is refused without counting.
        let taken = try_as(&site, "user0").await;
        assert!(matches!(taken, Err(SiteError::Refused(Refusal::UsernameTaken { .. }))), "{taken:?}");
    }
}
