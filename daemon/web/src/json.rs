//! JSON responses.

use super::caching;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use perch_store::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point of time in a response: RFC 3339, UTC, milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0.unix_millis()) * 1_000_000;
        // A clock may be set to anything; a time outside the calendar is shown as 1970.
        let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        f.write_str(&time.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A response that must not be cached.
pub(super) fn fresh<T: Serialize>(value: &T) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text_of(value)).into_response()
}

/// A response for something just created.
pub(super) fn made<T: Serialize>(value: &T) -> Response {
    (StatusCode::CREATED, fresh(value)).into_response()
}

/// A response that pages request often and that seldom changes: a client that has it already gets 304.
pub(super) fn tagged<T: Serialize>(value: &T, known: &HeaderMap) -> Response {
    let text = text_of(value);
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = HeaderValue::try_from(format!("\"{:x}\"", hasher.finish())).expect("digits are a header value");
    let mut response = if caching::is_known(known, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/json")], text).into_response()
    };
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn text_of<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let text = |millis| serde_json::to_string(&Time(Timestamp::from_unix_millis(millis))).unwrap();
        assert_eq!(text(1_795_000_000_123), "\"2026-11-18T11:06:40.123Z\"");
        assert_eq!(text(0), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(text(i64::MAX), text(0));
    }

    #[test]
    fn what_has_not_changed_is_not_sent_again() {
        let first = tagged(&["a"], &HeaderMap::new());
        let known = HeaderMap::from_iter([(http::header::IF_NONE_MATCH, first.headers()[ETAG].clone())]);
        assert_eq!(tagged(&["a"], &known).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(tagged(&["b"], &known).status(), StatusCode::OK);
    }
}
