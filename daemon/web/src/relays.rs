//! `/api/v1/relays`: RTMP servers that streams are sent on to. Keys are written and never read.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json;
use super::list::List;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::StatusCode;
use perch_site::preflight::{self, Severity};
use perch_site::relays::{self, RelayChange, SeenRelay};
use perch_store::StreamId;
use perch_studio::relay::{RelayState, RelayStatus};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list, add)).routes(routes!(preflight)).routes(routes!(change, delete))
}

/// A relay, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Relay)]
struct RelayItem {
    name: String,
    /// Address of the server and its application; never the key.
    url: String,
    /// Written in perch.toml, and changed only there.
    configured: bool,
    /// False after a backup was restored without its keys.
    has_key: bool,
    /// Cameras whose streams are sent there unless whoever goes live chooses otherwise.
    cameras: Vec<String>,
    /// The streams on the air that are sent there.
    streams: Vec<Relayed>,
}

/// How a stream is sent on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RelayedStream)]
struct Relayed {
    #[schema(value_type = String)]
    stream: StreamId,
    /// `connecting`, `live` (the server takes the stream), `retrying`, `refused` (by the server; it is asked again) or `ended`.
    state: &'static str,
    /// Why it is not live, in words.
    #[schema(required)]
    detail: Option<String>,
    /// Seconds until the next connection; null while there is one.
    #[schema(required)]
    retry_in_seconds: Option<u64>,
    /// Kilobits per second that the server takes.
    #[schema(required)]
    kbps: Option<u32>,
    /// Seconds since the server acknowledged something.
    #[schema(required)]
    acknowledged_seconds_ago: Option<u64>,
    /// Pictures and frames of sound that were left out because the way to the server is too slow.
    dropped: u64,
    /// Seconds since some were left out last.
    #[schema(required)]
    dropped_seconds_ago: Option<u64>,
    /// Connections that were opened for this stream.
    connections: u64,
    /// Bytes that the server has taken.
    sent_bytes: u64,
}

impl Relayed {
    fn new(stream: StreamId, status: RelayStatus, now: Duration) -> Self {
        let since = |at: Duration| now.saturating_sub(at).as_secs();
        let until = |at: Duration| at.saturating_sub(now).as_secs();
        let state = status.state.name();
        let (detail, retry_in, kbps, acknowledged) = match status.state {
            RelayState::Connecting { before } => (before, None, None, None),
            RelayState::Live { kbps, acknowledged } => (None, None, Some(kbps), Some(since(acknowledged))),
            RelayState::Retrying { at, why } | RelayState::Refused { at, why } => {
                (Some(why), Some(until(at)), None, None)
            }
            RelayState::Ended => (None, None, None, None),
        };
        Self {
            stream,
            state,
            detail,
            retry_in_seconds: retry_in,
            kbps,
            acknowledged_seconds_ago: acknowledged,
            dropped: status.dropped,
            dropped_seconds_ago: status.slow.map(since),
            connections: status.connections,
            sent_bytes: status.taken_bytes,
        }
    }
}

impl RelayItem {
    fn new(seen: SeenRelay, now: Duration) -> Self {
        let streams = seen.streams.into_iter();
        Self {
            name: seen.name,
            url: seen.url,
            configured: seen.is_configured,
            has_key: seen.has_key,
            cameras: seen.cameras,
            streams: streams.map(|(stream, status)| Relayed::new(stream, status, now)).collect(),
        }
    }
}

/// All relays, and how each is doing.
#[utoipa::path(get, path = "/api/v1/relays", tag = "relays",
    responses((status = 200, description = "The relays", body = List<RelayItem>)))]
async fn list(state: Shared, caller: Caller) -> Result<Response, Problem> {
    let (seen, now) = relays::list(&state.site, &caller.actor)?;
    Ok(json::fresh(&List::whole(seen.into_iter().map(|relay| RelayItem::new(relay, now)).collect())))
}

/// A stream that may be started.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Planned {
    /// A camera's id.
    camera: String,
    /// Default: as configured.
    #[param(minimum = 1)]
    bitrate_kbps: Option<u32>,
}

/// What is found about a relay before a stream begins.
#[derive(Serialize, ToSchema)]
#[schema(as = Preflight)]
struct PreflightItem {
    relay: String,
    /// Empty if nothing speaks against it.
    findings: Vec<FindingItem>,
}

/// Something about a stream and a relay's server.
#[derive(Serialize, ToSchema)]
#[schema(as = PreflightFinding)]
struct FindingItem {
    /// `refused`: the server will refuse the stream. `note`: something to know.
    severity: &'static str,
    /// A sentence for people.
    detail: String,
}

/// Says of every relay what its server will refuse of a stream. No server is asked.
#[utoipa::path(get, path = "/api/v1/relays/preflight", tag = "relays", params(Planned),
    responses((status = 200, description = "What is found", body = List<PreflightItem>),
        (status = 404, description = "There is no such camera", body = ProblemDocument, content_type = "application/problem+json")))]
async fn preflight(
    state: Shared,
    caller: Caller,
    Query(planned): Query<Planned>,
) -> Result<Response, Problem> {
    let found = preflight::look(&state.site, &caller.actor, &planned.camera, planned.bitrate_kbps)?;
    let finding = |finding: preflight::Finding| FindingItem {
        severity: match finding.severity {
            Severity::Refused => "refused",
            Severity::Note => "note",
        },
        detail: finding.detail,
    };
    let item = |found: preflight::Preflight| PreflightItem {
        relay: found.relay,
        findings: found.findings.into_iter().map(finding).collect(),
    };
    Ok(json::fresh(&List::whole(found.into_iter().map(item).collect())))
}

/// A new relay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRelay {
    /// 1 to 32 of a-z, 0-9 and -.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z0-9-]+$")]
    name: String,
    /// Address of the server and its application, such as `rtmp://a.rtmp.youtube.com/live2`.
    #[schema(max_length = 1000)]
    url: String,
    /// The stream key; without it, the last part of the address is the key.
    #[schema(value_type = Option<String>, format = Password, min_length = 1, max_length = 500)]
    key: Option<String>,
    /// Names of cameras whose streams are sent there unless whoever goes live chooses otherwise.
    #[serde(default)]
    cameras: Vec<String>,
}

/// Adds a relay.
#[utoipa::path(post, path = "/api/v1/relays", tag = "relays", request_body = NewRelay,
    responses((status = 201, description = "The relay", body = RelayItem),
        (status = 409, description = "The name is taken, or there are too many relays", body = ProblemDocument, content_type = "application/problem+json")))]
async fn add(state: Shared, caller: Caller, Json(new): Json<NewRelay>) -> Result<Response, Problem> {
    let NewRelay { name, url, key, cameras } = new;
    let new = relays::NewRelay { name, url, key, cameras };
    let seen = relays::add(&state.site, &caller.actor, new).await?;
    Ok(json::made(&RelayItem::new(seen, state.site.clock.monotonic())))
}

/// Changes to a relay; missing fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RelayChange)]
struct Change {
    /// Address of the server and its application, without a key.
    #[schema(max_length = 1000)]
    url: Option<String>,
    /// The stream key.
    #[schema(value_type = Option<String>, format = Password, min_length = 1, max_length = 500)]
    key: Option<String>,
    /// Names of cameras whose streams are sent there unless whoever goes live chooses otherwise.
    cameras: Option<Vec<String>>,
}

/// Changes a relay that was set up on the page. Streams that are sent there connect anew.
#[utoipa::path(patch, path = "/api/v1/relays/{name}", tag = "relays", params(("name" = String, Path)), request_body = Change,
    responses((status = 200, description = "The relay", body = RelayItem)))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(name): Path<String>,
    Json(change): Json<Change>,
) -> Result<Response, Problem> {
    let change = RelayChange { url: change.url, key: change.key, cameras: change.cameras };
    let seen = relays::change(&state.site, &caller.actor, &name, change).await?;
    Ok(json::fresh(&RelayItem::new(seen, state.site.clock.monotonic())))
}

/// Deletes a relay that was set up on the page. Nothing is sent there any more.
#[utoipa::path(delete, path = "/api/v1/relays/{name}", tag = "relays", params(("name" = String, Path)),
    responses((status = 204, description = "The relay is deleted")))]
async fn delete(state: Shared, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    relays::delete(&state.site, &caller.actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
