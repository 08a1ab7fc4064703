//! `perchd`, the Perch daemon.
#![forbid(unsafe_code)]

mod capture;
mod clock;
mod config;

fn main() {}
