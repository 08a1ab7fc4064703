//! Scripts that look at the page in Chromium and print lines of JSON.

use super::Daemon;
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Why it does not start.
const NODE: &str = "node is there: `make test` installs what the tests need";

/// A script that takes an order a line, and answers each with a line. Ended when it is dropped.
pub struct Script {
    node: Child,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Starts `browser/{name}.js`.
    pub fn start<A: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut node =
            command(name).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(NODE);
        let answers = BufReader::new(node.stdout.take().unwrap()).lines();
        Self { node, answers }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        self.answers.next().expect("the script says what is wrong on its standard error").unwrap()
    }

    /// Gives it a line.
    pub fn tell(&mut self, order: &str) {
        writeln!(self.node.stdin.as_mut().unwrap(), "{order}").unwrap();
    }

    /// Gives it a line, and takes the answer.
    pub fn ask(&mut self, order: &str) -> Value {
        self.tell(order);
        serde_json::from_str(&self.line()).unwrap()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

fn command(name: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(format!("browser/{name}.js")).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    node
}

/// Runs `browser/{name}.js` to its end; its report. The page has complained of nothing.
pub fn walk<A: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = A>) -> Value {
    let output = command(name).args(arguments).output().expect(NODE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["complaints"], Value::Array(vec![]), "the page complained");
    report
}

/// Where pictures of the screen go. `PERCH_TEST_PICTURES` keeps them for somebody who wants to look at them.
pub fn pictures(dir: &Path) -> String {
    let pictures = std::env::var_os("PERCH_TEST_PICTURES").map_or(dir.join("pictures"), Into::into);
    std::fs::create_dir_all(&pictures).unwrap();
    pictures.into_os_string().into_string().unwrap()
}

/// What `browser/{script}.js` has seen after it let the page play for so many seconds.
pub fn plays(daemon: &Daemon, script: &str, seconds: u32) -> Value {
    Script::start(script, [seconds.to_string()]).ask(&daemon.url("/"))
}
