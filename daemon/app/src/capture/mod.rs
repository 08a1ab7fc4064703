//! From a camera to the broadcast: sources, encoders, and the supervisor that rebuilds them when they fail.
//! One thread a camera owns every kernel buffer and child process of it; the rest of the daemon holds handles.

pub mod source;
pub mod status;
