//! What strangers' bytes meet first, for the fuzz targets.

use crate::accounts::passwords::costs_too_much;
use crate::appliance::update::{UpdateState, parse};
use crate::appliance::wifi::{Network, scan};
use crate::picture::making::make;
use crate::picture::{PictureError, Purpose};
use perch_store::PasswordHash;
use std::io::Cursor;

/// The networks that `wpa_cli scan_results` reports.
pub fn networks(text: &str) -> Vec<Network> {
    scan::parse(text)
}

/// The state that the image's update script reports.
pub fn update_state(text: &str) -> UpdateState {
    parse(text)
}

/// The JPEG that is kept of an uploaded picture.
///
/// # Errors
///
/// Why it is refused.
pub fn picture(upload: &[u8]) -> Result<Vec<u8>, PictureError> {
    make(Cursor::new(upload), Purpose::Avatar)
}

/// True for a password hash that takes too long to check.
pub fn is_excessive_hash(text: &str) -> bool {
    costs_too_much(&PasswordHash::new(text))
}
