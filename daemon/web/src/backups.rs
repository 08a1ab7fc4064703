//! `/api/v1/backup` and `/api/v1/restore`: the whole site as a file, and back. A restore has two steps: the file is uploaded and
//! checked, which changes nothing; then the owner, who has seen its summary, replaces the site with it.

use super::api::{Api, routes};
use super::caller::Caller;
use super::client::Client;
use super::cookies;
use super::input::Json;
use super::json;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::receiving::{Pace, Terms, receive};
use super::state::Shared;
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
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Limits of an uploaded backup: far more than years of pictures and chats need. Only the whole file can be checked, so
/// no part is checked early.
const TERMS: Terms = Terms { most: 1 << 30, head: 0, look: |_| Ok(()), pace: Pace::FILE };

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(download)).routes(routes!(take_in, restore, discard))
}

/// The caller's password, repeated, and what the backup is to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBackup {
    #[schema(max_length = 1024)]
    password: Password,
    /// True: with the stream keys of relays and accounts, encrypted with the password. Else they are left out.
    #[serde(default)]
    seal_keys: bool,
}

/// Makes a backup of the whole site: settings, accounts, streams, chats. It contains passwords as hashes, and no logins. Keep it
/// safe.
#[utoipa::path(post, path = "/api/v1/backup", tag = "backup", request_body = NewBackup,
    responses((status = 200, description = "The backup", body = Vec<u8>, content_type = "application/octet-stream")))]
async fn download(
    state: Shared,
    caller: Caller,
    Json(NewBackup { password, seal_keys }): Json<NewBackup>,
) -> Result<Response, Problem> {
    let now = state.now();
    let outgoing = backup::make(&state.site, &caller.actor, password, seal_keys).await?;
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

/// Makes the file a response body. No thread waits for a slow peer.
fn send(file: File, turn: Turn) -> Body {
    Body::from_stream(try_unfold((file, turn), async |(file, turn)| {
        let read = tokio::task::spawn_blocking(move || backups::read_on(file)).await;
        let (chunk, file) = read.map_err(io::Error::other)??;
        Ok::<_, io::Error>((!chunk.is_empty()).then(|| (Bytes::from(chunk), (file, turn))))
    }))
}

/// The date for the file's name.
fn date(now: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp(now.unix_millis().div_euclid(1000));
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH).date().to_string()
}

/// An uploaded backup that can be restored.
#[derive(Serialize, ToSchema)]
struct TakenIn {
    /// Identifies it for the restore.
    id: String,
    /// The name of the site in the backup.
    site_name: String,
    /// Number of accounts.
    users: u64,
    /// Number of streams.
    streams: u64,
    /// Number of chat messages.
    messages: u64,
    /// True if it has stream keys, which `keys_password` of the restore brings back.
    has_sealed_keys: bool,
}

/// Uploads and checks a backup; changes nothing. It replaces an earlier upload.
#[utoipa::path(put, path = "/api/v1/restore", tag = "backup",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, description = "The backup can be restored", body = TakenIn)))]
async fn take_in(state: Shared, caller: Caller, request: Request) -> Result<Response, Problem> {
    let Incoming { file, turn } = backup::begin(&state.site, &caller.actor).await?;
    if let Err(problem) = receive(request.into_body(), file, &TERMS).await {
        backup::give_up(&state.site, turn).await?;
        return Err(problem);
    }
    let looked = backup::look(&state.site, turn).await?;
    let (id, BackupContents { site_name, users, streams, messages, .. }, has_sealed_keys) = looked;
    Ok(json::fresh(&TakenIn { id, site_name, users, streams, messages, has_sealed_keys }))
}

/// The backup to restore, and the caller's password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Restore {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 1024)]
    password: Password,
    /// The password with which its stream keys were sealed; without it they are left out.
    #[schema(value_type = Option<String>, format = Password, max_length = 1024)]
    keys_password: Option<Password>,
}

/// Replaces the whole site with the uploaded backup. Everyone has to log in again, with the password from the backup. Refused
/// while a stream is on the air, because it would end, and its record would be lost.
#[utoipa::path(post, path = "/api/v1/restore", tag = "backup", request_body = Restore,
    responses((status = 204, description = "The backup is restored"),
        (status = 404, description = "No such backup, or no longer", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "A stream is on the air", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restore(
    state: Shared,
    caller: Caller,
    client: Client,
    Json(Restore { id, password, keys_password }): Json<Restore>,
) -> Result<Response, Problem> {
    backup::restore(&state.site, &caller.actor, id, password, keys_password).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookies::forget(response.headers_mut(), client.secure);
    Ok(response)
}

/// Discards the uploaded backup, if any.
#[utoipa::path(delete, path = "/api/v1/restore", tag = "backup", responses((status = 204, description = "No backup is waiting")))]
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
