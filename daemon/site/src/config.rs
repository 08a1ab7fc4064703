//! What the site's limits are set to. The command line and the file that set them are the daemon's (`perchd`).

/// `[limits]`: how much one person may ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Requests of one login or address.
    pub requests_per_second: u32,
    /// Those of them that change something.
    pub writes_per_second: u32,
    /// New accounts from one address.
    pub registrations_per_hour: u32,
}
