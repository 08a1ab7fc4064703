//! Backups on the page, in Chromium: `browser/backup.js` downloads one, changes the site, goes back to it, and ends with an error at the first step that
//! does not come out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::Daemon;
use support::browser::{pictures, walk};
use support::people::{NO_LIMITS, PASSWORD, Person};

#[test]
fn an_owner_goes_back_to_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    Person::owner(&daemon, "ann");
    let report = walk("backup", [&daemon.url(""), "ann", PASSWORD, &pictures(dir.path())]);
    assert_eq!(report["steps"].as_array().unwrap().len(), 4, "{report}");
}
