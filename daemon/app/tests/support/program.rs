//! A camera that is a program: it plays a minute of coded pictures, with B-frames and sound, at their own pace.

use super::people::{NO_LIMITS, Person};
use super::{Daemon, run};
use serde_json::json;
use std::path::Path;

/// Pictures a second.
pub const RATE: f64 = 25.0;

/// Makes what the program plays, `clip.ts` in this folder, with a key frame each second; the configuration of a daemon with this camera.
pub fn make(dir: &Path) -> String {
    let inputs =
        ["-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=60", "-f", "lavfi", "-i", "sine=d=60:r=48000"];
    let coding =
        ["-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-y", "clip.ts"];
    run("ffmpeg", &[&["-v", "error"][..], &inputs, &coding].concat(), dir);
    let clip = dir.join("clip.ts");
    let input = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", clip.to_str().unwrap()];
    let program = [&input[..], &["-c", "copy", "-f", "mpegts", "-"]].concat();
    format!(
        "{NO_LIMITS}[recording]\nkeep_free = \"0 MB\"\n[[camera]]\nname = \"front\"\nsource = \"command\"\nwidth = 160\nheight = 90\n\
         frames_per_second = 25\ncommand = {program:?}\n"
    )
}

/// Goes live for the first time, recording; the stream's id.
pub fn record(daemon: &Daemon, title: &str) -> String {
    let asked = json!({"title": title, "record": true});
    let started = Person::owner(daemon, "olga").post("/api/v1/streams", &asked);
    started.json()["id"].as_str().unwrap_or_else(|| panic!("{}", started.text())).to_owned()
}
