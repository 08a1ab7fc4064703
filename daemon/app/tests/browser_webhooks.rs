//! Webhooks on the page, in Chromium: `browser/webhooks.js` adds one, tries it, changes it and deletes it. It ends with an error at the first step that
//! does not come out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::Daemon;
use support::browser::{pictures, walk};
use support::people::{NO_LIMITS, PASSWORD, Person};

#[test]
fn an_owner_sets_a_webhook_up_and_sees_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    Person::owner(&daemon, "ann");
    let report = walk("webhooks", [&daemon.url(""), "ann", PASSWORD, &pictures(dir.path())]);
    assert_eq!(report["steps"].as_array().unwrap().len(), 5, "{report}");
}
