//! `/api/v1/time`: the board's clock. Players of DASH set theirs by it (ISO/IEC 23009-1 §5.8.4.11, the `UTCTiming` scheme
//! `urn:mpeg:dash:utc:http-xsdate:2014`), and scripts see how far a board without a clock of its own is off.

use super::api::{Api, routes};
use super::json::Time;
use super::state::Shared;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show))
}

/// The board's time, as one line: RFC 3339, UTC, with milliseconds.
#[utoipa::path(get, path = "/api/v1/time", tag = "system",
    responses((status = 200, description = "The time", body = String, content_type = "text/plain")))]
async fn show(state: Shared) -> Response {
    // Players on other sites play public streams, so they may have the time, too.
    let headers =
        [(CONTENT_TYPE, "text/plain"), (CACHE_CONTROL, "no-store"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, Time(state.now()).to_string()).into_response()
}
