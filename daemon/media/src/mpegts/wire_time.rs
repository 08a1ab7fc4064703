//! Media times as the muxer writes them.

use crate::time::{MediaDuration, MediaTime};
use mpeg2ts::time::Timestamp;

/// PTS and DTS run ahead of the PCR by this much, which a receiver buffers before it decodes. It is added to the media
/// time when writing, so that the PCR is the media time of the picture it comes with.
pub const DECODING_DELAY: MediaDuration = MediaDuration::from_millis(200);

/// A PTS or a DTS (ISO/IEC 13818-1 §2.4.3.7).
pub(super) fn wire_timestamp(time: MediaTime) -> Timestamp {
    Timestamp::new((time + DECODING_DELAY).wrapped()).expect("33 bits")
}
