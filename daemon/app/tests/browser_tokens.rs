//! Tokens on the page, in Chromium: `browser/tokens.js` makes two, uses one and revokes it. It ends with an error at the first step that does not
//! come out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::Daemon;
use support::browser::{pictures, walk};
use support::people::{NO_LIMITS, PASSWORD, Person};

#[test]
fn a_user_makes_a_token_and_revokes_it() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    Person::owner(&daemon, "ann");
    let report = walk("tokens", [&daemon.url(""), "ann", PASSWORD, &pictures(dir.path())]);
    assert_eq!(report["steps"].as_array().unwrap().len(), 5, "{report}");
}
