//! `perchd user`: accounts from the machine's own console. A password is never an argument, where every process could read it: it is typed without an
//! echo, or comes on standard input.

use super::{console, say};
use crate::config::Config;
use anyhow::{Context as _, bail};
use http::Method;
use rustix::termios::{LocalModes, OptionalActions, isatty, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use std::io::{BufRead as _, Write as _, stderr, stdin};

/// What to do with accounts.
#[derive(Debug, clap::Subcommand)]
pub(super) enum UserCommand {
    /// Make an account; its password is asked for, or read from standard input
    Add {
        /// Up to 20 letters, digits, _, - and .
        username: String,
        /// What it may do
        #[arg(long, value_enum, default_value = "streamer")]
        role: RoleName,
    },
    /// Give an account a new password, and log it out everywhere
    Passwd {
        /// Whose
        username: String,
    },
    /// Change what an account may do
    Role {
        /// Whose
        username: String,
        /// What it may do
        role: RoleName,
    },
    /// List the accounts: name, role, standing
    List,
}

/// A role as it is typed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum RoleName {
    /// Watches, chats, follows
    Viewer,
    /// Also goes live
    Streamer,
    /// Also runs the site
    Owner,
}

impl RoleName {
    const fn text(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Streamer => "streamer",
            Self::Owner => "owner",
        }
    }
}

pub(super) fn run(config: &Config, command: &UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { username, role } => {
            let account = json!({"username": username, "password": new_password()?, "role": role.text()});
            console::ask(config, Method::POST, "/api/v1/users", Some(&account)).map(drop)
        }
        UserCommand::Passwd { username } => change(config, username, &json!({"password": new_password()?})),
        UserCommand::Role { username, role } => change(config, username, &json!({"role": role.text()})),
        UserCommand::List => list(config),
    }
}

fn change(config: &Config, username: &str, change: &Value) -> anyhow::Result<()> {
    let path = format!("/api/v1/users/{}", in_path(username));
    console::ask(config, Method::PATCH, &path, Some(change)).map(drop)
}

fn list(config: &Config) -> anyhow::Result<()> {
    let mut cursor = String::new();
    loop {
        let page = console::ask(config, Method::GET, &format!("/api/v1/users?limit=100{cursor}"), None)?;
        for user in page["items"].as_array().context("the daemon's list has no items")? {
            let text = |field: &str| user[field].as_str().unwrap_or("").to_owned();
            say(&format!("{}\t{}\t{}\n", text("username"), text("role"), text("standing")));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", in_path(next)),
            None => return Ok(()),
        }
    }
}

/// Everything but letters, digits and `-_.` as `%XX`.
fn in_path(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn new_password() -> anyhow::Result<String> {
    if !isatty(stdin()) {
        return read_line();
    }
    let password = without_echo("New password: ")?;
    if without_echo("The same again: ")? != password {
        bail!("these were two different passwords: nothing was changed");
    }
    Ok(password)
}

fn without_echo(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    stderr().flush()?;
    let before = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(stdin(), OptionalActions::Flush, &silent).context("cannot turn the terminal's echo off")?;
    let line = read_line();
    tcsetattr(stdin(), OptionalActions::Now, &before).context("cannot turn the terminal's echo on again")?;
    eprintln!();
    line
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line).context("cannot read the password")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_part_of_the_address() {
        assert_eq!(in_path("ann.b-c_9"), "ann.b-c_9");
        assert_eq!(in_path("../é?"), "..%2F%C3%A9%3F");
    }
}
