//! Answers in JSON.

use super::caching;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is another each time it is asked for.
pub(super) fn fresh<T: Serialize>(value: &T) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text_of(value)).into_response()
}

/// What pages ask for again and again and what seldom changes: those who have it already are told so.
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
    fn what_has_not_changed_is_not_sent_again() {
        let first = tagged(&["a"], &HeaderMap::new());
        let known = HeaderMap::from_iter([(http::header::IF_NONE_MATCH, first.headers()[ETAG].clone())]);
        assert_eq!(tagged(&["a"], &known).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(tagged(&["b"], &known).status(), StatusCode::OK);
    }
}
