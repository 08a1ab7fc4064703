//! `perchd`, the Perch daemon.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "nothing outside a program reaches in: `pub` here says that another module uses it"
)]

mod accounts;
mod backups;
mod broadcast;
mod button;
mod capture;
mod chat;
mod clock;
mod cmd;
mod config;
mod hls;
mod http;
mod live;
mod notices;
mod picture;
#[cfg(test)]
mod shipped;
mod shutdown;
mod snapshot;
mod system;
mod text;

fn main() -> std::process::ExitCode {
    cmd::main()
}
