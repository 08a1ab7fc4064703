//! Runs commands like `perchd user` against the site. A running daemon holds the store, so it is asked over its console socket;
//! without one, the command opens the store and calls the site's use cases itself.

use super::run;
use crate::config::Config;
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use perch_site::Site;
use perch_studio::clock::{Clock, SystemClock};
use perch_web::{ConsoleBody, SOCKET, ask_console};
use serde_json::Value;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixStream;

/// The one that answers a command.
pub(super) enum Reached {
    /// The running daemon.
    Daemon(Daemon),
    /// The site at rest, in this process.
    Here(Box<Site>),
}

/// Finds out which one answers. Call it inside a runtime.
pub(super) async fn reach(config: &Config) -> anyhow::Result<Reached> {
    if let Some(daemon) = running_daemon(config).await? {
        return Ok(Reached::Daemon(daemon));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Arc::new(run::open_store(&config.server.data_dir)?);
    Ok(Reached::Here(Box::new(run::site_at_rest(config, store, clock)?)))
}

/// The daemon that runs with this data directory, if one does.
pub(super) async fn running_daemon(config: &Config) -> anyhow::Result<Option<Daemon>> {
    let daemon = Daemon { socket: config.server.data_dir.join(SOCKET) };
    match UnixStream::connect(&daemon.socket).await {
        Ok(_) => Ok(Some(daemon)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).with_context(|| cannot_reach(&daemon.socket)),
    }
}

fn cannot_reach(socket: &Path) -> String {
    format!(
        "cannot reach the daemon at {}: run this as root, or as the user that perchd runs as",
        socket.display()
    )
}

/// A daemon that runs with this data directory.
pub(super) struct Daemon {
    socket: PathBuf,
}

impl Daemon {
    /// Sends a JSON request over a connection of its own; returns the response's JSON, or the problem as an error. Null for a
    /// response without a body.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let bytes = self.send(method, path, body).await?.collect().await?.to_bytes();
        if bytes.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&bytes)?) }
    }

    /// Writes the response to a POST request into `file`, as it arrives.
    pub(super) async fn download(&self, path: &str, body: &Value, file: &mut File) -> anyhow::Result<()> {
        let mut answer = self.send(Method::POST, path, Some(body)).await?;
        while let Some(frame) = answer.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                file.write_all(&bytes)?;
            }
        }
        Ok(())
    }

    /// Sends the request over a connection of its own; returns the response's body, or the problem as an error.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<ConsoleBody> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "console");
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.body(Full::new(body))?;
        let stream = UnixStream::connect(&self.socket).await.with_context(|| cannot_reach(&self.socket))?;
        let answer = ask_console(stream, request).await.map_err(|error| anyhow!(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let bytes = answer.into_body().collect().await?.to_bytes();
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match (problem["field"].as_str(), problem["detail"].as_str()) {
            (Some(field), Some(detail)) => bail!("{field}: {detail}"),
            (None, Some(detail)) => bail!("{detail}"),
            (_, None) => bail!("the daemon answered {status}"),
        }
    }
}
