//! Accounts' doors: setting up, logging in and out, and who is kept out.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use support::Daemon;
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
