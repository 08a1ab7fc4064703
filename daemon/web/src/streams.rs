//! `/api/v1/streams`: going live; finding, changing and ending streams.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json;
use super::links::link;
use super::problem::Problem;
use super::state::Shared;
use super::stream::StreamItem;
use axum::response::{IntoResponse as _, Response};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use perch_site::going_live::{self, GoLive};
use perch_site::streams::{self, ChangeStream, Search};
use perch_store::{Cursor, Sort, StateFilter, StreamId, Visibility};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Most characters of the search words.
const QUERY_CHARACTERS: usize = 200;
/// Streams per page by default.
const LIMIT: usize = 20;
/// Most streams per page.
const LIMIT_MOST: usize = 100;

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(list, start))
        .routes(routes!(show, change, delete))
        .routes(routes!(stop))
        .routes(routes!(pin, unpin))
}

/// A page of streams.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamList)]
struct List {
    items: Vec<StreamItem>,
    /// Selects the next page; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Selects streams by state.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Half {
    /// Not ended.
    Live,
    /// Ended, after it showed a picture.
    Recorded,
}

/// How streams are sorted.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    Newest,
    Views,
    Live,
    Relevance,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, ToSchema)]
enum Flag {
    #[serde(rename = "1")]
    Yes,
    #[serde(rename = "0")]
    No,
}

/// Selects streams.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Find {
    /// Words of title, description, user and topics, each whole or as a prefix.
    #[param(max_length = 200)]
    q: Option<String>,
    /// A topic's id.
    topic: Option<String>,
    #[param(inline)]
    state: Option<Half>,
    /// A username.
    user: Option<String>,
    /// Only of users whom the caller follows.
    #[param(inline)]
    following: Option<Flag>,
    /// Only those that the caller likes.
    #[param(inline)]
    liked: Option<Flag>,
    /// Only those on the caller's watch list.
    #[param(inline)]
    saved: Option<Flag>,
    /// Default: `relevance` with words, else `newest`.
    #[param(inline)]
    sort: Option<Order>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

impl Find {
    fn search(self) -> Result<Search, Problem> {
        let text = self.q.unwrap_or_default();
        if text.chars().count() > QUERY_CHARACTERS {
            return Err(no_query("q must have at most 200 characters"));
        }
        let topic = self.topic.map(|topic| topic.parse()).transpose();
        let after = self.cursor.map(|cursor| cursor.parse::<Cursor>()).transpose();
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MOST).contains(&limit) {
            return Err(no_query("limit must be from 1 to 100"));
        }
        Ok(Search {
            text,
            topic: topic.map_err(|_| no_query("topic: no such topic"))?,
            state: self.state.map(|half| match half {
                Half::Live => StateFilter::Live,
                Half::Recorded => StateFilter::Ended,
            }),
            username: self.user,
            following: self.following == Some(Flag::Yes),
            liked: self.liked == Some(Flag::Yes),
            saved: self.saved == Some(Flag::Yes),
            sort: match self.sort {
                Some(Order::Newest) => Sort::Newest,
                Some(Order::Views) => Sort::Views,
                Some(Order::Live) => Sort::LiveFirst,
                Some(Order::Relevance) | None => Sort::Relevance,
            },
            after: after.map_err(|error| no_query(&error.to_string()))?,
            limit,
        })
    }
}

/// A stream to start. Missing fields are as configured.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStream)]
struct Start {
    #[schema(min_length = 1, max_length = 100)]
    title: String,
    #[serde(default)]
    #[schema(max_length = 5000)]
    description: String,
    /// Ids of topics.
    #[serde(default)]
    topics: Vec<String>,
    /// A camera's id; default: the first.
    camera: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    /// Frames per second.
    fps: Option<u32>,
    bitrate_kbps: Option<u32>,
    /// Seconds after which the stream ends by itself.
    #[schema(minimum = 10, maximum = 2_678_400)]
    duration_seconds: Option<u32>,
    #[serde(default)]
    record: bool,
    /// `public` (the default) or `members`.
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    /// Names of relays; default: those of the camera.
    relays: Option<Vec<String>>,
}

/// Changes; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamChange)]
struct Change {
    #[schema(min_length = 1, max_length = 100)]
    title: Option<String>,
    #[schema(max_length = 5000)]
    description: Option<String>,
    /// Ids of topics.
    topics: Option<Vec<String>>,
    /// `public` or `members`.
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    /// Names of the relays that it is sent on to from now on; only while it is on the air.
    relays: Option<Vec<String>>,
}

/// Finds streams by words, topic, state and user, and by what the caller follows, likes or has saved.
#[utoipa::path(get, path = "/api/v1/streams", tag = "streams", params(Find),
    responses((status = 200, description = "A page of streams", body = List), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn list(
    state: Shared,
    caller: Caller,
    Query(find): Query<Find>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = streams::find(&state.site, &caller.actor, find.search()?).await?;
    let list = List {
        items: found.streams.into_iter().map(StreamItem::from).collect(),
        next_cursor: found.next.map(|cursor| cursor.to_string()),
    };
    Ok(json::tagged(&list, &headers))
}

/// Goes live: claims the camera and configures it as requested.
#[utoipa::path(post, path = "/api/v1/streams", tag = "streams", request_body = Start,
    responses((status = 201, description = "The stream is starting", body = StreamItem),
        (status = 409, description = "The camera is in use or missing", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn start(state: Shared, caller: Caller, Json(asked): Json<Start>) -> Result<Response, Problem> {
    let wanted = GoLive {
        title: asked.title,
        description: asked.description,
        topics: asked.topics,
        camera: asked.camera,
        width: asked.width,
        height: asked.height,
        frames_per_second: asked.fps,
        bitrate_kbps: asked.bitrate_kbps,
        duration_seconds: asked.duration_seconds,
        record: asked.record,
        visibility: asked.visibility,
        relays: asked.relays,
    };
    let seen = going_live::start(&state.site, &caller.actor, wanted).await?;
    let location = link(format_args!("/api/v1/streams/{}", seen.stream.facts.id));
    Ok((StatusCode::CREATED, [(LOCATION, location)], json::fresh(&StreamItem::from(seen))).into_response())
}

/// One stream.
#[utoipa::path(get, path = "/api/v1/streams/{id}", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 200, description = "The stream", body = StreamItem), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn show(
    state: Shared,
    caller: Caller,
    Path(id): Path<StreamId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = streams::show(&state.site, &caller.actor, id).await?;
    Ok(json::tagged(&StreamItem::from(seen), &headers))
}

/// Changes a stream's details, who may watch it, and where it is sent on to.
#[utoipa::path(patch, path = "/api/v1/streams/{id}", tag = "streams", params(("id" = String, Path, description = "The stream's id")), request_body = Change,
    responses((status = 200, description = "The changed stream", body = StreamItem),
        (status = 409, description = "It is not on the air, so that it cannot be sent elsewhere", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(id): Path<StreamId>,
    Json(asked): Json<Change>,
) -> Result<Response, Problem> {
    let Change { title, description, topics, visibility, relays } = asked;
    let change = ChangeStream { title, description, topics, visibility, relays };
    let seen = streams::change(&state.site, &caller.actor, id, change).await?;
    Ok(json::fresh(&StreamItem::from(seen)))
}

/// Deletes an ended stream with its chat and everything that refers to it.
#[utoipa::path(delete, path = "/api/v1/streams/{id}", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "The stream is deleted"),
        (status = 409, description = "It has not ended", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn delete(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    streams::delete(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a stream; the response comes when it has ended. An ended stream does not change.
#[utoipa::path(post, path = "/api/v1/streams/{id}/stop", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 200, description = "The ended stream", body = StreamItem)))]
async fn stop(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<Response, Problem> {
    let seen = streams::stop(&state.site, &caller.actor, id).await?;
    Ok(json::fresh(&StreamItem::from(seen)))
}

/// Pins a stream that is on the air to `/media/live/`, until it ends or Perch restarts.
#[utoipa::path(put, path = "/api/v1/streams/{id}/featured", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is at /media/live/"),
        (status = 409, description = "It is not on the air", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn pin(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    streams::pin(&state.site, &caller.actor, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets Perch choose the stream at `/media/live/`: the public one that has been live longest.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/featured", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is not pinned"),
        (status = 409, description = "It is not on the air", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn unpin(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    streams::pin(&state.site, &caller.actor, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn no_query(why: &str) -> Problem {
    Problem::InvalidQuery(why.to_owned())
}
