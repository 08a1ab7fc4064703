//! Avatars: `/api/v1/me/avatar`, `/api/v1/users/{username}/avatar`; and the upload of pictures in general.

use super::caching;
use super::caller::Caller;
use super::input::{Path, Query, Upload};
use super::json;
use super::people::Me;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use perch_site::avatars;
use perch_site::picture::UPLOAD_BYTES;
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(put, delete)).routes(routes!(show))
}

/// An uploaded picture. Memory for it was reserved before it was read.
pub(super) struct PictureUpload {
    pub(super) bytes: Bytes,
    _slot: OwnedSemaphorePermit,
}

impl FromRequest<Arc<State>> for PictureUpload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, Problem> {
        let slot = state.site.pictures.slot().await?;
        let Upload(bytes) = Upload::<UPLOAD_BYTES>::from_request(request, state).await?;
        Ok(Self { bytes, _slot: slot })
    }
}

/// Responds with a JPEG of this version. At an address that names the version it may be cached for ever.
pub(super) fn answer(jpeg: Vec<u8>, version: u32, asked: Option<u32>, known: &HeaderMap) -> Response {
    let tag = HeaderValue::try_from(format!("\"{version:x}\"")).expect("digits are a header value");
    let mut response = if caching::is_known(known, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response()
    };
    let kept = if asked == Some(version) { caching::FOR_EVER } else { HeaderValue::from_static("no-cache") };
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, kept);
    response
}

/// Sets the caller's avatar: the middle of a PNG, JPEG or WebP picture of at most 8 MiB and 40 megapixels.
#[utoipa::path(put, path = "/api/v1/me/avatar", tag = "me",
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    responses((status = 200, description = "The account with its new picture", body = Me)))]
async fn put(state: Shared, caller: Caller, upload: PictureUpload) -> Result<Response, Problem> {
    let me = avatars::set(&state.site, &caller.actor, upload.bytes.clone()).await?;
    Ok(json::fresh(&Me::from(me)))
}

/// Removes the caller's avatar.
#[utoipa::path(delete, path = "/api/v1/me/avatar", tag = "me", responses((status = 204, description = "The avatar is removed")))]
async fn delete(state: Shared, caller: Caller) -> Result<StatusCode, Problem> {
    avatars::remove(&state.site, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Selects the picture's version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Version {
    /// As in `avatar_url`: the picture at this address never changes.
    v: Option<u32>,
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
    let (jpeg, version) = avatars::show(&state.site, &caller.actor, username).await?;
    Ok(answer(jpeg, version, asked.v, &headers))
}
