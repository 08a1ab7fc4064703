//! The daemon and the machine it runs on: its log, its service manager, its board. Nothing of cameras or HTTP is here.

pub mod log;
