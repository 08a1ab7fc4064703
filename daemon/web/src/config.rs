//! What the site's connections and limits are set to. The command line and the file that set it are the daemon's (`perchd`).

use std::path::PathBuf;

/// `[server]`: where the site is.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Addresses to listen on.
    pub listen: Vec<std::net::SocketAddr>,
    /// Everything Perch keeps.
    pub data_dir: PathBuf,
    /// Open connections at most; more are refused at accept.
    pub max_connections: usize,
}

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
