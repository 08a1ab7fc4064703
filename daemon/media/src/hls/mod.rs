//! HTTP Live Streaming (RFC 8216bis): segments out of access units, the window of those offered now, and the playlists.
//!
//! Must not be here: sockets, tasks, waiting for a segment.

mod date_time;
mod live_window;
mod media_playlist;
mod multivariant_playlist;
mod segment_writer;
mod segmenter;

pub use live_window::{LiveWindow, LiveWindowConfig, WallOffset};
pub use media_playlist::{MediaPlaylist, MediaSegment, ServerControl};
pub use multivariant_playlist::{MultivariantPlaylist, Variant};
pub use segment_writer::{InMemory, SegmentWriter};
pub use segmenter::{Segment, Segmenter, SegmenterConfig, SegmenterCounters};

/// A segment's name, relative to its playlist. Sequence numbers are never given twice, so names are unique for ever.
pub fn segment_name(sequence: u64) -> String {
    format!("{sequence}.ts")
}

/// The sequence number in a name made by [`segment_name`].
pub fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".ts")?;
    // One name for one segment: "007.ts" and "+7.ts" are not names of segment 7.
    let sequence = digits.parse().ok()?;
    (segment_name(sequence) == name).then_some(sequence)
}
