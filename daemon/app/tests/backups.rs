//! Backups over HTTP: a site is downloaded, and another one goes on with it without a restart; what cannot be restored changes nothing; and a
//! power cut at any moment of a restore leaves the one site or the other.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use perch_store::Store;
use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use support::chat::{Chat, Way};
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Answer, Daemon, Signal};

const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 128
height = 96
frames_per_second = 5
"#;

fn download(owner: &Person, password: &str) -> Answer {
    owner.post("/api/v1/backup", &json!({"password": password}))
}

/// Sends a file to be restored.
fn send(owner: &Person, file: &[u8]) -> Answer {
    let bearer = format!("Bearer {}", owner.token.as_ref().unwrap());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/octet-stream")];
    // As a browser would send a file of no bytes.
    let headers = [&headers[..], if file.is_empty() { &[("Content-Length", "0")] } else { &[] }].concat();
    owner.daemon.send("PUT", "/api/v1/restore", &headers, file)
}

fn restore(owner: &Person, id: &str, password: &str) -> Answer {
    owner.post("/api/v1/restore", &json!({"id": id, "password": password}))
}

fn names_in(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with("backup")).collect()
}

async fn say(daemon: &Daemon, stream: &str, who: &Person<'_>, text: &str) {
    let way = Way { token: who.token.clone(), ..Way::default() };
    let mut chat = Chat::join(daemon.address, stream, &way).await.unwrap();
    chat.say(&json!({"type": "message", "text": text, "client_id": "1"})).await;
    assert_eq!(chat.hear_of("message").await["text"], text);
}

/// A site with an owner, a follower, a stream that is over and its chat; gives the stream's id.
async fn lived_in(daemon: &Daemon) -> String {
    let ann = Person::owner(daemon, "ann");
    let ben = Person::register(daemon, "ben");
    assert_eq!(ben.put("/api/v1/users/ann/follow", &json!({})).status, 204);
    assert_eq!(ann.patch("/api/v1/settings", &json!({"site_name": "The Nest"})).status, 200);
    assert_eq!(ann.post("/api/v1/topics", &json!({"name": "Owls"})).status, 201);
    let stream = ann.post("/api/v1/streams", &json!({"title": "Four chicks"})).json();
    let stream = stream["id"].as_str().unwrap().to_owned();
    say(daemon, &stream, &ben, "How many are there?").await;
    // Without a picture it would not be listed.
    daemon.logged("on the air");
    assert_eq!(ann.post(&format!("/api/v1/streams/{stream}/stop"), &json!({})).status, 200);
    stream
}

#[tokio::test]
async fn a_site_goes_on_with_the_backup_of_another_one() {
    let config = format!("{CAMERA}{NO_LIMITS}");
    let nest = Daemon::start(&config);
    let stream = lived_in(&nest).await;
    let ann = Person::login(&nest, "ann");
    assert_eq!(download(&ann, "wrong").code(), "wrong_password");
    assert_eq!(download(&Person::login(&nest, "ben"), PASSWORD).code(), "forbidden");
    let backup = download(&ann, PASSWORD);
    assert_eq!(backup.status, 200);
    assert_eq!(backup.header("content-type"), Some("application/octet-stream"));
    assert_eq!(backup.header("cache-control"), Some("no-store"));
    assert_eq!(backup.header("content-length"), Some(backup.body.len().to_string().as_str()));
    let named = backup.header("content-disposition").unwrap();
    assert!(named.starts_with("attachment; filename=\"perch-20") && named.ends_with(".backup\""), "{named}");
    let finds = |text: &str| backup.body.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(finds("Four chicks") && !finds(PASSWORD));
    assert!(names_in(&nest.data_dir).is_empty(), "nothing is left of it");

    let dir = tempfile::tempdir().unwrap();
    let other = Daemon::start_in(dir.path(), &config);
    let zoe = Person::owner(&other, "zoe");
    let mut told = zoe.begin("GET", "/api/v1/me/events", None);
    let live = zoe.post("/api/v1/streams", &json!({"title": "Mine"})).json();
    let sent = send(&zoe, &backup.body);
    assert_eq!(sent.status, 200, "{}", sent.text());
    let mut sent = sent.json();
    let id = sent["id"].take().as_str().unwrap().to_owned();
    assert_eq!(
        sent,
        json!({"id": null, "site_name": "The Nest", "users": 2, "streams": 1, "messages": 1, "has_sealed_keys": false})
    );
    assert_eq!(restore(&zoe, &id, "wrong").code(), "wrong_password");
    assert_eq!(restore(&zoe, &id, PASSWORD).code(), "not_ended");
    assert_eq!(restore(&zoe, "0", PASSWORD).code(), "not_found");
    assert_eq!(zoe.get("/api/v1/me").json()["username"], "zoe", "nothing was changed");
    let live = format!("/api/v1/streams/{}", live["id"].as_str().unwrap());
    assert_eq!(zoe.post(&format!("{live}/stop"), &json!({})).status, 200);
    let restored = restore(&zoe, &id, PASSWORD);
    assert_eq!(restored.status, 204, "{}", restored.text());
    assert_eq!(restored.cookie("perch_access"), Some(""));

    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert_eq!(zoe.get("/api/v1/me").code(), "unauthenticated");
    assert_eq!((other.get("/api/v1/users/zoe").status, other.get(&live).status), (404, 404));
    let seen = |daemon: &Daemon| {
        let [ann, ben] = ["ann", "ben"].map(|name| Person::login(daemon, name));
        assert_eq!(ben.get("/api/v1/users/ann").json()["is_following"], true);
        assert_eq!(ben.get("/api/v1/settings").json()["site_name"], "The Nest");
        assert!(ben.get("/api/v1/topics").text().contains("Owls"));
        let shown = ann.get(&format!("/api/v1/streams/{stream}")).json();
        assert_eq!((shown["title"].as_str(), shown["state"].as_str()), (Some("Four chicks"), Some("ended")));
        let said = ann.get(&format!("/api/v1/streams/{stream}/messages")).json();
        assert_eq!(said["items"][0]["text"], "How many are there?", "{said}");
        assert_eq!(ann.get("/api/v1/streams?q=chicks").json()["items"][0]["id"], stream.as_str());
        let live = ann.post("/api/v1/streams", &json!({"title": "The fifth"}));
        assert_eq!(live.status, 201, "{}", live.text());
        let stop = format!("/api/v1/streams/{}/stop", live.json()["id"].as_str().unwrap());
        assert_eq!(ann.post(&stop, &json!({})).status, 200);
    };
    seen(&other);
    assert_eq!(other.stop(), Some(0));
    seen(&Daemon::start_in(dir.path(), &config));

    // What was there before can be had again.
    assert_eq!(names_in(&dir.path().join("data")), ["before-restore.backup"]);
    let back = tempfile::tempdir().unwrap();
    std::fs::create_dir(back.path().join("data")).unwrap();
    let kept = dir.path().join("data/before-restore.backup");
    Store::restore(&kept, &back.path().join("data/perch.redb"), perch_store::Timestamp::from_unix_millis(0))
        .unwrap();
    Person::login(&Daemon::start_in(back.path(), &config), "zoe");
}

#[test]
fn what_cannot_be_restored_is_said_and_changes_nothing() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let backup = download(&ann, PASSWORD).body;
    for (file, said) in [
        (&b""[..], "it is empty"),
        (b"hello, I am a picture of an owl", "not a Perch backup"),
        (&backup[..backup.len() / 2], "damaged or incomplete"),
        (&backup[..backup.len() - 1], "damaged or incomplete"),
    ] {
        let answer = send(&ann, file);
        assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_field"), "{}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["field"], "backup");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(said) && !detail.contains("/data"), "{detail}");
        assert!(names_in(&daemon.data_dir).is_empty(), "nothing is left of it");
    }
    assert_eq!(send(&ben, &backup).code(), "forbidden");

    // Whoever changes their mind, or stops half way, or sends another one.
    let id = send(&ann, &backup).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(ann.delete("/api/v1/restore").status, 204);
    assert_eq!(restore(&ann, &id, PASSWORD).code(), "not_found");
    let id = send(&ann, &backup).json()["id"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", ann.token.as_ref().unwrap());
    let mut half = daemon.connect();
    let length = backup.len();
    write!(half, "PUT /api/v1/restore HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n").unwrap();
    write!(half, "Content-Length: {length}\r\n\r\n").unwrap();
    half.write_all(&backup[..length / 2]).unwrap();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(restore(&ann, &id, PASSWORD).code(), "not_found");
    assert_eq!(ben.get("/api/v1/me").status, 200, "logins are open");
}

/// Asks until the daemon is gone, or `done`; gives how often it was answered.
fn ask_on(address: SocketAddr, done: &AtomicBool, most: u32) -> u32 {
    let ask = || {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        stream.read_to_end(&mut Vec::new()).ok()
    };
    (0..most).take_while(|_| !done.load(Ordering::Relaxed)).map_while(|_| ask()).count() as u32
}

/// Which of both sites it is: the number of those it has, and no other's.
fn site_in(daemon: &Daemon) -> usize {
    let name = daemon.get("/api/v1/settings").json()["site_name"].as_str().unwrap().to_owned();
    let site = usize::from(name == "second");
    let (own, other) = [("ann", "zoe"), ("zoe", "ann")][site];
    assert_eq!((daemon.get(&format!("/api/v1/users/{other}")).status, name == "Perch"), (404, site == 0));
    assert_eq!(Person::login(daemon, own).get("/api/v1/users").json()["items"].as_array().unwrap().len(), 2);
    site
}

/// `PERCH_POWER_CUTS=200 cargo test --package perchd --test backups` is the long run.
#[test]
fn a_power_cut_in_a_restore_leaves_the_one_site_or_the_other() {
    let rounds = std::env::var("PERCH_POWER_CUTS").map_or(12, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let backups = [("ann", "Perch"), ("zoe", "second")].map(|(owner, name)| {
        let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
        let person = Person::owner(&daemon, owner);
        person.patch("/api/v1/settings", &json!({"site_name": name}));
        Person::register(&daemon, "ben");
        let backup = download(&person, PASSWORD).body;
        assert_eq!(daemon.stop(), Some(0));
        std::fs::remove_dir_all(dir.path().join("data")).unwrap();
        backup
    });
    {
        let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
        Person::owner(&daemon, "ann");
        Person::register(&daemon, "ben");
    }
    let mut random = RandomState::new().hash_one(rounds);
    println!("seed {random}");
    // How many answers fit into a restore: known after the first, which is not cut.
    let mut fit = None;
    let (mut cut, mut ended) = ([0; 2], Value::Null);
    for round in 0..=rounds {
        let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
        let before = site_in(&daemon);
        let owner = Person::login(&daemon, ["ann", "zoe"][before]);
        let sent = send(&owner, &backups[1 - before]);
        let id = sent.json()["id"].as_str().unwrap_or_else(|| panic!("{}", sent.text())).to_owned();
        // Knuth's MMIX generator: any will do.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Its first half goes into the password.
        let most = fit.map_or(u32::MAX, |fit: u32| fit / 2 + (random >> 33) as u32 % (fit * 3 / 4 + 1));
        let done = AtomicBool::new(false);
        let answered = std::thread::scope(|scope| {
            let body = json!({"id": id, "password": PASSWORD});
            let mut stream = owner.begin("POST", "/api/v1/restore", Some(&body));
            let done = &done;
            let asking = scope.spawn(move || {
                let mut bytes = Vec::new();
                // The power may go before the answer.
                let _ = stream.read_to_end(&mut bytes);
                done.store(true, Ordering::Relaxed);
                bytes.starts_with(b"HTTP/1.1 204")
            });
            let answers = ask_on(daemon.address, done, most);
            if fit.is_some() {
                daemon.signal(Signal::KILL);
            }
            let answered = asking.join().unwrap();
            fit.get_or_insert(answers);
            answered
        });
        daemon.signal(Signal::KILL);
        daemon.ended();
        let store = Store::open(&dir.path().join("data/perch.redb")).unwrap();
        assert_eq!(store.verify().unwrap(), Vec::<String>::new(), "round {round}");
        drop(store);
        let after = site_in(&Daemon::start_in(dir.path(), NO_LIMITS));
        assert!(!answered || after != before, "round {round}: what was answered is done");
        assert!(round > 0 || answered, "the first is not cut");
        cut[usize::from(after != before)] += 1;
        ended = json!({"left as it was": cut[0], "restored": cut[1], "answers in a restore": fit});
        for left in names_in(&dir.path().join("data")) {
            assert_eq!(left, "before-restore.backup");
        }
    }
    println!("{ended}");
}
