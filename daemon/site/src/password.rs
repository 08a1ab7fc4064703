//! Passwords of accounts: their rules, confirming an actor's own, and changing it.

use crate::accounts::attempts::Guess;
use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::{self, FieldError};

/// Returns the password if an account may have it.
///
/// # Errors
///
/// A [`FieldError`] of `field` for a password that is too short or too long.
pub fn acceptable(field: &'static str, password: Password) -> Result<Password, FieldError> {
    text::password(field, password.expose())?;
    Ok(password)
}

/// Checks the actor's own password before an action that cannot be undone. Wrong ones count as failed logins.
///
/// # Errors
///
/// `WrongPassword`, `TooMany` after too many wrong ones, and `Unauthenticated` or `Forbidden` without a logged-in account.
pub async fn confirm(site: &Site, actor: &Actor, password: Password) -> Result<(), SiteError> {
    let login = actor.member()?;
    actor.not_by_token()?;
    let attempt = site.accounts.attempts.begin(&login.username, actor.address(), Guess::KnownHere)?;
    let user = login.user;
    let hash = site.store(move |store| store.password(user)).await?;
    if !site.accounts.passwords.check(password, Some(hash)).await? {
        return Err(SiteError::WrongPassword);
    }
    attempt.succeeded();
    Ok(())
}

/// Changes the actor's password, and closes all its other logins.
///
/// # Errors
///
/// `Field` for an unacceptable `new_password`, and those of [`confirm`].
pub async fn change(site: &Site, actor: &Actor, old: Password, new: Password) -> Result<(), SiteError> {
    let login = actor.member()?;
    let (user, session) = (login.user, login.session);
    let new = acceptable("new_password", new)?;
    confirm(site, actor, old).await?;
    let hash = site.accounts.passwords.hash(new).await?;
    site.change_accounts(move |store| store.change_password(user, &hash, session)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, TestSite, password};
    use perch_store::Role;

    #[tokio::test]
    async fn a_new_password_leaves_the_login_that_asked_for_it_and_closes_the_others() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        let elsewhere = site.log_in("ann").await;
        let wrong = change(&site, &ann, password("not this one"), password("another password")).await;
        assert!(matches!(wrong, Err(SiteError::WrongPassword)), "{wrong:?}");
        let short = change(&site, &ann, password(PASSWORD), password("short")).await;
        assert!(matches!(&short, Err(SiteError::Field(error)) if error.field == "new_password"), "{short:?}");
        change(&site, &ann, password(PASSWORD), password("another password")).await.unwrap();
        confirm(&site, &ann, password("another password")).await.unwrap();
        assert!(site.is_open(&ann).await && !site.is_open(&elsewhere).await);
    }

    #[tokio::test]
    async fn the_console_and_nobody_have_no_password() {
        let site = TestSite::new();
        let console = confirm(&site, &Actor::Console, password(PASSWORD)).await;
        assert!(matches!(console, Err(SiteError::Forbidden)), "{console:?}");
        let nobody = confirm(&site, &site.nobody, password(PASSWORD)).await;
        assert!(matches!(nobody, Err(SiteError::Unauthenticated)), "{nobody:?}");
    }
}
