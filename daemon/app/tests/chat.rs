//! Chat over web sockets, against a real daemon with a real store.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use support::Daemon;
use support::chat::{Chat, Way};
use support::crowd::{self, Crowd};
use support::people::Person;

/// A stream of `who`'s.
fn go_live(who: &Person, more: &Value) -> String {
    let mut body = json!({"title": "Birds"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let stream = who.post("/api/v1/streams", &body);
    assert_eq!(stream.status, 201, "{}", stream.text());
    stream.json()["id"].as_str().unwrap().to_owned()
}

fn token(person: &Person) -> Way {
    Way { token: person.token.clone(), ..Way::default() }
}

fn message(text: &str) -> Value {
    json!({"type": "message", "text": text, "client_id": "1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_what_is_said_and_who_comes_back_what_was_missed() {
    let daemon = Daemon::start(&crowd::config());
    let owner = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let stream = go_live(&owner, &json!({}));
    let mut writer = Chat::join(daemon.address, &stream, &token(&ben)).await.unwrap();
    let welcome = writer.hear_of("welcome").await;
    assert_eq!((&welcome["you"]["username"], &welcome["may_write"]), (&json!("ben"), &json!(true)));
    let mut nobody = Chat::join(daemon.address, &stream, &Way::default()).await.unwrap();
    let welcome = nobody.hear_of("welcome").await;
    assert_eq!((&welcome["you"], &welcome["may_write"]), (&Value::Null, &json!(false)));

    writer.say(&message("  e\u{301}t\u{e9} 🐦 ")).await;
    let own = writer.hear_of("message").await;
    let heard = nobody.hear_of("message").await;
    assert_eq!((&own["client_id"], &heard["client_id"]), (&json!("1"), &Value::Null));
    assert_eq!((&heard["text"], &heard["user"]["username"]), (&json!("\u{e9}t\u{e9} 🐦"), &json!("ben")));
    assert_eq!(heard["id"], own["id"]);

    nobody.say(&message("me too")).await;
    assert_eq!(nobody.hear_of("error").await["code"], "unauthenticated");
    for (wrong, code) in [
        (message(&"x".repeat(501)), "invalid_field"),
        (message("\u{202e}abc"), "invalid_field"),
        (json!({"type": "message"}), "invalid_message"),
        (json!({"type": "delete", "id": "00000000000000000000000000"}), "not_found"),
    ] {
        writer.say(&wrong).await;
        assert_eq!(writer.hear_of("error").await["code"], code, "{wrong}");
    }

    // One goes, two messages are said, and it comes again.
    drop(nobody);
    let mut ids = Vec::new();
    for text in ["two", "three"] {
        writer.say(&message(text)).await;
        ids.push(writer.hear_of("message").await["id"].clone());
    }
    let after = Way { after: heard["id"].as_str().map(str::to_owned), ..Way::default() };
    let mut again = Chat::join(daemon.address, &stream, &after).await.unwrap();
    for id in &ids {
        assert_eq!(again.hear_of("message").await["id"], *id);
    }
    // The writer takes one back; nobody else's is theirs to take.
    writer.say(&json!({"type": "delete", "id": ids[0]})).await;
    assert_eq!(again.hear_of("delete").await["id"], ids[0]);
    let page = Person::nobody(&daemon).get(&format!("/api/v1/streams/{stream}/messages?limit=2")).json();
    let texts: Vec<_> = page["items"].as_array().unwrap().iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, [json!("\u{e9}t\u{e9} 🐦"), json!("")]);
    let next = page["next_cursor"].as_str().unwrap();
    let page = ben.get(&format!("/api/v1/streams/{stream}/messages?limit=2&cursor={next}")).json();
    assert_eq!((&page["items"][0]["text"], &page["next_cursor"]), (&json!("three"), &Value::Null));

    // The end is told, and everything can be read on.
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    assert_eq!(again.rest().await.last().unwrap()["type"], "ended");
    assert_eq!(again.closed, Some(1000));
    let mut late = Chat::join(daemon.address, &stream, &Way::default()).await.unwrap();
    let kinds: Vec<_> =
        late.rest().await.iter().map(|line| line["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["welcome", "message", "message", "message", "ended"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_streamer_and_the_owner_keep_order() {
    let daemon = Daemon::start(&crowd::config());
    let owner = Person::owner(&daemon, "ann");
    let [ben, cleo] = ["ben", "cleo"].map(|name| Person::register(&daemon, name));
    let stream = go_live(&owner, &json!({}));
    let path = |rest: &str| format!("/api/v1/streams/{stream}/{rest}");
    let mut bens = Chat::join(daemon.address, &stream, &token(&ben)).await.unwrap();
    bens.hear_of("welcome").await;

    assert_eq!(ben.patch(&path("chat-rules"), &json!({"slow_mode_seconds": 9})).code(), "forbidden");
    assert_eq!(ben.put(&path("restrictions/cleo"), &json!({"severity": "ban"})).code(), "forbidden");
    assert_eq!(cleo.put("/api/v1/restrictions/ben", &json!({"severity": "ban"})).code(), "forbidden");
    let long = owner.patch(&path("chat-rules"), &json!({"slow_mode_seconds": 3601}));
    assert_eq!((long.status, &long.json()["field"]), (422, &json!("slow_mode_seconds")));

    // Slow mode.
    assert_eq!(owner.patch(&path("chat-rules"), &json!({"slow_mode_seconds": 600})).status, 200);
    assert_eq!(bens.hear_of("rules").await["rules"]["slow_mode_seconds"], 600);
    bens.say(&message("first")).await;
    let first = bens.hear_of("message").await;
    bens.say(&message("second")).await;
    let refused = bens.hear_of("error").await;
    assert_eq!((&refused["code"], &refused["client_id"]), (&json!("slow_mode"), &json!("1")));

    // For followers.
    let rules = json!({"slow_mode_seconds": 0, "followers_only": true});
    assert_eq!(owner.patch(&path("chat-rules"), &rules).status, 200);
    assert_eq!(bens.hear_of("rules").await["may_write"], false);
    bens.say(&message("third")).await;
    assert_eq!(bens.hear_of("error").await["code"], "followers_only");
    assert_eq!(owner.patch(&path("chat-rules"), &json!({"followers_only": false})).status, 200);
    assert_eq!(bens.hear_of("rules").await["may_write"], true);

    // A mute, lifted, and somebody's message taken away.
    assert_eq!(
        owner.put(&path("restrictions/ben"), &json!({"severity": "mute", "seconds": 600})).status,
        204
    );
    assert_eq!(bens.hear_of("rules").await["may_write"], false);
    bens.say(&message("fourth")).await;
    assert_eq!(bens.hear_of("error").await["code"], "muted");
    let listed = owner.get(&path("restrictions")).json();
    assert_eq!(listed["items"][0]["user"]["username"], "ben");
    assert_eq!(owner.delete(&path("restrictions/ben")).status, 204);
    assert_eq!(bens.hear_of("rules").await["may_write"], true);
    let id = first["id"].as_str().unwrap();
    assert_eq!(cleo.delete(&path(&format!("messages/{id}"))).code(), "forbidden");
    assert_eq!(owner.delete(&path(&format!("messages/{id}"))).status, 204);
    assert_eq!(bens.hear_of("delete").await["id"], id);

    // A ban closes the connection, and keeps the door closed.
    assert_eq!(owner.put("/api/v1/restrictions/ben", &json!({"severity": "ban"})).status, 204);
    assert_eq!(bens.rest().await.last().unwrap()["code"], "banned");
    assert_eq!(bens.closed, Some(1008));
    assert_eq!(Chat::join(daemon.address, &stream, &token(&ben)).await.err(), Some(403));
    assert_eq!(ben.get(&path("messages")).code(), "banned");
    assert_eq!(owner.delete("/api/v1/restrictions/ben").status, 204);
    assert_eq!(owner.put("/api/v1/restrictions/ann", &json!({"severity": "ban"})).code(), "own_account");

    // Members only: whoever has no name has to go.
    let mut nobody = Chat::join(daemon.address, &stream, &Way::default()).await.unwrap();
    nobody.hear_of("welcome").await;
    assert_eq!(owner.patch(&path("chat-rules"), &json!({"members_only": true})).status, 200);
    assert_eq!(nobody.rest().await.last().unwrap()["code"], "members_only");
    assert_eq!(Chat::join(daemon.address, &stream, &Way::default()).await.err(), Some(401));

    // Access ends with the login.
    let mut bens = Chat::join(daemon.address, &stream, &token(&ben)).await.unwrap();
    bens.hear_of("welcome").await;
    assert_eq!(ben.post("/api/v1/auth/logout", &json!({"everywhere": true})).status, 204);
    assert_eq!(bens.rest().await.last().unwrap()["code"], "unauthenticated");
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_is_ours_to_keep() {
    let daemon = Daemon::start(&crowd::config());
    let owner = Person::owner(&daemon, "ann");
    let stream = go_live(&owner, &json!({"visibility": "members"}));
    assert_eq!(Chat::join(daemon.address, &stream, &Way::default()).await.err(), Some(404));
    assert_eq!(Person::nobody(&daemon).get(&format!("/api/v1/streams/{stream}/messages")).status, 404);
    let evil = Way { origin: Some("http://evil.example".to_owned()), ..token(&owner) };
    assert_eq!(Chat::join(daemon.address, &stream, &evil).await.err(), Some(403));
    let own = Way { origin: Some(format!("http://{}", daemon.address)), ..token(&owner) };
    let mut anns = Chat::join(daemon.address, &stream, &own).await.unwrap();
    anns.hear_of("welcome").await;
    let plain = owner.get(&format!("/api/v1/streams/{stream}/chat"));
    assert_eq!((plain.status, plain.code().as_str()), (426, "upgrade_required"));
    assert_eq!(plain.header("upgrade"), Some("websocket"));
    for query in ["from=-1", "to=nan", "limit=0", "limit=101", "cursor=x", "more=1"] {
        let asked = owner.get(&format!("/api/v1/streams/{stream}/messages?{query}"));
        assert_eq!((asked.status, asked.code().as_str()), (400, "invalid_query"), "{query}");
    }
    // A frame that says it is larger than any line: the connection ends, the daemon does not read it.
    let mut raw = daemon.connect();
    let token = owner.token.as_ref().unwrap();
    write!(
        raw,
        "GET /api/v1/streams/{stream}/chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    raw.write_all(&[0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]).unwrap();
    let mut rest = Vec::new();
    let _ = raw.read_to_end(&mut rest);
    assert!(rest.starts_with(b"HTTP/1.1 101"));
    // Too much talk.
    for _ in 0..100 {
        anns.say(&json!({"type": "nothing"})).await;
    }
    anns.rest().await;
    assert_eq!(anns.closed, Some(1008));
    // The daemon ends, and says so. The stream goes on when it is started again, so its chat has not ended.
    let mut anns = Chat::join(daemon.address, &stream, &own).await.unwrap();
    anns.hear_of("welcome").await;
    assert_eq!(daemon.stop(), Some(0));
    assert!(anns.rest().await.iter().all(|event| event["type"] == "presence"));
    assert_eq!(anns.closed, Some(1001));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_in_a_chat_is_not_given_to_those_who_only_hold_connections() {
    let daemon = Daemon::start(&format!("{}[server]\nmax_connections = 16\n", crowd::config()));
    let owner = Person::owner(&daemon, "ann");
    let stream = go_live(&owner, &json!({}));
    let mut anns = Chat::join(daemon.address, &stream, &token(&owner)).await.unwrap();
    anns.hear_of("welcome").await;
    // Half of the places are this address's; the idle ones make room for each other.
    let idle: Vec<_> = (0..30).map(|_| daemon.connect()).collect();
    anns.say(&message("still here")).await;
    assert_eq!(anns.hear_of("message").await["text"], "still here");
    drop(idle);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_loses_doubles_and_confuses_nothing() {
    let daemon = Daemon::start(&crowd::config());
    let crowd = Crowd { clients: 60, writers: 10, messages: 4 };
    let outcome = crowd::run(&daemon, crowd).await;
    assert_eq!(outcome.acknowledged, 40);
    assert_eq!(
        (outcome.kept, outcome.lost, outcome.doubled, outcome.out_of_order, outcome.dropped),
        (40, 0, 0, 0, 0)
    );
    assert_eq!(outcome.delays.len(), 60 * 40);
}
