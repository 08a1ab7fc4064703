//! `[ingest]`: streams that other programs send.

use std::net::SocketAddr;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingest {
    /// Whether programs may send streams, as long as the owner has not decided on the page.
    pub enabled: bool,
    /// Addresses for RTMP.
    pub listen: Vec<SocketAddr>,
    /// Streams at once.
    pub max_streams: usize,
    /// Kilobits (1000 bits) per second of one stream, picture and sound together.
    pub max_bitrate_kbps: u32,
}

impl Default for Ingest {
    /// The settings of an empty configuration.
    fn default() -> Self {
        let listen = vec![SocketAddr::from(([0_u16; 8], 1935))];
        Self { enabled: false, listen, max_streams: 8, max_bitrate_kbps: 10_000 }
    }
}
