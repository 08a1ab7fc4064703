//! What the owner has decided on other sites (`other_sites`), at hand for each request.

use perch_store::{OtherSites, Store, StoreError};
use std::sync::Arc;
use tokio::sync::watch;

/// The owner's decision, kept where each request for media looks at it; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct AllowedSites(watch::Sender<Arc<OtherSites>>);

impl AllowedSites {
    /// The decision.
    pub fn get(&self) -> Arc<OtherSites> {
        self.0.borrow().clone()
    }

    /// Takes the decision out of the store. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn load(&self, store: &Store) -> Result<(), StoreError> {
        self.0.send_replace(Arc::new(store.other_sites()?));
        Ok(())
    }
}
