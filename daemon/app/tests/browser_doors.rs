//! A page of another site whose name has been pointed at the board's address, and ten people who open the page at once, in Chromium.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::browser::walk;
use support::{Daemon, TEST_PATTERN};

#[test]
fn a_name_that_was_pointed_at_the_board_reaches_nothing() {
    let daemon = Daemon::ready(&format!("[server]\nnames = [\"cam.example\"]\n{TEST_PATTERN}"));
    let port = daemon.address.port().to_string();
    let report = walk("rebinding", [port.as_str(), "01M8J8A4SCJD5RP1JBXNXYZTAB"]);
    for reached in report["evil"].as_array().unwrap() {
        assert!([421, 0].contains(&reached["status"].as_i64().unwrap()), "{reached}");
    }
    assert_eq!(report["evil"].as_array().unwrap().len(), 7);
    assert_eq!(report["ours"], 200, "a name of the configuration");
}

#[test]
fn ten_people_behind_one_address_open_the_page_whole() {
    let daemon = Daemon::ready(TEST_PATTERN);
    let report = walk("ten_people", [daemon.url("")]);
    assert_eq!(report["failures"], serde_json::json!([]), "{report}");
    assert_eq!(report["whole"], 10);
    assert!(report["requests"].as_u64().unwrap() > 100, "{report}");
    eprintln!("{} requests", report["requests"]);
}
