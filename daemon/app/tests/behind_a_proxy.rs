//! Many people behind one address, and a proxy that may be trusted or not.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use support::people::{NO_LIMITS, PASSWORD, Person};
use support::{Answer, Daemon};

const TRUSTED: &str = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\nnames = [\"perch.example\"]\n";

/// So few that a slow machine reaches them, too: one a second, five at once.
const FEW: &str = "[limits]\nrequests_per_second = 1\n";

fn log_in(daemon: &Daemon, username: &str, password: &str, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend(headers);
    let body = json!({"username": username, "password": password}).to_string();
    daemon.send("POST", "/api/v1/auth/login", &all, body.as_bytes())
}

fn status_at(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[9..12]).into_owned()
}

#[test]
fn the_page_of_many_people_behind_one_address_opens_whole() {
    let daemon = Daemon::start(FEW);
    let page = daemon.get("/").text();
    let asset = page.split('"').find(|part| part.starts_with("/assets/")).unwrap().to_owned();
    // Opening the page is 53 requests for its files; ten people open it within a second.
    let refused: usize = std::thread::scope(|scope| {
        let (address, asset) = (daemon.address, asset.as_str());
        let open = move || (0..53).filter(|_| status_at(address, asset) != "200").count();
        let people: Vec<_> = (0..10).map(|_| scope.spawn(open)).collect();
        people.into_iter().map(|person| person.join().unwrap()).sum()
    });
    assert_eq!(refused, 0);
    // What asks the store or the studio is counted.
    let counted = (0..30).filter(|_| daemon.get("/api/v1/settings").status == 429).count();
    assert!(counted > 0);
}

#[test]
fn people_behind_a_trusted_proxy_have_limits_of_their_own() {
    let daemon = Daemon::start(&format!("{TRUSTED}{FEW}"));
    let ask = |address: &str| daemon.ask("GET", "/api/v1/settings", &[("X-Forwarded-For", address)]).status;
    while ask("198.51.100.1") != 429 {}
    assert_eq!(ask("198.51.100.2"), 200);
    while ask("2001:db8:1:2::1") != 429 {}
    assert_eq!(ask("2001:db8:1:2:ffff::1"), 429, "the same network of a house");
    assert_eq!(ask("2001:db8:1:3::1"), 200);
    // Whoever is not trusted cannot have another's.
    let daemon = Daemon::start(FEW);
    let ask = |address: &str| daemon.ask("GET", "/api/v1/settings", &[("X-Forwarded-For", address)]).status;
    assert!((0..50).map(|n| ask(&format!("198.51.100.{}", n % 250))).any(|status| status == 429));
}

#[test]
fn a_token_that_is_not_valid_is_counted() {
    let daemon = Daemon::start(FEW);
    for headers in [("Authorization", "Bearer nonsense"), ("Authorization", "Basic x")] {
        let mut statuses = (0..50).map(|_| daemon.ask("GET", "/api/v1/me", &[headers]).status);
        assert!(statuses.any(|status| status == 429), "{headers:?}");
    }
}

#[test]
fn a_strangers_wrong_passwords_keep_nobody_from_a_first_login() {
    let daemon = Daemon::start(NO_LIMITS);
    let owner = Person::owner(&daemon, "olga");
    let ann = json!({"username": "ann", "password": PASSWORD, "role": "viewer"});
    assert_eq!(owner.post("/api/v1/users", &ann).status, 201);
    for n in 0..24 {
        log_in(&daemon, &format!("x{n}"), "wrong password", &[]);
    }
    assert_eq!(log_in(&daemon, "nobody", "wrong password", &[]).status, 429);
    // Ann's first login of all.
    assert_eq!(log_in(&daemon, "ann", PASSWORD, &[]).status, 200);
    assert_eq!(log_in(&daemon, "olga", PASSWORD, &[]).status, 200);
}

#[test]
fn cookies_are_secure_where_the_browser_came_over_tls() {
    let daemon = Daemon::start(&format!("{TRUSTED}{NO_LIMITS}"));
    let _owner = Person::owner(&daemon, "olga");
    let over_tls = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "198.51.100.7")];
    let login = log_in(&daemon, "olga", PASSWORD, &over_tls);
    // Names of their own: a browser refuses to let a page over HTTP replace a secure cookie.
    for name in ["__Secure-perch_access", "__Secure-perch_refresh"] {
        let cookie = login.set_cookie(name).unwrap_or_else(|| panic!("{name}: {login:?}"));
        assert!(cookie.contains("; Secure"), "{cookie}");
    }
    let cookies = format!(
        "__Secure-perch_access={}; __Secure-perch_refresh={}",
        login.cookie("__Secure-perch_access").unwrap(),
        login.cookie("__Secure-perch_refresh").unwrap()
    );
    let with = |method: &str, path: &str| {
        daemon.ask(method, path, &[over_tls[0], over_tls[1], ("Cookie", &cookies), ("Content-Length", "0")])
    };
    assert_eq!(with("GET", "/api/v1/me").status, 200);
    let renewed = with("POST", "/api/v1/auth/refresh");
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert!(renewed.set_cookie("__Secure-perch_access").unwrap().contains("; Secure"));
    let page = daemon.ask("GET", "/", &over_tls);
    assert!(page.set_cookie("__Secure-perch_viewer").unwrap().contains("; Secure"));
    let gone = with("POST", "/api/v1/auth/logout");
    assert!(gone.set_cookie("__Secure-perch_access").unwrap().contains("Max-Age=0"));

    let plain = log_in(&daemon, "olga", PASSWORD, &[]);
    assert!(!plain.set_cookie("perch_access").unwrap().contains("Secure"));
    // A page over HTTP, or whoever is in its way, cannot choose whom a browser over TLS is logged in as.
    let planted = format!("perch_access={}", plain.cookie("perch_access").unwrap());
    let tls = daemon.ask("GET", "/api/v1/me", &[over_tls[0], over_tls[1], ("Cookie", &planted)]);
    assert_eq!(tls.status, 401);

    let untrusting = Daemon::start(NO_LIMITS);
    let _owner = Person::owner(&untrusting, "olga");
    assert!(
        !log_in(&untrusting, "olga", PASSWORD, &over_tls)
            .set_cookie("perch_access")
            .unwrap()
            .contains("Secure")
    );
}

#[test]
fn counters_are_the_owners_unless_an_address_is_named() {
    let config = "[[camera]]\nname = \"front\"\nsource = \"test-pattern\"\n";
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(dir.path(), config, &[("PERCH_METRICS_FROM", "")]);
    let owner = Person::owner(&daemon, "olga");
    // This machine may have a proxy that adds no header: nothing tells its requests from those of a program here.
    let refused = daemon.get("/metrics");
    assert_eq!((refused.status, refused.code().as_str()), (403, "local_only"));
    assert_eq!(owner.get("/metrics").status, 200);
    assert_eq!(daemon.get("/api/v1/system").json().get("host_name"), None);
    let mut console = UnixStream::connect(daemon.data_dir.join("control.sock")).unwrap();
    console.write_all(b"GET /metrics HTTP/1.1\r\nHost: perch\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    console.read_to_end(&mut bytes).unwrap();
    assert_eq!(Answer::parse(&bytes).status, 200);
    drop(daemon);

    let named = Daemon::start_with(dir.path(), config, &[("PERCH_METRICS_FROM", "127.0.0.0/8")]);
    assert_eq!(named.get("/metrics").status, 200);
    assert!(named.get("/api/v1/system").json().get("host_name").is_some());
    assert_eq!(
        named.ask("GET", "/metrics", &[("X-Forwarded-For", "127.0.0.1")]).status,
        403,
        "somebody behind a proxy"
    );
}

#[test]
fn a_proxy_that_changes_the_host_is_told_which_header_to_set() {
    let daemon = Daemon::start(NO_LIMITS);
    let _owner = Person::owner(&daemon, "olga");
    let own = daemon.address.to_string();
    for (host, origin) in [
        // nginx without `proxy_set_header Host`.
        (own.as_str(), "http://perch.example"),
        // nginx with `$host`, which leaves the port out.
        ("localhost", "http://localhost:8443"),
    ] {
        let refused = log_in(&daemon, "olga", PASSWORD, &[("Host", host), ("Origin", origin)]);
        assert_eq!((refused.status, refused.code().as_str()), (403, "cross_site"));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        for word in [host, origin, "proxy_set_header Host $http_host", "X-Forwarded-Host"] {
            assert!(detail.contains(word), "{word}: {detail}");
        }
    }
    let line = daemon.logged("proxy_set_header Host $http_host");
    assert!(line.contains("http://perch.example"), "{line}");
    assert_eq!(
        log_in(&daemon, "olga", PASSWORD, &[("Host", "localhost:80"), ("Origin", "http://localhost")]).status,
        200
    );

    let trusting = Daemon::start(&format!("{TRUSTED}{NO_LIMITS}"));
    let _owner = Person::owner(&trusting, "olga");
    let named = [
        ("Host", own.as_str()),
        ("Origin", "https://perch.example:8443"),
        ("X-Forwarded-Host", "perch.example:8443"),
    ];
    assert_eq!(log_in(&trusting, "olga", PASSWORD, &named).status, 200);
    let evil =
        [("Host", own.as_str()), ("Origin", "http://evil.example"), ("X-Forwarded-Host", "evil.example")];
    assert_eq!(log_in(&trusting, "olga", PASSWORD, &evil).status, 421);
}

#[test]
fn notifications_are_not_held_back_by_a_proxy() {
    let daemon = Daemon::start(NO_LIMITS);
    let owner = Person::owner(&daemon, "olga");
    let mut stream = owner.begin("GET", "/api/v1/me/events", None);
    let mut head = vec![0; 1024];
    let length = stream.read(&mut head).unwrap();
    let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
    assert!(head.contains("x-accel-buffering: no"), "{head}");
}
