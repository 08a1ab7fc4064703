//! HTTPS in Chromium: `browser/https.js` switches it on, leads a device through trusting the authority, and watches, logs in and chats over it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::browser::{pictures, walk};
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Daemon, TEST_PATTERN};

#[test]
fn an_owner_switches_https_on_and_a_browser_that_trusts_it_sees_no_warning() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("{TEST_PATTERN}{NO_LIMITS}[tls]\nlisten = [\"127.0.0.1:0\"]\n");
    // The owner goes live over HTTPS.
    let daemon = Daemon::start_in(dir.path(), &config.replace("autostart = true", "autostart = false"));
    Person::owner(&daemon, "ann");
    let home = dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let arguments = [
        &daemon.url("").replace("127.0.0.1", "localhost"),
        "ann",
        PASSWORD,
        home.to_str().unwrap(),
        &pictures(dir.path()),
    ];
    let report = walk("https", arguments);
    assert_eq!(report["protocol"], "h2", "{report}");
    assert_eq!(report["untrusted"], "net::ERR_CERT_AUTHORITY_INVALID", "{report}");
    assert!(report["seconds"].as_f64().unwrap() > 3.0, "{report}");
    assert!(
        report["cookies"].as_array().unwrap().len() >= 2 && report["insecure"].as_array().unwrap().is_empty(),
        "{report}"
    );
}
