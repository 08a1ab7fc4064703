//! Requests: bodies, queries and paths, read within limits of size and time into the type that a handler asks for. An error names
//! the field.

use super::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Bytes of a JSON body at most: the longest description is a few thousand characters.
const JSON_BYTES: usize = 64 << 10;
/// Time for a JSON body to arrive.
const JSON_TIME: Duration = Duration::from_secs(20);

/// A JSON body. Its types derive `Deserialize` with `deny_unknown_fields`.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or("").trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::UnsupportedMediaType { expected: "application/json" });
        }
        parse(&read(request, JSON_BYTES, JSON_TIME).await?).map(Self)
    }
}

/// A JSON body, or none.
#[derive(Debug)]
pub(super) struct OptionalJson<T>(pub(super) Option<T>);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !request.headers().contains_key(CONTENT_TYPE) && request.body().is_end_stream() {
            return Ok(Self(None));
        }
        Json::from_request(request, state).await.map(|json| Self(json.0))
    }
}

async fn read(request: Request, most: usize, time: Duration) -> Result<Bytes, Problem> {
    let body = request.into_body();
    // The announced length; a client that asks first (`Expect: 100-continue`) then sends nothing.
    if body.size_hint().lower() > most as u64 {
        return Err(Problem::TooLarge { most });
    }
    let body = Limited::new(body, most);
    match tokio::time::timeout(time, joined(body)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TooLarge { most }),
        Ok(Err(_)) => Err(Problem::InvalidBody("the body is incomplete".to_owned())),
        Err(_) => Err(Problem::TooSlow),
    }
}

/// The whole body in one piece of memory. A list of its frames would cost 32 bytes for each, and a chunk may have a single byte.
async fn joined<B: hyper::body::Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<u8>, B::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde also reads structures from lists, which the API does not allow.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::field("body", "must be an object, not a list"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let detail = error.to_string();
        if error.is_data() {
            let field =
                if path == "." || path.ends_with('?') { quoted(&detail).unwrap_or("body") } else { &path };
            Problem::field(field, without_position(&detail))
        } else {
            Problem::InvalidBody(format!("the body is not JSON: {detail}"))
        }
    })?;
    deserializer.end().map_err(|error| Problem::InvalidBody(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// serde names unknown, missing and repeated fields only in its message.
fn quoted(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}

/// Removes the position in the text: people need the field's name only.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(before, _)| before)
}

/// The query, each parameter at most once.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri).map_err(|error| match error {
            QueryRejection::FailedToDeserializeQueryString(error) => {
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
            }
            error => error.body_text(),
        });
        read.map(|query| Self(query.0)).map_err(Problem::InvalidQuery)
    }
}

/// The parameters of the path. A malformed id is treated as an unknown one.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Sync + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|path| Self(path.0)).map_err(|_| Problem::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Form {
        name: String,
        #[serde(default)]
        tags: Vec<u8>,
    }

    fn field_of(text: &str) -> String {
        match parse::<Form>(text.as_bytes()).unwrap_err() {
            Problem::Field { field, .. } => field,
            problem => problem.to_string(),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(parse::<Form>(br#"{"name":"a"}"#).unwrap(), Form { name: "a".to_owned(), tags: vec![] });
        assert_eq!(field_of("{}"), "name");
        assert_eq!(field_of(r#"{"name":3}"#), "name");
        assert_eq!(field_of(r#"{"name":"a","name":"b"}"#), "name");
        assert_eq!(field_of(r#"{"name":"a","admin":true}"#), "admin");
        assert_eq!(field_of(r#"{"name":"a","tags":[1,300]}"#), "tags[1]");
        assert_eq!(field_of("[]"), "body");
        assert_eq!(field_of(r#" ["ann", []]"#), "body");
        for broken in ["", "{", r#"{"name":"a"}}"#, r#"{"name":"a"} x"#, "\u{feff}{}", r#"{"name":"\ud800"}"#]
        {
            assert!(matches!(parse::<Form>(broken.as_bytes()), Err(Problem::InvalidBody(_))), "{broken}");
        }
        assert!(matches!(parse::<Form>(b"{\"name\":\"\xff\"}"), Err(Problem::InvalidBody(_))));
        assert!(matches!(
            parse::<Form>(&b"[".repeat(60_000)),
            Err(Problem::InvalidBody(_) | Problem::Field { .. })
        ));
    }

    async fn sent(content_type: &str, body: Body) -> Result<Json<Form>, Problem> {
        let request = Request::builder().header(CONTENT_TYPE, content_type).body(body).unwrap();
        Json::from_request(request, &()).await
    }

    /// A body from which nothing ever arrives.
    struct Endless;

    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_have_bounds_of_kind_size_and_time() {
        let json = "application/json; charset=utf-8";
        assert!(sent(json, r#"{"name":"a"}"#.into()).await.is_ok());
        let problem = sent("text/plain", r#"{"name":"a"}"#.into()).await.unwrap_err();
        assert_eq!(problem, Problem::UnsupportedMediaType { expected: "application/json" });
        let problem = sent(json, " ".repeat(JSON_BYTES + 1).into()).await.unwrap_err();
        assert_eq!(problem, Problem::TooLarge { most: JSON_BYTES });
        let endless = Body::new(Endless);
        assert_eq!(sent(json, endless).await.unwrap_err(), Problem::TooSlow);
    }
}
