//! Walks every address that names a thing, with things that exist: what belongs to one streamer is tried by everyone. `rights.rs`
//! walks the whole table of rights, with ids that nothing has.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

#[path = "../../web/src/rules.rs"]
#[allow(dead_code, reason = "the daemon uses the rest")]
mod rules;
mod support;

use rules::{RULES, Right};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use support::Daemon;
use support::chat::{Chat, Way};
use support::people::{NO_LIMITS, PASSWORD, Person};

const NOBODY: &str = "nobody";
/// Everyone with an account: a viewer, another streamer, the streamer whose things they are, and the owner of the site.
const MEMBERS: &[&str] = &["vera", "sara", "stan", "olga"];
const STREAMERS: &[&str] = &["sara", "stan", "olga"];
/// Whose things they are, and the owner of the site.
const THEIRS: &[&str] = &["stan", "olga"];
const STAN: &[&str] = &["stan"];
const OWNER: &[&str] = &["olga"];
/// Vera has written the message in Stan's chat.
const OF_A_MESSAGE: &[&str] = &["vera", "stan", "olga"];

/// One address, who may use it for a thing of Stan's, and what is sent.
struct Case {
    method: &'static str,
    path: &'static str,
    may: &'static [&'static str],
    body: Value,
}

/// Every address that names a thing and is not for everyone. Stan's streams are for members.
fn cases() -> Vec<Case> {
    let case = |method, path, may, body| Case { method, path, may, body };
    let none = || json!({});
    vec![
        case("DELETE", "/api/v1/me/sessions/{id}", STAN, none()),
        case("DELETE", "/api/v1/users/{username}/ingest-key", THEIRS, none()),
        case("PATCH", "/api/v1/users/{username}", OWNER, json!({"role": "streamer"})),
        case("PUT", "/api/v1/users/{username}/follow", MEMBERS, none()),
        case("DELETE", "/api/v1/users/{username}/follow", MEMBERS, none()),
        case("PATCH", "/api/v1/topics/{id}", OWNER, json!({"name": "Owls"})),
        case("GET", "/api/v1/cameras/{id}", STREAMERS, none()),
        case("PATCH", "/api/v1/cameras/{id}/controls", THEIRS, none()),
        case("GET", "/api/v1/cameras/{id}/microphone", STREAMERS, none()),
        case("PATCH", "/api/v1/cameras/{id}/microphone", THEIRS, json!({"muted": false})),
        case("GET", "/api/v1/cameras/{id}/snapshot.jpg", MEMBERS, none()),
        case("GET", "/media/{id}/{name}", MEMBERS, none()),
        case("GET", "/api/v1/streams/{id}", MEMBERS, none()),
        case("PATCH", "/api/v1/streams/{id}", THEIRS, json!({"description": "By the pond"})),
        case("PUT", "/api/v1/streams/{id}/featured", OWNER, none()),
        case("DELETE", "/api/v1/streams/{id}/featured", OWNER, none()),
        case("PUT", "/api/v1/streams/{id}/reaction", MEMBERS, json!({"reaction": "like"})),
        case("PUT", "/api/v1/streams/{id}/save", MEMBERS, none()),
        case("DELETE", "/api/v1/streams/{id}/save", MEMBERS, none()),
        case("GET", "/api/v1/streams/{id}/thumbnail.jpg", MEMBERS, none()),
        case("PUT", "/api/v1/streams/{id}/thumbnail.jpg", THEIRS, none()),
        case("GET", "/api/v1/recordings/{stream}", MEMBERS, none()),
        case("GET", "/api/v1/recordings/{stream}/index", MEMBERS, none()),
        case("PATCH", "/api/v1/recordings/{stream}", THEIRS, json!({"pinned": true})),
        case("PATCH", "/api/v1/relays/{name}", OWNER, json!({"enabled": true})),
        case("GET", "/api/v1/webhooks/{id}/deliveries", OWNER, none()),
        case("PATCH", "/api/v1/webhooks/{id}", OWNER, json!({"enabled": false})),
        case("POST", "/api/v1/webhooks/{id}/test", OWNER, none()),
        case("GET", "/api/v1/streams/{id}/chat", MEMBERS, none()),
        case("GET", "/api/v1/streams/{id}/chat/events", MEMBERS, none()),
        case("GET", "/api/v1/streams/{id}/messages", MEMBERS, none()),
        // Vera is muted there.
        case("POST", "/api/v1/streams/{id}/messages", STREAMERS, json!({"text": "four"})),
        case("PATCH", "/api/v1/streams/{id}/chat-rules", THEIRS, json!({"slow_mode_seconds": 1})),
        case("GET", "/api/v1/streams/{id}/restrictions", THEIRS, none()),
        case("PUT", "/api/v1/streams/{id}/restrictions/{username}", THEIRS, json!({"severity": "mute"})),
        case("DELETE", "/api/v1/streams/{id}/restrictions/{username}", THEIRS, none()),
        case("PUT", "/api/v1/restrictions/{username}", OWNER, json!({"severity": "mute"})),
        case("DELETE", "/api/v1/restrictions/{username}", OWNER, none()),
        case("GET", "/api/v1/users/{username}/restrictions", MEMBERS, none()),
        case("DELETE", "/api/v1/users/{username}/restrictions/{room}", THEIRS, none()),
        // What ends a thing comes last; each who may has one of their own to end.
        case("DELETE", "/api/v1/streams/{id}/messages/{message}", OF_A_MESSAGE, none()),
        case("DELETE", "/api/v1/recordings/{stream}", THEIRS, none()),
        case("POST", "/api/v1/recordings/{stream}/restore", THEIRS, none()),
        case("DELETE", "/api/v1/users/{username}/recordings", THEIRS, none()),
        case("POST", "/api/v1/users/{username}/recordings/restore", THEIRS, none()),
        case("POST", "/api/v1/streams/{id}/stop", THEIRS, none()),
        case("DELETE", "/api/v1/streams/{id}", THEIRS, none()),
        case("DELETE", "/api/v1/topics/{id}", OWNER, none()),
        case("DELETE", "/api/v1/relays/{name}", OWNER, none()),
        case("DELETE", "/api/v1/webhooks/{id}", OWNER, none()),
        case("DELETE", "/api/v1/me/tokens/{id}", STAN, none()),
        case("DELETE", "/api/v1/users/{username}", OWNER, none()),
    ]
}

const CAMERAS: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 160
height = 90
frames_per_second = 5
tone = true

[[camera]]
name = "back"
source = "test-pattern"
width = 160
height = 90
frames_per_second = 5
"#;

/// A stream of Stan's for members, which is recorded.
fn go_live(stan: &Person, camera: &str) -> String {
    let asked = json!({"title": "Nest", "camera": camera, "visibility": "members", "record": true});
    let started = stan.post("/api/v1/streams", &asked);
    assert_eq!(started.status, 201, "{}", started.text());
    started.json()["id"].as_str().unwrap().to_owned()
}

/// Waits until something of the stream is recorded, and ends it. Each look lets time pass.
fn end(stan: &Person, stream: &str) {
    let recorded = || stan.get(&format!("/api/v1/recordings/{stream}")).json()["duration_seconds"].as_f64();
    while recorded().is_none_or(|seconds| seconds == 0.0) {}
    assert_eq!(stan.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
}

/// Stan's things.
struct Things {
    live: String,
    /// Ended and recorded; one for each who may delete.
    recorded: [String; 2],
    /// Vera's, in the chat of `live`; one for each who may delete.
    messages: [String; 3],
    /// Logins of Stan's.
    session: String,
    topic: String,
    /// The owner's.
    webhook: String,
    /// A personal one of Stan's.
    token: String,
}

/// Has Vera write three messages; their ids.
async fn write(vera: &Person<'_>, stream: &str) -> [String; 3] {
    let way = Way { token: vera.token.clone(), ..Way::default() };
    let mut chat = Chat::join(vera.daemon.address, stream, &way).await.unwrap();
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        chat.say(&json!({"type": "message", "text": text, "client_id": text})).await;
        ids.push(chat.hear_of("message").await["id"].as_str().unwrap().to_owned());
    }
    ids.try_into().unwrap()
}

impl Things {
    /// The address for who asks: they may end what another of those who may has left.
    fn address(&self, case: &Case, rank: usize) -> String {
        let ends = case.method == "DELETE" || case.method == "POST";
        let stream = match case.path {
            path if path == "/api/v1/streams/{id}" && ends || path.contains("{stream}") => {
                &self.recorded[if ends { rank.min(1) } else { 0 }]
            }
            _ => &self.live,
        };
        let id = match case.path {
            path if path.starts_with("/api/v1/cameras") => "front",
            path if path.starts_with("/api/v1/topics") => &self.topic,
            path if path.starts_with("/api/v1/me/sessions") => &self.session,
            path if path.starts_with("/api/v1/webhooks") => &self.webhook,
            path if path.starts_with("/api/v1/me/tokens") => &self.token,
            _ => stream,
        };
        // Vera is the one who is muted; everything else of an account is Stan's.
        let username = if case.path.contains("restrictions") { "vera" } else { "stan" };
        case.path
            .replace("{id}", id)
            .replace("{stream}", stream)
            .replace("{message}", &self.messages[rank.min(2)])
            .replace("{room}", &self.live)
            .replace("{username}", username)
            .replace("/relays/{name}", "/relays/tube")
            .replace("{name}", "index.m3u8")
    }
}

/// Asks; the status.
async fn ask(who: &Person<'_>, case: &Case, address: &str) -> u16 {
    if case.path.ends_with("/chat") {
        let stream = address.split('/').nth(4).unwrap();
        let way = Way { token: who.token.clone(), ..Way::default() };
        return Chat::join(who.daemon.address, stream, &way).await.map_or_else(|status| status, |_| 101);
    }
    if case.path.ends_with("/events") {
        // The answer does not end.
        let mut status = String::new();
        BufReader::new(who.begin(case.method, address, None)).read_line(&mut status).unwrap();
        return status.split(' ').nth(1).unwrap().parse().unwrap();
    }
    let body = (case.method != "GET").then_some(&case.body);
    who.ask(case.method, address, body).status
}

const fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 404)
}

/// Every address that names a thing is in the list above, but for those that are for everyone as they stand.
fn are_all_there(cases: &[Case]) -> Vec<String> {
    // Of accounts, everyone sees what the account shows of itself.
    let is_public = |path: &str| path.starts_with("/api/v1/users/");
    let due = RULES.iter().filter(|rule| rule.path.contains('{'));
    let due = due.filter(|rule| {
        rule.right != Right::Anyone
            || !rule.note.is_empty() && rule.path != "/watch/{id}" && !is_public(rule.path)
    });
    let is_there =
        |method: &str, path: &str| cases.iter().any(|case| (case.method, case.path) == (method, path));
    due.filter(|rule| !is_there(rule.method, rule.path))
        .map(|rule| format!("{} {} is not walked: say who may", rule.method, rule.path))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_one_streamer_is_theirs_and_the_owners() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), &format!("{NO_LIMITS}{CAMERAS}"));
    let olga = Person::owner(&daemon, "olga");
    for (name, role) in [("vera", "viewer"), ("sara", "streamer"), ("stan", "streamer")] {
        let account = json!({"username": name, "password": PASSWORD, "role": role});
        assert_eq!(olga.post("/api/v1/users", &account).status, 201);
    }
    let [vera, sara, stan] = ["vera", "sara", "stan"].map(|name| Person::login(&daemon, name));
    let relay = json!({"name": "tube", "url": "rtmp://127.0.0.1:1/live", "key": "secret"});
    let made = olga.post("/api/v1/relays", &relay);
    assert_eq!(made.status, 201, "{}", made.text());
    let topic = olga.get("/api/v1/topics").json()["items"][0]["id"].as_str().unwrap().to_owned();
    let recorded = [go_live(&stan, "back"), String::new()];
    end(&stan, &recorded[0]);
    let recorded = [recorded[0].clone(), go_live(&stan, "back")];
    end(&stan, &recorded[1]);
    let live = go_live(&stan, "front");
    assert_eq!(stan.get(&format!("/media/{live}/index.m3u8")).status, 200);
    let messages = write(&vera, &live).await;
    assert_eq!(stan.post("/api/v1/me/ingest/key", &json!({})).status, 201);
    let muted = stan.put(
        &format!("/api/v1/streams/{live}/restrictions/vera"),
        &json!({"severity": "mute", "scope": "stream"}),
    );
    assert_eq!(muted.status, 204);
    Person::login(&daemon, "stan");
    let sessions = stan.get("/api/v1/me/sessions").json()["items"].clone();
    let other = |one: &&Value| one["is_current"] == false;
    let session = sessions.as_array().unwrap().iter().find(other).unwrap()["id"].as_str().unwrap().to_owned();
    let made = |who: &Person, path: &str, body: Value| {
        let made = who.post(path, &body);
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["id"].as_str().unwrap().to_owned()
    };
    let webhook = json!({"url": "http://192.0.2.1/hook", "events": ["storage.low"]});
    let webhook = made(&olga, "/api/v1/webhooks", webhook);
    let token = made(&stan, "/api/v1/me/tokens", json!({"name": "A program", "scopes": ["read"]}));
    let things = Things { live, recorded, messages, session, topic, webhook, token };

    let nobody = Person::nobody(&daemon);
    let people = [(NOBODY, &nobody), ("vera", &vera), ("sara", &sara), ("stan", &stan), ("olga", &olga)];
    let cases = cases();
    let mut wrong = are_all_there(&cases);
    // First those who may not: nothing of Stan's is changed.
    let state = || {
        let texts = |path: &str| olga.get(path).text();
        let stream = olga.get(&format!("/api/v1/streams/{}", things.live)).json();
        json!([
            stream["title"],
            stream["description"],
            stream["state"],
            stream["visibility"],
            stream["likes"],
            texts(&format!("/api/v1/streams/{}/messages", things.live)),
            texts(&format!("/api/v1/streams/{}/restrictions", things.live)),
            // Not the list: the live stream is recorded, too, and appears there when its first fragment is.
            texts(&format!("/api/v1/recordings/{}", things.recorded[0])),
            texts(&format!("/api/v1/recordings/{}", things.recorded[1])),
            texts("/api/v1/users"),
            texts("/api/v1/topics"),
            texts("/api/v1/relays"),
            texts("/api/v1/restrictions"),
            texts("/api/v1/webhooks"),
            stan.get("/api/v1/me/tokens").text(),
            stan.get("/api/v1/me/sessions").text(),
        ])
    };
    let before = state();
    for case in &cases {
        for (name, who) in people.iter().filter(|(name, _)| !case.may.contains(name)) {
            let address = things.address(case, 0);
            let status = ask(who, case, &address).await;
            // Only what is read may hide itself from strangers.
            if !is_refusal(status) || *name == NOBODY && case.method != "GET" && status != 401 {
                wrong.push(format!("{} {address} as {name}: {status}", case.method));
            }
        }
    }
    assert_eq!(state(), before, "somebody changed what is not theirs");
    // Then those who may.
    for case in &cases {
        for (rank, name) in case.may.iter().enumerate() {
            let who = people.iter().find(|(known, _)| known == name).unwrap().1;
            let address = things.address(case, rank);
            let status = ask(who, case, &address).await;
            if is_refusal(status) || status >= 500 {
                wrong.push(format!("{} {address} as {name}: {status}", case.method));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    drop(daemon);
}
