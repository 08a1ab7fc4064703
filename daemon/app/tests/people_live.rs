//! What happens to people while they are on the air.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Daemon, TEST_PATTERN};

/// Ann, whose camera goes live with the daemon, and Ben, an owner as well, who follows her.
fn on_the_air(dir: &Path) -> Daemon {
    let daemon = Daemon::start_in(dir, NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = json!({"username": "ben", "password": PASSWORD, "role": "owner"});
    assert_eq!(ann.post("/api/v1/users", &ben).status, 201);
    assert_eq!(Person::login(&daemon, "ben").put("/api/v1/users/ann/follow", &json!({})).status, 204);
    assert_eq!(daemon.stop(), Some(0));
    Daemon::ready_in(dir, &format!("{TEST_PATTERN}{NO_LIMITS}"))
}

fn live_stream(who: &Person) -> Value {
    who.get("/api/v1/users/ann").json()["live_stream"].clone()
}

#[test]
fn followers_see_who_is_on_the_air_and_owners_take_them_off() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = on_the_air(dir.path());
    let [ann, ben] = ["ann", "ben"].map(|name| Person::login(&daemon, name));
    let stream = live_stream(&ben);
    assert!(stream.is_string(), "{stream}");
    assert_eq!(ben.get("/api/v1/me/subscriptions").json()["items"][0]["live_stream"], stream);
    let told = ben.get("/api/v1/me/notifications").json()["items"][0].clone();
    assert_eq!((told["kind"].as_str(), told["by"]["username"].as_str()), (Some("went_live"), Some("ann")));
    assert_eq!((&told["stream"]["id"], told["stream"]["title"].as_str()), (&stream, Some("Perch")));

    let suspended = ben.patch("/api/v1/users/ann", &json!({"standing": "suspended"}));
    assert_eq!(suspended.status, 200, "{}", suspended.text());
    assert_eq!(ann.get("/api/v1/me").code(), "unauthenticated");
    assert_eq!(live_stream(&ben), Value::Null);
    assert_eq!(ben.patch("/api/v1/users/ann", &json!({"standing": "active"})).status, 200);
    let ann = Person::login(&daemon, "ann");
    let told = ann.get("/api/v1/me/notifications").json()["items"][0].clone();
    assert_eq!((told["kind"].as_str(), told["reason"].as_str()), (Some("stream_stopped"), Some("owner")));
    assert_eq!(told["stream"]["id"], stream);
}

#[test]
fn an_account_that_is_deleted_goes_off_the_air_first() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = on_the_air(dir.path());
    let [ann, ben] = ["ann", "ben"].map(|name| Person::login(&daemon, name));
    let stream = live_stream(&ben).as_str().unwrap().to_owned();
    let pictures = [format!("/media/{stream}/index.m3u8"), "/media/live/index.m3u8".to_owned()];
    assert_eq!(pictures.each_ref().map(|path| ben.get(path).status), [200; 2]);
    let gone = ann.ask("DELETE", "/api/v1/me", Some(&json!({"password": PASSWORD})));
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_eq!(pictures.each_ref().map(|path| ben.get(path).status), [404; 2]);
    assert_eq!(ben.get("/api/v1/users/ann").status, 404);
    assert_eq!(ben.get("/api/v1/me/notifications").json()["items"], json!([]));
    assert_eq!(ben.get("/api/v1/cameras").json()["items"][0]["state"], "stopped");
}
