//! What the owner has decided for the whole site, and the key that access tokens are signed with.

use crate::record::{self, Record};
use crate::tables::SETTINGS;
use crate::transaction::{Failure, Outcome, Reads};
use crate::{Role, Store, StoreError};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::fmt;

const SITE: &str = "site";
const SIGNING_KEY: &str = "signing_key";

/// Who may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Anybody, and the account may be used at once.
    #[default]
    Open,
    /// Anybody; the owner approves.
    Approval,
    /// Nobody; the owner makes accounts.
    Closed,
}

/// The site's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What the site calls itself.
    pub site_name: String,
    /// Who may register.
    pub registration: Registration,
    /// What a newly registered account may do.
    pub new_user_role: Role,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            site_name: "Perch".to_owned(),
            registration: Registration::default(),
            new_user_role: Role::Streamer,
        }
    }
}

impl Record for Settings {
    const NAME: &'static str = "settings";
    const VERSION: u8 = 1;
}

/// 256 bits that access tokens are signed with; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// The key's bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl Store {
    /// The site's settings.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        self.read(read)
    }

    /// Changes the site's settings: `change` is given them as they are.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, StoreError> {
        self.write(|tx| {
            let mut settings = read(tx)?;
            change(&mut settings);
            record::put(tx, SETTINGS, SITE, &settings)?;
            Ok(settings)
        })
    }

    /// The signing key; made of chance on the first call, the same for ever after.
    pub fn signing_key(&self) -> Result<SigningKey, StoreError> {
        self.write(|tx| {
            let mut table = tx.open_table(SETTINGS)?;
            let kept = table.get(SIGNING_KEY)?.map(|key| <[u8; 32]>::try_from(key.value()));
            if let Some(kept) = kept {
                return kept
                    .map(SigningKey)
                    .map_err(|_| Failure::Damaged("the signing key has a wrong length".to_owned()));
            }
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| Failure::Randomness(error.to_string()))?;
            table.insert(SIGNING_KEY, &key[..])?;
            Ok(SigningKey(key))
        })
    }
}

pub(crate) fn read(tx: &impl Reads) -> Outcome<Settings> {
    Ok(record::get(tx, SETTINGS, SITE)?.unwrap_or_default())
}
