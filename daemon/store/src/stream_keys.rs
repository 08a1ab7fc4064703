//! All stream keys of the site, to be sealed into a backup, or put into one before it is restored. How they are sealed is the caller's
//! business: here the sealed keys are bytes.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::tables::{INGEST_KEYS, SETTINGS, USERS};
use crate::writing::WriteTransaction;
use crate::{IngestKey, RelayKey, Store, StoreError, UserId, ingest_keys, relays};
use redb::ReadableTable as _;

/// The setting of a backup that holds its sealed keys.
const SEALED: &str = "sealed_keys";

/// All stream keys of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamKeys {
    /// Those of relays that were set up on the page, by the relay's name.
    pub relays: Vec<(String, RelayKey)>,
    /// Those of accounts, with their SHA-256 digests.
    pub accounts: Vec<(UserId, [u8; 32], IngestKey)>,
}

impl Store {
    /// All stream keys.
    pub fn stream_keys(&self) -> Result<StreamKeys, StoreError> {
        let relays = self.relays()?.into_iter().filter_map(|relay| Some((relay.name, relay.key?))).collect();
        let accounts = self.read(|tx| {
            let mut accounts = Vec::new();
            for row in tx.reading(INGEST_KEYS)?.iter()? {
                let (user, value) = row?;
                let (digest, key) = value.value();
                accounts.push((UserId::from_number(user.value()), *digest, IngestKey::new(key)));
            }
            Ok(accounts)
        })?;
        Ok(StreamKeys { relays, accounts })
    }
}

/// The sealed keys of a backup.
pub(crate) fn sealed(tx: &impl Reads) -> Outcome<Option<Vec<u8>>> {
    Ok(tx.reading(SETTINGS)?.get(SEALED)?.map(|sealed| sealed.value().to_vec()))
}

/// Puts stream keys in the place of the sealed ones. Those of relays and accounts that are not there are left out.
pub(crate) fn put(tx: &WriteTransaction, keys: &StreamKeys) -> Outcome<()> {
    tx.open_table(SETTINGS)?.remove(SEALED)?;
    for (name, key) in &keys.relays {
        relays::put_key(tx, name, key)?;
    }
    for (user, digest, key) in &keys.accounts {
        if tx.open_table(USERS)?.get(user.number())?.is_some() {
            ingest_keys::put(tx, *user, digest, key)?;
        }
    }
    Ok(())
}

/// True for the setting that is written into a backup and not copied from a store.
pub(crate) fn is_sealed(setting: &str) -> bool {
    setting == SEALED
}

pub(crate) fn put_sealed(tx: &WriteTransaction, sealed: &[u8]) -> Outcome<()> {
    tx.open_table(SETTINGS)?.insert(SEALED, sealed)?;
    Ok(())
}
