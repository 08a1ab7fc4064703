//! The machine that the site runs on, as its owner sees it: the board's health, its Wi-Fi, updates of its system. The card image's own services do
//! the work; this reads what they say and leaves them a word.

pub mod board;
pub mod update;
pub mod wifi;
