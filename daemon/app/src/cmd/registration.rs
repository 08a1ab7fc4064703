//! `perchd registration`: who may register, from the machine's own console, for a site that is set up there.

use super::console::{self, Daemon, Reached};
use super::say;
use crate::config::Config;
use anyhow::Context as _;
use http::Method;
use perch_site::Actor;
use perch_site::settings::{self, SettingsChange};
use perch_store::Registration;
use serde_json::{Value, json};

const ADDRESS: &str = "/api/v1/settings";

/// Who may register, as typed on the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Who {
    /// Nobody: the owner creates the accounts
    Closed,
    /// Everyone; the owner approves each account
    Approval,
    /// Everyone, at once
    Open,
}

impl Who {
    /// The API's word, and the command line's.
    const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Approval => "approval",
            Self::Open => "open",
        }
    }
}

impl From<Who> for Registration {
    fn from(who: Who) -> Self {
        match who {
            Who::Closed => Self::Closed,
            Who::Approval => Self::Approval,
            Who::Open => Self::Open,
        }
    }
}

impl From<Registration> for Who {
    fn from(registration: Registration) -> Self {
        match registration {
            Registration::Closed => Self::Closed,
            Registration::Approval => Self::Approval,
            Registration::Open => Self::Open,
        }
    }
}

/// Sets who may register, if `who` says it, and prints who may.
pub(super) fn run(config: &Config, who: Option<Who>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let now = match console::reach(config).await? {
            Reached::Daemon(daemon) => ask(&daemon, who).await?,
            Reached::Here(site) => {
                let change =
                    SettingsChange { registration: who.map(Into::into), ..SettingsChange::default() };
                let settings = settings::change(&site, &Actor::Console, change).await?;
                Who::from(settings.decided.registration).word().to_owned()
            }
        };
        say(&format!("{now}\n"));
        Ok(())
    })
}

/// Has the running daemon do it.
async fn ask(daemon: &Daemon, who: Option<Who>) -> anyhow::Result<String> {
    let settings: Value = match who {
        Some(who) => daemon.ask(Method::PATCH, ADDRESS, Some(&json!({"registration": who.word()}))).await?,
        None => daemon.ask(Method::GET, ADDRESS, None).await?,
    };
    let now = settings["registration"].as_str().context("the daemon's settings have no registration")?;
    Ok(now.to_owned())
}
