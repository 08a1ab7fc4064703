//! The power goes while people use the site: what was answered is there afterwards, logins go on, and the daemon starts again each time.
//! `PERCH_POWER_CUTS=200 cargo test --package perchd --test power_cuts` is the long run.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Answer, Daemon, Signal};

const CONFIG: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 128
height = 96
frames_per_second = 5
"#;

/// People who write at the same time.
const PEOPLE: [&str; 3] = ["ann", "ben", "cleo"];
/// Answered writes before the power goes, at most.
const WRITES: u64 = 60;

/// One person's own things: what the site answered it is, and what it may be as well, because the power went before the answer.
#[derive(Debug, Default, Clone)]
struct Known {
    token: String,
    refresh: String,
    things: BTreeMap<&'static str, Thing>,
}

#[derive(Debug, Default, Clone)]
struct Thing {
    answered: Value,
    asked: Option<Value>,
}

/// A request to a daemon that may die at any byte; `None` when it did.
fn attempt(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    let body = body.to_string();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    )
    .ok()?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n").ok()?;
    }
    write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let is_whole = bytes.windows(4).any(|window| window == b"\r\n\r\n");
    is_whole.then(|| Answer::parse(&bytes))
}

/// Writes as one person until the daemon is gone; each answer is counted.
fn write_on(address: SocketAddr, stream: &str, mut known: Known, answered: &mpsc::Sender<()>) -> Known {
    let bearer = format!("Bearer {}", known.token);
    for turn in 0_u64.. {
        let even = (turn / 5).is_multiple_of(2);
        let stream_path = format!("/api/v1/streams/{stream}");
        let (thing, value, method, path, body) = match turn % 5 {
            0 => (
                "bio",
                json!(format!("turn {turn}")),
                "PATCH",
                "/api/v1/me".to_owned(),
                json!({"bio": format!("turn {turn}")}),
            ),
            1 => (
                "follows",
                json!(even),
                if even { "PUT" } else { "DELETE" },
                "/api/v1/users/olive/follow".to_owned(),
                json!({}),
            ),
            2 => {
                let reaction = if even { "like" } else { "dislike" };
                ("reaction", json!(reaction), "PUT", stream_path + "/reaction", json!({"reaction": reaction}))
            }
            3 => {
                ("saved", json!(even), if even { "PUT" } else { "DELETE" }, stream_path + "/save", json!({}))
            }
            _ => {
                let thing = known.things.entry("refresh").or_default();
                thing.asked = Some(Value::Null);
                let cookie = format!("perch_refresh={}", known.refresh);
                let Some(answer) =
                    attempt(address, "POST", "/api/v1/auth/refresh", &[("Cookie", &cookie)], &json!({}))
                else {
                    return known;
                };
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.cookie("perch_refresh").unwrap().clone_into(&mut known.refresh);
                thing.asked = None;
                // The main thread may have heard enough.
                let _ = answered.send(());
                continue;
            }
        };
        let known_thing = known.things.entry(thing).or_default();
        known_thing.asked = Some(value.clone());
        let Some(answer) = attempt(address, method, &path, &[("Authorization", &bearer)], &body) else {
            return known;
        };
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        *known_thing = Thing { answered: value, asked: None };
        let _ = answered.send(());
    }
    known
}

/// What the site says of the person's things now.
fn seen(person: &Person<'_>, stream: &str) -> BTreeMap<&'static str, Value> {
    let me = person.get("/api/v1/me").json();
    let shown = person.get(&format!("/api/v1/streams/{stream}")).json();
    let followed = person.get("/api/v1/users/olive").json();
    BTreeMap::from([
        ("bio", me["bio"].clone()),
        ("follows", followed["is_following"].clone()),
        ("reaction", shown["my_reaction"].clone()),
        ("saved", shown["saved"].clone()),
    ])
}

fn login(daemon: &Daemon, username: &str) -> (String, String) {
    let account = json!({"username": username, "password": PASSWORD});
    let answer = Person::nobody(daemon).post("/api/v1/auth/login", &account);
    let token =
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned();
    (token, answer.cookie("perch_refresh").unwrap().to_owned())
}

/// One life of the daemon: checks what the last one answered, writes, and is killed.
fn one_life(dir: &Path, round: u64, stream: &str, people: &mut [Known; 3], kill_after: u64) {
    let daemon = Daemon::start_in(dir, &format!("{CONFIG}{NO_LIMITS}"));
    let shown = daemon.get(&format!("/api/v1/streams/{stream}")).json();
    assert_ne!(shown["state"], "ended", "round {round}: the stream goes on");
    let (mut likes, mut followers) = (0, 0);
    for (username, known) in PEOPLE.into_iter().zip(people.iter_mut()) {
        let lost_refresh = known.things.remove("refresh").is_some_and(|thing| thing.asked.is_some());
        if round == 0 || lost_refresh {
            (known.token, known.refresh) = login(&daemon, username);
        }
        let person = Person { daemon: &daemon, token: Some(known.token.clone()) };
        let seen = seen(&person, stream);
        for (name, thing) in &mut known.things {
            let now = &seen[name];
            assert!(
                *now == thing.answered || Some(now) == thing.asked.as_ref() || thing.answered.is_null(),
                "round {round}: {username}'s {name} is {now}, answered was {thing:?}"
            );
            *thing = Thing { answered: now.clone(), asked: None };
        }
        likes += u64::from(seen["reaction"] == "like");
        followers += u64::from(seen["follows"] == true);
    }
    assert_eq!(daemon.get(&format!("/api/v1/streams/{stream}")).json()["likes"], likes, "round {round}");
    assert_eq!(daemon.get("/api/v1/users/olive").json()["followers"], followers, "round {round}");

    let address = daemon.address;
    let (answered, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        let writers: Vec<_> = people
            .iter()
            .map(|known| (known.clone(), answered.clone()))
            .map(|(known, answered)| scope.spawn(move || write_on(address, stream, known, &answered)))
            .collect();
        for _ in 0..kill_after {
            answers.recv_timeout(support::PATIENCE).unwrap();
        }
        daemon.signal(Signal::KILL);
        for (known, writer) in people.iter_mut().zip(writers) {
            *known = writer.join().unwrap();
        }
    });
    daemon.ended();
}

#[test]
fn what_was_answered_outlives_every_power_cut() {
    let rounds = std::env::var("PERCH_POWER_CUTS").map_or(30, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let stream = {
        let daemon = Daemon::start_in(dir.path(), &format!("{CONFIG}{NO_LIMITS}"));
        let owner = Person::owner(&daemon, "olive");
        for username in PEOPLE {
            Person::register(&daemon, username);
        }
        let stream = owner.post("/api/v1/streams", &json!({"title": "Nest"})).json();
        daemon.signal(Signal::KILL);
        stream["id"].as_str().unwrap().to_owned()
    };
    let seed = RandomState::new().hash_one(rounds);
    println!("seed {seed}");
    let mut people = <[Known; 3]>::default();
    let mut random = seed;
    for round in 0..rounds {
        // Knuth's MMIX generator: any will do.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        one_life(dir.path(), round, &stream, &mut people, (random >> 33) % WRITES);
    }
    let daemon = Daemon::start_in(dir.path(), CONFIG);
    assert_eq!(daemon.stop(), Some(0), "and it still ends in order");
}
