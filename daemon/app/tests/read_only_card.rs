//! A card that turns read-only while a stream is on the air. Needs root and a loop device, to have a file system that can fail.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use support::people::{NO_LIMITS, Person};
use support::{Daemon, run};

const CAMERA: &str = "[[camera]]\nname = \"front\"\nsource = \"test-pattern\"\nwidth = 320\nheight = 240\n";

/// A file system of its own at the data directory of a daemon that runs in `dir`; unmounted when dropped.
struct Card {
    dir: tempfile::TempDir,
}

impl Card {
    fn new() -> Self {
        let card = Self { dir: tempfile::tempdir().unwrap() };
        let image = std::fs::File::create(card.dir.path().join("image")).unwrap();
        image.set_len(32 << 20).unwrap();
        run("mkfs.ext4", &["-q", "image"], card.dir.path());
        std::fs::create_dir(card.path()).unwrap();
        run("mount", &["-o", "loop", "image", "data"], card.dir.path());
        card
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What ext4 does by itself after an error of the card (`errors=remount-ro`).
    fn fails(&self) {
        run("mount", &["-o", "remount,abort", self.path().to_str().unwrap()], self.dir.path());
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        // Lazily: the daemon of a test that fails still has files open.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(std::thread::panicking() || unmounted.unwrap().success());
    }
}

#[test]
fn reading_goes_on_a_stream_can_be_stopped_and_the_fault_is_named() {
    let card = Card::new();
    let daemon = Daemon::start_in(card.dir.path(), &format!("{CAMERA}{NO_LIMITS}"));
    let owner = Person::owner(&daemon, "olive");
    let started = owner.post("/api/v1/streams", &json!({"title": "Owls"}));
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    daemon.logged("on the air");
    assert_eq!(daemon.get("/readyz").status, 200);

    card.fails();
    let address = format!("/api/v1/streams/{id}");
    let refused = owner.patch(&address, &json!({"title": "Kites"}));
    assert_eq!((refused.status, refused.code().as_str()), (507, "store_read_only"));
    for path in ["/api/v1/streams", "/api/v1/cameras", "/api/v1/me", "/api/v1/system", &address] {
        assert_eq!(owner.get(path).status, 200, "{path}");
    }
    daemon.logged("The card takes no writes");
    let ready = daemon.get("/readyz");
    assert!(ready.status == 503 && ready.text().contains("The card takes no writes"), "{}", ready.text());
    assert!(owner.get("/api/v1/system").json()["warnings"].to_string().contains("The card takes no writes"));

    let stopped = owner.post(&format!("{address}/stop"), &json!({}));
    assert_eq!(stopped.status, 200, "{}", stopped.text());
    let again = owner.post(&format!("{address}/stop"), &json!({}));
    for shown in [stopped, again, owner.get(&address)].map(|answer| answer.json()) {
        assert_eq!((&shown["state"], &shown["end_reason"]), (&json!("ended"), &json!("user")));
        assert!(shown["ended_at"].is_string());
    }
    assert_eq!(owner.get("/api/v1/cameras").json()["items"][0]["state"], "stopped");
    assert!(daemon.get(&format!("/media/{id}/index.m3u8")).text().contains("#EXT-X-ENDLIST"));
    assert_eq!(daemon.stop(), Some(0));
}
