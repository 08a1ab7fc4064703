//! People who use a running daemon: each has a login of its own and asks in JSON.

use super::{Answer, Daemon};
use serde_json::{Value, json};
use std::net::TcpStream;

/// Good for every account of a test.
pub const PASSWORD: &str = "correct horse battery";

/// A test goes faster than a person.
pub const NO_LIMITS: &str = "
[limits]
requests_per_second = 100000
writes_per_second = 100000
registrations_per_hour = 100000
";

/// Somebody in front of the site; without a token nobody that it knows.
pub struct Person<'a> {
    pub daemon: &'a Daemon,
    pub token: Option<String>,
}

impl<'a> Person<'a> {
    /// Somebody without an account.
    pub fn nobody(daemon: &'a Daemon) -> Self {
        Self { daemon, token: None }
    }

    /// Sets the site up; its owner, who lets everyone register and go live.
    pub fn owner(daemon: &'a Daemon, username: &str) -> Self {
        let code = std::fs::read_to_string(daemon.data_dir.join("setup-code")).unwrap();
        let setup = json!({"setup_code": code.trim(), "username": username, "password": PASSWORD, "registration": "open"});
        let owner = Self::from(daemon, &Self::nobody(daemon).post("/api/v1/setup", &setup));
        let everyone = owner.patch("/api/v1/settings", &json!({"new_user_role": "streamer"}));
        assert_eq!(everyone.status, 200, "{}", everyone.text());
        owner
    }

    /// Registers.
    pub fn register(daemon: &'a Daemon, username: &str) -> Self {
        let account = json!({"username": username, "password": PASSWORD});
        Self::from(daemon, &Self::nobody(daemon).post("/api/v1/auth/register", &account))
    }

    /// Logs in.
    pub fn login(daemon: &'a Daemon, username: &str) -> Self {
        let account = json!({"username": username, "password": PASSWORD});
        Self::from(daemon, &Self::nobody(daemon).post("/api/v1/auth/login", &account))
    }

    fn from(daemon: &'a Daemon, answer: &Answer) -> Self {
        let token =
            answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned();
        Self { daemon, token: Some(token) }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(body))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.ask("PATCH", path, Some(body))
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, Some(body))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, None)
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        Answer::read(self.begin(method, path, body))
    }

    /// Asks and leaves the answer to be read.
    pub fn begin(&self, method: &str, path: &str, body: Option<&Value>) -> TcpStream {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers: Vec<(&str, &str)> = Vec::new();
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        headers.extend(body.map(|_| ("Content-Type", "application/json")));
        let body = body.map_or_else(String::new, Value::to_string);
        self.daemon.begin(method, path, &headers, body.as_bytes())
    }
}
