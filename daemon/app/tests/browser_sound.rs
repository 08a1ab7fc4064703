//! The player's sound in Chromium: `browser/unmute.js` unmutes it as a person does, listens with Web Audio, and comes back to it.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::{Value, json};
use support::Daemon;
use support::browser::{pictures, walk};

fn pattern(tone: bool) -> String {
    format!(
        "[live]\nautostart = true\n[[camera]]\nsource = \"test-pattern\"\nwidth = 320\nheight = 180\nframes_per_second = 25\ntone = {tone}\n"
    )
}

/// Begins of beeps and of flashes, milliseconds.
fn begins(heard: &Value, what: &str) -> Vec<i64> {
    heard[what].as_array().unwrap().iter().map(|at| at.as_i64().unwrap()).collect()
}

/// Beeps come with their flashes.
fn check_together(heard: &Value, least: usize) {
    let (beeps, flashes) = (begins(heard, "beeps"), begins(heard, "flashes"));
    assert!(beeps.len() >= least && flashes.len() >= least, "{heard}");
    // A busy machine shows some pictures late; Web Audio hears before the loudspeaker does. Half a second is no pair.
    let together = |beep: &&i64| flashes.iter().any(|flash| (*flash - **beep).abs() < 200);
    assert!(beeps.iter().filter(together).count() >= least, "{heard}");
}

#[test]
fn one_tap_unmutes_and_the_next_visit_remembers_it() {
    let dir = tempfile::tempdir().unwrap();
    let (beeping, silent) = (Daemon::ready(&pattern(true)), Daemon::ready(&pattern(false)));
    let seen = walk("unmute", [&beeping.url("/"), &silent.url("/"), &pictures(dir.path())]);
    let state = |muted: bool, percent: u32| json!({"muted": muted, "percent": percent, "paused": false});
    assert_eq!((&seen["first"], &seen["tapped"]), (&state(true, 100), &state(false, 100)), "{seen}");
    check_together(&seen["heard"], 3);
    assert_eq!(seen["keyed"], json!([state(true, 100), state(false, 80)]), "{seen}");
    assert_eq!(seen["slid"], state(false, 55), "{seen}");
    assert_eq!((&seen["back"], &seen["reloaded"]), (&state(false, 55), &state(false, 55)), "{seen}");
    check_together(&seen["heardAgain"], 1);
    assert_eq!((&seen["held"], &seen["heldTapped"]), (&state(true, 55), &state(false, 55)), "{seen}");
    assert_eq!(seen["kept"], json!({"muted": false, "volume": 0.55}), "{seen}");
    assert_eq!(seen["buttonsWithoutSound"], 0, "{seen}");
}
