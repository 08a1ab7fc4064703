//! What a publisher's and a server's side of RTMP ("Real Time Messaging Protocol", version 1.0) share: types of messages, and the reader of chunks.
//!
//! Must not be here: commands, sockets, media.

mod chunk_reader;
mod message_type;

pub(crate) use chunk_reader::{ChunkError, ChunkReader, Limits, Message};
pub(crate) use message_type::*;
