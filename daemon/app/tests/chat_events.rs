//! Chat behind a proxy that does not pass on a WebSocket: lines come as Server-Sent Events, messages go by requests, under the rules
//! of the WebSocket.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use support::browser::walk;
use support::chat::{Chat, Way};
use support::crowd;
use support::people::{NO_LIMITS, Person};
use support::proxy::Proxy;
use support::{Daemon, PATIENCE, TEST_PATTERN};

/// nginx as it is: it asks with HTTP/1.0, drops Upgrade, and buffers answers.
fn without_upgrade(folder: &tempfile::TempDir, daemon: &Daemon) -> Proxy {
    let server =
        format!("location / {{ proxy_pass http://{}; proxy_set_header Host $http_host; }}", daemon.address);
    Proxy::nginx(folder.path(), &server)
}

/// The lines of a chat as events.
struct Events(BufReader<TcpStream>);

impl Events {
    fn listen(at: SocketAddr, stream: &str, token: Option<&str>) -> Self {
        let mut connection = TcpStream::connect(at).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let login = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        // HTTP/1.0 has no chunks.
        write!(connection, "GET /api/v1/streams/{stream}/chat/events HTTP/1.0\r\nHost: {at}\r\n{login}\r\n")
            .unwrap();
        Self(BufReader::new(connection))
    }

    /// The next line of JSON; `None` at the end.
    fn hear(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }

    fn hear_of(&mut self, kind: &str) -> Value {
        std::iter::from_fn(|| self.hear()).find(|line| line["type"] == kind).expect(kind)
    }
}

fn go_live(owner: &Person) -> String {
    let stream = owner.post("/api/v1/streams", &json!({"title": "Birds"}));
    assert_eq!(stream.status, 201, "{}", stream.text());
    stream.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_web_socket_everybody_reads_and_writes_in_the_same_room() {
    let daemon = Daemon::start(&crowd::config());
    let owner = Person::owner(&daemon, "ann");
    let (ben, cleo) = (Person::register(&daemon, "ben"), Person::register(&daemon, "cleo"));
    let stream = go_live(&owner);
    let folder = tempfile::tempdir().unwrap();
    let proxy = without_upgrade(&folder, &daemon);
    let at = SocketAddr::from(([127, 0, 0, 1], proxy.port));
    let way = Way { token: ben.token.clone(), ..Way::default() };
    assert_eq!(Chat::join(at, &stream, &way).await.err(), Some(426));

    let mut socket = Chat::join(daemon.address, &stream, &way).await.unwrap();
    let mut nobody = Events::listen(at, &stream, None);
    let mut events = Events::listen(at, &stream, cleo.token.as_deref());
    assert_eq!(nobody.hear_of("welcome")["may_write"], false);
    let welcome = events.hear_of("welcome");
    assert_eq!((&welcome["you"]["username"], &welcome["may_write"]), (&json!("cleo"), &json!(true)));

    let messages = format!("/api/v1/streams/{stream}/messages");
    let sent = cleo.post(&messages, &json!({"text": " hello "}));
    assert_eq!(sent.status, 201, "{}", sent.text());
    let heard = [nobody.hear_of("message"), events.hear_of("message"), socket.hear_of("message").await];
    for heard in heard {
        assert_eq!((&heard["id"], &heard["text"]), (&sent.json()["id"], &json!("hello")));
    }
    socket.say(&json!({"type": "message", "text": "hi"})).await;
    assert_eq!(events.hear_of("message")["user"]["username"], "ben");

    // The rules are those of the room.
    for (text, code) in [("x".repeat(501), "invalid_field"), (String::new(), "invalid_field")] {
        assert_eq!(cleo.post(&messages, &json!({"text": text})).code(), code);
    }
    assert_eq!(Person::nobody(&daemon).post(&messages, &json!({"text": "a"})).code(), "unauthenticated");
    let rules = json!({"slow_mode_seconds": 30});
    assert_eq!(owner.patch(&format!("/api/v1/streams/{stream}/chat-rules"), &rules).status, 200);
    events.hear_of("rules");
    let refused = ben.post(&messages, &json!({"text": "again"}));
    assert_eq!((refused.status, refused.code().as_str()), (429, "slow_mode"));
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    let mute = json!({"severity": "mute"});
    assert_eq!(owner.put(&format!("/api/v1/streams/{stream}/restrictions/ben"), &mute).status, 204);
    socket.hear_of("rules").await;
    assert_eq!(ben.post(&messages, &json!({"text": "me too"})).code(), "slow_mode");
    let rules = json!({"slow_mode_seconds": 0});
    assert_eq!(owner.patch(&format!("/api/v1/streams/{stream}/chat-rules"), &rules).status, 200);
    let refused = ben.post(&messages, &json!({"text": "me too"}));
    assert_eq!((refused.status, refused.code().as_str()), (403, "muted"));
    let ban = json!({"severity": "ban"});
    assert_eq!(owner.put(&format!("/api/v1/streams/{stream}/restrictions/cleo"), &ban).status, 204);
    assert_eq!(events.hear_of("error")["code"], "banned");
    assert_eq!(events.hear(), None, "whoever is banned hears no more");

    // The end is told.
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    nobody.hear_of("ended");
    assert_eq!(nobody.hear(), None);
    assert_eq!(owner.post(&messages, &json!({"text": "late"})).status, 404);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_page_says_that_no_web_socket_gets_through_and_chats_all_the_same() {
    let daemon = Daemon::ready(&format!("{TEST_PATTERN}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "ann");
    let stream = go_live(&owner);
    let folder = tempfile::tempdir().unwrap();
    let proxy = without_upgrade(&folder, &daemon);
    let report = walk("chat_events", [&proxy.url(""), &stream, "ann", support::people::PASSWORD]);
    assert!(report["steps"].as_array().unwrap().len() >= 2, "{report}");
}
