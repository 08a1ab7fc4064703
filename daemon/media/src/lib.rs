//! H.264, AAC formats, MPEG-TS, FLV and HLS as pure values: bytes and times in, bytes and playlists out.
//!
//! Must not be here: tokio, files, sockets, clocks, `unsafe`.
#![forbid(unsafe_code)]
pub mod access_unit;
pub mod audio_format;
pub mod cmaf;
pub mod flv;
pub mod h264;
pub mod hls;
pub mod mpegts;
pub mod recording;
pub mod sample;
pub mod time;
pub mod timeline;
