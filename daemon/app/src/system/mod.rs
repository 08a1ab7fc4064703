//! The daemon as a service of its machine: log, memory, messages to systemd. Nothing about HTTP.

pub mod card;
pub mod log;
pub mod memory;
pub mod notify;
