//! `/api/v1/me/ingest`: publishing from another program, such as OBS: the caller's key, and what their stream is begun with.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json;
use super::problem::Problem;
use super::state::Shared;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderMap, StatusCode};
use perch_site::SiteError;
use perch_site::ingest::{self, OwnIngest, Preparation};
use perch_store::{IngestKey, PreparedStream, Visibility};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use utoipa::ToSchema;

/// The application of RTMP that programs publish to.
const APPLICATION: &str = "live";
/// Pixels of the code that a phone reads from a screen.
const CODE_PIXELS: u32 = 240;

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(show, prepare))
        .routes(routes!(renew_key))
        .routes(routes!(show_code))
        .routes(routes!(revoke_key))
}

/// The caller's way to publish from another program.
#[derive(Serialize, ToSchema)]
#[schema(as = Ingest)]
struct IngestItem {
    /// False while the owner has switched it off.
    enabled: bool,
    /// The server's address for the program, at the host that this request was sent to.
    address: String,
    /// The same with TLS; null while there is no certificate.
    #[schema(required)]
    tls_address: Option<String>,
    /// The stream key; null before the first is made.
    #[schema(required)]
    key: Option<String>,
    prepared: Prepared,
    /// The title of a stream for which none is prepared.
    usual_title: String,
}

/// What the caller's stream is begun with.
#[derive(Serialize, ToSchema)]
#[schema(as = PreparedStream)]
struct Prepared {
    /// Empty: the usual title.
    title: String,
    description: String,
    /// Ids of topics.
    topics: Vec<String>,
    /// `public` or `members`.
    #[schema(value_type = String)]
    visibility: Visibility,
    record: bool,
    /// Names of relays.
    relays: Vec<String>,
}

impl From<PreparedStream> for Prepared {
    fn from(prepared: PreparedStream) -> Self {
        Self {
            title: prepared.title,
            description: prepared.description,
            topics: prepared.topics.iter().map(ToString::to_string).collect(),
            visibility: prepared.visibility,
            record: prepared.record,
            relays: prepared.relays,
        }
    }
}

impl IngestItem {
    fn new(own: OwnIngest, headers: &HeaderMap) -> Self {
        Self {
            enabled: own.is_on,
            address: address("rtmp", own.port, headers),
            tls_address: own.encrypted_port.map(|port| address("rtmps", port, headers)),
            key: own.key.as_ref().map(|key| key.expose().to_owned()),
            prepared: own.prepared.into(),
            usual_title: own.usual_title,
        }
    }
}

/// The server's address for a program, at the host by which the caller has reached it.
fn address(scheme: &str, port: u16, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    let host = host.as_ref().map_or("perch.local", http::uri::Authority::host);
    format!("{scheme}://{host}:{port}/{APPLICATION}")
}

/// The caller's stream key, and what their stream from another program is begun with.
#[utoipa::path(get, path = "/api/v1/me/ingest", tag = "ingest",
    responses((status = 200, description = "The key and the details", body = IngestItem)))]
async fn show(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let own = ingest::show(&state.site, &caller.actor).await?;
    Ok(json::fresh(&IngestItem::new(own, &headers)))
}

/// Changes to what is prepared; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PreparedStreamChange)]
struct Change {
    /// Empty: the usual title.
    #[schema(max_length = 100)]
    title: Option<String>,
    #[schema(max_length = 5000)]
    description: Option<String>,
    /// Ids of topics.
    topics: Option<Vec<String>>,
    /// `public` or `members`.
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    record: Option<bool>,
    /// Names of relays.
    relays: Option<Vec<String>>,
}

/// Changes what the caller's next stream from another program is begun with.
#[utoipa::path(patch, path = "/api/v1/me/ingest", tag = "ingest", request_body = Change,
    responses((status = 200, description = "The key and the details", body = IngestItem)))]
async fn prepare(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Result<Response, Problem> {
    let Change { title, description, topics, visibility, record, relays } = change;
    let change = Preparation { title, description, topics, visibility, record, relays };
    let own = ingest::prepare(&state.site, &caller.actor, change).await?;
    Ok(json::fresh(&IngestItem::new(own, &headers)))
}

/// Makes a new key. The one before stops working at once, and a stream that was published with it ends.
#[utoipa::path(post, path = "/api/v1/me/ingest/key", tag = "ingest",
    responses((status = 201, description = "The new key and the details", body = IngestItem)))]
async fn renew_key(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let own = ingest::renew_key(&state.site, &caller.actor).await?;
    Ok(json::made(&IngestItem::new(own, &headers)))
}

/// The caller's connection as a QR code, which Larix Broadcaster on a phone reads. It contains the key.
#[utoipa::path(get, path = "/api/v1/me/ingest/code.svg", tag = "ingest",
    responses((status = 200, description = "The code", content_type = "image/svg+xml", body = String),
        (status = 404, description = "There is no key", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn show_code(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let own = ingest::show(&state.site, &caller.actor).await?;
    let key = own.key.ok_or(SiteError::NotFound)?;
    let code = QrCode::new(for_larix(&address("rtmp", own.port, &headers), &key))
        .map_err(|_| SiteError::NotFound)?;
    // Black on white also on a dark page: not every camera reads the reverse.
    let svg = code.render::<svg::Color<'_>>().min_dimensions(CODE_PIXELS, CODE_PIXELS).build();
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-store")], svg).into_response())
}

/// A link by which Larix Broadcaster takes a connection over (Larix Grove, <https://softvelum.com/larix/grove/>).
fn for_larix(address: &str, key: &IngestKey) -> String {
    let mut url = String::new();
    for byte in format!("{address}/{}", key.expose()).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing into memory does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    format!("larix://set/v1?conn[][url]={url}&conn[][name]=Perch&conn[][overwrite]=on")
}

/// Takes a user's key away. A stream that was published with it ends.
#[utoipa::path(delete, path = "/api/v1/users/{username}/ingest-key", tag = "ingest", params(("username" = String, Path)),
    responses((status = 204, description = "The user has no key")))]
async fn revoke_key(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<StatusCode, Problem> {
    ingest::revoke_key(&state.site, &caller.actor, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn programs_publish_to_the_host_that_the_page_was_loaded_from() {
        for (host, expected) in [
            (Some("perch.local:8080"), "rtmp://perch.local:1935/live"),
            (Some("192.0.2.7"), "rtmp://192.0.2.7:1935/live"),
            (Some("[2001:db8::1]:80"), "rtmp://[2001:db8::1]:1935/live"),
            (Some("no host"), "rtmp://perch.local:1935/live"),
            (None, "rtmp://perch.local:1935/live"),
        ] {
            let host = host.map(|host| (HOST, HeaderValue::from_static(host)));
            assert_eq!(address("rtmp", 1935, &HeaderMap::from_iter(host)), expected);
        }
    }

    #[test]
    fn a_phone_reads_address_and_key_out_of_the_code() {
        let link = for_larix("rtmp://[::1]:1935/live", &IngestKey::new("ab-2"));
        assert_eq!(
            link,
            "larix://set/v1?conn[][url]=rtmp%3A%2F%2F%5B%3A%3A1%5D%3A1935%2Flive%2Fab-2&conn[][name]=Perch&conn[][overwrite]=on"
        );
        QrCode::new(link).unwrap();
    }
}
