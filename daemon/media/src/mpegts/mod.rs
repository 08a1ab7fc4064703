//! MPEG transport stream (ISO/IEC 13818-1), as HLS carries it: one program, H.264 now, AAC's PID foreseen.
//!
//! Must not be here: when a segment begins or ends.

mod demuxer;
mod muxer;
mod packet;
mod psi;
mod section;

pub use demuxer::{Demuxer, DemuxerCounters, Found, TimedPicture, TransportStreamError, is_transport_stream};
pub use muxer::{DECODING_DELAY, Muxer};
pub use packet::PACKET_BYTES;

/// The program's tables.
pub const PMT_PID: u16 = 0x1000;
/// H.264, and the program's clock (PCR).
pub const VIDEO_PID: u16 = 0x100;
/// AAC in ADTS, once there is a microphone. The PMT announces it only then: players wait for what it announces.
pub const AUDIO_PID: u16 = 0x101;
