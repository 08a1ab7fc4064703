//! `perchd`, the Perch daemon.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "nothing outside a program reaches in: `pub` here says that another module uses it"
)]

#[allow(dead_code, reason = "in use as soon as `run` starts cameras")]
mod broadcast;
#[allow(dead_code, reason = "in use as soon as `run` starts cameras")]
mod capture;
#[allow(dead_code, reason = "in use as soon as `run` starts cameras")]
mod clock;
mod cmd;
#[allow(dead_code, reason = "in use as soon as `run` starts cameras")]
mod config;
#[allow(dead_code, reason = "in use as soon as `run` starts cameras")]
mod hls;
#[allow(dead_code, unused_imports, reason = "in use as soon as `run` opens the site")]
mod http;
mod system;

fn main() -> std::process::ExitCode {
    cmd::main()
}
