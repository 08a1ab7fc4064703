//! Which other sites may show this one's player in a frame, and play its public streams.

use crate::record::{self, Record};
use crate::tables::SETTINGS;
use crate::{Store, StoreError};
use serde::{Deserialize, Serialize};

const OTHER_SITES: &str = "other_sites";

/// Other sites, each as an origin (`https://example.org`), or `*` for all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherSites {
    /// Sites whose pages may show the player in a frame.
    pub frame_ancestors: Vec<String>,
    /// Sites whose scripts may fetch public streams.
    pub media_origins: Vec<String>,
}

impl Default for OtherSites {
    fn default() -> Self {
        Self { frame_ancestors: Vec::new(), media_origins: vec!["*".to_owned()] }
    }
}

impl Record for OtherSites {
    const NAME: &'static str = "other sites";
    const VERSION: u8 = 1;
}

impl Store {
    /// The owner's decision; until there is one, no site shows the player, and all may play.
    pub fn other_sites(&self) -> Result<OtherSites, StoreError> {
        self.read(|tx| Ok(record::get(tx, SETTINGS, OTHER_SITES)?.unwrap_or_default()))
    }

    /// Changes it: `change` gets the present decision.
    pub fn change_other_sites(&self, change: impl Fn(&mut OtherSites)) -> Result<OtherSites, StoreError> {
        self.write(|tx| {
            let mut sites: OtherSites = record::get(tx, SETTINGS, OTHER_SITES)?.unwrap_or_default();
            change(&mut sites);
            record::put(tx, SETTINGS, OTHER_SITES, &sites)?;
            Ok(sites)
        })
    }
}
