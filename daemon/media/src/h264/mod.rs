//! H.264 as it is carried (ITU-T H.264 §7, Annex B): NAL units, their boundaries, and the parameter sets.
//!
//! Must not be here: decoding of pictures.

pub mod annex_b;
pub mod avcc;
pub mod nal_unit;
pub mod picture_splitter;
pub mod pps;
pub mod sei;
pub mod slice_header;
pub mod sps;
mod without_vui;
