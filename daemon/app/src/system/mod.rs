//! The daemon and the machine it runs on: its log, its service manager, its board. Nothing of HTTP is here.

#[allow(dead_code, reason = "in use as soon as the site shows it")]
pub mod board;
pub mod log;
pub mod notify;
