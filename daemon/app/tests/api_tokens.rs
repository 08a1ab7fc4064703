//! API tokens over HTTP: what each scope opens at every address, how a token ends, and that nothing tells it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

#[path = "../../web/src/rules.rs"]
#[allow(dead_code, reason = "the daemon uses the rest")]
mod rules;
#[path = "../../web/src/scopes.rs"]
mod scopes;
mod support;

use perch_store::Scope;
use rules::RULES;
use scopes::scope_of;
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use support::chat::{Chat, Way};
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::walk::ask;
use support::{Daemon, Signal};

const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 240
frames_per_second = 5
"#;

/// Makes a token; its id, and a program that has it.
fn program<'a>(user: &Person<'a>, scopes: &[&str]) -> (String, Person<'a>) {
    let made = user.post("/api/v1/me/tokens", &json!({"name": "A program", "scopes": scopes}));
    assert_eq!(made.status, 201, "{}", made.text());
    let (id, token) = (made.json()["id"].clone(), made.json()["token"].clone());
    let token = token.as_str().unwrap().to_owned();
    assert!(token.starts_with("perch_") && token.len() == 70, "{token}");
    (id.as_str().unwrap().to_owned(), Person { daemon: user.daemon, token: Some(token) })
}

#[test]
fn a_token_may_what_its_scopes_say_and_no_more() {
    let daemon = Daemon::start(NO_LIMITS);
    let owner = Person::owner(&daemon, "olga");
    let programs = Scope::ALL.map(|scope| (Some(scope), program(&owner, &[scope.name()]).1));
    let with_all = program(&owner, &["read", "chat", "go-live", "manage"]).1;
    let mut wrong = Vec::new();
    for rule in RULES {
        // There no token is looked at: the caller is nobody. Media have a test of their own.
        let is_ignored = rule.path.starts_with("/api/v1/auth/") || rule.path == "/api/v1/setup";
        let is_page =
            !rule.path.starts_with("/api/") && !["/healthz", "/readyz", "/metrics"].contains(&rule.path);
        if is_page {
            continue;
        }
        let needed = scope_of(rule);
        for (has, who) in &programs {
            let (status, code) = ask(who, rule.method, rule.path);
            let is_refused = (status, code.as_str()) == (403, "scope_missing");
            let is_right = if is_ignored {
                status >= 400 || rule.path.ends_with("logout")
            } else {
                is_refused == (needed != *has)
            };
            if !is_right {
                wrong.push(format!("{} {} with {has:?}: {status} {code}", rule.method, rule.path));
            }
        }
        let (status, code) = ask(&with_all, rule.method, rule.path);
        let is_refused = (status, code.as_str()) == (403, "scope_missing");
        if !is_ignored && is_refused != needed.is_none() {
            wrong.push(format!("{} {} with all scopes: {status} {code}", rule.method, rule.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // By name, whatever the table says: what would outlast a token, or let it do more than its scopes.
    for (method, path, body) in [
        ("POST", "/api/v1/me/tokens", json!({"name": "More", "scopes": ["manage"]})),
        ("POST", "/api/v1/me/password", json!({"password": PASSWORD, "new_password": "another password"})),
        ("PATCH", "/api/v1/users/olga", json!({"password": "another password"})),
        ("POST", "/api/v1/users", json!({"username": "eve", "password": PASSWORD, "role": "owner"})),
        ("DELETE", "/api/v1/users/olga", json!({})),
        ("DELETE", "/api/v1/me", json!({"password": PASSWORD})),
        ("POST", "/api/v1/me/ingest/key", json!({})),
        ("POST", "/api/v1/backup", json!({"password": PASSWORD})),
    ] {
        let refused = with_all.ask(method, path, Some(&body));
        assert_eq!(
            (refused.status, refused.json()["code"].as_str()),
            (403, Some("scope_missing")),
            "{method} {path}"
        );
    }
    assert_eq!(owner.get("/api/v1/me").status, 200, "the owner is still logged in");
    assert_eq!(Person::login(&daemon, "olga").get("/api/v1/me").status, 200, "with the same password");
}

#[test]
fn a_token_is_shown_once_and_told_by_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), &format!("{NO_LIMITS}[log]\nlevel = \"trace\"\n"));
    let owner = Person::owner(&daemon, "olga");
    let (id, one) = program(&owner, &["read"]);
    let secret = one.token.clone().unwrap();
    assert_eq!(one.get("/api/v1/me").json()["username"], "olga");
    let listed = owner.get("/api/v1/me/tokens");
    let items = listed.json();
    let [token] = &items["items"].as_array().unwrap()[..] else { panic!("one token") };
    assert_eq!((token["id"].as_str(), token["scopes"].clone()), (Some(&id[..]), json!(["read"])));
    assert!(token["last_used_at"].is_string() && token["expires_at"].is_null(), "{token}");
    // In a query or a cookie it is no token.
    assert_eq!(daemon.get(&format!("/api/v1/me?token={secret}")).status, 401);
    let cookie = format!("perch_access={secret}");
    assert_eq!(daemon.ask("GET", "/api/v1/me", &[("Cookie", &cookie)]).status, 401);
    for answer in [listed, one.get("/api/v1/me/tokens"), one.post("/api/v1/streams", &json!({"title": "x"}))]
    {
        assert!(!answer.text().contains(&secret));
    }
    daemon.signal(Signal::TERM);
    let log = daemon.logged_until("shutting down");
    // The access line of the query is without it, too.
    assert!(log.iter().any(|line| line.contains("/api/v1/me ")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains(&secret[6..])), "{log:#?}");
    assert_eq!(daemon.ended(), Some(0));
    let store = std::fs::read(dir.path().join("data/perch.redb")).unwrap();
    assert!(!store.windows(64).any(|window| window == &secret.as_bytes()[6..]));
    // It is as good after a restart, and its last use is kept to within some minutes.
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    let one = Person { daemon: &daemon, token: Some(secret) };
    assert_eq!(one.get("/api/v1/me").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_has_opened_ends_when_it_is_revoked() {
    let daemon = Daemon::start(&format!("{CAMERA}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let (_, streams) = program(&owner, &["go-live"]);
    let started = streams.post("/api/v1/streams", &json!({"title": "Nest", "visibility": "members"}));
    assert_eq!(started.status, 201, "{}", started.text());
    let stream = started.json()["id"].as_str().unwrap().to_owned();
    let (reader, reads) = program(&owner, &["read"]);
    let (talker, talks) = program(&owner, &["chat"]);

    // Members' media, by their token's scope.
    let playlist = format!("/media/{stream}/index.m3u8");
    assert_eq!(reads.get(&playlist).status, 200);
    assert_eq!(talks.get(&playlist).json()["code"], "scope_missing");

    let way = |who: &Person| Way { token: who.token.clone(), ..Way::default() };
    assert_eq!(Chat::join(daemon.address, &stream, &way(&reads)).await.err(), Some(403));
    let mut chat = Chat::join(daemon.address, &stream, &way(&talks)).await.unwrap();
    chat.say(&json!({"type": "message", "text": "Hello from a script"})).await;
    assert_eq!(chat.hear_of("message").await["text"], "Hello from a script");
    let mut events = BufReader::new(reads.begin("GET", "/api/v1/me/events", None));
    let mut line = String::new();
    while !line.starts_with("event: unread") {
        line.clear();
        assert!(events.read_line(&mut line).unwrap() > 0);
    }
    for id in [talker, reader] {
        assert_eq!(owner.delete(&format!("/api/v1/me/tokens/{id}")).status, 204);
        assert_eq!(owner.delete(&format!("/api/v1/me/tokens/{id}")).status, 404);
    }
    chat.rest().await;
    while events.read_line(&mut line).unwrap() > 0 {}
    assert_eq!(reads.get("/api/v1/me").status, 401);
    assert_eq!(streams.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
}

#[test]
fn players_that_send_no_headers_watch_at_an_address_that_holds_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("{CAMERA}{NO_LIMITS}[log]\nlevel = \"debug\"\n");
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olga");
    let (id, watch) = program(&owner, &["watch"]);
    let secret = watch.token.unwrap();
    let at = |rest: &str| format!("/media/by-token/{secret}/{rest}");
    let nothing = daemon.get(&at("camera/front/index.m3u8"));
    assert_eq!((nothing.status, nothing.json()["code"].as_str()), (404, Some("not_live")));
    let new = json!({"title": "Nest", "visibility": "members", "record": true});
    let stream = owner.post("/api/v1/streams", &new).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(owner.get(&format!("/media/{stream}/index.m3u8")).status, 200);
    assert_eq!(daemon.get(&format!("/media/{stream}/index.m3u8")).status, 401);
    for playlist in ["camera/front", "live", &stream] {
        let answer =
            daemon.ask("GET", &at(&format!("{playlist}/index.m3u8")), &[("Origin", "http://a.example")]);
        assert_eq!(answer.status, 200, "{playlist}: {}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), None, "it is private");
        assert!(answer.header("cache-control").unwrap().contains("private"));
        let text = answer.text();
        let segment = text.lines().find(|line| !line.starts_with('#')).unwrap();
        assert!(!segment.contains('/') && !text.contains(&secret[6..]), "{text}");
        assert_eq!(daemon.get(&at(&format!("{playlist}/{segment}"))).status, 200);
    }
    let picture = daemon.get(&at("camera/front/snapshot.jpg?width=160"));
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")));
    assert_eq!(daemon.get(&at("camera/front/snapshot.jpg?width=9")).status, 400);
    assert_eq!(daemon.get(&at("camera/back/snapshot.jpg")).status, 404);
    assert_eq!(daemon.send("POST", &at("camera/front/snapshot.jpg"), &[], b"x").status, 405);
    // A player follows the names in the playlist by itself.
    let probe = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0"])
        .arg(daemon.url(&at("camera/front/index.m3u8")))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&probe.stdout).contains("h264,320"), "{probe:?}");
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    assert_eq!(daemon.get(&at(&format!("{stream}/recording.mp4"))).status, 200);
    assert_eq!(daemon.get(&format!("/media/{stream}/recording.mp4")).status, 404);

    // It is for such addresses only, and other tokens are not.
    let bearer = Person { daemon: &daemon, token: Some(secret.clone()) };
    assert_eq!(bearer.get("/api/v1/me").json()["code"], "scope_missing");
    assert_eq!(bearer.get(&format!("/media/{stream}/index.m3u8")).json()["code"], "scope_missing");
    let other = program(&owner, &["read", "chat", "go-live", "manage"]).1.token.unwrap();
    let refused = daemon.get(&format!("/media/by-token/{other}/{stream}/index.m3u8"));
    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("scope_missing")));
    assert_eq!(daemon.get(&format!("/media/by-token/perch_{}/live/index.m3u8", "0".repeat(64))).status, 401);
    assert_eq!(owner.delete(&format!("/api/v1/me/tokens/{id}")).status, 204);
    assert_eq!(daemon.get(&at(&format!("{stream}/recording.mp4"))).status, 401);
    daemon.signal(Signal::TERM);
    let log = daemon.logged_until("shutting down");
    assert!(log.iter().any(|line| line.contains("/media/by-token/…/camera/front/index.m3u8")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains(&secret[6..]) || line.contains(&other[6..])), "{log:#?}");
}
