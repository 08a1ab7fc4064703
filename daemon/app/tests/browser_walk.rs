//! The whole site in Chromium, as two people use it: set up, go live, register, follow, watch, chat, like, stop, log out.
//! `browser/walk.js` does it and ends with an error at the first step that does not come out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::Value;
use std::process::Command;
use support::{Daemon, TEST_PATTERN};

#[test]
fn two_people_meet_at_a_stream() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), TEST_PATTERN);
    let code = std::fs::read_to_string(dir.path().join("data/setup-code")).unwrap();
    // Kept when somebody wants to look at them.
    let pictures = std::env::var_os("PERCH_TEST_PICTURES").map_or(dir.path().join("pictures"), Into::into);
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("node")
        .args(["browser/walk.js", &daemon.url(""), code.trim()])
        .arg(&pictures)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
        .output()
        .expect("node is there: `make test` installs what the tests need");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["complaints"], Value::Array(vec![]), "the page complained");
    assert!(report["steps"].as_array().unwrap().len() >= 12, "{report}");
}
