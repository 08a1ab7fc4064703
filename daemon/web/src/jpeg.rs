//! Pictures over HTTP: uploading one, and the JPEG response with its version.

use super::caching;
use super::input::Upload;
use super::problem::Problem;
use super::state::State;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use perch_site::picture::UPLOAD_BYTES;
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

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
