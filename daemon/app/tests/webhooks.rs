//! Webhooks against receivers that we did not write: Python's http.server checks the signatures; one receiver is down, one never answers, one
//! answers with a redirect, and names that lead to this board are refused.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use support::chat::{Chat, Way};
use support::people::{NO_LIMITS, Person};
use support::{Daemon, PATIENCE};

const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 240
frames_per_second = 5
"#;
/// Nobody listens at port 1.
const RELAY: &str = "[[relay]]\nname = \"mirror\"\nurl = \"rtmp://127.0.0.1:1/live\"\nkey = \"key\"\n";
const LOCAL: &str = "[webhooks]\nlocal_addresses = true\n";

/// `webhooks/receiver.py`; ended when it is dropped.
struct Receiver<'a> {
    python: Child,
    told: Lines<BufReader<ChildStdout>>,
    port: u16,
    folder: &'a Path,
}

impl<'a> Receiver<'a> {
    /// `certificate`: with its key, for TLS.
    fn start(folder: &'a Path, certificate: &[&Path]) -> Self {
        let mut python = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/webhooks/receiver.py"))
            .arg(folder)
            .args(certificate)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(python.stdout.take().unwrap()).lines();
        let port = told.next().unwrap().unwrap().parse().unwrap();
        Self { python, told, port, folder }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.told.next().unwrap().unwrap()).unwrap()
    }

    /// Sets up a webhook here; its id.
    fn webhook(&self, owner: &Person, scheme: &str, name: &str, events: &[&str]) -> String {
        let url = format!("{scheme}://localhost:{}/{name}", self.port);
        let made = owner.post("/api/v1/webhooks", &json!({"url": url, "events": events}));
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        std::fs::write(self.folder.join(name), made["secret"].as_str().unwrap()).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

fn deliveries(owner: &Person, webhook: &str) -> Vec<Value> {
    let found = owner.get(&format!("/api/v1/webhooks/{webhook}/deliveries"));
    assert_eq!(found.status, 200, "{}", found.text());
    found.json()["items"].as_array().unwrap().clone()
}

fn test(owner: &Person, webhook: &str) {
    assert_eq!(owner.post(&format!("/api/v1/webhooks/{webhook}/test"), &json!({})).status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_what_happens_signed() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), &format!("{CAMERA}{RELAY}{LOCAL}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let mut receiver = Receiver::start(dir.path(), &[]);
    let webhook = receiver.webhook(
        &owner,
        "http",
        "ok",
        &["stream.started", "stream.ended", "recording.ready", "relay.failed", "chat.message"],
    );
    let started =
        owner.post("/api/v1/streams", &json!({"title": "Nest", "record": true, "relays": ["mirror"]}));
    assert_eq!(started.status, 201, "{}", started.text());
    let stream = started.json()["id"].as_str().unwrap().to_owned();
    let first = receiver.next();
    assert_eq!((first["genuine"].as_bool(), &first["body"]["type"]), (Some(true), &json!("stream.started")));
    assert_eq!(first["body"]["data"]["stream"]["title"], "Nest");
    let way = Way { token: owner.token.clone(), ..Way::default() };
    let mut chat = Chat::join(daemon.address, &stream, &way).await.unwrap();
    chat.say(&json!({"type": "message", "text": "An owl!"})).await;
    let said = receiver.next();
    assert_eq!((said["genuine"].as_bool(), &said["body"]["type"]), (Some(true), &json!("chat.message")));
    assert_eq!(said["body"]["data"]["message"]["text"], "An owl!");
    // Told once the relay has failed for 10 s.
    let failed = receiver.next();
    assert_eq!((failed["genuine"].as_bool(), &failed["body"]["type"]), (Some(true), &json!("relay.failed")));
    let data = &failed["body"]["data"];
    assert!(
        data["relay"] == "mirror" && data["stream"]["id"] == stream && data["detail"].is_string(),
        "{failed}"
    );
    assert_eq!(owner.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    let last = [receiver.next(), receiver.next()];
    for (kind, field) in [("stream.ended", "stream"), ("recording.ready", "recording")] {
        let told = last.iter().find(|told| told["body"]["type"] == kind).unwrap();
        assert!(told["genuine"] == true && told["body"]["data"][field].is_object(), "{told}");
    }
    let delivered = deliveries(&owner, &webhook);
    assert_eq!(delivered.len(), 5, "{delivered:?}");
    assert!(delivered.iter().any(|one| one["state"] == "delivered" && one["status"] == 204), "{delivered:?}");
    // Switched off, it is told nothing.
    assert_eq!(owner.patch(&format!("/api/v1/webhooks/{webhook}"), &json!({"enabled": false})).status, 200);
    test(&owner, &webhook);
    assert!(deliveries(&owner, &webhook).iter().any(|one| one["event"] == "test" && one["tries"] == 0));
    assert_eq!(owner.patch(&format!("/api/v1/webhooks/{webhook}"), &json!({"enabled": true})).status, 200);
    assert_eq!(receiver.next()["body"]["type"], "test");
}

#[test]
fn receivers_that_are_down_slow_or_lead_elsewhere_are_listed_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("{LOCAL}{NO_LIMITS}");
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olga");
    let mut receiver = Receiver::start(dir.path(), &[]);
    let events = ["storage.low"];
    let redirecting = receiver.webhook(&owner, "http", "redirect", &events);
    let slow = receiver.webhook(&owner, "http", "slow", &events);
    // Bound, and closed again: nobody listens there.
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let down = json!({"url": format!("http://{nobody}/HOOKSECRET"), "events": events});
    let down = owner.post("/api/v1/webhooks", &down).json()["id"].as_str().unwrap().to_owned();
    for webhook in [&slow, &down, &redirecting] {
        test(&owner, webhook);
    }
    // The slow one holds nobody up.
    assert_eq!(receiver.next()["at"], "redirect");
    let log = daemon.logged_until("no answer within 10 s");
    assert!(!log.iter().any(|line| line.contains("HOOKSECRET")), "{log:#?}");
    for (webhook, words) in [(&slow, "no answer"), (&down, "no connection"), (&redirecting, "redirect")] {
        let [one] = &deliveries(&owner, webhook)[..] else { panic!("one delivery") };
        assert_eq!((&one["state"], one["tries"].as_u64() >= Some(1)), (&json!("waiting"), true), "{one}");
        assert!(one["detail"].as_str().unwrap().contains(words), "{one}");
        assert!(one["next_in_seconds"].is_u64(), "{one}");
    }
    assert_eq!(deliveries(&owner, &redirecting)[0]["status"], 302);

    // What waits outlasts a restart, and is tried again then.
    assert_eq!(daemon.stop(), Some(0));
    let listener = TcpListener::bind(nobody).unwrap();
    let daemon = Daemon::start_in(dir.path(), &config);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"POST /HOOKSE");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let owner = Person::login(&daemon, "olga");
    loop {
        let [one] = &deliveries(&owner, &down)[..] else { panic!("one delivery") };
        if one["state"] == "delivered" {
            assert!(one["tries"].as_u64() >= Some(2), "{one}");
            break;
        }
    }
}

#[test]
fn names_that_lead_to_this_board_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    let owner = Person::owner(&daemon, "olga");
    let receiver = Receiver::start(dir.path(), &[]);
    let webhook = receiver.webhook(&owner, "http", "ok", &["storage.low"]);
    test(&owner, &webhook);
    daemon.logged("webhooks do not go there");
    let [one] = &deliveries(&owner, &webhook)[..] else { panic!("one delivery") };
    assert!(one["detail"].as_str().unwrap().contains("an address of this board itself"), "{one}");
    for url in ["ftp://example.org/", "http://a:b@example.org/", "example.org"] {
        let refused = owner.post("/api/v1/webhooks", &json!({"url": url, "events": ["storage.low"]}));
        assert_eq!((refused.status, refused.json()["field"].as_str()), (422, Some("url")), "{url}");
    }
}

#[test]
fn a_receiver_with_a_certificate_is_told_over_tls_and_another_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key);
        let files = ["pem", "key"].map(|extension| dir.path().join(format!("{name}.{extension}")));
        std::fs::write(&files[0], certificate.unwrap().pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        files
    };
    let [[certificate, key], [other, other_key]] = ["ours", "other"].map(issue);
    let config = format!("{LOCAL}ca_file = {:?}\n{NO_LIMITS}", certificate.display().to_string());
    let daemon = Daemon::start_in(dir.path(), &config);
    let owner = Person::owner(&daemon, "olga");
    let mut receiver = Receiver::start(dir.path(), &[&certificate, &key]);
    let stranger = Receiver::start(dir.path(), &[&other, &other_key]);
    let strange = stranger.webhook(&owner, "https", "strange", &["storage.low"]);
    let webhook = receiver.webhook(&owner, "https", "ok", &["storage.low"]);
    test(&owner, &strange);
    daemon.logged("is signed by an authority that is not trusted here");
    assert_eq!(deliveries(&owner, &strange)[0]["status"], Value::Null);
    test(&owner, &webhook);
    let told = receiver.next();
    assert_eq!((told["genuine"].as_bool(), &told["body"]["type"]), (Some(true), &json!("test")));
}
