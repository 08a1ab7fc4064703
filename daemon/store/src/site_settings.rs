//! The owner's settings for the whole site, as a record.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::{SETTINGS, USERS};
use crate::user::Role;
use crate::writing::WriteTransaction;
use redb::{ReadableTable as _, ReadableTableMetadata as _};
use serde::{Deserialize, Serialize};

/// The key of the record in `SETTINGS`.
pub(crate) const SITE: &str = "site";

/// Who may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Anybody; the account may be used at once.
    Open,
    /// Anybody; the owner approves each account.
    #[default]
    Approval,
    /// Nobody; the owner creates accounts.
    Closed,
}

/// The site's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The site's name.
    pub site_name: String,
    /// Who may register.
    pub registration: Registration,
    /// The role of a newly registered account.
    pub new_user_role: Role,
    /// Whether programs may publish streams; `None`: as configured.
    pub ingest: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            site_name: "Perch".to_owned(),
            registration: Registration::default(),
            new_user_role: Role::Viewer,
            ingest: None,
        }
    }
}

impl Record for Settings {
    const NAME: &'static str = "settings";
    const VERSION: u8 = 2;

    /// Version 1 had no `ingest`.
    fn from_earlier(version: u8, fields: &[u8]) -> Option<Self> {
        let read = || postcard::from_bytes::<(String, Registration, Role)>(fields).ok();
        let (site_name, registration, new_user_role) = (version == 1).then(read)??;
        Some(Self { site_name, registration, new_user_role, ingest: None })
    }
}

pub(crate) fn read(tx: &impl Reads) -> Outcome<Settings> {
    Ok(record::get(tx, SETTINGS, SITE)?.unwrap_or_default())
}

/// Keeps what a site with accounts has done so far: it has no settings of its own where its owner left everything as it was,
/// and up to schema 4 that was open registration of streamers.
pub(crate) fn keep_open_registration(tx: &WriteTransaction) -> Outcome<()> {
    let is_new = tx.open_table(USERS)?.is_empty()?;
    let has_settings = tx.open_table(SETTINGS)?.get(SITE)?.is_some();
    if is_new || has_settings {
        return Ok(());
    }
    let before =
        Settings { registration: Registration::Open, new_user_role: Role::Streamer, ..Settings::default() };
    record::put(tx, SETTINGS, SITE, &before)
}

/// Sets who may register.
pub(crate) fn set_registration(tx: &WriteTransaction, registration: Registration) -> Outcome<()> {
    record::put(tx, SETTINGS, SITE, &Settings { registration, ..read(tx)? })
}
