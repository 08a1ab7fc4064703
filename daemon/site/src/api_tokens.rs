//! Personal API tokens: with one, a program asks in its user's name, as far as the token's scopes and the account's role allow. A token is shown
//! once; the store keeps its digest.
//!
//! Not here: which scope an address needs (perch-web's `scopes`).

use crate::accounts::logins::Login;
use crate::accounts::secret::RandomToken;
use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::{self, FieldError};
use perch_store::{ApiToken, ApiTokenId, NewApiToken, Scope, Timestamp};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Every token begins with this, so that people, and programs that look for leaked secrets, recognise one.
pub const PREFIX: &str = "perch_";
/// Characters of a token's name at most.
const NAME_CHARACTERS: usize = 60;
/// Days that a token with an end may last.
const DAYS_MOST: u32 = 3650;
const DAY_MS: i64 = 86_400_000;

/// The token that a user asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// For its user.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Days until it ends; `None`: when it is revoked.
    pub expires_in_days: Option<u32>,
}

/// A token that was just made. Its secret cannot be had again.
#[derive(Debug)]
pub struct Made {
    /// Its settings.
    pub token: ApiToken,
    secret: RandomToken,
}

impl Made {
    /// The token, for its user only.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", self.secret.expose())
    }
}

/// The actor's tokens, the newest first.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden` for the console, and `ScopeMissing` for a token.
pub async fn list(site: &Site, actor: &Actor) -> Result<Vec<ApiToken>, SiteError> {
    let user = actor.member()?.user;
    actor.not_by_token()?;
    let mut tokens = site.store(move |store| store.api_tokens(user)).await?;
    tokens.reverse();
    for token in &mut tokens {
        token.last_used_at = site.accounts.token_uses.of(user, token.id).or(token.last_used_at);
    }
    Ok(tokens)
}

/// Makes a token for the actor.
///
/// # Errors
///
/// `Field`, `Refused` for too many tokens, and those of [`list`].
pub async fn make(site: &Site, actor: &Actor, asked: Asked) -> Result<Made, SiteError> {
    let user = actor.member()?.user;
    actor.not_by_token()?;
    let name = text::line("name", &asked.name, 1..=NAME_CHARACTERS)?;
    let scopes = acceptable(asked.scopes)?;
    let days = asked.expires_in_days;
    if days.is_some_and(|days| !(1..=DAYS_MOST).contains(&days)) {
        let why = format!("must be from 1 to {DAYS_MOST}");
        return Err(FieldError { field: "expires_in_days", why }.into());
    }
    let now = site.now();
    let expires_at = days
        .map(|days| Timestamp::from_unix_millis(now.unix_millis().saturating_add(DAY_MS * i64::from(days))));
    let secret = RandomToken::new()?;
    let (new, digest) = (NewApiToken { user, name, scopes, expires_at }, secret.digest());
    let token = site.store(move |store| store.add_api_token(&new, &digest, now)).await?;
    tracing::info!(user = %actor, token = %token.id, "an API token was made");
    Ok(Made { token, secret })
}

/// A token for addresses is good for nothing else, because addresses get around: into histories, and into the logs of proxies.
fn acceptable(scopes: BTreeSet<Scope>) -> Result<BTreeSet<Scope>, FieldError> {
    let why = if scopes.is_empty() {
        "choose at least one"
    } else if scopes.len() > 1 && scopes.contains(&Scope::Watch) {
        "watch cannot be combined with other scopes"
    } else {
        return Ok(scopes);
    };
    Err(FieldError { field: "scopes", why: why.to_owned() })
}

/// Revokes one of the actor's tokens: connections that were opened with it end.
///
/// # Errors
///
/// `Refused` with `NotFound`, also for other accounts' tokens, and those of [`list`].
pub async fn revoke(site: &Site, actor: &Actor, token: ApiTokenId) -> Result<(), SiteError> {
    let user = actor.member()?.user;
    actor.not_by_token()?;
    site.change_accounts(move |store| store.revoke_api_token(user, token)).await
}

/// True for a text that only a token can be.
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The login that a token from `address` stands for, if it has the scope; `None`: no token has it.
///
/// # Errors
///
/// `Unauthenticated` for a token that does not exist, has expired or was revoked; `ScopeMissing`; `TooMany` for an address that shows too many
/// unknown tokens.
pub async fn login_of(
    site: &Site,
    address: IpAddr,
    text: &str,
    needed: Option<Scope>,
) -> Result<Login, SiteError> {
    let secret = text.strip_prefix(PREFIX).and_then(RandomToken::shown);
    let digest = secret.ok_or(SiteError::Unauthenticated)?.digest();
    let mut found = site.accounts.logins.known_token(&digest);
    if found.is_none() {
        // What follows costs more than counting.
        site.limits.admit(&Actor::Anonymous { address }, false)?;
        let accounts = site.accounts.clone();
        found = site.store(move |store| accounts.logins.open_token(store, &digest)).await?;
    }
    let now = site.now();
    let found = found.filter(|found| found.is_valid(now)).ok_or(SiteError::Unauthenticated)?;
    if let Some(token) = found.login.token {
        site.accounts.token_uses.note(found.login.user, token, now);
    }
    match needed {
        Some(scope) if found.scopes.contains(&scope) => Ok(found.login),
        needed => Err(SiteError::ScopeMissing(needed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::secret::Password;
    use crate::testing::{PASSWORD, TestSite, password};
    use crate::users::{self, AccountChange};
    use crate::{password, sessions};
    use perch_store::{Refusal, Role, Standing};
    use std::time::Duration;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn asked(scopes: &[Scope]) -> Asked {
        let scopes = scopes.iter().copied().collect();
        Asked { name: "Shelf camera".to_owned(), scopes, expires_in_days: Some(1) }
    }

    async fn made(site: &TestSite, actor: &Actor, scopes: &[Scope]) -> (ApiToken, String) {
        let made = make(site, actor, asked(scopes)).await.unwrap();
        let text = made.expose();
        assert!(!format!("{made:?}").contains(&text[PREFIX.len()..]));
        (made.token, text)
    }

    async fn is_good(site: &TestSite, text: &str) -> bool {
        login_of(site, HERE, text, Some(Scope::Read)).await.is_ok()
    }

    #[tokio::test]
    async fn a_token_does_what_its_scopes_say_until_it_expires() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let (token, text) = made(&site, &ann, &[Scope::Read, Scope::GoLive]).await;
        let login = login_of(&site, HERE, &text, Some(Scope::GoLive)).await.unwrap();
        assert_eq!((Some(login.user), login.token, login.session), (ann.user(), Some(token.id), None));
        for needed in [Some(Scope::Chat), Some(Scope::Manage), Some(Scope::Watch), None] {
            let refused = login_of(&site, HERE, &text, needed).await;
            assert!(matches!(refused, Err(SiteError::ScopeMissing(scope)) if scope == needed), "{refused:?}");
        }
        for wrong in ["", PREFIX, "perch_0", &text[PREFIX.len()..], &text.to_uppercase()] {
            assert!(!is_good(&site, wrong).await, "{wrong}");
        }
        let [listed] = &list(&site, &ann).await.unwrap()[..] else { panic!("one token") };
        assert_eq!(listed.last_used_at, Some(site.now()));
        // Another role counts at once.
        users::change(&site, &Actor::Console, "ann".to_owned(), {
            AccountChange { role: Some(Role::Viewer), ..AccountChange::default() }
        })
        .await
        .unwrap();
        assert_eq!(login_of(&site, HERE, &text, Some(Scope::Read)).await.unwrap().role, Role::Viewer);
        site.clock.turn(Duration::from_hours(24));
        assert!(!is_good(&site, &text).await);
        assert!(!sessions::is_open(&site, &login).await.unwrap());
    }

    #[tokio::test]
    async fn a_token_that_is_revoked_is_gone_with_its_connections() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        let ben = site.account("ben", Role::Owner).await;
        let (token, text) = made(&site, &ann, &[Scope::Read]).await;
        let (_, other) = made(&site, &ann, &[Scope::Read]).await;
        let login = login_of(&site, HERE, &text, Some(Scope::Read)).await.unwrap();
        assert!(sessions::is_open(&site, &login).await.unwrap());
        let changes = site.accounts.logins.changes();
        let refused = revoke(&site, &ben, token.id).await;
        assert!(matches!(refused, Err(SiteError::Refused(Refusal::NotFound { .. }))), "{refused:?}");
        revoke(&site, &ann, token.id).await.unwrap();
        assert!(changes.has_changed().unwrap(), "connections are told");
        assert!(!sessions::is_open(&site, &login).await.unwrap());
        assert!(!is_good(&site, &text).await && is_good(&site, &other).await);
    }

    #[tokio::test]
    async fn tokens_end_with_what_makes_an_account_doubtful() {
        let site = TestSite::new();
        site.account("olga", Role::Owner).await;
        let reset =
            AccountChange { password: Some(password("another password")), ..AccountChange::default() };
        let suspended = AccountChange { standing: Some(Standing::Suspended), ..AccountChange::default() };
        for (name, change) in [("ann", reset), ("ben", suspended)] {
            let actor = site.account(name, Role::Viewer).await;
            let (_, text) = made(&site, &actor, &[Scope::Read]).await;
            assert!(is_good(&site, &text).await);
            users::change(&site, &Actor::Console, name.to_owned(), change).await.unwrap();
            assert!(!is_good(&site, &text).await, "{name}");
            let active = AccountChange { standing: Some(Standing::Active), ..AccountChange::default() };
            users::change(&site, &Actor::Console, name.to_owned(), active).await.unwrap();
            assert!(!is_good(&site, &text).await, "{name}");
        }
        let cid = site.account("cid", Role::Viewer).await;
        let (_, text) = made(&site, &cid, &[Scope::Read]).await;
        password::change(&site, &cid, password(PASSWORD), password("another password")).await.unwrap();
        assert!(!is_good(&site, &text).await && site.is_open(&cid).await);
        let (_, text) = made(&site, &cid, &[Scope::Read]).await;
        users::delete(&site, &Actor::Console, "cid".to_owned()).await.unwrap();
        assert!(!is_good(&site, &text).await);
    }

    #[tokio::test]
    async fn a_token_makes_no_tokens_and_changes_no_accounts() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let (token, text) =
            made(&site, &olga, &[Scope::Read, Scope::Chat, Scope::GoLive, Scope::Manage]).await;
        let login = login_of(&site, HERE, &text, Some(Scope::Manage)).await.unwrap();
        let program = Actor::Account { login, address: HERE };
        let own = || Password::new(PASSWORD.to_owned());
        let new = users::NewAccount { username: "eve".to_owned(), password: own(), role: Role::Owner };
        let refused = [
            make(&site, &program, asked(&[Scope::Read])).await.map(drop),
            list(&site, &program).await.map(drop),
            revoke(&site, &program, token.id).await,
            password::change(&site, &program, own(), password("another password")).await,
            users::add(&site, &program, new).await.map(drop),
            users::change(&site, &program, "olga".to_owned(), AccountChange::default()).await.map(drop),
            users::delete(&site, &program, "olga".to_owned()).await,
        ];
        for refused in refused {
            assert!(matches!(refused, Err(SiteError::ScopeMissing(None))), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_token_is_said_beside_its_field() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Viewer).await;
        for (field, asked) in [
            ("name", Asked { name: " ".to_owned(), ..asked(&[Scope::Read]) }),
            ("scopes", asked(&[])),
            ("scopes", asked(&[Scope::Watch, Scope::Read])),
            ("expires_in_days", Asked { expires_in_days: Some(0), ..asked(&[Scope::Read]) }),
            ("expires_in_days", Asked { expires_in_days: Some(4000), ..asked(&[Scope::Read]) }),
        ] {
            let refused = make(&site, &ann, asked).await.map(drop);
            assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == field), "{refused:?}");
        }
        let console = make(&site, &Actor::Console, asked(&[Scope::Read])).await.map(drop);
        assert!(matches!(console, Err(SiteError::Forbidden)), "{console:?}");
    }

    #[tokio::test]
    async fn unknown_tokens_are_counted() {
        let site = TestSite::new();
        let unknown = format!("{PREFIX}{}", "0".repeat(64));
        let mut last = None;
        for _ in 0..6000 {
            last = login_of(&site, HERE, &unknown, Some(Scope::Read)).await.err();
        }
        assert!(matches!(last, Some(SiteError::TooMany { .. })), "{last:?}");
    }
}
