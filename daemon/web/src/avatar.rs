//! Avatars: `/api/v1/me/avatar`, `/api/v1/users/{username}/avatar`.

use super::api::{Api, routes};
use super::caching::FOR_EVER;
use super::caller::Caller;
use super::input::{Path, Query};
use super::jpeg::{self, Version};
use super::json;
use super::people::Me;
use super::problem::Problem;
use super::state::Shared;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode};
use perch_site::avatars;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(put, delete)).routes(routes!(show))
}

/// Sets the caller's avatar: the middle of a PNG, JPEG or WebP picture of at most 8 MiB and 12 megapixels.
#[utoipa::path(put, path = "/api/v1/me/avatar", tag = "me",
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    responses((status = 200, description = "The account with its new picture", body = Me)))]
async fn put(state: Shared, caller: Caller, request: Request) -> Result<Response, Problem> {
    let upload = jpeg::take_in(&state, &caller, request.into_body()).await?;
    let me = avatars::set(&state.site, &caller.actor, upload).await?;
    Ok(json::fresh(&Me::from(me)))
}

/// Removes the caller's avatar.
#[utoipa::path(delete, path = "/api/v1/me/avatar", tag = "me", responses((status = 204, description = "The avatar is removed")))]
async fn delete(state: Shared, caller: Caller) -> Result<StatusCode, Problem> {
    avatars::remove(&state.site, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user's avatar, 256 × 256 pixels.
#[utoipa::path(get, path = "/api/v1/users/{username}/avatar", tag = "people", params(("username" = String, Path), Version),
    responses((status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg"), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn show(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Query(asked): Query<Version>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (picture, version) = avatars::show(&state.site, &caller.actor, username).await?;
    // At an address that names the version it may be cached for ever.
    let kept = if asked.v == Some(version) { FOR_EVER } else { HeaderValue::from_static("no-cache") };
    Ok(jpeg::answer(picture.into(), jpeg::tag(version), kept, &headers))
}
