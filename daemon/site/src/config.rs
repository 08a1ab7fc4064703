//! The site's rate limits. The daemon (`perchd`) reads them from its command line and file.

/// `[limits]`: rate limits for each person.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Requests of one login or address.
    pub requests_per_second: u32,
    /// Requests that change something; they count in both limits.
    pub writes_per_second: u32,
    /// New accounts from one address.
    pub registrations_per_hour: u32,
}
