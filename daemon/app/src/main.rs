//! `perchd`, the Perch daemon.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "nothing outside a binary can use it: `pub` here means that another module does"
)]

mod button;
mod cmd;
mod config;
#[cfg(test)]
mod shipped;
mod shutdown;
mod system;
mod webhooks;

fn main() -> std::process::ExitCode {
    cmd::main()
}
