//! Stream keys for other programs, over HTTP: made, renewed and revoked; and what their streams begin with.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use support::Daemon;
use support::people::{NO_LIMITS, Person};

#[test]
fn a_streamer_has_one_key_that_others_never_see() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let own = ben.get("/api/v1/me/ingest");
    assert_eq!((own.status, own.header("cache-control")), (200, Some("no-store")));
    let own = own.json();
    assert_eq!(
        (&own["enabled"], &own["key"], &own["usual_title"]),
        (&json!(false), &Value::Null, &json!("ben live"))
    );
    assert_eq!(own["address"], "rtmp://localhost:1935/live");
    assert_eq!(ben.get("/api/v1/me/ingest/code.svg").status, 404);
    let keys = [(); 2].map(|()| {
        let made = ben.post("/api/v1/me/ingest/key", &json!({}));
        assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")));
        made.json()["key"].as_str().unwrap().to_owned()
    });
    assert_ne!(keys[0], keys[1]);
    assert_eq!(ben.get("/api/v1/me/ingest").json()["key"], json!(keys[1]));
    let code = ben.get("/api/v1/me/ingest/code.svg");
    assert_eq!(code.header("content-type"), Some("image/svg+xml"));
    assert!(code.text().contains("<svg"), "{}", code.text());

    // The owner sees who has one, and never reads it.
    let accounts = ann.get("/api/v1/users");
    assert!(!accounts.text().contains(&keys[1]));
    let has_key = |name: &str, accounts: &Value| {
        let found = accounts["items"].as_array().unwrap().iter().find(|account| account["username"] == name);
        found.unwrap()["has_ingest_key"].clone()
    };
    let accounts = accounts.json();
    assert_eq!((has_key("ben", &accounts), has_key("ann", &accounts)), (json!(true), json!(false)));
    assert_eq!(ben.delete("/api/v1/users/ann/ingest-key").status, 403);
    assert_eq!(ann.delete("/api/v1/users/ben/ingest-key").status, 204);
    assert_eq!(ben.get("/api/v1/me/ingest").json()["key"], Value::Null);
    assert_eq!(has_key("ben", &ann.get("/api/v1/users").json()), json!(false));

    // Neither a backup nor the log holds keys.
    let made = ann.post("/api/v1/me/ingest/key", &json!({})).json()["key"].as_str().unwrap().to_owned();
    let backup = ann.post("/api/v1/backup", &json!({"password": support::people::PASSWORD}));
    assert_eq!(backup.status, 200);
    assert!(!backup.body.windows(made.len()).any(|window| window == made.as_bytes()));
}

#[test]
fn what_is_prepared_is_kept_and_checked() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let topic = ann.get("/api/v1/topics").json()["items"][0]["id"].clone();
    let prepared = json!({"title": "Owls", "description": "At night", "topics": [topic], "visibility": "members", "record": true, "relays": []});
    assert_eq!(ann.patch("/api/v1/me/ingest", &prepared).json()["prepared"], prepared);
    let titled = ann.patch("/api/v1/me/ingest", &json!({"title": ""})).json()["prepared"].clone();
    assert_eq!((&titled["title"], &titled["description"]), (&json!(""), &json!("At night")));
    for (field, value) in [("relays", json!(["x"])), ("topics", json!(["x"])), ("visibility", json!("x"))] {
        let refused = ann.patch("/api/v1/me/ingest", &json!({field: value}));
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!(field)), "{}", refused.text());
    }
    let ben = Person::register(&daemon, "ben");
    assert_eq!(ann.patch("/api/v1/users/ben", &json!({"role": "viewer"})).status, 200);
    assert_eq!(ben.get("/api/v1/me/ingest").status, 403);
    assert_eq!(Person::nobody(&daemon).get("/api/v1/me/ingest").status, 401);
}

#[test]
fn the_owner_switches_it_on_and_off() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    assert_eq!(ben.get("/api/v1/settings").json()["ingest"], false);
    assert_eq!(ben.patch("/api/v1/settings", &json!({"ingest": true})).status, 403);
    assert_eq!(ann.patch("/api/v1/settings", &json!({"ingest": true})).json()["ingest"], true);
    assert_eq!(ben.get("/api/v1/me/ingest").json()["enabled"], true);
    assert_eq!(ann.patch("/api/v1/settings", &json!({"site_name": "Nest"})).json()["ingest"], true);
    assert_eq!(ann.patch("/api/v1/settings", &json!({"ingest": false})).json()["ingest"], false);
}
