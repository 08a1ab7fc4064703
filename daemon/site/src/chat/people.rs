//! Names and pictures of those who write, so that a message does not cost a look into the store for each. Forgotten when any account changes.

use perch_store::{Refusal, Store, StoreError, User, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Accounts kept; a LAN has fewer.
const KEPT: usize = 1024;

/// What is known of accounts.
pub(super) struct People {
    /// Counts the changes of accounts.
    changes: watch::Receiver<u64>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The count of `changes` that `users` is from.
    generation: u64,
    users: HashMap<UserId, Arc<User>>,
}

impl People {
    pub(super) fn new(changes: watch::Receiver<u64>) -> Self {
        Self { changes, known: Mutex::default() }
    }

    /// The account; `None` when it is no more. Blocks.
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
        // What was read before a change is not kept after it.
        if known.generation == generation {
            known.users.insert(user, found.clone());
        }
        Ok(Some(found))
    }
}
