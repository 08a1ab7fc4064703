//! How the studio hands over notifications that the store has written, so that open pages show them at once.

use perch_store::Delivery;
use std::sync::Arc;

/// Takes notifications for their recipients.
pub type Tell = Arc<dyn Fn(Vec<Delivery>) + Send + Sync>;
