//! Accounts' doors: setting up, logging in and out, and who is kept out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use support::Daemon;
use support::browser::walk;
use support::people::{NO_LIMITS, PASSWORD, Person};

#[test]
fn the_setup_code_makes_the_owner_once() {
    let daemon = Daemon::start(NO_LIMITS);
    let file = daemon.data_dir.join("setup-code");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let nobody = Person::nobody(&daemon);
    assert_eq!(nobody.get("/api/v1/settings").json()["needs_setup"], true);
    let guess = json!({"setup_code": "AAAAA-AAAAA", "username": "eve", "password": PASSWORD});
    let refused = nobody.post("/api/v1/setup", &guess);
    assert_eq!((refused.status, refused.code().as_str()), (403, "wrong_setup_code"));

    let owner = Person::owner(&daemon, "ann");
    let me = owner.get("/api/v1/me").json();
    assert_eq!((me["username"].as_str(), me["role"].as_str()), (Some("ann"), Some("owner")));
    assert_eq!(nobody.get("/api/v1/settings").json()["needs_setup"], false);
    assert!(!file.exists());
    let again = nobody.post("/api/v1/setup", &guess);
    assert_eq!((again.status, again.code().as_str()), (409, "owner_exists"));
}

#[test]
fn a_login_is_good_as_a_token_and_as_a_cookie() {
    let daemon = Daemon::start(NO_LIMITS);
    Person::owner(&daemon, "ann");
    let nobody = Person::nobody(&daemon);
    assert_eq!(nobody.get("/api/v1/me").code(), "unauthenticated");
    let wrong = json!({"username": "ann", "password": "wrong horse"});
    let unknown = json!({"username": "nobody", "password": PASSWORD});
    for refused in [nobody.post("/api/v1/auth/login", &wrong), nobody.post("/api/v1/auth/login", &unknown)] {
        assert_eq!((refused.status, refused.code().as_str()), (401, "wrong_login"));
    }
    let login = nobody.post("/api/v1/auth/login", &json!({"username": "Ann", "password": PASSWORD}));
    assert_eq!(login.status, 200);
    assert_eq!(login.json()["expires_in"], 900);
    assert_eq!(login.json()["user"]["username"], "ann");
    let cookie = format!("perch_access={}", login.cookie("perch_access").unwrap());
    assert_eq!(daemon.ask("GET", "/api/v1/me", &[("Cookie", &cookie)]).status, 200);
    // The page of another site asks with the browser's cookie.
    let evil = [
        ("Cookie", cookie.as_str()),
        ("Origin", "http://evil.example"),
        ("Content-Type", "application/json"),
    ];
    assert_eq!(daemon.send("POST", "/api/v1/auth/login", &evil, b"{}").code(), "cross_site");
    let forged = format!("{cookie}x");
    assert_eq!(daemon.ask("GET", "/api/v1/me", &[("Cookie", &forged)]).code(), "unauthenticated");
}

#[test]
fn a_refresh_token_is_good_until_its_successor_is_used_and_then_closes_the_login() {
    let daemon = Daemon::start(NO_LIMITS);
    Person::owner(&daemon, "ann");
    let login =
        Person::nobody(&daemon).post("/api/v1/auth/login", &json!({"username": "ann", "password": PASSWORD}));
    let refresh = |token: &str| {
        daemon.ask("POST", "/api/v1/auth/refresh", &[("Cookie", &format!("perch_refresh={token}"))])
    };
    let first = login.cookie("perch_refresh").unwrap();
    let second = refresh(first);
    assert_eq!(second.status, 200);
    let of_second =
        Person { daemon: &daemon, token: second.json()["access_token"].as_str().map(str::to_owned) };
    assert_eq!(of_second.get("/api/v1/me").status, 200);
    // The answer was lost, and the browser asks again.
    let again = refresh(first);
    assert_eq!((again.status, again.cookie("perch_refresh")), (200, second.cookie("perch_refresh")));
    let third = refresh(again.cookie("perch_refresh").unwrap());
    assert_eq!(third.status, 200);
    let replayed = refresh(first);
    assert_eq!((replayed.status, replayed.code().as_str()), (401, "token_reused"));
    assert_eq!(replayed.cookie("perch_refresh"), Some(""));
    assert_eq!(of_second.get("/api/v1/me").code(), "unauthenticated");
    assert_eq!(refresh(third.cookie("perch_refresh").unwrap()).code(), "token_unknown");
    assert_eq!(refresh("../../etc/passwd").code(), "token_unknown");
    assert_eq!(daemon.ask("POST", "/api/v1/auth/refresh", &[]).code(), "token_unknown");
}

#[test]
fn a_login_outlives_a_lost_answer_and_the_tab_that_was_closed_over_it() {
    let daemon = Daemon::start(NO_LIMITS);
    Person::owner(&daemon, "ann");
    let report = walk("renewal", [daemon.url("").as_str(), "ann", PASSWORD]);
    assert_eq!(report["renewals"], 2, "the lost one, and one more");
}

#[test]
fn logging_out_ends_a_login_at_once_here_or_everywhere() {
    let daemon = Daemon::start(NO_LIMITS);
    let [one, two, three] =
        [Person::owner(&daemon, "ann"), Person::login(&daemon, "ann"), Person::login(&daemon, "ann")];
    let sessions = one.get("/api/v1/me/sessions").json()["items"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 3);
    assert_eq!(sessions[2]["is_current"], true);
    assert!(sessions[0]["label"].as_str().unwrap().ends_with(" from 127.0.0.1"));

    assert_eq!(one.ask("POST", "/api/v1/auth/logout", None).status, 204);
    assert_eq!(one.get("/api/v1/me").status, 401);
    let id = sessions[1]["id"].as_str().unwrap();
    let stranger = Person::register(&daemon, "ben");
    assert_eq!(stranger.delete(&format!("/api/v1/me/sessions/{id}")).status, 404);
    assert_eq!(three.delete(&format!("/api/v1/me/sessions/{id}")).status, 204);
    assert_eq!(two.get("/api/v1/me").status, 401);
    let four = Person::login(&daemon, "ann");
    assert_eq!(three.post("/api/v1/auth/logout", &json!({"everywhere": true})).status, 204);
    assert_eq!((three.get("/api/v1/me").status, four.get("/api/v1/me").status), (401, 401));
    assert_eq!(stranger.get("/api/v1/me").status, 200);
}

#[test]
fn a_new_password_ends_the_other_logins() {
    let daemon = Daemon::start(NO_LIMITS);
    let [here, there] = [Person::owner(&daemon, "ann"), Person::login(&daemon, "ann")];
    let change = |old: &str, new: &str| {
        here.post("/api/v1/me/password", &json!({"password": old, "new_password": new}))
    };
    assert_eq!(change("wrong horse", "new password").code(), "wrong_password");
    assert_eq!(change(PASSWORD, "short").json()["field"], "new_password");
    assert_eq!(there.get("/api/v1/me").status, 200);
    assert_eq!(change(PASSWORD, "new password").status, 204);
    assert_eq!((here.get("/api/v1/me").status, there.get("/api/v1/me").status), (200, 401));
    let old = json!({"username": "ann", "password": PASSWORD});
    assert_eq!(Person::nobody(&daemon).post("/api/v1/auth/login", &old).code(), "wrong_login");
}

#[test]
fn guessing_is_slowed_down_but_not_for_the_person_at_home() {
    let daemon = Daemon::start(NO_LIMITS);
    let owner = Person::owner(&daemon, "ann");
    let guess = json!({"username": "ann", "password": "a guess at it"});
    let codes: Vec<String> =
        (0..6).map(|_| Person::nobody(&daemon).post("/api/v1/auth/login", &guess).code()).collect();
    assert_eq!(codes[..5], ["wrong_login"; 5]);
    let slowed = Person::nobody(&daemon).post("/api/v1/auth/login", &guess);
    assert_eq!((slowed.status, slowed.code().as_str()), (429, "too_many_requests"));
    assert!(slowed.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(owner.get("/api/v1/me").status, 200);
}

#[test]
fn logins_outlive_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    let token = Person::owner(&daemon, "ann").token;
    daemon.signal(support::Signal::KILL);
    daemon.ended();
    let daemon = Daemon::start_in(dir.path(), NO_LIMITS);
    assert_eq!(Person { daemon: &daemon, token }.get("/api/v1/me").json()["username"], "ann");
}

#[test]
fn what_does_not_fit_is_refused_and_named() {
    let daemon = Daemon::start(NO_LIMITS);
    let nobody = Person::nobody(&daemon);
    for (body, field) in [
        (json!({"username": "", "password": PASSWORD}), "username"),
        (json!({"username": "a b", "password": PASSWORD}), "username"),
        (json!({"username": "\u{202e}nna", "password": PASSWORD}), "username"),
        (json!({"username": "x".repeat(21), "password": PASSWORD}), "username"),
        (json!({"username": "eve", "password": "short"}), "password"),
        (json!({"username": "eve", "password": 12_345_678}), "password"),
        (json!({"username": "eve", "password": PASSWORD, "role": "owner"}), "role"),
        (json!({"username": "eve"}), "password"),
    ] {
        let refused = nobody.post("/api/v1/auth/register", &body);
        assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_field"), "{body}");
        assert_eq!(refused.json()["field"], field, "{}", refused.text());
    }
    let json = ("Content-Type", "application/json");
    let send = |headers: &[(&str, &str)], body: &[u8]| {
        daemon.send("POST", "/api/v1/auth/register", headers, body).code()
    };
    assert_eq!(send(&[json], b"{"), "invalid_body");
    assert_eq!(send(&[json], b"{\"username\": \"\xff\"}"), "invalid_body");
    assert_eq!(send(&[("Content-Type", "text/plain")], b"{}"), "unsupported_media_type");
    assert_eq!(send(&[json], &vec![b' '; 70_000]), "too_large");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let daemon = Daemon::start("[limits]\nrequests_per_second = 1\n");
    let answers: Vec<_> = (0..20).map(|_| daemon.get("/api/v1/settings")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("a limit");
    assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("too_many_requests", Some("1")));
    assert_eq!(daemon.get("/nowhere").status, 404);
}

#[test]
fn the_log_of_accesses_tells_no_secrets() {
    let daemon = Daemon::start("[log]\nlevel = \"debug\"");
    let owner = Person::owner(&daemon, "ann");
    let token = owner.token.clone().unwrap();
    owner.get("/api/v1/me?secret=in-the-query");
    let mut lines = String::new();
    loop {
        let line = daemon.logged("");
        lines.push_str(&line);
        if line.contains("127.0.0.1 GET /api/v1/me 200") {
            break;
        }
    }
    assert!(lines.contains("POST /api/v1/setup 201"), "{lines}");
    for secret in [PASSWORD, &token, "in-the-query"] {
        assert!(!lines.contains(secret), "{secret} is in the log");
    }
}

/// Of the daemon, in MB (`proc_pid_status(5)`).
fn resident_megabytes(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn hashing_passwords_leaves_no_memory_behind() {
    let daemon = Daemon::start(NO_LIMITS);
    let _owner = Person::owner(&daemon, "olive");
    let before = resident_megabytes(&daemon);
    for number in 0..8 {
        Person::register(&daemon, &format!("ann{number}"));
    }
    let after = resident_megabytes(&daemon);
    assert!(
        after < before + 20,
        "{before} MB before, {after} MB after: a hash takes 19 MiB and gives them back"
    );
}

#[test]
fn nobody_is_called_as_somebody_else_looks() {
    let daemon = Daemon::start(NO_LIMITS);
    let ace = Person::owner(&daemon, "ace");
    let nobody = Person::nobody(&daemon);
    let register =
        |name: &str| nobody.post("/api/v1/auth/register", &json!({"username": name, "password": PASSWORD}));
    // All Cyrillic: а, с, е.
    for alike in ["\u{430}\u{441}\u{435}", "\u{410}\u{421}\u{415}"] {
        let refused = register(alike);
        assert_eq!((refused.status, refused.code().as_str()), (409, "username_taken"), "{}", refused.text());
        assert!(refused.json()["detail"].as_str().unwrap().contains("looks like"), "{}", refused.text());
        let added =
            ace.post("/api/v1/users", &json!({"username": alike, "password": PASSWORD, "role": "viewer"}));
        assert_eq!(added.code(), "username_taken");
    }
    let tom = Person::register(&daemon, "tom");
    assert_eq!(register("torn").code(), "username_taken");
    assert_eq!(
        tom.patch("/api/v1/me", &json!({"username": "\u{430}\u{441}\u{435}"})).code(),
        "username_taken"
    );
    // One's own name in another spelling is nobody else's.
    assert_eq!(tom.patch("/api/v1/me", &json!({"username": "torn"})).status, 200);
    assert_eq!(register("tom").code(), "username_taken");
    assert_eq!(tom.patch("/api/v1/me", &json!({"username": "tim"})).status, 200);
    Person::register(&daemon, "tom");
    for mark in ["\u{301}ann", "\u{93e}\u{928}"] {
        let refused = register(mark);
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("username")), "{mark}");
    }
    let refused = tom.patch("/api/v1/me", &json!({"full_name": "\u{301}Tim"}));
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("full_name")));
    assert_eq!(register("rnoderator").json()["field"], "username");
}
