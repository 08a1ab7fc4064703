//! RTMP servers that the owner has set up on the page. Their stream keys are kept apart, and no backup holds them.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::SETTINGS;
use crate::writing::WriteTransaction;
use crate::{Refusal, Store, StoreError};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Relays at most: each stream may be sent on to all of them.
pub const RELAYS_MOST: usize = 16;

const RELAYS: &str = "relay/";
/// After all names of relays.
const RELAYS_END: &str = "relay0";
const KEYS: &str = "relay_key/";
const KEYS_END: &str = "relay_key0";

/// A stream key; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayKey(String);

impl RelayKey {
    /// Takes a key.
    pub fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The key, for the server.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RelayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayKey(…)")
    }
}

impl Record for RelayKey {
    const NAME: &'static str = "relay's key";
    const VERSION: u8 = 1;
}

/// A relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRelay {
    /// Unique.
    pub name: String,
    /// Address of the server and its application, without the key.
    pub url: String,
    /// `None` after a backup was restored.
    pub key: Option<RelayKey>,
    /// Names of cameras whose streams are sent there unless whoever goes live chooses otherwise.
    pub cameras: Vec<String>,
}

/// Changes to a relay; `None` keeps the present value.
#[derive(Clone, Debug, Default)]
pub struct RelayChange {
    /// The address.
    pub url: Option<String>,
    /// The key.
    pub key: Option<RelayKey>,
    /// The cameras.
    pub cameras: Option<Vec<String>>,
}

/// A relay without its name and its key.
#[derive(Serialize, Deserialize)]
struct Place {
    url: String,
    cameras: Vec<String>,
}

impl Record for Place {
    const NAME: &'static str = "relay";
    const VERSION: u8 = 2;

    /// Version 1 was the address.
    fn from_earlier(version: u8, fields: &[u8]) -> Option<Self> {
        let read = || postcard::from_bytes(fields).ok();
        Some(Self { url: (version == 1).then(read)??, cameras: Vec::new() })
    }
}

impl Store {
    /// All relays, by name.
    pub fn relays(&self) -> Result<Vec<StoredRelay>, StoreError> {
        self.read(all)
    }

    /// Adds a relay.
    pub fn add_relay(&self, relay: &StoredRelay) -> Result<(), StoreError> {
        self.write(|tx| {
            let known = all(tx)?;
            if known.iter().any(|known| known.name == relay.name) {
                return Err(Refusal::RelayTaken { name: relay.name.clone() }.into());
            }
            if known.len() >= RELAYS_MOST {
                return Err(Refusal::TooMany { what: "relays", most: RELAYS_MOST }.into());
            }
            put(tx, relay)
        })
    }

    /// Changes a relay.
    pub fn change_relay(&self, name: &str, change: &RelayChange) -> Result<StoredRelay, StoreError> {
        self.write(|tx| {
            let RelayChange { url, key, cameras } = change.clone();
            let before = get(tx, name)?;
            let relay = StoredRelay {
                name: before.name,
                url: url.unwrap_or(before.url),
                key: key.or(before.key),
                cameras: cameras.unwrap_or(before.cameras),
            };
            put(tx, &relay)?;
            Ok(relay)
        })
    }

    /// Deletes a relay and its key.
    pub fn delete_relay(&self, name: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            get(tx, name)?;
            let mut settings = tx.open_table(SETTINGS)?;
            settings.remove(format!("{RELAYS}{name}").as_str())?;
            settings.remove(format!("{KEYS}{name}").as_str())?;
            Ok(())
        })
    }
}

/// Sets the key of a relay, if there is one of this name.
pub(crate) fn put_key(tx: &WriteTransaction, name: &str, key: &RelayKey) -> Outcome<()> {
    let is_there = tx.open_table(SETTINGS)?.get(format!("{RELAYS}{name}").as_str())?.is_some();
    if is_there {
        record::put(tx, SETTINGS, format!("{KEYS}{name}").as_str(), key)?;
    }
    Ok(())
}

/// The name of a setting that no backup holds.
pub(crate) fn is_key(setting: &str) -> bool {
    setting.starts_with(KEYS)
}

/// An error if a setting is of a relay and cannot be read.
pub(crate) fn check(setting: &str, value: &[u8]) -> Outcome<()> {
    if is_key(setting) {
        record::decode::<RelayKey>(value).map(drop)
    } else if is_relay(setting) {
        record::decode::<Place>(value).map(drop)
    } else {
        Ok(())
    }
}

/// The name of a setting that says where a relay sends.
pub(crate) fn is_relay(setting: &str) -> bool {
    setting.starts_with(RELAYS)
}

pub(crate) fn forget_keys(tx: &WriteTransaction) -> Outcome<()> {
    tx.open_table(SETTINGS)?.retain_in(KEYS..KEYS_END, |_, _| false)?;
    Ok(())
}

fn all(tx: &impl Reads) -> Outcome<Vec<StoredRelay>> {
    let settings = tx.reading(SETTINGS)?;
    let mut relays = Vec::new();
    for row in settings.range(RELAYS..RELAYS_END)? {
        let (setting, place) = row?;
        let name = setting.value()[RELAYS.len()..].to_owned();
        let Place { url, cameras } = record::decode(place.value())?;
        let key = settings.get(format!("{KEYS}{name}").as_str())?;
        let key = key.map(|key| record::decode(key.value())).transpose()?;
        relays.push(StoredRelay { name, url, key, cameras });
    }
    Ok(relays)
}

fn get(tx: &impl Reads, name: &str) -> Outcome<StoredRelay> {
    let found = all(tx)?.into_iter().find(|relay| relay.name == name);
    found.ok_or_else(|| Refusal::NotFound { what: "relay" }.into())
}

fn put(tx: &WriteTransaction, relay: &StoredRelay) -> Outcome<()> {
    let StoredRelay { name, url, key, cameras } = relay;
    let place = Place { url: url.clone(), cameras: cameras.clone() };
    record::put(tx, SETTINGS, format!("{RELAYS}{name}").as_str(), &place)?;
    if let Some(key) = key {
        record::put(tx, SETTINGS, format!("{KEYS}{name}").as_str(), key)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backup, Timestamp};

    fn relay(name: &str) -> StoredRelay {
        let url = "rtmp://example.org/live".to_owned();
        let (name, cameras) = (name.to_owned(), vec!["front".to_owned()]);
        StoredRelay { name, url, key: Some(RelayKey::new("SECRETKEY")), cameras }
    }

    #[test]
    fn relays_are_added_changed_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        store.add_relay(&relay("b")).unwrap();
        store.add_relay(&relay("a")).unwrap();
        assert_eq!(store.relays().unwrap(), [relay("a"), relay("b")]);
        assert!(matches!(store.add_relay(&relay("a")), Err(StoreError::Refused(Refusal::RelayTaken { .. }))));
        let to = RelayChange { url: Some("rtmp://b/live".to_owned()), ..RelayChange::default() };
        store.change_relay("a", &to).unwrap();
        let to = RelayChange { key: Some(RelayKey::new("x")), ..RelayChange::default() };
        let changed = store.change_relay("a", &to).unwrap();
        assert_eq!((changed.url.as_str(), changed.key.as_ref().unwrap().expose()), ("rtmp://b/live", "x"));
        let to = RelayChange { cameras: Some(Vec::new()), ..RelayChange::default() };
        assert_eq!(changed.cameras, ["front"]);
        assert_eq!(store.change_relay("a", &to).unwrap(), StoredRelay { cameras: Vec::new(), ..changed });
        store.delete_relay("a").unwrap();
        assert!(matches!(store.delete_relay("a"), Err(StoreError::Refused(Refusal::NotFound { .. }))));
        assert_eq!(store.relays().unwrap(), [relay("b")]);
        for n in 1..RELAYS_MOST {
            store.add_relay(&relay(&format!("n{n}"))).unwrap();
        }
        assert!(matches!(store.add_relay(&relay("z")), Err(StoreError::Refused(Refusal::TooMany { .. }))));
        assert!(!format!("{:?}", relay("a")).contains("SECRETKEY"));
    }

    #[test]
    fn a_relay_of_an_earlier_version_is_no_cameras_default() {
        let earlier = postcard::to_extend(&"rtmp://a/live", vec![1]).unwrap();
        let place: Place = record::decode(&earlier).unwrap();
        assert_eq!((place.url.as_str(), place.cameras.len()), ("rtmp://a/live", 0));
    }

    #[test]
    fn a_backup_holds_relays_without_their_keys() {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("perch.redb"), dir.path().join("backup"));
        let now = Timestamp::from_unix_millis(1_795_000_000_000);
        let store = Store::open(&path).unwrap();
        store.add_relay(&relay("a")).unwrap();
        store.back_up(&to, now).unwrap();
        let bytes = std::fs::read(&to).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"SECRETKEY"));
        let without = StoredRelay { key: None, ..relay("a") };
        drop(store);
        // A backup, and a store file that was copied by hand.
        for file in [&to, &path] {
            let relays = Backup::check(file, now).unwrap().store.relays().unwrap();
            assert_eq!(relays, std::slice::from_ref(&without));
        }
    }
}
