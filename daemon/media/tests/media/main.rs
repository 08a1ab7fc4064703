//! perch-media seen from outside: what it writes is read back by parsers that we did not write.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access_units;
mod active_sets;
mod demuxer;
mod foreign_transport_stream;
mod fragmented_mp4;
mod h264_writer;
mod parameter_sets;
mod playlists;
mod progressive_mp4;
mod reordering;
mod segments;
mod sound;
mod transport_stream;
