//! `[ingest]`: streams that other programs send.

use std::net::SocketAddr;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingest {
    /// Whether programs may send streams, as long as the owner has not decided on the page.
    pub enabled: bool,
    /// Addresses for RTMP.
    pub listen: Vec<SocketAddr>,
    /// Addresses for RTMPS, which are open while there is a certificate.
    pub listen_tls: Vec<SocketAddr>,
    /// Streams at once.
    pub max_streams: usize,
    /// Kilobits (1000 bits) per second of one stream, picture and sound together.
    pub max_bitrate_kbps: u32,
}

impl Default for Ingest {
    /// The settings of an empty configuration.
    fn default() -> Self {
        let at = |port: u16| vec![SocketAddr::from(([0_u16; 8], port))];
        Self {
            enabled: false,
            listen: at(1935),
            listen_tls: at(1936),
            max_streams: 8,
            max_bitrate_kbps: 10_000,
        }
    }
}
