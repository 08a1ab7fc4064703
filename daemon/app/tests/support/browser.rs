//! Scripts that look at the page in Chromium and print one line of JSON.

use super::Daemon;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

/// What `browser/{script}.js` has seen after it let the page play for so many seconds.
pub fn plays(daemon: &Daemon, script: &str, seconds: u32) -> Value {
    let mut node = Command::new("node")
        .args([format!("browser/{script}.js"), seconds.to_string()])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is there: `make test` installs what the tests need");
    writeln!(node.stdin.take().unwrap(), "{}", daemon.url("/")).unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    node.wait().unwrap();
    serde_json::from_str(&line).expect("it has played so long")
}
