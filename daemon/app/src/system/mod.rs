//! The daemon and the machine it runs on: its log, its service manager, its board. Nothing of HTTP is here.

pub mod board;
pub mod faults;
pub mod log;
pub mod memory;
pub mod notify;
pub mod update;
pub mod wifi;
