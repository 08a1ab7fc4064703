//! The recorder: a reader of a broadcast that writes fragmented MP4 files to a card, and the management of those files.
//!
//! The ring of the broadcast is the queue before the card: a reader that a slow card holds up is overtaken when the ring's share of memory is
//! full, is told so, and marks the gap. Neither the feed nor the other readers notice.
//!
//! Must not be here: the boxes of MP4 and the index's coding (`perch-media`), who may watch a recording, HTTP.

mod checking;
mod deleting;
mod folder;
mod keeping;
mod names;
mod packer;
mod part;
mod recordings;
mod recovery;
mod sidecar;
mod storage;
mod storyboard_sizes;
mod storyboards;
mod telling;
#[cfg(test)]
mod tests;
mod thread;
mod trash;
mod trouble;
mod troubles;
mod upkeep;
mod wear;
mod writing;

pub use keeping::Card;
pub use names::safe_title;
pub use part::PartFiles;
pub use perch_device::block::{DiskHealth, DiskKind, Spare};
pub use recordings::{RecordingFiles, Recordings};
pub use storage::Storage;
pub(crate) use storyboards::{Appended, Wanting};
pub(crate) use thread::spawn;
pub use upkeep::run;
pub use wear::Disk;
pub(crate) use writing::{About, OffsetOf};
