//! Ingest: each account's key for programs that publish a stream, and the details that it has prepared for that stream. A key is kept
//! beside its digest, because its user may see it again; no backup holds keys.

use crate::failure::Outcome;
use crate::reads::Reads as _;
use crate::record::{self, Record};
use crate::tables::{INGEST_KEY_USERS, INGEST_KEYS, PREPARED_STREAMS};
use crate::writing::WriteTransaction;
use crate::{Store, StoreError, TopicId, User, UserId, Visibility, user};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A key with which a program publishes a stream in an account's name; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct IngestKey(String);

impl IngestKey {
    /// Takes a key.
    pub fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The key, for its user.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IngestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IngestKey(…)")
    }
}

/// The details of the stream that a program begins with an account's key. The caller has checked lengths and characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedStream {
    /// Shown first in every list; empty: the account's name stands in it.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// The topics it is filed under; some may have been deleted since.
    pub topics: Vec<TopicId>,
    /// Who may watch.
    pub visibility: Visibility,
    /// True if it is recorded.
    pub record: bool,
    /// Names of the relays it is sent to; some may have been deleted since.
    pub relays: Vec<String>,
}

impl Default for PreparedStream {
    fn default() -> Self {
        Self {
            title: String::new(),
            description: String::new(),
            topics: Vec::new(),
            visibility: Visibility::Public,
            record: false,
            relays: Vec::new(),
        }
    }
}

impl Record for PreparedStream {
    const NAME: &'static str = "prepared stream";
    const VERSION: u8 = 1;
}

impl Store {
    /// Gives the account this key, with its SHA-256 digest, instead of the present one; `None` removes it.
    pub fn set_ingest_key(
        &self,
        user: UserId,
        key: Option<(&[u8; 32], &IngestKey)>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            user::get(tx, user)?;
            forget_key(tx, user)?;
            key.map_or(Ok(()), |(digest, key)| put(tx, user, digest, key))
        })
    }

    /// The account's key, if it has one.
    pub fn ingest_key(&self, user: UserId) -> Result<Option<IngestKey>, StoreError> {
        self.read(|tx| {
            let keys = tx.reading(INGEST_KEYS)?;
            let key = keys.get(user.number())?;
            Ok(key.map(|key| IngestKey::new(key.value().1)))
        })
    }

    /// The account whose key has this SHA-256 digest. Digests are compared, so the time that it takes tells nothing of a key.
    pub fn user_by_ingest_key(&self, digest: &[u8; 32]) -> Result<Option<User>, StoreError> {
        self.read(|tx| {
            let user = tx.reading(INGEST_KEY_USERS)?.get(digest)?.map(|user| user.value());
            user.map(|user| user::get(tx, UserId::from_number(user))).transpose()
        })
    }

    /// What the account has prepared.
    pub fn prepared_stream(&self, user: UserId) -> Result<PreparedStream, StoreError> {
        self.read(|tx| Ok(record::get(tx, PREPARED_STREAMS, user.number())?.unwrap_or_default()))
    }

    /// Changes what the account has prepared: `change` gets the present details.
    pub fn prepare_stream(
        &self,
        user: UserId,
        change: impl Fn(&mut PreparedStream),
    ) -> Result<PreparedStream, StoreError> {
        self.write(|tx| {
            user::get(tx, user)?;
            let mut prepared = record::get(tx, PREPARED_STREAMS, user.number())?.unwrap_or_default();
            change(&mut prepared);
            record::put(tx, PREPARED_STREAMS, user.number(), &prepared)?;
            Ok(prepared)
        })
    }
}

/// Adds the key of an account that has none.
pub(crate) fn put(tx: &WriteTransaction, user: UserId, digest: &[u8; 32], key: &IngestKey) -> Outcome<()> {
    tx.open_table(INGEST_KEYS)?.insert(user.number(), (digest, key.expose()))?;
    tx.open_table(INGEST_KEY_USERS)?.insert(digest, user.number())?;
    Ok(())
}

fn forget_key(tx: &WriteTransaction, user: UserId) -> Outcome<()> {
    let before = tx.open_table(INGEST_KEYS)?.remove(user.number())?.map(|key| *key.value().0);
    if let Some(before) = before {
        tx.open_table(INGEST_KEY_USERS)?.remove(&before)?;
    }
    Ok(())
}

/// Forgets a deleted account's key and details.
pub(crate) fn forget(tx: &WriteTransaction, user: UserId) -> Outcome<()> {
    forget_key(tx, user)?;
    tx.open_table(PREPARED_STREAMS)?.remove(user.number())?;
    Ok(())
}

/// Forgets the keys of all accounts.
pub(crate) fn forget_all_keys(tx: &WriteTransaction) -> Outcome<()> {
    tx.open_table(INGEST_KEYS)?.retain(|_, _| false)?;
    tx.open_table(INGEST_KEY_USERS)?.retain(|_, _| false)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{assert_sound, at, in_memory, topic, user};
    use crate::{Backup, StoreError};

    fn key(text: &str) -> IngestKey {
        IngestKey::new(text)
    }

    fn user_of(store: &Store, digest: u8) -> Option<UserId> {
        store.user_by_ingest_key(&[digest; 32]).unwrap().map(|user| user.id)
    }

    #[test]
    fn a_new_key_replaces_the_one_before() {
        let store = in_memory();
        let (ana, ben) = (user(&store, "ana"), user(&store, "ben"));
        assert_eq!(store.ingest_key(ana).unwrap(), None);
        store.set_ingest_key(ana, Some((&[1; 32], &key("one")))).unwrap();
        store.set_ingest_key(ben, Some((&[2; 32], &key("two")))).unwrap();
        store.set_ingest_key(ana, Some((&[3; 32], &key("three")))).unwrap();
        assert_eq!(
            (user_of(&store, 1), user_of(&store, 2), user_of(&store, 3)),
            (None, Some(ben), Some(ana))
        );
        assert_eq!(store.ingest_key(ana).unwrap(), Some(key("three")));
        assert_sound(&store);
        store.set_ingest_key(ben, None).unwrap();
        assert_eq!((user_of(&store, 2), store.ingest_key(ben).unwrap()), (None, None));
        store.delete_user(ana).unwrap();
        assert_eq!(user_of(&store, 3), None);
        assert_sound(&store);
        assert!(!format!("{:?}", key("SECRET")).contains("SECRET"));
    }

    #[test]
    fn what_is_prepared_is_kept_until_the_account_goes() {
        let store = in_memory();
        let ana = user(&store, "ana");
        assert_eq!(store.prepared_stream(ana).unwrap(), PreparedStream::default());
        let music = topic(&store, "Gaming");
        store.prepare_stream(ana, |prepared| prepared.topics = vec![music]).unwrap();
        let prepared = store.prepare_stream(ana, |prepared| prepared.title = "Owls".to_owned()).unwrap();
        assert_eq!((prepared.title.as_str(), &prepared.topics[..]), ("Owls", &[music][..]));
        assert_eq!(store.prepared_stream(ana).unwrap(), prepared);
        store.delete_user(ana).unwrap();
        assert_eq!(store.prepared_stream(ana).unwrap(), PreparedStream::default());
        assert_sound(&store);
        assert!(matches!(store.prepare_stream(ana, |_| ()), Err(StoreError::Refused(_))));
    }

    #[test]
    fn a_backup_holds_what_is_prepared_and_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("perch.redb"), dir.path().join("backup"));
        let store = Store::open(&path).unwrap();
        let ana = user(&store, "ana");
        store.set_ingest_key(ana, Some((&[7; 32], &key("SECRETKEY")))).unwrap();
        store.prepare_stream(ana, |prepared| prepared.title = "Owls".to_owned()).unwrap();
        store.back_up(&to, at(0)).unwrap();
        let bytes = std::fs::read(&to).unwrap();
        for secret in [&b"SECRETKEY"[..], &[7; 32]] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
        drop(store);
        // A backup, and a store file that was copied by hand.
        for file in [&to, &path] {
            let restored = Backup::check(file, at(1)).unwrap().store;
            assert_eq!((restored.ingest_key(ana).unwrap(), user_of(&restored, 7)), (None, None));
            assert_eq!(restored.prepared_stream(ana).unwrap().title, "Owls");
        }
    }
}
