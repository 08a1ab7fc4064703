//! The Wi-Fi of a board whose `perch-wifi.service` is played by the test: its files are in the folder beside perchd's runtime directory.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use std::time::Duration;
use support::Daemon;
use support::browser::{pictures, walk};
use support::people::{NO_LIMITS, Person};

const ADDRESS: &str = "/api/v1/system/wifi";
/// The access point, on which the test is, too.
const ACCESS_POINT: &str = "access-point 127.0.0.1 Perch-1A2B\n";
/// `Café "Perch"` and others.
const HEARD: &str = "bssid / frequency / signal level / flags / ssid\n\
    02:00:00:00:00:00\t2412\t-40\t[WPA2-PSK-CCMP][ESS]\tCaf\\xc3\\xa9 \\\"Perch\\\"\n\
    02:00:00:00:00:01\t2412\t-60\t[ESS]\tLibrary\n\
    02:00:00:00:00:02\t2412\t-70\t[WPA2-EAP-CCMP][ESS]\tOffice\n";

struct Board {
    folder: PathBuf,
}

impl Board {
    fn new(dir: &Path, state: &str) -> Self {
        let board = Self { folder: dir.to_owned() };
        for name in ["perch", "perch-wifi"] {
            std::fs::create_dir_all(dir.join(name)).unwrap();
        }
        std::fs::write(dir.join("perch-wifi/scan"), HEARD).unwrap();
        std::fs::write(dir.join("perch-wifi/state"), state).unwrap();
        board
    }

    fn start(&self) -> Daemon {
        let run = self.folder.join("perch");
        let environment = [("RUNTIME_DIRECTORY", run.to_str().unwrap())];
        Daemon::start_with(&self.folder, NO_LIMITS, &environment)
    }

    /// Says something else; perchd reads it again within a second.
    fn says(&self, daemon: &Daemon, state: &str, is_read: impl Fn(u16) -> bool) {
        std::fs::write(self.folder.join("perch-wifi/state"), state).unwrap();
        for _ in 0..100 {
            if is_read(daemon.get(ADDRESS).status) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        panic!("perchd did not read “{state}”");
    }
}

fn choice() -> Value {
    json!({"ssid": "Café \"Perch\"", "password": "hunter22 $(id)", "country": "CH"})
}

#[test]
fn a_machine_whose_wifi_is_not_perchs_says_so() {
    let daemon = Daemon::start(NO_LIMITS);
    let owner = Person::owner(&daemon, "olga");
    for answer in [owner.get(ADDRESS), owner.put(ADDRESS, &choice())] {
        assert_eq!((answer.status, answer.code()), (404, "not_found".to_owned()));
    }
    assert_eq!(owner.get("/api/v1/system").json()["chooses_wifi"], false);
}

#[test]
fn whoever_is_on_the_access_point_of_a_new_board_chooses_its_network() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Board::new(dir.path(), &format!("{ACCESS_POINT}refused {}\n", "486f6d65")).start();
    let nobody = Person::nobody(&daemon);
    let seen = nobody.get(ADDRESS).json();
    assert_eq!((&seen["state"], &seen["ssid"]), (&json!("access_point"), &json!("Perch-1A2B")));
    assert_eq!(seen["problem"], "“Home” refused the password");
    let networks: Vec<_> = seen["networks"].as_array().unwrap().iter().map(|one| &one["ssid"]).collect();
    assert_eq!(networks, ["Café \"Perch\"", "Library", "Office"]);
    assert_eq!(seen["networks"][2]["joinable"], false);
    let code = std::fs::read_to_string(dir.path().join("data/setup-code")).unwrap();
    assert_eq!(seen["setup_code"], code.trim());

    for (wrong, field) in [
        (json!({"ssid": ""}), "ssid"),
        (json!({"ssid": "x".repeat(33)}), "ssid"),
        (json!({"ssid": "a", "password": "short"}), "password"),
        (json!({"ssid": "a", "password": "two\nlines of it"}), "password"),
        (json!({"ssid": "a", "country": "ch"}), "country"),
        (json!({"ssid": "a", "run": "reboot"}), "run"),
    ] {
        let refused = nobody.put(ADDRESS, &wrong);
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!(field)), "{wrong}");
        assert!(!refused.text().contains("lines of it"), "the password is told: {}", refused.text());
    }
    let file = dir.path().join("perch/wifi-choice");
    assert!(!file.exists());
    assert_eq!(nobody.put(ADDRESS, &choice()).status, 204);
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written, "name 436166c3a92022506572636822\npassword hunter22 $(id)\ncountry CH\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn on_the_access_point_every_address_leads_to_the_page_that_asks() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::new(dir.path(), ACCESS_POINT);
    let daemon = board.start();
    for (path, host) in [
        ("/", "perch.local"),
        ("/hotspot-detect.html", "captive.apple.com"),
        ("/generate_204", "connectivitycheck.gstatic.com"),
        ("/media/live/index.m3u8", "10.47.0.1"),
        ("/api/v1/cameras", "10.47.0.1"),
        ("/api/v1/streams", "10.47.0.1"),
    ] {
        let answer = daemon.ask("GET", path, &[("Host", host)]);
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some("http://127.0.0.1/wifi")),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    // Nor does it take what other pages send; anybody nearby may be on it.
    for (method, path) in [
        ("POST", "/api/v1/auth/register"),
        ("POST", "/api/v1/setup"),
        ("POST", "/api/v1/streams"),
        ("PUT", "/api/v1/me/avatar"),
        ("PATCH", "/api/v1/settings"),
        ("DELETE", "/api/v1/me"),
        ("POST", "/"),
        ("OPTIONS", "/media/live/index.m3u8"),
    ] {
        let answer = daemon.send(method, path, &[("Content-Type", "application/json")], b"{}");
        assert_eq!((answer.status, answer.code().as_str()), (403, "access_point"), "{method} {path}");
    }
    let login =
        Person::nobody(&daemon).post("/api/v1/auth/login", &json!({"username": "a", "password": "b"}));
    assert_eq!((login.status, login.code().as_str()), (401, "wrong_login"), "{}", login.text());
    let page = daemon.get("/wifi");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(daemon.get("/api/v1/settings").status, 200);
    board.says(&daemon, "idle\n", |status| status == 401);
    assert_eq!(daemon.get("/").status, 200);
    assert_eq!(daemon.get("/generate_204").status, 404);
}

#[test]
fn with_an_owner_or_elsewhere_it_is_the_owners() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::new(dir.path(), "joined 486f6d65\n");
    let daemon = board.start();
    let nobody = Person::nobody(&daemon);
    let refused = |status| {
        assert_eq!(nobody.get(ADDRESS).status, status);
        assert_eq!(nobody.put(ADDRESS, &choice()).status, status);
    };
    // In the network of the house, before anybody has set it up.
    refused(401);
    let owner = Person::owner(&daemon, "olga");
    let member = Person::register(&daemon, "mia");
    assert_eq!(owner.get("/api/v1/system").json()["chooses_wifi"], true);
    let seen = owner.get(ADDRESS).json();
    assert_eq!(
        (&seen["state"], &seen["ssid"], &seen["setup_code"]),
        (&json!("joined"), &json!("Home"), &Value::Null)
    );
    assert_eq!((member.get(ADDRESS).status, member.put(ADDRESS, &choice()).status), (403, 403));
    // Somebody near it while the house has no Wi-Fi.
    std::fs::write(dir.path().join("perch-wifi/state"), ACCESS_POINT).unwrap();
    refused(401);
    assert_eq!(owner.put(ADDRESS, &choice()).status, 204);
}

#[test]
fn a_phone_chooses_the_network_on_its_page() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Board::new(dir.path(), &format!("{ACCESS_POINT}missing {}\n", "486f6d65")).start();
    let code = std::fs::read_to_string(dir.path().join("data/setup-code")).unwrap();
    walk("wifi", [&daemon.url(""), code.trim(), &pictures(dir.path())]);
    let written = std::fs::read_to_string(dir.path().join("perch/wifi-choice")).unwrap();
    assert_eq!(written, "name 436166c3a92022506572636822\npassword eight \"or\" more\n");
}
