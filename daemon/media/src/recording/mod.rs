//! A recording as values: what its fragments hold, and the index beside its file.
//!
//! A recording is one or more *parts*; a part is one fragmented MP4 file (CMAF, ISO/IEC 23000-19) with an index beside it. Fragments follow
//! each other without a hole in time: a recording's time is the sum of the durations of its pictures. [`Mark`] says where the stream was.
//!
//! Must not be here: the boxes of MP4 (`cmaf`), files, what is kept and for how long.

pub mod codecs;
pub mod index;
pub mod playlist;
pub mod progressive;
mod varint;

/// Ticks a second of a video track. An audio track counts in samples.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// About a second of a recording: a `uuid` box with its mark, a `moof`, and an `mdat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Of its first byte in the part's file.
    pub at: u64,
    /// Of all of its boxes.
    pub bytes: u32,
    /// What its samples cannot tell.
    pub mark: Mark,
    /// Its pictures; at least one.
    pub video: Run,
    /// Its sound, where the part has any.
    pub audio: Option<Run>,
}

/// Places in a part (bytes), times of its tracks (ticks) and times of the stream (milliseconds) that are farther are damage: 2^48 bytes are 16
/// times ext4's longest file, 2^48 ticks of 1/96000 s are 93 years.
const FARTHEST: u64 = 1 << 48;
/// Likewise a fragment's duration in ticks: 2^40 are 132 days, of 1/96000 s.
const LONGEST: u64 = 1 << 40;

impl Fragment {
    /// False where a number is damage, so that sums over all fragments of a recording stay far below 64 bits: the tables of a part have no
    /// check sum, and that of an index can be right by chance.
    pub(crate) fn is_plausible(&self) -> bool {
        let is_run_plausible = |run: &Run| run.decode_time <= FARTHEST && run.duration() <= LONGEST;
        self.at <= FARTHEST
            && self.mark.stream_offset_ms <= FARTHEST
            && self.mark.wall_ms.unsigned_abs() <= FARTHEST
            && is_run_plausible(&self.video)
            && self.audio.as_ref().is_none_or(is_run_plausible)
    }
}

/// What a fragment's samples cannot tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Its first picture begins a segment.
    pub begins_segment: bool,
    /// Its first picture is one that decoding can begin with.
    pub is_independent: bool,
    /// What lies between it and the fragment before it.
    pub before: Break,
    /// Milliseconds into the stream, pauses included, as chat messages count them.
    pub stream_offset_ms: u64,
    /// Of its first picture: milliseconds since the Unix epoch, as far as the clock was right.
    pub wall_ms: i64,
}

/// What lies between two fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Break {
    /// Nothing: the one goes on where the other ended.
    #[default]
    None,
    /// The source began anew.
    Seam,
    /// Pictures are missing, because the card did not take them in time.
    Gap,
}

/// Samples of one track that follow each other in a fragment, in the order of decoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Of the first sample, in the track's timescale, from the beginning of the part.
    pub decode_time: u64,
    /// Of the first sample's first byte, from the fragment's first byte. The others follow without a hole.
    pub data_at: u32,
    /// One after the other.
    pub samples: Vec<SampleEntry>,
}

impl Run {
    /// The sum of the samples' durations, in the track's timescale.
    pub fn duration(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.duration)).sum()
    }

    /// The sum of the samples' lengths.
    pub fn bytes(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.bytes)).sum()
    }
}

/// One sample, as `trun` tells of it (ISO/IEC 14496-12 §8.8.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleEntry {
    /// Its length in the file.
    pub bytes: u32,
    /// Until the next sample is decoded, in the track's timescale.
    pub duration: u32,
    /// From its decoding to its presentation, in the track's timescale.
    pub composition_offset: i32,
    /// Decoding can begin with it. Every frame of sound is one.
    pub is_key: bool,
}
