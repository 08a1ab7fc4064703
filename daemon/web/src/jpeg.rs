//! Pictures over HTTP: uploading one, and the JPEG response with its version.

use super::caching;
use super::caller::Caller;
use super::problem::Problem;
use super::receiving::{Pace, Terms, receive};
use super::state::State;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use perch_site::picture::{HEAD_BYTES, PictureError, UPLOAD_BYTES, Upload, looks_like_one};
use serde::Deserialize;
use utoipa::IntoParams;

/// Terms of an uploaded picture.
const TERMS: Terms = Terms {
    most: UPLOAD_BYTES,
    head: HEAD_BYTES,
    look: |head| if looks_like_one(head) { Ok(()) } else { Err(PictureError::NoPicture.into()) },
    pace: Pace::PICTURE,
};

/// Receives a picture of the caller's into a slot of memory.
pub(super) async fn take_in(state: &State, caller: &Caller, body: Body) -> Result<Upload, Problem> {
    let (slot, file) = state.site.pictures.begin(caller.member()?.user).await?;
    Ok(slot.filled(receive(body, file, &TERMS).await?))
}

/// Selects the picture's version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Version {
    /// The number in `avatar_url`: the picture at such an address never changes.
    pub(super) v: Option<u32>,
}

/// The tag of a picture with this version.
pub(super) fn tag(version: u32) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version:x}\"")).expect("digits are a header value")
}

/// Responds with a picture, or with 304 if the client has it. `kept` is the response's `Cache-Control`.
pub(super) fn answer(jpeg: Bytes, tag: HeaderValue, kept: HeaderValue, known: &HeaderMap) -> Response {
    let mut response = if caching::is_known(known, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response()
    };
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, kept);
    response
}
