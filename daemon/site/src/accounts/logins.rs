//! Open logins and API tokens in memory. Every request with a token checks it, so the store's answers are kept. Every change of logins,
//! tokens, roles, standings or names calls [`Logins::forget`], and the next request asks the store again.

use perch_store::{
    ApiTokenId, Refusal, Role, Scope, SessionId, Standing, Store, StoreError, Timestamp, TokenDigest, User,
    UserId,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Logins kept, and as many API tokens; a LAN has fewer, and each takes some 100 bytes.
const KEPT: usize = 4096;

/// An open login, or an API token in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its account.
    pub user: UserId,
    /// The account's name.
    pub username: Arc<str>,
    /// The account's present role.
    pub role: Role,
    /// Its id; `None` for the machine's own console and for an API token.
    pub session: Option<SessionId>,
    /// The API token that asks in the account's name.
    pub token: Option<ApiTokenId>,
}

impl Login {
    /// True unless it is the console, which has no account.
    pub const fn has_account(&self) -> bool {
        self.session.is_some() || self.token.is_some()
    }
}

/// An API token in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenLogin {
    /// Its account.
    pub login: Login,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl TokenLogin {
    /// True until it ends by itself.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}

/// The open logins known so far.
pub struct Logins {
    kept: Mutex<Kept>,
    /// Counts calls of [`Self::forget`].
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    by_session: HashMap<SessionId, Login>,
    by_token: HashMap<TokenDigest, TokenLogin>,
    /// The value of `changed`; answers that are older than its last change are not kept.
    generation: u64,
}

impl Default for Logins {
    fn default() -> Self {
        Self { kept: Mutex::default(), changed: watch::channel(0).0 }
    }
}

impl Logins {
    /// A login known without asking the store.
    pub fn known(&self, session: SessionId) -> Option<Login> {
        self.kept().by_session.get(&session).cloned()
    }

    /// The login, if it is open and its account active. Blocks.
    pub fn open(&self, store: &Store, session: SessionId) -> Result<Option<Login>, StoreError> {
        let generation = {
            let kept = self.kept();
            if let Some(login) = kept.by_session.get(&session) {
                return Ok(Some(login.clone()));
            }
            kept.generation
        };
        let login = match read(store, session) {
            Ok(Some(login)) => login,
            Ok(None) | Err(StoreError::Refused(Refusal::NotFound { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut kept = self.kept();
        if kept.generation == generation {
            if kept.by_session.len() >= KEPT {
                kept.by_session.clear();
            }
            kept.by_session.insert(session, login.clone());
        }
        Ok(Some(login))
    }

    /// An API token known without asking the store.
    pub fn known_token(&self, digest: &TokenDigest) -> Option<TokenLogin> {
        self.kept().by_token.get(digest).cloned()
    }

    /// The API token with this SHA-256 digest, if its account is active; it may have expired. Blocks.
    pub fn open_token(&self, store: &Store, digest: &TokenDigest) -> Result<Option<TokenLogin>, StoreError> {
        let generation = self.kept().generation;
        let found = store.api_token_by_digest(digest)?;
        let Some((token, login)) = found.and_then(|(token, user)| {
            let login = login_of(user, None, Some(token.id))?;
            Some((token, login))
        }) else {
            return Ok(None);
        };
        let found = TokenLogin { login, scopes: token.scopes, expires_at: token.expires_at };
        let mut kept = self.kept();
        if kept.generation == generation {
            if kept.by_token.len() >= KEPT {
                kept.by_token.clear();
            }
            kept.by_token.insert(*digest, found.clone());
        }
        Ok(Some(found))
    }

    /// The present state of an earlier login or API token; `None` if it has ended since. Blocks.
    pub fn still_open(
        &self,
        store: &Store,
        login: &Login,
        now: Timestamp,
    ) -> Result<Option<Login>, StoreError> {
        match (login.session, login.token) {
            (Some(session), _) => self.open(store, session),
            (None, Some(id)) => {
                let token = store.api_tokens(login.user)?.into_iter().find(|token| token.id == id);
                match token.filter(|token| !token.has_expired(now)) {
                    Some(token) => Ok(login_of(store.user(token.user)?, None, Some(id))),
                    None => Ok(None),
                }
            }
            (None, None) => Ok(Some(login.clone())),
        }
    }

    /// Forgets all answers, because logins or accounts have changed.
    pub fn forget(&self) {
        let mut kept = self.kept();
        kept.by_session.clear();
        kept.by_token.clear();
        kept.generation += 1;
        self.changed.send_replace(kept.generation);
    }

    /// Signals every [`Self::forget`]: connections that outlast a request then call [`Self::open`] again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds the lock")
    }
}

fn read(store: &Store, session: SessionId) -> Result<Option<Login>, StoreError> {
    let user = store.user(store.session(session)?.user)?;
    Ok(login_of(user, Some(session), None))
}

/// `None` unless the account is active.
fn login_of(user: User, session: Option<SessionId>, token: Option<ApiTokenId>) -> Option<Login> {
    (user.standing == Standing::Active).then(|| Login {
        user: user.id,
        username: user.username.into(),
        role: user.role,
        session,
        token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{NewUser, PasswordHash, Timestamp};

    fn site() -> (tempfile::TempDir, Store, UserId, SessionId) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        let at = Timestamp::from_unix_millis;
        let new = NewUser {
            username: "ann".to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("x"),
        };
        store.create_owner(&NewUser { username: "own".to_owned(), ..new.clone() }, at(0)).unwrap();
        let user = store.add_user(&new, Role::Viewer, at(0)).unwrap().id;
        let session = store.open_session(user, &[1; 32], "", at(0), at(1000)).unwrap().id;
        (dir, store, user, session)
    }

    #[test]
    fn what_changed_counts_once_it_is_forgotten() {
        let (_dir, store, user, session) = site();
        let logins = Logins::default();
        assert_eq!(logins.open(&store, session).unwrap().unwrap().role, Role::Viewer);
        store.set_role(user, Role::Streamer).unwrap();
        let mut changes = logins.changes();
        logins.forget();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert_eq!(logins.open(&store, session).unwrap().unwrap().role, Role::Streamer);
        store.close_sessions(user, None).unwrap();
        logins.forget();
        assert_eq!(logins.open(&store, session).unwrap(), None);
        assert_eq!(logins.known(session), None);
    }

    #[test]
    fn a_suspended_account_has_no_login() {
        let (_dir, store, user, session) = site();
        let logins = Logins::default();
        store.set_standing(user, Standing::Suspended).unwrap();
        assert_eq!(logins.open(&store, session).unwrap(), None);
    }
}
