//! `/api/v1/streams/{id}/messages`: a chat's messages, beside the recording.

use super::api::{Api, routes};
use super::caller::Caller;
use super::chat::Message;
use super::input::{Json, Path, Query};
use super::json;
use super::problem::Problem;
use super::state::Shared;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use perch_site::messages;
use perch_store::{MessageId, StreamId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Messages per page: by default, and at most.
const USUAL: usize = 20;
const MOST: usize = 100;
/// Longer than any stream, seconds: a hundred years.
const LONGEST: f64 = 3.2e9;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list, send)).routes(routes!(delete))
}

/// Selects messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Seconds into the stream, inclusive.
    #[param(minimum = 0)]
    from: Option<f64>,
    /// Seconds into the stream, exclusive.
    #[param(minimum = 0)]
    to: Option<f64>,
    /// Messages per page; 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

impl Which {
    fn milliseconds(seconds: Option<f64>, otherwise: u64) -> Result<u64, Problem> {
        let Some(seconds) = seconds else { return Ok(otherwise) };
        if !(0.0..=LONGEST).contains(&seconds) {
            return Err(Problem::InvalidQuery("from and to must be seconds into the stream".to_owned()));
        }
        Ok((seconds * 1000.0).round() as u64)
    }

    /// Offset and id of the previous page's last message.
    fn after(&self) -> Result<Option<(u64, MessageId)>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let read = || {
            let (offset, id) = cursor.split_once('-')?;
            Some((offset.parse().ok()?, id.parse().ok()?))
        };
        let what = "cursor must be the previous page's next_cursor";
        read().map(Some).ok_or_else(|| Problem::InvalidQuery(what.to_owned()))
    }
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
struct Messages<'a> {
    items: Vec<Message<'a>>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// The messages of a stream's chat, in order.
#[utoipa::path(get, path = "/api/v1/streams/{id}/messages", tag = "chat", params(("id" = String, Path), Which),
    responses((status = 200, description = "A page of messages", body = Messages)))]
async fn list(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let offsets = Which::milliseconds(which.from, 0)?..Which::milliseconds(which.to, u64::MAX)?;
    let (after, limit) = (which.after()?, which.limit.unwrap_or(USUAL));
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::InvalidQuery(format!("limit must be from 1 to {MOST}")));
    }
    // One more than a page has, to know whether there is another page.
    let which = messages::Which { offsets_ms: offsets, after, limit: limit + 1 };
    let mut rows = messages::list(&state.site, &caller.actor, stream, which).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last.map(|(message, _)| format!("{}-{}", message.offset_ms, message.id));
    let items = rows.iter().map(|(message, by)| Message::new(message, by.as_deref())).collect();
    Ok(json::fresh(&Messages { items, next_cursor }))
}

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    #[schema(min_length = 1, max_length = 500)]
    text: String,
}

/// Sends a message to the chat of a stream on the air, and answers with it once it is stored. Programs and pages without a
/// WebSocket use it; rights and limits are the same.
#[utoipa::path(post, path = "/api/v1/streams/{id}/messages", tag = "chat", params(("id" = String, Path)), request_body = NewMessage,
    responses((status = 201, description = "The message", body = Message)))]
async fn send(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Json(NewMessage { text }): Json<NewMessage>,
) -> Result<Response, Problem> {
    let (message, by) = messages::send(&state.site, &caller.actor, stream, &text).await?;
    Ok((StatusCode::CREATED, json::fresh(&Message::new(&message, by.as_deref()))).into_response())
}

/// Deletes a message's text; deleting it again changes nothing.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/messages/{message}", tag = "chat",
    params(("id" = String, Path), ("message" = String, Path)), responses((status = 204, description = "Deleted")))]
async fn delete(
    state: Shared,
    caller: Caller,
    Path((stream, message)): Path<(StreamId, MessageId)>,
) -> Result<StatusCode, Problem> {
    messages::delete(&state.site, &caller.actor, stream, message).await?;
    Ok(StatusCode::NO_CONTENT)
}
