//! Everything that can be wrong with a request, and how it is told: `application/problem+json` (RFC 9457) with a
//! `code` that never changes once it is published. This is the one file that maps errors to HTTP.

use super::body::Body;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

/// What is wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Problem {
    /// No such address.
    #[error("there is nothing at this address")]
    NotFound,
    /// The address is there, the method is not.
    #[error("this address answers {allowed} only")]
    Method { allowed: &'static str },
    /// No stream, and why.
    #[error("{0}")]
    NotLive(String),
    /// The segment was never made, or has left the window.
    #[error("this segment is not in the live window (any more): read the playlist anew")]
    NoSuchSegment,
    /// A query parameter that cannot be read.
    #[error("{0}")]
    Query(&'static str),
    /// `_HLS_msn` beyond what a client may ask for (RFC 8216bis §6.2.5.2).
    #[error(
        "_HLS_msn asks for segment {asked}, the playlist ends with {last}: at most two ahead can be waited for"
    )]
    TooFarAhead { asked: u64, last: u64 },
    /// A blocking reload that took longer than three target durations.
    #[error("the next segment did not come in time: the camera may be stuck")]
    Overdue,
    /// A byte range outside the segment.
    #[error("the segment has {length} bytes")]
    Range { length: usize },
    /// More blocking reloads than the server keeps waiting.
    #[error("too many players wait for the next segment at once")]
    TooManyWaiting,
    /// Not ready, and why.
    #[error("{0}")]
    NotReady(String),
    /// For this machine alone.
    #[error("only this machine itself may read this")]
    LocalOnly,
}

impl Problem {
    /// Status and code.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::NotLive(_) => (StatusCode::NOT_FOUND, "not_live"),
            Self::NoSuchSegment => (StatusCode::NOT_FOUND, "no_such_segment"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "bad_query"),
            Self::TooFarAhead { .. } => (StatusCode::BAD_REQUEST, "too_far_ahead"),
            Self::Overdue => (StatusCode::SERVICE_UNAVAILABLE, "segment_overdue"),
            Self::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
            Self::TooManyWaiting => (StatusCode::SERVICE_UNAVAILABLE, "too_many_waiting"),
            Self::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            Self::LocalOnly => (StatusCode::FORBIDDEN, "local_only"),
        }
    }

    /// The answer. Never cached: what is wrong now may be right in a second.
    pub(super) fn into_response(self) -> Response<Body> {
        let (status, code) = self.kind();
        let text = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": code,
            "detail": self.to_string(),
        });
        let mut response = Response::new(Body::from(text.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Method { allowed } => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::NotLive(_) | Self::NotReady(_) | Self::Overdue | Self::TooManyWaiting => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Range { length } => {
                let range =
                    HeaderValue::try_from(format!("bytes */{length}")).expect("digits are a header value");
                headers.insert(http::header::CONTENT_RANGE, range);
            }
            _ => {}
        }
        response
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        Self::into_response(self).map(axum::body::Body::new)
    }
}
