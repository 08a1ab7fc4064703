//! Ingest: streams that programs such as OBS, ffmpeg or a phone send by RTMP.
//!
//! Must not be here: whose key it is and who may go live (a [`Doorkeeper`] says so), HTTP, sending on to other servers (`relay`).

mod doorkeeper;

pub use doorkeeper::{Admission, Admitting, Denied, Doorkeeper, StreamKey};
