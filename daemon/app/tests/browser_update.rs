//! An update of the system on the page, in Chromium: `browser/update.js` sends one and reads how it goes, while this plays the card's scripts and the board, which
//! restarts.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::browser::Script;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Daemon, run};

/// Chromium, driven by `browser/update.js`.
struct Browser(Script);

impl Browser {
    fn start(arguments: &[&str]) -> Self {
        Self(Script::start("update", arguments))
    }

    /// Waits until the page is there.
    fn is_at(&mut self, place: &str) {
        assert_eq!(self.0.line(), place);
    }

    fn go_on(&mut self) {
        self.0.tell("");
    }
}

fn make_update(dir: &Path) -> Vec<u8> {
    std::fs::write(dir.join("SHA256SUMS"), "0000  system.img\n").unwrap();
    std::fs::write(dir.join("system.img"), vec![7; 5 << 20]).unwrap();
    run(
        "tar",
        &["--create", "--format=ustar", "--file", "perch-0.2.0.update", "SHA256SUMS", "system.img"],
        dir,
    );
    std::fs::read(dir.join("perch-0.2.0.update")).unwrap()
}

#[test]
fn an_owner_installs_an_update_and_the_page_goes_on_over_the_restart() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = std::env::var_os("PERCH_TEST_PICTURES").map_or(dir.path().join("pictures"), Into::into);
    for folder in [&pictures, &dir.path().join("perch"), &dir.path().join("perch-update")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let made = make_update(dir.path());
    let runtime = dir.path().join("perch");
    let environment = [("RUNTIME_DIRECTORY", runtime.to_str().unwrap())];
    let word = runtime.join("update");
    let arrived = dir.path().join("data/incoming.update");
    let says = |state: &str| {
        std::fs::write(dir.path().join("perch-update/new"), state).unwrap();
        std::fs::rename(dir.path().join("perch-update/new"), dir.path().join("perch-update/state")).unwrap();
    };

    let mut daemon = Daemon::start_with(dir.path(), NO_LIMITS, &environment);
    Person::owner(&daemon, "ann");
    let address = daemon.address;
    let file = dir.path().join("perch-0.2.0.update");
    let mut browser = Browser::start(&[
        &daemon.url(""),
        "ann",
        PASSWORD,
        file.to_str().unwrap(),
        pictures.to_str().unwrap(),
    ]);
    for look in ["desktop", "phone"] {
        println!("on a {look}");
        browser.is_at("cancelled");
        assert!(!word.exists() && !arrived.exists(), "it was given up");
        browser.go_on();
        browser.is_at("sent");
        assert!(word.exists() && std::fs::read(&arrived).unwrap() == made, "not what was chosen");
        says("installing\n");
        std::fs::remove_file(&word).unwrap();
        std::fs::remove_file(&arrived).unwrap();
        browser.go_on();
        browser.is_at("reloaded");
        says("restarting\n");
        browser.go_on();
        browser.is_at("restarts");
        assert_eq!(daemon.stop(), Some(0));
        browser.go_on();
        browser.is_at("waits");
        says("trial\n");
        daemon = Daemon::start_at_with(dir.path(), NO_LIMITS, &environment, address);
        browser.go_on();
        for (place, next) in [
            ("tried", "kept\n"),
            ("kept", "refused the file is damaged\n"),
            ("refused", "left\n"),
            ("left", ""),
        ] {
            browser.is_at(place);
            says(next);
            browser.go_on();
        }
    }
    let report: Value = serde_json::from_str(&browser.0.line()).unwrap();
    assert_eq!(report["complaints"], json!([]), "the page complained");
}
