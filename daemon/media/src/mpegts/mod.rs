//! MPEG transport stream (ISO/IEC 13818-1), as HLS carries it: one program with H.264, and AAC if there is sound.
//!
//! Must not be here: when a segment begins or ends.

mod adts;
mod demuxer;
mod muxer;
mod packet;
mod packet_header;
mod pes;
mod pids;
mod psi;
mod section;
mod sound;
mod sound_reader;
mod wire_time;

pub use demuxer::{
    Demuxer, DemuxerCounters, Found, SoundProblem, TimedPicture, TransportStreamError, is_transport_stream,
};
pub use muxer::Muxer;
pub use packet::PACKET_BYTES;
pub use pids::{AUDIO_PID, PMT_PID, VIDEO_PID};
pub use sound_reader::TimedSound;
pub use wire_time::DECODING_DELAY;
