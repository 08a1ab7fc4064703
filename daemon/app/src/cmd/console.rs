//! What `perchd user` and its like have in common: they ask the daemon that runs with this data directory over its console, and where none
//! runs they answer themselves, with the same handlers.

use super::run;
use crate::config::Config;
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use perch_studio::clock::{Clock, SystemClock};
use perch_web::{Answer, Console, SOCKET};
use serde_json::Value;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::net::UnixStream;

/// Asks for something at the console, in JSON; the answer's JSON, or the problem as an error. Null where the answer has no body.
pub(super) fn ask(
    config: &Config,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = send(config, method, path, body).await?;
        let bytes = answer.into_body().collect().await.map_err(|error| anyhow!(error))?.to_bytes();
        if bytes.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&bytes)?) }
    })
}

/// The same, for an answer of any kind; the problem is an error here, too. Inside a runtime.
pub(super) async fn send(
    config: &Config,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let mut request = Request::builder().method(method).uri(path).header(HOST, "console");
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request = request.body(Full::new(body))?;
    let answer = open(config).await?.ask(request).await.map_err(|error| anyhow!(error))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let bytes = answer.into_body().collect().await.map_err(|error| anyhow!(error))?.to_bytes();
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let Some(detail) = problem["detail"].as_str() else { bail!("the daemon answered {status}") };
    match problem["field"].as_str() {
        Some(field) => bail!("{field}: {detail}"),
        None => bail!("{detail}"),
    }
}

async fn open(config: &Config) -> anyhow::Result<Console> {
    let socket = config.server.data_dir.join(SOCKET);
    match UnixStream::connect(&socket).await {
        Ok(stream) => Ok(Console::Daemon(stream)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let store = Arc::new(run::open_store(&config.server.data_dir)?);
            Ok(Console::Here(Box::new(run::site_at_rest(config, store, clock)?)))
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "cannot reach the daemon at {}: run this as root, or as the user that perchd runs as",
                socket.display()
            )
        }),
    }
}
