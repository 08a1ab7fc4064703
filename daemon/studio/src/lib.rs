//! Streams on the air: feeds (cameras, commands), encoders, the broadcast that fans a stream out, its readers, and
//! going live.
//!
//! A [`feed`] publishes access units ([`capture`] is a camera's), [`broadcast`] hands them to readers, [`hls`],
//! [`snapshot`], [`recorder`] and [`relay`] are readers, [`storyboard`] makes small pictures of recordings, and [`live`] starts and
//! stops streams and writes their events into the store.
//!
//! Must not be here: HTTP, the rights of people, configuration files.
#![forbid(unsafe_code)]

pub mod broadcast;
pub mod capture;
pub mod certificate;
pub mod clock;
pub mod config;
pub mod faults;
pub mod feed;
pub mod hls;
pub mod ingest;
pub mod live;
#[cfg(test)]
mod log_lines;
pub mod memory_budget;
pub mod playback;
pub mod recorder;
pub mod relay;
mod rtmp;
pub mod settled_clock;
pub mod shutdown;
pub mod snapshot;
pub mod storyboard;
pub mod tell;
