//! Runs the commands of docs/api.md as they stand, with a token as the document tells to make one.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::process::Command;
use support::Daemon;
use support::people::{NO_LIMITS, Person};

const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 240
frames_per_second = 5
"#;

/// The blocks of commands, in their order.
fn commands(document: &str) -> Vec<&str> {
    document.split("\n```sh\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

#[test]
fn what_the_document_says_works() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md")).unwrap();
    let daemon = Daemon::start(&format!("{CAMERA}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let new = json!({"name": "A script", "scopes": ["read", "go-live"], "expires_in_days": 1});
    let token = owner.post("/api/v1/me/tokens", &new).json()["token"].as_str().unwrap().to_owned();
    let work = tempfile::tempdir().unwrap();
    let mut said = Vec::new();
    for block in commands(&document) {
        let run = Command::new("bash")
            .args(["-euo", "pipefail", "-c", block])
            .env("PERCH", daemon.url(""))
            .env("TOKEN", &token)
            .current_dir(work.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{block}\n{error}\n{}", String::from_utf8_lossy(&run.stdout));
        said.push(String::from_utf8(run.stdout).unwrap().trim().to_owned());
    }
    let [me, stream, lists, time, refusal] = &said[..] else { panic!("{said:#?}") };
    assert_eq!((me.as_str(), refusal.as_str()), ("olga", "scope_missing"));
    let (address, state) = stream.split_once('\n').unwrap();
    let id = address.rsplit_once('/').unwrap().1;
    assert_eq!((state, lists.as_str()), ("ended", id));
    assert_eq!(owner.get(&format!("/api/v1/streams/{id}")).json()["end_reason"], "user");
    assert!(std::fs::read(work.path().join("picture.jpg")).unwrap().starts_with(&[0xff, 0xd8]));
    assert!(time.len() >= 20 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    let asked = daemon.ask("GET", "/api/v1/time", &[("Origin", "http://player.example")]);
    assert_eq!(asked.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        (asked.header("content-type"), asked.header("cache-control")),
        (Some("text/plain"), Some("no-store"))
    );
}
