//! The whole site in Chromium, as two people use it: set up, go live, register, follow, watch, chat, like, stop, log out.
//! `browser/walk.js` does it and ends with an error at the first step that does not come out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::browser::{pictures, walk};
use support::{Daemon, TEST_PATTERN};

#[test]
fn two_people_meet_at_a_stream() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), TEST_PATTERN);
    let code = std::fs::read_to_string(dir.path().join("data/setup-code")).unwrap();
    let report = walk("walk", [&daemon.url(""), code.trim(), &pictures(dir.path())]);
    assert!(report["steps"].as_array().unwrap().len() >= 12, "{report}");
}
