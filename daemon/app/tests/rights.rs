//! Walks the whole table of rights over HTTP: on every address, everybody who may is let through, and nobody else is.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

#[path = "../../web/src/rules.rs"]
#[allow(dead_code, reason = "the daemon uses the rest")]
mod rules;
mod support;

use perch_store::{Role, Store};
use rules::{RULES, Right};
use serde_json::json;
use std::path::Path;
use support::Daemon;
use support::people::{NO_LIMITS, Person};
use support::walk::ask;

/// What a refusal of the access layer looks like; handlers have other codes, or other statuses.
const REFUSED: [(u16, &str); 3] = [(401, "unauthenticated"), (403, "forbidden"), (403, "local_only")];

/// A viewer, a streamer and the owner: their access tokens.
fn make_accounts(dir: &Path) -> [String; 3] {
    let daemon = Daemon::start_in(dir, NO_LIMITS);
    let owner = Person::owner(&daemon, "olga").token.unwrap();
    let [viewer, streamer] = ["vera", "stan"].map(|name| Person::register(&daemon, name).token.unwrap());
    let store = daemon.data_dir.join("perch.redb");
    assert_eq!(daemon.stop(), Some(0));
    let store = Store::open(&store).unwrap();
    for (name, role) in [("vera", Role::Viewer), ("stan", Role::Streamer)] {
        store.set_role(store.user_by_name(name).unwrap().id, role).unwrap();
    }
    [viewer, streamer, owner]
}

#[test]
fn everybody_may_what_the_table_says_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = make_accounts(dir.path());
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    let person = |token: Option<String>| Person { daemon: &daemon, token };
    let [viewer, streamer, owner] = tokens.map(|token| person(Some(token)));
    let people = [("nobody", person(None)), ("viewer", viewer), ("streamer", streamer), ("owner", owner)];
    let mut wrong = Vec::new();
    for rule in RULES {
        for (rank, (name, who)) in people.iter().enumerate() {
            let least = match rule.right {
                Right::Anyone => 0,
                Right::Member => 1,
                Right::Streamer => 2,
                Right::Owner | Right::ListedOrOwner => 3,
            };
            // Logging out would end the walk.
            if rule.path.starts_with("/api/v1/auth/") && rank > 0 {
                continue;
            }
            let (status, code) = ask(who, rule.method, rule.path);
            let refused = REFUSED.contains(&(status, code.as_str()));
            if refused != (rank < least) {
                wrong.push(format!("{} {} as {name}: {status} {code}", rule.method, rule.path));
            }
            // What nobody is told more about than that it is for others.
            if refused && rank == 0 && rule.right != Right::ListedOrOwner && status != 401 {
                wrong.push(format!("{} {} as nobody: {status} instead of 401", rule.method, rule.path));
            }
            if status == 405 || status >= 500 && status != 503 {
                wrong.push(format!("{} {} as {name}: {status}", rule.method, rule.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 240
frames_per_second = 5
"#;

#[test]
fn a_stream_is_its_users_and_the_owners_and_for_members_if_they_say_so() {
    let daemon = Daemon::start(&format!("{CAMERA}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let [stan, other] = ["stan", "sara"].map(|name| Person::register(&daemon, name));
    let nobody = Person::nobody(&daemon);
    let started = stan.post("/api/v1/streams", &json!({"title": "Mine", "visibility": "members"}));
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let [stream, playlist] = [format!("/api/v1/streams/{id}"), format!("/media/{id}/index.m3u8")];
    let title = json!({"title": "Not mine"});

    for (who, status) in [(&nobody, 401), (&other, 403)] {
        assert_eq!(who.patch(&stream, &title).status, status);
        assert_eq!(who.post(&format!("{stream}/stop"), &json!({})).status, status);
        assert_eq!(who.delete(&stream).status, status);
    }
    assert_eq!((nobody.get(&stream).status, nobody.get(&playlist).status), (404, 401));
    assert!(nobody.get("/api/v1/streams").json()["items"].as_array().unwrap().is_empty());
    for who in [&other, &owner, &stan] {
        let seen = who.get(&stream);
        assert_eq!((seen.status, seen.json()["title"].as_str()), (200, Some("Mine")));
        assert_eq!(who.get("/api/v1/streams").json()["items"][0]["id"], id.as_str());
        assert_eq!(who.get(&playlist).status, 200);
    }
    assert_eq!(owner.patch(&stream, &json!({"title": "Ours"})).status, 200);
    assert_eq!(owner.post(&format!("{stream}/stop"), &json!({})).status, 200);
    assert_eq!(stan.delete(&stream).status, 204);
    assert_eq!(stan.get(&stream).status, 404);
}

#[test]
fn programs_at_listed_addresses_may_read_what_is_local() {
    let daemon = Daemon::start(NO_LIMITS);
    for rule in RULES.iter().filter(|rule| rule.right == Right::ListedOrOwner) {
        assert_eq!(daemon.ask(rule.method, rule.path, &[]).status, 200, "{}", rule.path);
    }
}

#[test]
fn an_address_names_its_methods() {
    let daemon = Daemon::start(NO_LIMITS);
    let refused = daemon.ask("PUT", "/api/v1/setup", &[]);
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
    assert_eq!(daemon.ask("OPTIONS", "/api/v1/me", &[("Origin", "http://evil.example")]).status, 405);
}
