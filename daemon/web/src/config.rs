//! Settings of the site's connections. The daemon (`perchd`) reads them from its command line and file.

use std::path::PathBuf;

/// `[server]`: the site's addresses, folder and connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Addresses to listen on.
    pub listen: Vec<std::net::SocketAddr>,
    /// Folder for everything Perch keeps.
    pub data_dir: PathBuf,
    /// Open connections at most; more are refused at accept.
    pub max_connections: usize,
}
