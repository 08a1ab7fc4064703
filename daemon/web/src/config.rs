//! What the site's connections are set to. The command line and the file that set it are the daemon's (`perchd`).

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
