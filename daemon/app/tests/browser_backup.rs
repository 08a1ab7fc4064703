//! Backups on the page, in Chromium: `browser/backup.js` downloads one, changes the site, goes back to it, and ends with an error at the first step that
//! does not come out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::Value;
use std::process::Command;
use support::Daemon;
use support::people::{NO_LIMITS, PASSWORD, Person};

#[test]
fn an_owner_goes_back_to_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    Person::owner(&daemon, "ann");
    // Kept when somebody wants to look at them.
    let pictures = std::env::var_os("PERCH_TEST_PICTURES").map_or(dir.path().join("pictures"), Into::into);
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("node")
        .args(["browser/backup.js", &daemon.url(""), "ann", PASSWORD])
        .arg(&pictures)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
        .output()
        .expect("node is there: `make test` installs what the tests need");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["complaints"], Value::Array(vec![]), "the page complained");
    assert_eq!(report["steps"].as_array().unwrap().len(), 4, "{report}");
}
