//! Everything of the site but the stream: health, state, page, errors.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Daemon, TEST_PATTERN};

/// A command that runs and never writes a picture.
const NO_PICTURE: &str = r#"
[live]
autostart = true
[[camera]]
name = "front"
source = "command"
command = ["sleep", "1000"]
encoder = "none"
"#;

#[test]
fn a_daemon_with_a_picture_says_so_everywhere() {
    let daemon = Daemon::ready(TEST_PATTERN);
    assert_eq!(daemon.get("/healthz").status, 200);
    assert_eq!(daemon.get("/readyz").status, 200);

    let cameras = daemon.get("/api/v1/cameras");
    let camera = &cameras.json()["items"][0];
    assert_eq!(camera["name"], "front");
    assert_eq!(camera["state"], "live");
    assert_eq!((camera["width"].as_u64(), camera["height"].as_u64()), (Some(640), Some(360)));
    assert!(camera["encoder"].as_str().unwrap().contains("OpenH264"), "{camera}");
    assert!(camera["chosen"].as_str().unwrap().contains("test pattern"), "{camera}");
    let tag = cameras.header("etag").unwrap();
    assert_eq!(daemon.ask("GET", "/api/v1/cameras", &[("If-None-Match", tag)]).status, 304);

    let system = daemon.get("/api/v1/system").json();
    assert_eq!(system["version"], env!("CARGO_PKG_VERSION"));
    assert!(system["memory"]["total_bytes"].as_u64() > Some(0), "{system}");
    assert!(system["time"].as_str().unwrap().ends_with('Z'));

    assert!(daemon.metric("perch_access_units_total{feed=\"front\"}") > 0);
    assert!(daemon.metric("perch_segments_total") > 0);
    assert!(daemon.metric("perch_segment_listing_seconds_count") > 0);
    assert!(daemon.metric("perch_http_requests_total") > 5);
    assert!(daemon.metric("perch_memory_budget_bytes") > 0);
    for part in ["rings", "windows", "connections"] {
        assert!(daemon.metric(&format!("perch_memory_used_bytes{{part=\"{part}\"}}")) > 0, "{part}");
    }
}

#[test]
fn the_machine_is_the_owners_and_others_get_the_time() {
    let daemon = Daemon::start(&format!("{NO_PICTURE}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olga");
    let account = json!({"username": "vera", "password": PASSWORD, "role": "viewer"});
    assert_eq!(owner.post("/api/v1/users", &account).status, 201);
    let viewer = Person::login(&daemon, "vera");
    // Through a proxy, so that the address is not the machine's own.
    let asked = |person: Option<&Person>| {
        let bearer = person.map(|person| format!("Bearer {}", person.token.as_ref().unwrap()));
        let mut headers = vec![("X-Forwarded-For", "192.0.2.7")];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        daemon.ask("GET", "/api/v1/system", &headers).json()
    };
    let all = asked(Some(&owner));
    for field in ["version", "uptime_seconds", "addresses", "host_name", "disk", "memory", "model", "load"] {
        assert!(all.get(field).is_some(), "{field} is missing: {all}");
    }
    for person in [None, Some(&viewer)] {
        let few = asked(person);
        let names: Vec<_> = few.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["time", "warnings"], "{few}");
        assert_eq!(few["warnings"].as_array().unwrap().len(), 0, "{few}");
    }
}

#[test]
fn a_daemon_without_a_picture_is_alive_and_says_what_is_missing() {
    let daemon = Daemon::start(NO_PICTURE);
    assert_eq!(daemon.get("/healthz").status, 200);
    let ready = daemon.get("/readyz");
    assert_eq!((ready.status, ready.json()["code"].as_str()), (503, Some("not_ready")));
    assert!(ready.json()["detail"].as_str().unwrap().contains("camera"), "{}", ready.text());
    let playlist = daemon.get("/media/live/index.m3u8");
    assert_eq!((playlist.status, playlist.header("retry-after")), (404, Some("1")));
    assert_eq!(playlist.header("content-type"), Some("application/problem+json"));
    assert_eq!(playlist.json()["code"], "not_live");
    assert_eq!(daemon.get("/").status, 200);
}

#[test]
fn the_page_comes_compressed_and_guarded() {
    let daemon = Daemon::start(NO_PICTURE);
    let page = daemon.ask("GET", "/", &[("Accept-Encoding", "gzip, deflate")]);
    assert_eq!(page.header("content-encoding"), Some("gzip"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let plain = daemon.get("/").text();
    let script = plain.split('"').find(|part| part.ends_with("page.js")).unwrap();
    let script = daemon.get(script);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[test]
fn every_screen_has_an_address_and_no_other_address_is_one() {
    let daemon = Daemon::start(NO_PICTURE);
    let page = daemon.get("/").text();
    for screen in [
        "/watch/01JD0000000000000000000000",
        "/u/ann",
        "/u/ann/followers",
        "/live",
        "/settings/people",
        "/setup",
    ] {
        let answer = daemon.get(screen);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("text/html; charset=utf-8")),
            "{screen}"
        );
        assert_eq!(answer.text(), page, "{screen}");
    }
    for nothing in ["/watch", "/u/ann/passwords", "/settings/a/b", "/wp-login.php"] {
        assert_eq!(daemon.get(nothing).status, 404, "{nothing}");
    }
}

#[test]
fn what_is_not_there_is_a_problem_with_a_code() {
    let daemon = Daemon::start(NO_PICTURE);
    let missing = daemon.get("/api/v1/nothing");
    assert_eq!(missing.header("content-type"), Some("application/problem+json"));
    assert_eq!((missing.status, missing.json()["code"].as_str()), (404, Some("not_found")));
    let written = daemon.ask("POST", "/api/v1/cameras", &[("Content-Length", "0")]);
    assert_eq!((written.status, written.json()["code"].as_str()), (405, Some("method_not_allowed")));
    let proxied = daemon.ask("GET", "/metrics", &[("X-Forwarded-For", "192.0.2.1")]);
    assert_eq!((proxied.status, proxied.json()["code"].as_str()), (403, Some("local_only")));
}
