//! Following, and being told of it while it happens.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use support::Daemon;
use support::people::{NO_LIMITS, PASSWORD, Person};

/// A page that is told of notifications.
struct Page(BufReader<TcpStream>);

impl Page {
    fn open(person: &Person, last: Option<&str>) -> Self {
        let mut stream = person.daemon.connect();
        let token = person.token.as_ref().unwrap();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        write!(
            stream,
            "GET /api/v1/me/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
        )
        .unwrap();
        let mut page = Self(BufReader::new(stream));
        let head: Vec<String> =
            std::iter::from_fn(|| page.line()).take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
        page
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event: its kind and data. `None` at the end.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut kind = String::new();
        loop {
            let line = self.line()?;
            if let Some(named) = line.strip_prefix("event: ") {
                named.clone_into(&mut kind);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some((kind, serde_json::from_str(data).unwrap()));
            }
        }
    }

    fn unread(&mut self) -> u64 {
        let (kind, data) = self.next().unwrap();
        assert_eq!(kind, "unread");
        data["unread"].as_u64().unwrap()
    }

    fn notification(&mut self) -> Value {
        let (kind, data) = self.next().unwrap();
        assert_eq!(kind, "notification");
        data
    }
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

#[test]
fn people_follow_each_other() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let [ben, cid] = ["ben", "cid"].map(|name| Person::register(&daemon, name));
    let nothing = json!({});
    for _ in 0..2 {
        assert_eq!(ben.put("/api/v1/users/ANN/follow", &nothing).status, 204);
    }
    cid.put("/api/v1/users/ann/follow", &nothing);
    cid.put("/api/v1/users/ben/follow", &nothing);
    let own = ann.put("/api/v1/users/ann/follow", &nothing);
    assert_eq!((own.status, own.code().as_str()), (409, "own_account"));
    assert_eq!(ann.put("/api/v1/users/nobody/follow", &nothing).code(), "not_found");

    let seen = ben.get("/api/v1/users/ann").json();
    assert_eq!((seen["followers"].as_u64(), seen["is_following"].as_bool()), (Some(2), Some(true)));
    let followers = daemon.get("/api/v1/users/ann/followers").json();
    assert_eq!(names(&followers), ["cid", "ben"]);
    assert_eq!(followers["items"][1]["is_following"], Value::Null);
    let followers = cid.get("/api/v1/users/ann/followers").json();
    let is_following = [0, 1].map(|place| followers["items"][place]["is_following"].as_bool());
    assert_eq!(is_following, [None, Some(true)], "of oneself, and of Ben");
    let page = daemon.get("/api/v1/users/ann/followers?limit=1").json();
    let next =
        format!("/api/v1/users/ann/followers?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let next = daemon.get(&next).json();
    assert_eq!((names(&next), &next["next_cursor"]), (vec!["ben"], &Value::Null));
    assert_eq!(names(&daemon.get("/api/v1/users/cid/following").json()), ["ben", "ann"]);
    let subscriptions = cid.get("/api/v1/me/subscriptions").json();
    assert_eq!(names(&subscriptions), ["ben", "ann"]);
    assert_eq!(subscriptions["items"][0]["live_stream"], Value::Null);

    for _ in 0..2 {
        assert_eq!(ben.delete("/api/v1/users/ann/follow").status, 204);
    }
    assert_eq!(ben.get("/api/v1/users/ann").json()["is_following"], false);
    let told = ann.get("/api/v1/me/notifications").json();
    let by: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|of| of["by"]["username"].as_str()).collect();
    assert_eq!(by, [Some("cid"), Some("ben")], "each is told once");
    assert_eq!(ann.get("/api/v1/me").json()["unread_notifications"], 2);
}

#[test]
fn notifications_come_while_they_happen_and_after_a_pause() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let [ben, cid, dan] = ["ben", "cid", "dan"].map(|name| Person::register(&daemon, name));
    let (mut page, mut other) = (Page::open(&ann, None), Page::open(&ann, None));
    assert_eq!((page.unread(), other.unread()), (0, 0));

    ben.put("/api/v1/users/ann/follow", &json!({}));
    for page in [&mut page, &mut other] {
        let told = page.notification();
        assert_eq!((told["kind"].as_str(), told["by"]["username"].as_str()), (Some("followed"), Some("ben")));
        assert_eq!((told["read"].as_bool(), &told["stream"]), (Some(false), &Value::Null));
        assert_eq!(page.unread(), 1);
    }
    let listed = ann.get("/api/v1/me/notifications").json();
    let first = listed["items"][0]["id"].as_str().unwrap().to_owned();

    // Read on one page: the other one learns of it.
    let left = ann.post("/api/v1/me/notifications/read", &json!({"last": first})).json();
    assert_eq!(left["unread"], 0);
    assert_eq!((page.unread(), other.unread()), (0, 0));

    // Nobody listens for a while.
    drop((page, other));
    cid.put("/api/v1/users/ann/follow", &json!({}));
    dan.put("/api/v1/users/ann/follow", &json!({}));
    let mut back = Page::open(&ann, Some(&first));
    for (name, unread) in [("cid", 2), ("dan", 2)] {
        assert_eq!(back.notification()["by"]["username"], name);
        assert_eq!(back.unread(), unread);
    }
    assert_eq!(back.unread(), 2);
    let wrong = ann.post("/api/v1/me/notifications/read", &json!({"last": "x"}));
    assert_eq!((wrong.status, wrong.json()["field"].as_str()), (422, Some("last")));
    assert_eq!(ann.get("/api/v1/me/notifications?cursor=x").code(), "invalid_query");
}

#[test]
fn a_page_is_told_as_long_as_its_login_lasts() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    let elsewhere = Person::login(&daemon, "ben");
    let (mut page, mut other) = (Page::open(&ben, None), Page::open(&elsewhere, None));
    assert_eq!((page.unread(), other.unread()), (0, 0));
    let change = json!({"password": PASSWORD, "new_password": "another horse battery"});
    assert_eq!(ben.post("/api/v1/me/password", &change).status, 204);
    assert_eq!(other.next(), None, "the other login is closed, and its page with it");
    ann.put("/api/v1/users/ben/follow", &json!({}));
    assert_eq!(page.notification()["by"]["username"], "ann");
    assert_eq!(page.unread(), 1);
    assert_eq!(ann.patch("/api/v1/users/ben", &json!({"standing": "suspended"})).status, 200);
    assert_eq!(page.next(), None);
}

#[test]
fn one_person_holds_a_few_connections_and_a_daemon_that_ends_holds_none() {
    let daemon = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let mut pages: Vec<Page> = (0..10).map(|_| Page::open(&ann, None)).collect();
    let refused = ann.get("/api/v1/me/events");
    assert_eq!((refused.status, refused.code().as_str()), (503, "busy"));
    assert!(refused.header("retry-after").is_some());
    for page in &mut pages {
        assert_eq!(page.unread(), 0);
    }
    daemon.signal(support::Signal::TERM);
    for page in &mut pages {
        assert_eq!(page.next(), None);
    }
    drop(pages);
    assert_eq!(daemon.ended(), Some(0));
}
