//! Fragmented MP4 as CMAF requires it (ISO/IEC 23000-19): one file with a video track and, if there is sound, an audio
//! track. Written fragment by fragment, and read back after a power cut.
//!
//! Must not be here: files, the length of fragments, and the structure of recordings (`recording`).

mod boxes;
mod description;
mod fragment;
mod init_segment;
mod mark;
mod scan;
mod tracks;

pub use description::{AudioDescription, Description};
pub use fragment::FragmentBuilder;
pub use init_segment::init_segment;
pub use scan::{ScanError, Scanned, Scanner};
pub use tracks::{AUDIO_TRACK, VIDEO_TRACK};
