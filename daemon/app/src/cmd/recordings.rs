//! `perchd recordings`: lists recordings, checks their files, and rebuilds their indexes from the media.

use super::console::{self, Daemon, Reached};
use super::say;
use crate::config::Config;
use anyhow::{Context as _, bail};
use http::Method;
use perch_site::Site;
use perch_store::{RecordingQuery, RecordingState};
use serde_json::Value;

/// Recordings requested at once.
const PAGE: usize = 100;

/// Commands for recordings.
#[derive(Debug, clap::Subcommand)]
pub(super) enum RecordingsCommand {
    /// List them: stream, state, seconds, bytes, name
    List,
    /// Read every byte of them, and print what is wrong; exit 1 on anything. Not while perchd runs
    Verify,
    /// Rebuild their indexes from the files themselves, and list files again that Perch no longer knew. Not while perchd runs
    Rebuild,
}

pub(super) fn run(config: &Config, command: &RecordingsCommand) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match (console::reach(config).await?, command) {
            (Reached::Daemon(daemon), RecordingsCommand::List) => ask_for_list(&daemon).await,
            (Reached::Daemon(_), _) => bail!("perchd runs: stop it first, with systemctl stop perchd"),
            (Reached::Here(site), RecordingsCommand::List) => list(&site),
            (Reached::Here(site), RecordingsCommand::Verify) => {
                let wrong = site.recordings.verify()?;
                for what in &wrong {
                    say(&format!("{what}\n"));
                }
                if wrong.is_empty() { Ok(()) } else { bail!("not all recordings are what they should be") }
            }
            (Reached::Here(site), RecordingsCommand::Rebuild) => {
                let done = site.recordings.rebuild()?;
                for what in &done {
                    say(&format!("{what}\n"));
                }
                Ok(())
            }
        }
    })
}

async fn ask_for_list(daemon: &Daemon) -> anyhow::Result<()> {
    let mut cursor = String::new();
    loop {
        let page = daemon.ask(Method::GET, &format!("/api/v1/recordings?limit={PAGE}{cursor}"), None).await?;
        for item in page["items"].as_array().context("the daemon's list has no items")? {
            let text = |field: &str| item[field].as_str().unwrap_or_default();
            let seconds = item["duration_seconds"].as_f64().unwrap_or_default();
            let is_growing = item["is_growing"] == Value::Bool(true);
            let bytes = item["bytes"].as_u64().unwrap_or_default();
            say(&line(text("stream"), is_growing, seconds, bytes, text("name")));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(()),
        }
    }
}

fn list(site: &Site) -> anyhow::Result<()> {
    let mut before = None;
    loop {
        let query = RecordingQuery { before, limit: PAGE, ..RecordingQuery::default() };
        let found = site.recordings.recordings(query)?;
        for recording in &found {
            let is_growing = recording.state == RecordingState::Recording;
            let seconds = recording.duration_ms as f64 / 1000.0;
            say(&line(&recording.stream.to_string(), is_growing, seconds, recording.bytes, &recording.name));
        }
        before = found.last().map(|last| last.stream);
        if found.len() < PAGE {
            return Ok(());
        }
    }
}

fn line(stream: &str, is_growing: bool, seconds: f64, bytes: u64, name: &str) -> String {
    let state = if is_growing { "recording" } else { "ended" };
    format!("{stream}\t{state}\t{seconds:.1}\t{bytes}\t{name}\n")
}
