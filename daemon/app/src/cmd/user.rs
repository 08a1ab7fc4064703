//! `perchd user`: accounts from the machine's own console. A password is never an argument, which every process could read: it is
//! typed without echo, or read from standard input.

use super::console::{self, Daemon, Reached};
use super::password_prompt::{read_line, without_echo};
use super::say;
use crate::config::Config;
use anyhow::{Context as _, bail};
use http::Method;
use perch_site::accounts::secret::Password;
use perch_site::users::{self, AccountChange, ManagedAccount, NewAccount};
use perch_site::{Actor, Site, SiteError};
use perch_store::{Role, UserQuery};
use rustix::termios::isatty;
use serde_json::{Value, json};
use std::io::stdin;

/// Accounts per request.
const PAGE: usize = 100;

/// Commands for accounts.
#[derive(Debug, clap::Subcommand)]
pub(super) enum UserCommand {
    /// Create an account; its password is typed, or read from standard input
    Add {
        /// Up to 20 letters, digits, _, - and .
        username: String,
        /// What the account may do
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleName,
    },
    /// Set an account's password and log it out everywhere
    Passwd {
        /// The account
        username: String,
    },
    /// Change an account's role
    Role {
        /// The account
        username: String,
        /// The new role
        role: RoleName,
    },
    /// List the accounts: name, role, standing
    List,
}

/// A role, as typed on the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum RoleName {
    /// Watches, chats, follows
    Viewer,
    /// Also goes live
    Streamer,
    /// Also runs the site
    Owner,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Streamer => Self::Streamer,
            RoleName::Owner => Self::Owner,
        }
    }
}

/// A command with all its values.
enum Task<'a> {
    Add { username: &'a str, password: String, role: RoleName },
    Passwd { username: &'a str, password: String },
    Role { username: &'a str, role: RoleName },
    List,
}

pub(super) fn run(config: &Config, command: &UserCommand) -> anyhow::Result<()> {
    // Typed before the store is opened: while this process has it open, no other can.
    let task = match command {
        UserCommand::Add { username, role } => Task::Add { username, password: new_password()?, role: *role },
        UserCommand::Passwd { username } => Task::Passwd { username, password: new_password()? },
        UserCommand::Role { username, role } => Task::Role { username, role: *role },
        UserCommand::List => Task::List,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match console::reach(config).await? {
            Reached::Daemon(daemon) => ask(&daemon, task).await,
            Reached::Here(site) => Ok(act(&site, task).await?),
        }
    })
}

/// Has the running daemon execute the task.
async fn ask(daemon: &Daemon, task: Task<'_>) -> anyhow::Result<()> {
    match task {
        Task::Add { username, password, role } => {
            let account =
                json!({"username": username, "password": password, "role": word(&Role::from(role))});
            daemon.ask(Method::POST, "/api/v1/users", Some(&account)).await.map(drop)
        }
        Task::Passwd { username, password } => {
            ask_for_change(daemon, username, &json!({"password": password})).await
        }
        Task::Role { username, role } => {
            ask_for_change(daemon, username, &json!({"role": word(&Role::from(role))})).await
        }
        Task::List => ask_for_list(daemon).await,
    }
}

async fn ask_for_change(daemon: &Daemon, username: &str, change: &Value) -> anyhow::Result<()> {
    let path = format!("/api/v1/users/{}", in_path(username));
    daemon.ask(Method::PATCH, &path, Some(change)).await.map(drop)
}

async fn ask_for_list(daemon: &Daemon) -> anyhow::Result<()> {
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/users?limit={PAGE}{cursor}");
        let page = daemon.ask(Method::GET, &path, None).await?;
        for user in page["items"].as_array().context("the daemon's list has no items")? {
            let text = |field: &str| user[field].as_str().unwrap_or("").to_owned();
            say(&line(&text("username"), &text("role"), &text("standing")));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", in_path(next)),
            None => return Ok(()),
        }
    }
}

/// Executes the task in this process.
async fn act(site: &Site, task: Task<'_>) -> Result<(), SiteError> {
    let console = &Actor::Console;
    let change = match task {
        Task::Add { username, password, role } => {
            let (username, password) = (username.to_owned(), Password::new(password));
            let new = NewAccount { username, password, role: role.into() };
            return users::add(site, console, new).await.map(drop);
        }
        Task::List => return list(site).await,
        Task::Passwd { username, password } => {
            (username, AccountChange { password: Some(Password::new(password)), ..AccountChange::default() })
        }
        Task::Role { username, role } => {
            (username, AccountChange { role: Some(role.into()), ..AccountChange::default() })
        }
    };
    let (username, change) = change;
    users::change(site, console, username.to_owned(), change).await.map(drop)
}

async fn list(site: &Site) -> Result<(), SiteError> {
    let mut before = None;
    loop {
        let query = UserQuery { text: String::new(), standing: None, before, limit: PAGE };
        let found = users::find(site, &Actor::Console, query).await?;
        for ManagedAccount { user, .. } in &found {
            say(&line(&user.username, &word(&user.role), &word(&user.standing)));
        }
        before = found.last().map(|last| last.user.id);
        if found.len() < PAGE {
            return Ok(());
        }
    }
}

fn line(username: &str, role: &str, standing: &str) -> String {
    format!("{username}\t{role}\t{standing}\n")
}

/// The API's name of a role or a standing.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Percent-encodes everything except letters, digits and `-_.`.
fn in_path(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn new_password() -> anyhow::Result<String> {
    if !isatty(stdin()) {
        return Ok(read_line()?);
    }
    let password = without_echo("New password: ")?;
    if without_echo("Repeat the password: ")? != password {
        bail!("the passwords differ: nothing was changed");
    }
    Ok(password)
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
