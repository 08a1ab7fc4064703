//! Who may register: what set-up asks, what a site is like when it was not asked, and how the owner approves those who wait.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Answer, Daemon};

/// Sets the site up as the page or a program does, with these further fields.
fn set_up<'a>(daemon: &'a Daemon, more: &Value) -> Person<'a> {
    let code = std::fs::read_to_string(daemon.data_dir.join("setup-code")).unwrap();
    let mut body = json!({"setup_code": code.trim(), "username": "olga", "password": PASSWORD});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = Person::nobody(daemon).post("/api/v1/setup", &body);
    assert_eq!(made.status, 201, "{}", made.text());
    Person { daemon, token: made.json()["access_token"].as_str().map(str::to_owned) }
}

fn register(daemon: &Daemon, username: &str) -> Answer {
    let account = json!({"username": username, "password": PASSWORD});
    Person::nobody(daemon).post("/api/v1/auth/register", &account)
}

fn log_in(daemon: &Daemon, username: &str) -> Answer {
    let account = json!({"username": username, "password": PASSWORD});
    Person::nobody(daemon).post("/api/v1/auth/login", &account)
}

/// Kinds of the person's notifications, and whom they are about.
fn told(person: &Person) -> Vec<(String, String)> {
    let list = person.get("/api/v1/me/notifications").json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = list["items"].as_array().unwrap();
    items.iter().map(|one| (text(&one["kind"]), text(&one["by"]["username"]))).collect()
}

#[test]
fn a_site_that_was_not_told_otherwise_asks_its_owner_and_makes_viewers() {
    let daemon = Daemon::start(NO_LIMITS);
    // Nobody could approve it.
    assert_eq!(register(&daemon, "eve").code(), "registration_closed");
    let olga = set_up(&daemon, &json!({}));
    let settings = daemon.get("/api/v1/settings").json();
    assert_eq!(
        (&settings["registration"], &settings["new_user_role"]),
        (&json!("approval"), &json!("viewer"))
    );
    let waiting = register(&daemon, "ben");
    assert_eq!((waiting.status, &waiting.json()["standing"]), (202, &json!("pending")));
    let refused = log_in(&daemon, "ben");
    assert_eq!((refused.status, refused.code().as_str()), (403, "pending_approval"));
    assert_eq!(told(&olga), [("account_waiting".to_owned(), "ben".to_owned())]);
    assert_eq!(olga.get("/api/v1/me").json()["unread_notifications"], 1);

    assert_eq!(olga.patch("/api/v1/users/ben", &json!({"standing": "active"})).status, 200);
    assert_eq!(told(&olga), [], "there is nothing left to decide");
    assert_eq!(olga.get("/api/v1/me").json()["unread_notifications"], 0);
    let ben = Person::login(&daemon, "ben");
    assert_eq!(ben.get("/api/v1/me").json()["role"], "viewer");
    assert_eq!(ben.post("/api/v1/streams", &json!({"title": "Mine"})).code(), "forbidden");

    // Refused: as if there had never been an account.
    assert_eq!(register(&daemon, "cid").status, 202);
    assert_eq!(olga.delete("/api/v1/users/cid").status, 204);
    assert_eq!((told(&olga), log_in(&daemon, "cid").code()), (Vec::new(), "wrong_login".to_owned()));
}

#[test]
fn every_owner_is_told_of_those_who_wait_and_nobody_else() {
    let daemon = Daemon::start(NO_LIMITS);
    let olga = set_up(&daemon, &json!({"registration": "approval"}));
    for (name, role) in [("otto", "owner"), ("stan", "streamer")] {
        let account = json!({"username": name, "password": PASSWORD, "role": role});
        assert_eq!(olga.post("/api/v1/users", &account).status, 201);
    }
    let [otto, stan] = ["otto", "stan"].map(|name| Person::login(&daemon, name));
    for name in ["ben", "cid"] {
        assert_eq!(register(&daemon, name).status, 202);
    }
    let waiting = |names: &[&str]| -> Vec<(String, String)> {
        names.iter().map(|name| ("account_waiting".to_owned(), (*name).to_owned())).collect()
    };
    assert_eq!(
        (told(&olga), told(&otto), told(&stan)),
        (waiting(&["cid", "ben"]), waiting(&["cid", "ben"]), vec![])
    );
    assert_eq!(otto.patch("/api/v1/users/ben", &json!({"standing": "active"})).status, 200);
    assert_eq!((told(&olga), told(&otto)), (waiting(&["cid"]), waiting(&["cid"])));
}

#[test]
fn set_up_is_asked_who_may_register() {
    for (choice, status) in [("closed", 403), ("approval", 202), ("open", 201)] {
        let daemon = Daemon::start(NO_LIMITS);
        set_up(&daemon, &json!({"registration": choice}));
        let settings = daemon.get("/api/v1/settings").json();
        assert_eq!(
            (&settings["registration"], &settings["new_user_role"]),
            (&json!(choice), &json!("viewer"))
        );
        assert_eq!(register(&daemon, "ben").status, status, "{choice}");
    }
    let daemon = Daemon::start(NO_LIMITS);
    let code = std::fs::read_to_string(daemon.data_dir.join("setup-code")).unwrap();
    let odd =
        json!({"setup_code": code.trim(), "username": "olga", "password": PASSWORD, "registration": "maybe"});
    let refused = Person::nobody(&daemon).post("/api/v1/setup", &odd);
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("registration")));
}
