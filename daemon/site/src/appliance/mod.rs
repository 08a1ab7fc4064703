//! The machine that the site runs on: the board's health, its Wi-Fi, updates of its system. The card image's own services do the
//! work; this reads their reports, and asks them by writing a file.

pub mod board;
pub mod update;
pub mod wifi;
