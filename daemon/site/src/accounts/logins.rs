//! Open logins in memory. Every request with a token checks its login, so the store's answers are kept. Every change of logins,
//! roles, standings or names calls [`Logins::forget`], and the next request asks the store again.

use perch_store::{Refusal, Role, SessionId, Standing, Store, StoreError, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Logins kept; a LAN has fewer, and each takes some 100 bytes.
const KEPT: usize = 4096;

/// An open login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its account.
    pub user: UserId,
    /// The account's name.
    pub username: Arc<str>,
    /// The account's present role.
    pub role: Role,
    /// Its id; `None` for the machine's own console.
    pub session: Option<SessionId>,
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

    /// Forgets all answers, because logins or accounts have changed.
    pub fn forget(&self) {
        let mut kept = self.kept();
        kept.by_session.clear();
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
    Ok((user.standing == Standing::Active).then(|| Login {
        user: user.id,
        username: user.username.into(),
        role: user.role,
        session: Some(session),
    }))
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
