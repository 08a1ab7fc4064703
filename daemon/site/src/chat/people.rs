//! A cache of writers' accounts, so that a message does not need a call of the store. Emptied when any account changes.

use perch_store::{Refusal, Store, StoreError, User, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Accounts kept; a LAN has fewer.
const KEPT: usize = 1024;

/// The accounts known.
pub(super) struct People {
    /// Counts the changes of accounts.
    changes: watch::Receiver<u64>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The value of `changes` for which `users` is valid.
    generation: u64,
    users: HashMap<UserId, Arc<User>>,
}

impl People {
    pub(super) fn new(changes: watch::Receiver<u64>) -> Self {
        Self { changes, known: Mutex::default() }
    }

    /// The account; `None` if it was deleted. Blocks.
    pub(super) fn get(&self, store: &Store, user: UserId) -> Result<Option<Arc<User>>, StoreError> {
        let generation = *self.changes.borrow();
        {
            let mut known = self.known.lock().expect("nothing panics while it holds the lock");
            if known.generation != generation || known.users.len() >= KEPT {
                *known = Known { generation, ..Known::default() };
            }
            if let Some(found) = known.users.get(&user) {
                return Ok(Some(found.clone()));
            }
        }
        let found = match store.user(user) {
            Ok(found) => Arc::new(found),
            Err(StoreError::Refused(Refusal::NotFound { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut known = self.known.lock().expect("nothing panics while it holds the lock");
        // An answer from before a change is not kept.
        if known.generation == generation {
            known.users.insert(user, found.clone());
        }
        Ok(Some(found))
    }
}
