//! `perchd`, the Perch daemon.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "nothing outside a program reaches in: `pub` here says that another module uses it"
)]

#[allow(dead_code, reason = "sources other than the test pattern, and readers other than hls, come next")]
mod broadcast;
#[allow(dead_code, reason = "sources other than the test pattern, and readers other than hls, come next")]
mod capture;
mod clock;
mod cmd;
mod config;
#[allow(dead_code, reason = "sources other than the test pattern, and readers other than hls, come next")]
mod hls;
mod http;
mod shutdown;
mod system;

fn main() -> std::process::ExitCode {
    cmd::main()
}
