//! HTTP Live Streaming (RFC 8216bis): segments made from access units, the window of those offered now, and the
//! playlists.
//!
//! Must not be here: sockets, tasks, waiting for a segment.

mod cutter;
mod date_time;
mod live_window;
mod media_playlist;
mod multivariant_playlist;
mod packager;
mod segment_name;
mod segment_writer;
mod segmenter;

pub use cutter::{Cut, Cutter, CutterConfig, CutterCounters, Ended, Picture, Place};
pub(crate) use date_time::DateTime;
pub use live_window::{LiveWindow, LiveWindowConfig, WallOffset};
pub use media_playlist::{MediaPlaylist, MediaSegment, ServerControl};
pub use multivariant_playlist::{MultivariantPlaylist, Variant};
pub use packager::Packager;
pub use segment_name::{parse_segment_name, segment_name};
pub use segment_writer::{InMemory, SegmentWriter};
pub use segmenter::{Segment, SegmentError, Segmenter};
