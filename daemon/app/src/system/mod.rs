//! The daemon as a service of its machine: its log, its memory, what systemd is told. Nothing of HTTP is here.

pub mod card;
pub mod log;
pub mod memory;
pub mod notify;
