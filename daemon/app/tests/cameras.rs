//! Cameras over HTTP: what can be asked of them.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use support::Daemon;
use support::people::{NO_LIMITS, Person};

const PATTERN: &str = "[[camera]]\nsource = \"test-pattern\"\nencoder = \"software\"\n";

#[test]
fn what_can_be_asked_of_a_camera_is_for_those_who_may_go_live() {
    let daemon = Daemon::start(&format!("{NO_LIMITS}{PATTERN}"));
    let nobody = Person::nobody(&daemon);
    assert_eq!(nobody.get("/api/v1/cameras").json()["items"][0]["id"], "front");
    assert_eq!(nobody.get("/api/v1/cameras/front").code(), "unauthenticated");
    let owner = Person::owner(&daemon, "ann");
    let camera = owner.get("/api/v1/cameras/front").json();
    assert_eq!((&camera["name"], &camera["state"]), (&json!("front"), &json!("stopped")));
    let ability = &camera["ability"];
    assert_eq!(ability["bitrate_kbps"], json!({"min": 100, "max": 20_000}));
    assert_eq!(ability["sizes"]["width"], json!({"min": 64, "max": 3840, "step": 2}));
    let size =
        json!({"width": 1280, "height": 720, "frames_per_second": [120, 60, 50, 30, 25, 20, 15, 10, 5]});
    assert!(ability["modes"].as_array().unwrap().contains(&size), "{ability}");
    for nowhere in ["/api/v1/cameras/back", "/api/v1/cameras/..%2Ffront", "/api/v1/cameras/%ff"] {
        assert_eq!(owner.get(nowhere).code(), "not_found", "{nowhere}");
    }
}
