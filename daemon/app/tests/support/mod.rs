//! Runs the real daemon for a test: on a port of its own, with a data directory of its own. Nothing here sleeps: what is waited for
//! is an event with a deadline (systemd's READY=1, a line of the log, an answer).
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a program of its own and uses its part of this"
)]
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

pub mod browser;
pub mod certificates;
pub mod chat;
pub mod crowd;
pub mod packets;
pub mod people;
pub mod program;
pub mod proxy;
pub mod recorded;
pub mod relaying;
pub mod walk;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// Everything that a test waits for comes within this, on a slow machine too.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A small picture, so that a debug build on a busy machine keeps up.
pub const TEST_PATTERN: &str = r#"
[live]
autostart = true
[[camera]]
name = "front"
source = "test-pattern"
width = 640
height = 360
"#;

/// A running `perchd`; killed when dropped.
pub struct Daemon {
    pub address: SocketAddr,
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    child: Child,
    log: mpsc::Receiver<String>,
    states: UnixDatagram,
    own_dir: Option<TempDir>,
}

impl Daemon {
    /// Starts it and waits until it listens.
    pub fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut daemon = Self::start_in(dir.path(), config);
        daemon.own_dir = Some(dir);
        daemon
    }

    /// The same in a folder that outlives it.
    pub fn start_in(dir: &Path, config: &str) -> Self {
        Self::start_with(dir, config, &[])
    }

    /// The same with variables of its environment.
    pub fn start_with(dir: &Path, config: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_as(dir, config, environment, Some("127.0.0.1:0"))
    }

    /// The same where `server.listen` says.
    pub fn start_as_configured(dir: &Path, config: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_as(dir, config, environment, None)
    }

    /// Again where it was before.
    pub fn start_at(dir: &Path, config: &str, address: SocketAddr) -> Self {
        Self::start_at_with(dir, config, &[], address)
    }

    /// The same with variables of its environment.
    pub fn start_at_with(
        dir: &Path,
        config: &str,
        environment: &[(&str, &str)],
        address: SocketAddr,
    ) -> Self {
        Self::start_as(dir, config, environment, Some(&address.to_string()))
    }

    fn start_as(dir: &Path, config: &str, environment: &[(&str, &str)], listen: Option<&str>) -> Self {
        let config_file = dir.join("perch.toml");
        std::fs::write(&config_file, config).unwrap();
        let socket = dir.join("notify");
        // Of a run before.
        let _ = std::fs::remove_file(&socket);
        let states = UnixDatagram::bind(&socket).unwrap();
        states.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_perchd"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PERCH_") || name == "RUST_LOG")
        {
            command.env_remove(name);
        }
        if let Some(address) = listen {
            command.args(["--listen", address]);
        }
        let mut child = command
            .arg("--config")
            .arg(&config_file)
            .arg("--data-dir")
            .arg(dir.join("data"))
            .env("NOTIFY_SOCKET", &socket)
            // Tests read counters; the owner's alone otherwise.
            .env("PERCH_METRICS_FROM", "127.0.0.0/8")
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("perchd: {line}");
                // Nobody may be listening any more.
                let _ = lines.send(line);
            }
        });
        let mut daemon = Self {
            address: ([0, 0, 0, 0], 0).into(),
            data_dir: dir.join("data"),
            child,
            log,
            states,
            own_dir: None,
        };
        let line = daemon.logged("listening on http://");
        daemon.address = line.rsplit_once("http://").unwrap().1.parse().unwrap();
        daemon
    }

    /// Starts it and waits until the first segment can be served.
    pub fn ready(config: &str) -> Self {
        let daemon = Self::start(config);
        daemon.told("READY=1");
        daemon
    }

    /// The same in a folder that outlives it.
    pub fn ready_in(dir: &Path, config: &str) -> Self {
        let daemon = Self::start_in(dir, config);
        daemon.told("READY=1");
        daemon
    }

    /// Waits for a line of the log.
    pub fn logged(&self, part: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).expect("the daemon logs it in time and does not end");
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits for a line of the log; it and all lines before it that nobody has waited for.
    pub fn logged_until(&self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.log.recv_timeout(PATIENCE).expect("the daemon logs it in time and does not end");
            lines.push(line);
            if lines.last().is_some_and(|line| line.contains(part)) {
                return lines;
            }
        }
    }

    /// Waits for a state told to systemd.
    pub fn told(&self, part: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.states.recv(&mut buffer).expect("the daemon tells it in time");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.contains(part) {
                return text;
            }
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// One request on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, path, headers, b"")
    }

    /// The same with a body; an empty one is none.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        Answer::read(self.begin(method, path, headers, body))
    }

    /// Sends a request and leaves its answer to be read.
    pub fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        write!(stream, "{method} {path} HTTP/1.1\r\nConnection: close\r\n").unwrap();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            write!(stream, "Host: localhost\r\n").unwrap();
        }
        for (name, value) in headers {
            write!(stream, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() {
            write!(stream, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        write!(stream, "\r\n").unwrap();
        // The server may answer, and close, before it has read everything.
        let _ = stream.write_all(body);
        stream
    }

    /// The answer to these lines as they stand; they ask to close the connection.
    pub fn raw(&self, lines: &[&str]) -> Answer {
        let mut stream = self.connect();
        write!(stream, "{}\r\n\r\n", lines.join("\r\n")).unwrap();
        Answer::read(stream)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A counter of `/metrics`.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// What systemd is told next.
    pub fn next_state(&self) -> String {
        self.told("")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Memory that it has now.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Waits for its end; the exit code.
    pub fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// As `systemctl stop` does it; the exit code.
    pub fn stop(self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Of a request that was begun.
    pub fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Self::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    /// The code of a problem.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// What a cookie is set to.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.iter().filter(|(known, _)| known == "set-cookie");
        let pairs = cookies.filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
    }

    /// The attributes of a cookie that is set, its value among them.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        let mut cookies = self.headers.iter().filter(|(known, _)| known == "set-cookie");
        cookies.find(|(_, cookie)| cookie.split('=').next() == Some(name)).map(|(_, cookie)| cookie.as_str())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Runs a tool that the test cannot do without, and gives its output; fails when the tool is not there, or fails.
pub fn run(tool: &str, args: &[&str], dir: &Path) -> std::process::Output {
    let output = Command::new(tool).args(args).current_dir(dir).output();
    let output =
        output.unwrap_or_else(|error| panic!("{tool}: {error}; `make test` installs what the tests need"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {said}");
    output
}
