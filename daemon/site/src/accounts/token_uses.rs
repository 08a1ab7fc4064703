//! When API tokens were last used, until that is stored: writing it at each request would wear the card. What is not stored yet when the
//! power is cut is lost.

use perch_store::{ApiTokenId, Timestamp, UserId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// The last uses that are not stored yet; at most one for each token.
#[derive(Default)]
pub struct TokenUses(Mutex<HashMap<(UserId, ApiTokenId), Timestamp>>);

impl TokenUses {
    /// Notes that a valid token was used.
    pub fn note(&self, user: UserId, token: ApiTokenId, now: Timestamp) {
        self.uses().insert((user, token), now);
    }

    /// The last use, if it is not stored yet.
    pub fn of(&self, user: UserId, token: ApiTokenId) -> Option<Timestamp> {
        self.uses().get(&(user, token)).copied()
    }

    /// Takes all uses, to be stored.
    pub fn take(&self) -> Vec<(UserId, ApiTokenId, Timestamp)> {
        std::mem::take(&mut *self.uses()).into_iter().map(|((user, token), at)| (user, token, at)).collect()
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<(UserId, ApiTokenId), Timestamp>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}
