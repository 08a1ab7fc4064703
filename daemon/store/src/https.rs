//! Whether the owner wants HTTPS with a certificate of Perch's own. Its keys are not here but in files, and no backup holds them.

use crate::record::{self, Record};
use crate::tables::SETTINGS;
use crate::{Store, StoreError};
use serde::{Deserialize, Serialize};

const HTTPS: &str = "https";

/// The owner's decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpsSettings {
    /// Perch makes certificates of its own.
    pub is_on: bool,
    /// Browsers are led from HTTP to HTTPS.
    pub redirects: bool,
}

impl Record for HttpsSettings {
    const NAME: &'static str = "HTTPS";
    const VERSION: u8 = 1;
}

impl Store {
    /// The owner's decision; off until there is one.
    pub fn https(&self) -> Result<HttpsSettings, StoreError> {
        self.read(|tx| Ok(record::get(tx, SETTINGS, HTTPS)?.unwrap_or_default()))
    }

    /// Changes it: `change` gets the present one.
    pub fn change_https(&self, change: impl Fn(&mut HttpsSettings)) -> Result<HttpsSettings, StoreError> {
        self.write(|tx| {
            let mut settings = record::get(tx, SETTINGS, HTTPS)?.unwrap_or_default();
            change(&mut settings);
            record::put(tx, SETTINGS, HTTPS, &settings)?;
            Ok(settings)
        })
    }
}
