//! Bodies of FLV tags ("Video File Format Specification", version 10.1, Annex E), which are also the bodies of RTMP's messages of video, sound and data.
//!
//! Must not be here: RTMP's chunks and commands, files, which samples are sent.

pub mod amf0;
mod body;
mod line;
mod tag_reader;
#[cfg(test)]
mod tests;

pub use body::{Metadata, aac_sequence_header, avc_picture, avc_sequence_header, raw_aac_frame};
pub use line::{Line, Stamp};
pub use tag_reader::{Sound, TagError, TagReader, Video};
