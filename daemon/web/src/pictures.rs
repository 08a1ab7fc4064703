//! `/api/v1/cameras/{id}/snapshot.jpg` and `/api/v1/streams/{id}/thumbnail.jpg`: what a camera sees now, and the picture that a
//! stream is listed with.

use super::api::{Api, routes};
use super::caching;
use super::caller::Caller;
use super::input::{Path, Query};
use super::jpeg;
use super::json;
use super::problem::Problem;
use super::state::Shared;
use super::stream::StreamItem;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use perch_site::{snapshots, thumbnails};
use perch_store::StreamId;
use serde::Deserialize;
use utoipa::IntoParams;

/// Default width of a snapshot, pixels.
const USUAL_WIDTH: u32 = 1280;
/// Cached by the client only, and revalidated each time.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
const WIDTHS: std::ops::RangeInclusive<u32> = 16..=4096;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(snapshot)).routes(routes!(thumbnail, choose))
}

/// The requested width.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Size {
    /// Pixels; the result may be a little wider, but never wider than the camera's picture.
    #[param(minimum = 16, maximum = 4096)]
    width: Option<u32>,
    /// Anything: for browsers, which would not load the same address again.
    #[param(max_length = 32)]
    at: Option<String>,
}

/// What the camera sees now, at most a second (or one key frame interval) old.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/snapshot.jpg", tag = "cameras", params(("id" = String, Path, description = "The camera's name"), Size),
    responses((status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg"), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn snapshot(
    state: Shared,
    caller: Caller,
    Path(id): Path<String>,
    Query(size): Query<Size>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let width = size.width.unwrap_or(USUAL_WIDTH);
    if !WIDTHS.contains(&width) || size.at.is_some_and(|at| at.len() > 32) {
        return Err(Problem::Query(
            "width must be from 16 to 4096 pixels, and at must have at most 32 characters",
        ));
    }
    let snapshot = snapshots::take(&state.site, &caller.actor, &id, width).await?;
    let tag = format!("\"{:x}-{width:x}\"", snapshot.published_at.as_nanos());
    let tag = HeaderValue::try_from(tag).expect("digits are a header value");
    Ok(jpeg::answer(snapshot.jpeg, tag, ASK_AGAIN, &headers))
}

/// Which picture of a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// As in `thumbnail_url`: the picture at this address never changes.
    v: Option<u32>,
    /// As in `thumbnail_url` of a live stream: what could be seen within the last minute, if its user chose no picture.
    minute: Option<u64>,
}

/// The picture that a stream is listed with: the one its user chose, else an early one of the stream; 640 pixels wide.
#[utoipa::path(get, path = "/api/v1/streams/{id}/thumbnail.jpg", tag = "streams", params(("id" = String, Path, description = "The stream's id"), Which),
    responses((status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg"), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn thumbnail(
    state: Shared,
    caller: Caller,
    Path(id): Path<StreamId>,
    Query(asked): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = thumbnails::show(&state.site, &caller.actor, id, asked.minute.is_some()).await?;
    let is_for_all = found.is_public && asked.v == Some(found.version);
    let kept = if is_for_all { caching::FOR_EVER } else { ASK_AGAIN };
    Ok(jpeg::answer(found.jpeg.into(), jpeg::tag(found.version), kept, &headers))
}

/// Sets the stream's thumbnail: the middle of a PNG, JPEG or WebP picture of at most 8 MiB and 12 megapixels.
#[utoipa::path(put, path = "/api/v1/streams/{id}/thumbnail.jpg", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    responses((status = 200, description = "The changed stream", body = StreamItem)))]
async fn choose(
    state: Shared,
    caller: Caller,
    Path(id): Path<StreamId>,
    request: Request,
) -> Result<Response, Problem> {
    // Before the body: an upload that is not allowed must take no slot.
    thumbnails::may_choose(&state.site, &caller.actor, id).await?;
    let upload = jpeg::take_in(&state, &caller, request.into_body()).await?;
    let seen = thumbnails::choose(&state.site, &caller.actor, id, upload).await?;
    Ok(json::fresh(&StreamItem::from(seen)))
}
