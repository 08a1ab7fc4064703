//! `/api/v1/backup` and `/api/v1/restore`: everything that is remembered, as a file, and the way back. A restore has two steps: the file is taken in
//! and looked at, which changes nothing; then the owner, who has seen what is in it, puts it in the place of what there is.

use super::caller::Caller;
use super::cookies;
use super::input::Json;
use super::json;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::receiving::{Terms, receive};
use super::state::{Shared, State};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use perch_site::accounts::secret::Password;
use perch_site::backup::{self, Incoming, Outgoing};
use perch_site::backups::{self, Turn};
use perch_store::{BackupContents, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::sync::Arc;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Of a backup that is taken in. A site of years, with pictures and chats, has less; what is in it, only all of it can tell.
const TERMS: Terms = Terms { most: 1 << 30, head: 0, look: |_| Ok(()) };

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(download)).routes(routes!(take_in, restore, discard))
}

/// One's own password, again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    #[schema(max_length = 1024)]
    password: Password,
}

/// Makes a backup of everything that is remembered: settings, accounts, streams, chats. Passwords are in it as hashes, logins are not. Keep it safe.
#[utoipa::path(post, path = "/api/v1/backup", tag = "backup", request_body = Confirmation,
    responses((status = 200, description = "The backup", body = Vec<u8>, content_type = "application/octet-stream")))]
async fn download(
    state: Shared,
    caller: Caller,
    Json(confirmation): Json<Confirmation>,
) -> Result<Response, Problem> {
    let now = state.now();
    let outgoing = backup::make(&state.site, &caller.actor, confirmation.password).await?;
    let Outgoing { file, length, turn } = outgoing;
    let name = format!("attachment; filename=\"perch-{}.backup\"", date(now));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CONTENT_LENGTH, HeaderValue::from(length)),
        (CONTENT_DISPOSITION, HeaderValue::try_from(name).expect("a date is a header value")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, send(file, turn)).into_response())
}

/// The file as a body. No thread waits for a slow peer.
fn send(file: File, turn: Turn) -> Body {
    Body::from_stream(try_unfold((file, turn), async |(file, turn)| {
        let read = tokio::task::spawn_blocking(move || backups::read_on(file)).await;
        let (chunk, file) = read.map_err(io::Error::other)??;
        Ok::<_, io::Error>((!chunk.is_empty()).then(|| (Bytes::from(chunk), (file, turn))))
    }))
}

/// The day, as it stands in a file's name.
fn date(now: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp(now.unix_millis().div_euclid(1000));
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH).date().to_string()
}

/// A backup that was taken in, and can be restored.
#[derive(Serialize, ToSchema)]
struct TakenIn {
    /// To restore it by.
    id: String,
    /// What the site in it calls itself.
    site_name: String,
    /// How many accounts are in it.
    users: u64,
    /// How many streams.
    streams: u64,
    /// How many messages in chats.
    messages: u64,
}

/// Takes a backup in and looks at it as a whole; changes nothing. What was taken in before is thrown away.
#[utoipa::path(put, path = "/api/v1/restore", tag = "backup",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, description = "It can be restored", body = TakenIn)))]
async fn take_in(state: Shared, caller: Caller, request: Request) -> Result<Response, Problem> {
    let Incoming { file, turn } = backup::begin(&state.site, &caller.actor).await?;
    if let Err(problem) = receive(request.into_body(), file, &TERMS).await {
        backup::give_up(&state.site, turn).await?;
        return Err(problem);
    }
    let looked = backup::look(&state.site, turn).await?;
    let (id, BackupContents { site_name, users, streams, messages, .. }) = looked;
    Ok(json::fresh(&TakenIn { id, site_name, users, streams, messages }))
}

/// Which backup, and one's own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Restore {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 1024)]
    password: Password,
}

/// Puts the backup that was taken in in the place of all that is remembered. Everybody has to log in again, with the password of the backup. Refused
/// while a stream is on the air: nobody's stream ends by surprise, or is missing from its own chat.
#[utoipa::path(post, path = "/api/v1/restore", tag = "backup", request_body = Restore,
    responses((status = 204, description = "It is restored"),
        (status = 404, description = "There is no such backup (any more)", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "A stream is on the air", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restore(
    state: Shared,
    caller: Caller,
    Json(Restore { id, password }): Json<Restore>,
) -> Result<Response, Problem> {
    backup::restore(&state.site, &caller.actor, id, password).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookies::forget(response.headers_mut());
    Ok(response)
}

/// Throws away what was taken in, if something was.
#[utoipa::path(delete, path = "/api/v1/restore", tag = "backup", responses((status = 204, description = "There is nothing to restore")))]
async fn discard(state: Shared, caller: Caller) -> Result<StatusCode, Problem> {
    backup::discard(&state.site, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_named_by_its_day() {
        let on = |millis| date(Timestamp::from_unix_millis(millis));
        assert_eq!(on(1_795_000_000_123), "2026-11-18");
        assert_eq!(on(-1), "1969-12-31");
        assert_eq!(on(i64::MAX), "1970-01-01");
    }
}
