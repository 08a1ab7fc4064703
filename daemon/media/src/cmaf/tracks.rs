//! Numbers that all boxes of a file share.

/// Id of the video track.
pub const VIDEO_TRACK: u32 = 1;
/// Id of the audio track.
pub const AUDIO_TRACK: u32 = 2;
/// `sample_flags` of a sample at which decoding can start: it depends on no other (ISO/IEC 14496-12 §8.8.3.1).
pub(super) const KEY_SAMPLE: u32 = 0x0200_0000;
/// `sample_flags` of any other sample: it depends on others, and is not a sync sample.
pub(super) const OTHER_SAMPLE: u32 = 0x0101_0000;
