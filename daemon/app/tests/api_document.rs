//! Runs the commands of docs/api.md and docs/home-assistant.md as they stand, with tokens as the documents tell to make them.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::path::Path;
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

/// The blocks of commands of a document, in their order.
fn commands_of(document: &str) -> Vec<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let text = std::fs::read_to_string(docs.join(document)).unwrap();
    text.split("\n```sh\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0.to_owned()).collect()
}

/// What a block says; `environment`: besides the daemon's address.
fn run(block: &str, daemon: &Daemon, environment: &[(&str, &str)], work: &Path) -> String {
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", block])
        .env("PERCH", daemon.url(""))
        .envs(environment.iter().copied())
        .current_dir(work)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{block}\n{error}\n{}", String::from_utf8_lossy(&run.stdout));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

fn token(owner: &Person, scopes: &[&str]) -> String {
    let new = json!({"name": "A script", "scopes": scopes, "expires_in_days": 1});
    owner.post("/api/v1/me/tokens", &new).json()["token"].as_str().unwrap().to_owned()
}

#[test]
fn what_the_document_says_works() {
    let daemon = Daemon::start(&format!("{CAMERA}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let work = tempfile::tempdir().unwrap();
    let token = token(&owner, &["read", "go-live"]);
    let blocks = commands_of("api.md");
    let said: Vec<_> =
        blocks.iter().map(|block| run(block, &daemon, &[("TOKEN", &token)], work.path())).collect();
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

#[test]
fn what_is_said_of_home_automation_works() {
    let daemon = Daemon::start(&format!("{CAMERA}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let (token, watch) = (token(&owner, &["read", "go-live"]), token(&owner, &["watch"]));
    let stream = owner.post("/api/v1/streams", &json!({"title": "Nest", "visibility": "members"}));
    let id = stream.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(owner.get(&format!("/media/{id}/index.m3u8")).status, 200);
    let work = tempfile::tempdir().unwrap();
    let environment = [("TOKEN", token.as_str()), ("WATCH", watch.as_str())];
    let docs = commands_of("home-assistant.md");
    assert_eq!(docs.len(), 2);
    let said = run(&docs[0], &daemon, &environment, work.path());
    assert!(said.contains("h264"), "{said}");
    assert!(std::fs::read(work.path().join("picture.jpg")).unwrap().starts_with(&[0xff, 0xd8]));
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    let said = run(&docs[1], &daemon, &environment, work.path());
    let (id, state) = said.split_once('\n').unwrap();
    assert_eq!((id.len(), state), (26, "ended"));
}
