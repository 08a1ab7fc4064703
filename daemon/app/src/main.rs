//! `perchd`, the Perch daemon.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "nothing outside a program reaches in: `pub` here says that another module uses it"
)]

mod button;
mod cmd;
mod config;
#[cfg(test)]
mod shipped;
mod shutdown;
mod system;

fn main() -> std::process::ExitCode {
    cmd::main()
}
