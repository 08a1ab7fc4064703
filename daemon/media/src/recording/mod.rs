//! A recording as values: the content of its fragments, and the index beside its file.
//!
//! A recording is one or more *parts*; a part is one fragmented MP4 file (CMAF, ISO/IEC 23000-19) with an index beside
//! it. Fragments follow each other without a hole in time: a recording's time is the sum of the durations of its
//! pictures. [`Mark`] gives the stream's time.
//!
//! Must not be here: the boxes of MP4 (`cmaf`), files, and the rules for keeping recordings.

pub mod codecs;
pub mod index;
pub mod playlist;
pub mod progressive;
pub mod storyboard;
mod varint;

/// Ticks per second of a video track. An audio track counts in samples.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// About a second of a recording: a `uuid` box with its mark, a `moof`, and an `mdat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Offset of its first byte in the part's file, in bytes.
    pub at: u64,
    /// Length of all its boxes, in bytes.
    pub bytes: u32,
    /// Facts that its samples do not contain.
    pub mark: Mark,
    /// Its pictures; at least one.
    pub video: Run,
    /// Its sound, if the part has any.
    pub audio: Option<Run>,
}

/// Offsets in a part (bytes), times of its tracks (ticks) and times of the stream (milliseconds) beyond this mean
/// damage: 2^48 bytes are 16 times ext4's longest file, 2^48 ticks of 1/96000 s are 93 years.
const FARTHEST: u64 = 1 << 48;
/// A fragment's duration, in ticks, beyond this means damage: 2^40 are 132 days, of 1/96000 s.
const LONGEST: u64 = 1 << 40;

impl Fragment {
    /// False if a number means damage, so that sums over all fragments of a recording stay far below 64 bits: the
    /// tables of a part have no checksum, and that of an index can match by chance.
    pub(crate) fn is_plausible(&self) -> bool {
        let is_run_plausible = |run: &Run| {
            let lies_within = u64::from(run.data_at) + run.bytes() <= self.bytes.into();
            run.decode_time <= FARTHEST && run.duration() <= LONGEST && lies_within
        };
        self.at <= FARTHEST
            && self.mark.stream_offset_ms <= FARTHEST
            && self.mark.wall_ms.unsigned_abs() <= FARTHEST
            && is_run_plausible(&self.video)
            && self.audio.as_ref().is_none_or(is_run_plausible)
    }
}

/// Facts that a fragment's samples do not contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// True if its first picture begins a segment.
    pub begins_segment: bool,
    /// True if decoding can begin with its first picture.
    pub is_independent: bool,
    /// The break between it and the previous fragment.
    pub before: Break,
    /// Milliseconds into the stream, pauses included, as chat messages count them.
    pub stream_offset_ms: u64,
    /// Capture time of its first picture: milliseconds since the Unix epoch, as far as the clock was right.
    pub wall_ms: i64,
}

/// The break between two fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Break {
    /// None: the fragment continues where the previous one ended.
    #[default]
    None,
    /// The source was restarted.
    Seam,
    /// Pictures are missing, because the card did not take them in time.
    Gap,
}

/// Consecutive samples of one track in a fragment, in decoding order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Decoding time of the first sample, in the track's timescale, from the start of the part.
    pub decode_time: u64,
    /// Offset of the first sample's first byte from the fragment's first byte. The others follow without a hole.
    pub data_at: u32,
    /// The samples, in order.
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

/// One sample, as `trun` describes it (ISO/IEC 14496-12 §8.8.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleEntry {
    /// Its length in the file, in bytes.
    pub bytes: u32,
    /// Time until the next sample is decoded, in the track's timescale.
    pub duration: u32,
    /// Time from its decoding to its presentation, in the track's timescale.
    pub composition_offset: i32,
    /// True if decoding can begin with it, which holds for every frame of sound.
    pub is_key: bool,
}
