//! Logins: logging in, refreshing, logging out, and the list of one's logins. `accounts` protects them against guessing and
//! forgery.

use crate::accounts::attempts::{Guess, network};
use crate::accounts::logins::Login;
use crate::accounts::secret::{Password, RandomToken};
use crate::accounts::tokens::REFRESH_SECONDS;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::profile::OwnProfile;
use crate::site::Site;
use crate::text::FieldError;
use perch_store::{
    PasswordHash, Refusal, SESSIONS_PER_USER, Session, SessionId, Standing, Store, StoreError, Timestamp,
    User, UserId,
};
use std::net::IpAddr;

/// Characters of a browser's own name in the list of logins.
const LABEL_CHARACTERS: usize = 120;
/// Separates browser and address in a login's label.
const FROM: &str = " from ";
/// Characters of a username to look up; no account has a longer one.
const LONGEST_NAME: usize = 64;

/// An opened or refreshed login.
#[derive(Debug)]
pub struct LoggedIn {
    /// Valid for [`ACCESS_SECONDS`](crate::accounts::tokens::ACCESS_SECONDS).
    pub access_token: AccessToken,
    /// Valid once, for [`REFRESH_SECONDS`].
    pub refresh_token: RandomToken,
    /// The account.
    pub me: OwnProfile,
}

/// An access token; its `Debug` shows nothing of it.
pub struct AccessToken(String);

impl AccessToken {
    /// The token, for its owner only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// Logs in. `agent` is the name that the browser or program gives itself.
///
/// # Errors
///
/// `WrongLogin`, `TooMany` after too many wrong ones, `PendingApproval`, `Suspended`, and `Field` for a username that is too long.
pub async fn log_in(
    site: &Site,
    actor: &Actor,
    username: String,
    password: Password,
    agent: &str,
) -> Result<LoggedIn, SiteError> {
    if username.chars().count() > LONGEST_NAME {
        return Err(
            FieldError { field: "username", why: format!("at most {LONGEST_NAME} characters") }.into()
        );
    }
    let (name, address) = (username.clone(), actor.address());
    let found = site.store(move |store| find(store, &name, address)).await?;
    let guess = match &found {
        None => Guess::Nothing,
        Some(found) if found.is_known => Guess::KnownHere,
        Some(_) => Guess::Account,
    };
    let attempt = site.accounts.attempts.begin(&username, address, guess)?;
    let (user, hash) = found.map(|found| (found.user, found.password)).unzip();
    let is_right = site.accounts.passwords.check(password, hash).await?;
    let Some(user) = user.filter(|_| is_right) else { return Err(SiteError::WrongLogin) };
    attempt.succeeded();
    match user.standing {
        Standing::Active => open(site, user.id, address, agent).await,
        Standing::Pending => Err(SiteError::PendingApproval),
        Standing::Suspended => Err(SiteError::Suspended),
    }
}

/// The account of a login attempt.
struct Found {
    user: User,
    password: PasswordHash,
    /// True if the account has logged in from this address before.
    is_known: bool,
}

fn find(store: &Store, username: &str, address: IpAddr) -> Result<Option<Found>, StoreError> {
    let user = match store.user_by_name(username) {
        Ok(user) => user,
        Err(StoreError::Refused(Refusal::NotFound { .. })) => return Ok(None),
        Err(error) => return Err(error),
    };
    let here = network(address);
    let is_here = |session: &Session| {
        let from = session.label.rsplit_once(FROM).and_then(|(_, from)| from.parse().ok());
        from.is_some_and(|from| network(from) == here)
    };
    let is_known = store.sessions(user.id)?.iter().any(is_here);
    Ok(Some(Found { password: store.password(user.id)?, user, is_known }))
}

/// Opens a login of an authenticated account.
pub(crate) async fn open(
    site: &Site,
    user: UserId,
    address: IpAddr,
    agent: &str,
) -> Result<LoggedIn, SiteError> {
    let refresh_token = RandomToken::new()?;
    let (digest, label, now) = (refresh_token.digest(), label(agent, address), site.now());
    let accounts = site.accounts.clone();
    let opened = site.store(move |store| {
        let has_most = store.sessions(user)?.len() >= SESSIONS_PER_USER;
        let session = store.open_session(user, &digest, &label, now, expiry(now))?;
        if has_most {
            // A further login may have closed the oldest.
            accounts.logins.forget();
        }
        Ok::<_, StoreError>((session.id, OwnProfile::of(store, user)?))
    });
    let (session, me) = opened.await?;
    let access_token = AccessToken(site.accounts.tokens.make(user, session, now));
    Ok(LoggedIn { access_token, refresh_token, me })
}

/// Exchanges a refresh token for the next one, and issues a new access token. If the answer was lost, the exchange can be repeated
/// within 30 s.
///
/// # Errors
///
/// `Refused` for an unknown or expired token, and for one that was used before, which closes its login.
pub async fn refresh(site: &Site, token: &RandomToken) -> Result<LoggedIn, SiteError> {
    let refresh_token = site.accounts.tokens.successor(token);
    let (digest, next_digest) = (token.digest(), refresh_token.digest());
    let accounts = site.accounts.clone();
    let refreshed = site.store(move |store| {
        // A clock that has just been set must not make every login look expired.
        let now = accounts.wall_clock.correct(store)?;
        let session =
            store.refresh_session(&digest, &next_digest, now, expiry(now)).inspect_err(|error| {
                // A reused or expired token has closed its login; an unknown one, which anyone can send, has not.
                if !matches!(error, StoreError::Refused(Refusal::TokenUnknown)) {
                    accounts.logins.forget();
                }
            })?;
        Ok::<_, StoreError>((session.id, session.user, now, OwnProfile::of(store, session.user)?))
    });
    let (session, user, now, me) = refreshed.await?;
    let access_token = AccessToken(site.accounts.tokens.make(user, session, now));
    Ok(LoggedIn { access_token, refresh_token, me })
}

/// The open login named by an access token; `None` if the token is not ours or its login is closed.
///
/// # Errors
///
/// `TokenExpired` if the login is open and can be refreshed.
pub async fn of_token(site: &Site, token: &str) -> Result<Option<Login>, SiteError> {
    let Some(bearer) = site.accounts.tokens.read(token, site.now()) else { return Ok(None) };
    let mut login = site.accounts.logins.known(bearer.session);
    if login.is_none() {
        login = open_login(site, bearer.session).await?;
    }
    let login = login.filter(|login| login.user == bearer.user);
    if login.is_some() && bearer.has_expired { Err(SiteError::TokenExpired) } else { Ok(login) }
}

async fn open_login(site: &Site, session: SessionId) -> Result<Option<Login>, SiteError> {
    let accounts = site.accounts.clone();
    site.store(move |store| accounts.logins.open(store, session)).await
}

/// True while an earlier login or API token is still valid and belongs to the same account.
///
/// # Errors
///
/// Those of the store.
pub async fn is_open(site: &Site, login: &Login) -> Result<bool, SiteError> {
    let (accounts, login, now) = (site.accounts.clone(), login.clone(), site.now());
    let user = login.user;
    let open = site.store(move |store| accounts.logins.still_open(store, &login, now)).await?;
    Ok(open.is_some_and(|open| open.user == user))
}

/// Selects the login to close.
#[derive(Debug, Default)]
pub struct LogOut<'a> {
    /// Its access token; an expired one is enough.
    pub access_token: Option<&'a str>,
    /// Its refresh token.
    pub refresh_token: Option<RandomToken>,
    /// Close all logins of the access token's account.
    pub everywhere: bool,
}

/// Logs out; without a login it does nothing.
///
/// # Errors
///
/// Those of the store.
pub async fn log_out(site: &Site, how: LogOut<'_>) -> Result<(), SiteError> {
    let everywhere = how.everywhere;
    let bearer = how.access_token.and_then(|token| site.accounts.tokens.read(token, site.now()));
    let session = bearer.map(|bearer| bearer.session);
    let refresh = how.refresh_token.map(|token| token.digest());
    let close = move |store: &Store| {
        let mut has_closed = false;
        if let Some(session) = session {
            match store.session(session) {
                Ok(session) if everywhere => store.close_sessions(session.user, None)?,
                Ok(session) => store.close_session(session.id)?,
                Err(StoreError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
            has_closed = true;
        }
        Ok(refresh.map_or(Ok(false), |digest| store.close_session_of(&digest))? || has_closed)
    };
    let accounts = site.accounts.clone();
    site.store(move |store| {
        let closed = close(store);
        // Anyone can send tokens that close nothing.
        if !matches!(closed, Ok(false)) {
            accounts.logins.forget();
        }
        closed.map(drop)
    })
    .await
}

/// The actor's logins, the newest first.
///
/// # Errors
///
/// `Unauthenticated`, and `Forbidden` for the console.
pub async fn list(site: &Site, actor: &Actor) -> Result<Vec<Session>, SiteError> {
    let user = actor.member()?.user;
    let mut sessions = site.store(move |store| store.sessions(user)).await?;
    sessions.reverse();
    Ok(sessions)
}

/// Closes one of the actor's logins.
///
/// # Errors
///
/// `Refused` with `NotFound`, also for other accounts' logins, so that they are not revealed.
pub async fn close(site: &Site, actor: &Actor, session: SessionId) -> Result<(), SiteError> {
    let user = actor.member()?.user;
    site.change_accounts(move |store| {
        if store.session(session)?.user != user {
            return Err(StoreError::from(Refusal::NotFound { what: "login" }));
        }
        store.close_session(session)
    })
    .await
}

fn expiry(now: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis(now.unix_millis().saturating_add(1000 * REFRESH_SECONDS))
}

/// A login's label for its user: the browser's own name, and the address, by which it is [known](Found::is_known) later.
fn label(agent: &str, address: IpAddr) -> String {
    let agent: String = agent.chars().take(LABEL_CHARACTERS).collect();
    format!("{agent}{FROM}{address}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::tokens::ACCESS_SECONDS;
    use crate::testing::{PASSWORD, TestSite, password};
    use perch_store::Role;
    use std::time::Duration;

    async fn ann(site: &TestSite) -> LoggedIn {
        log_in(site, &site.nobody, "Ann".to_owned(), password(PASSWORD), "test").await.unwrap()
    }

    #[tokio::test]
    async fn a_token_is_of_its_login_until_it_expires_and_while_that_is_open() {
        let site = TestSite::new();
        site.account("ann", Role::Viewer).await;
        let login = ann(&site).await;
        let token = login.access_token.expose();
        assert_eq!(&*of_token(&site, token).await.unwrap().unwrap().username, "ann");
        assert_eq!(of_token(&site, "forged").await.unwrap(), None);
        site.clock.turn(Duration::from_secs(ACCESS_SECONDS as u64));
        let expired = of_token(&site, token).await;
        assert!(matches!(expired, Err(SiteError::TokenExpired)), "{expired:?}");
        let next = refresh(&site, &login.refresh_token).await.unwrap();
        assert!(of_token(&site, next.access_token.expose()).await.unwrap().is_some());
        log_out(&site, LogOut { access_token: Some(token), ..LogOut::default() }).await.unwrap();
        assert_eq!(of_token(&site, next.access_token.expose()).await.unwrap(), None);
        assert_eq!(of_token(&site, token).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_lost_answer_ends_no_login() {
        let site = TestSite::new();
        site.account("ann", Role::Viewer).await;
        let first = ann(&site).await;
        refresh(&site, &first.refresh_token).await.unwrap();
        site.clock.turn(Duration::from_secs(29));
        let again = refresh(&site, &first.refresh_token).await.unwrap();
        assert!(of_token(&site, again.access_token.expose()).await.unwrap().is_some());
        site.clock.turn(Duration::from_mins(10));
        refresh(&site, &again.refresh_token).await.unwrap();
    }

    #[tokio::test]
    async fn a_refresh_token_that_comes_again_closes_its_login() {
        let site = TestSite::new();
        site.account("ann", Role::Viewer).await;
        let first = ann(&site).await;
        let second = refresh(&site, &first.refresh_token).await.unwrap();
        let third = refresh(&site, &second.refresh_token).await.unwrap();
        let again = refresh(&site, &first.refresh_token).await;
        assert!(matches!(again, Err(SiteError::Refused(Refusal::TokenReused { .. }))), "{again:?}");
        assert_eq!(of_token(&site, third.access_token.expose()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn strangers_with_random_tokens_make_nobody_look_up_a_login_again() {
        let site = TestSite::new();
        site.account("ann", Role::Viewer).await;
        let login = ann(&site).await;
        let session = of_token(&site, login.access_token.expose()).await.unwrap().unwrap().session.unwrap();
        assert!(site.accounts.logins.known(session).is_some());
        let random = RandomToken::new().unwrap();
        let refused = refresh(&site, &random).await;
        assert!(matches!(refused, Err(SiteError::Refused(Refusal::TokenUnknown))), "{refused:?}");
        log_out(&site, LogOut { refresh_token: Some(random), ..LogOut::default() }).await.unwrap();
        log_out(&site, LogOut::default()).await.unwrap();
        assert!(site.accounts.logins.known(session).is_some(), "nothing has changed");
        log_out(&site, LogOut { refresh_token: Some(login.refresh_token), ..LogOut::default() })
            .await
            .unwrap();
        assert!(site.accounts.logins.known(session).is_none());
    }

    #[tokio::test]
    async fn wrong_names_and_wrong_passwords_are_told_alike_and_slowed_down() {
        let site = TestSite::new();
        site.account("ann", Role::Viewer).await;
        for (name, tried) in [("ann", "wrong password"), ("nobody", PASSWORD)] {
            let refused = log_in(&site, &site.nobody, name.to_owned(), password(tried), "test").await;
            assert!(matches!(refused, Err(SiteError::WrongLogin)), "{refused:?}");
        }
        let mut last = None;
        for _ in 0..10 {
            let tried = log_in(&site, &site.nobody, "ann".to_owned(), password("wrong password"), "test");
            last = tried.await.err();
        }
        assert!(matches!(last, Some(SiteError::TooMany { .. })), "{last:?}");
    }

    #[tokio::test]
    async fn logging_out_everywhere_is_logging_out_of_all_ones_own_logins() {
        let site = TestSite::new();
        let ben = site.account("ben", Role::Viewer).await;
        site.account("ann", Role::Viewer).await;
        let (one, other) = (ann(&site).await, ann(&site).await);
        let how =
            LogOut { access_token: Some(one.access_token.expose()), everywhere: true, ..LogOut::default() };
        log_out(&site, how).await.unwrap();
        assert_eq!(of_token(&site, other.access_token.expose()).await.unwrap(), None);
        assert!(site.is_open(&ben).await);
        // Logs out by the refresh token alone, and then without a login.
        let login = ann(&site).await;
        for _ in 0..2 {
            let refresh_token = Some(login.refresh_token.clone());
            log_out(&site, LogOut { refresh_token, ..LogOut::default() }).await.unwrap();
            assert_eq!(of_token(&site, login.access_token.expose()).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn other_peoples_logins_are_not_there() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        let ben = site.account("ben", Role::Owner).await;
        let [session] = &list(&site, &ann).await.unwrap()[..] else { panic!("one login") };
        let refused = close(&site, &ben, session.id).await;
        assert!(matches!(refused, Err(SiteError::Refused(Refusal::NotFound { .. }))), "{refused:?}");
        assert!(site.is_open(&ann).await);
        close(&site, &ann, session.id).await.unwrap();
        assert!(!site.is_open(&ann).await);
    }
}
