//! Who comes in, and who keeps order, in Chromium: set-up asks who may register, an owner approves and refuses those who wait, mutes and
//! bans where and for as long as she says, and lifts that from a profile and from a replay. `browser/people.js` does it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::browser::{pictures, walk};
use support::{Daemon, TEST_PATTERN};

#[test]
fn an_owner_decides_who_comes_in_and_who_may_write() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), TEST_PATTERN);
    let code = std::fs::read_to_string(dir.path().join("data/setup-code")).unwrap();
    let report = walk("people", [&daemon.url(""), code.trim(), &pictures(dir.path())]);
    assert!(report["steps"].as_array().unwrap().len() >= 12, "{report}");
}
