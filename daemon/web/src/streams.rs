//! `/api/v1/streams`: going live, finding streams, changing and ending them. Who may do what beyond the table: a stream for members only is
//! there for members only; its user and the owner change, stop and delete it.

use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json;
use super::problem::Problem;
use super::state::{Shared, State};
use super::stream::{Shown, StreamItem};
use axum::response::{IntoResponse as _, Response};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use perch_site::SiteError;
use perch_site::text;
use perch_store::{
    Cursor, EndReason, NewStream, Refusal, Sort, StateFilter, Store, StoreError, Stream, StreamChange,
    StreamId, StreamQuery, TOPICS_PER_STREAM, TopicId, VideoMode, Visibility,
};
use perch_studio::live::LiveError;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TITLE_CHARACTERS: usize = 100;
const DESCRIPTION_CHARACTERS: usize = 5000;
const QUERY_CHARACTERS: usize = 200;
/// Streams of a page.
const LIMIT: usize = 20;
const LIMIT_MOST: usize = 100;
/// Shorter is no stream; longer than a month nobody means.
const DURATION_SECONDS: std::ops::RangeInclusive<u32> = 10..=31 * 24 * 3600;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(show, change, delete))
        .routes(routes!(stop))
}

/// A page of streams.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamList)]
struct List {
    items: Vec<StreamItem>,
    /// For the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Which half of their life.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Half {
    /// Not ended.
    Live,
    /// Over.
    Recorded,
}

/// In which order.
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

/// What is looked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Find {
    /// Words of title, description, user and topics, each whole or its beginning.
    #[param(max_length = 200)]
    q: Option<String>,
    /// A topic's id.
    topic: Option<String>,
    #[param(inline)]
    state: Option<Half>,
    /// A username.
    user: Option<String>,
    /// Of those whom one follows.
    #[param(inline)]
    following: Option<Flag>,
    /// That one likes.
    #[param(inline)]
    liked: Option<Flag>,
    /// On one's watch list.
    #[param(inline)]
    saved: Option<Flag>,
    /// With words: `relevance`, else `newest`.
    #[param(inline)]
    sort: Option<Order>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What one goes live with. What is not given is as configured.
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
    /// A camera's id; the first, where none is given.
    camera: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    /// Frames per second.
    fps: Option<u32>,
    bitrate_kbps: Option<u32>,
    /// After which the stream ends by itself.
    #[schema(minimum = 10, maximum = 2_678_400)]
    duration_seconds: Option<u32>,
    #[serde(default)]
    record: bool,
    /// `public` (the default) or `members`.
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    /// Names of relays.
    #[serde(default)]
    relays: Vec<String>,
}

/// What to change; what is not given stays.
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
}

impl State {
    /// How streams are shown to a caller now.
    pub(super) fn shown(&self, caller: &Caller) -> Shown {
        let on_air = self.site.live.on_air().borrow().clone();
        Shown { asker: caller.login().cloned(), on_air, now: self.now() }
    }
}

/// Finds streams: by words, topic, state, user, and what one follows, likes or has saved.
#[utoipa::path(get, path = "/api/v1/streams", tag = "streams", params(Find),
    responses((status = 200, description = "A page of streams", body = List), (status = 304, description = "As before (If-None-Match)")))]
async fn list(
    state: Shared,
    caller: Caller,
    Query(find): Query<Find>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = StreamQuery {
        text: bounded_query(find.q)?,
        topic: find
            .topic
            .map(|topic| topic.parse())
            .transpose()
            .map_err(|_| no_query("topic: no such topic"))?,
        state: find.state.map(|half| match half {
            Half::Live => StateFilter::Live,
            Half::Recorded => StateFilter::Ended,
        }),
        following: own(&caller, find.following)?,
        liked: own(&caller, find.liked)?,
        saved: own(&caller, find.saved)?,
        members: caller.login().is_some(),
        sort: match find.sort {
            Some(Order::Newest) => Sort::Newest,
            Some(Order::Views) => Sort::Views,
            Some(Order::Live) => Sort::LiveFirst,
            Some(Order::Relevance) | None => Sort::Relevance,
        },
        after: find
            .cursor
            .map(|cursor| cursor.parse::<Cursor>())
            .transpose()
            .map_err(|error| no_query(&error.to_string()))?,
        limit: match find.limit {
            None => LIMIT,
            Some(limit) if (1..=LIMIT_MOST).contains(&limit) => limit,
            Some(_) => return Err(no_query("limit must be from 1 to 100")),
        },
        user: None,
    };
    let shown = state.shown(&caller);
    let list = state.store(move |store| {
        let mut query = query;
        if let Some(username) = find.user {
            match store.user_by_name(&username) {
                Ok(user) => query.user = Some(user.id),
                // Nobody's streams.
                Err(StoreError::Refused(_)) => return Ok(List { items: Vec::new(), next_cursor: None }),
                Err(error) => return Err(error),
            }
        }
        let page = store.find_streams(&query)?;
        let items: Result<Vec<_>, StoreError> =
            page.items.into_iter().map(|stream| shown.item(store, stream)).collect();
        Ok::<_, StoreError>(List { items: items?, next_cursor: page.next.map(|cursor| cursor.to_string()) })
    });
    Ok(json::tagged(&list.await?, &headers))
}

/// Goes live: takes the camera and sets it up as asked.
#[utoipa::path(post, path = "/api/v1/streams", tag = "streams", request_body = Start,
    responses((status = 201, description = "The stream is starting", body = StreamItem),
        (status = 409, description = "Somebody else has the camera, or it is not there", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn start(state: Shared, caller: Caller, Json(asked): Json<Start>) -> Result<Response, Problem> {
    let login = caller.member()?;
    // The console has no account whose stream it could be.
    if login.session.is_none() {
        return Err(Problem::Site(SiteError::Forbidden));
    }
    let user = login.user;
    let camera = match &asked.camera {
        Some(name) => state.site.cameras.iter().find(|camera| camera.config.name == *name),
        None => state.site.cameras.first(),
    };
    let Some(camera) = camera else {
        let there: Vec<_> = state.site.cameras.iter().map(|camera| camera.config.name.as_str()).collect();
        return Err(Problem::field(
            "camera",
            format!("there is no such camera; there is {}", there.join(", ")),
        ));
    };
    let usual = camera.usual_mode();
    let mode = VideoMode {
        width: asked.width.unwrap_or(usual.width),
        height: asked.height.unwrap_or(usual.height),
        frames_per_second: asked.fps.unwrap_or(usual.frames_per_second),
        bitrate_kbps: asked.bitrate_kbps.unwrap_or(usual.bitrate_kbps),
    };
    if asked.duration_seconds.is_some_and(|duration| !DURATION_SECONDS.contains(&duration)) {
        return Err(Problem::field("duration_seconds", "must be from 10 seconds to 31 days"));
    }
    if !asked.relays.is_empty() {
        return Err(Problem::field("relays", "there are no relays"));
    }
    let title = text::line("title", &asked.title, 1..=TITLE_CHARACTERS)?;
    let description = text::paragraph("description", &asked.description, DESCRIPTION_CHARACTERS)?;
    let topics = asked.topics;
    let topics = state.store(move |store| topic_ids(store, &topics)).await?;
    let new = NewStream {
        user,
        title,
        description,
        topics,
        camera: camera.config.name.clone(),
        mode,
        duration_seconds: asked.duration_seconds,
        record: asked.record,
        visibility: asked.visibility.unwrap_or(Visibility::Public),
        relays: Vec::new(),
    };
    let stream = match state.site.live.start(new).await {
        Ok(stream) => stream,
        Err(LiveError::Store(StoreError::Refused(Refusal::CameraTaken { camera, stream, user }))) => {
            let username = state.store(move |store| store.user(user)).await?.username;
            return Err(Problem::Site(SiteError::CameraTaken {
                camera,
                stream: stream.to_string(),
                username,
            }));
        }
        Err(error) => return Err(error.into()),
    };
    let place = format!("/api/v1/streams/{}", stream.facts.id);
    let shown = state.shown(&caller);
    let item = state.store(move |store| shown.item(store, stream)).await?;
    Ok((StatusCode::CREATED, [(LOCATION, place)], json::fresh(&item)).into_response())
}

/// One stream.
#[utoipa::path(get, path = "/api/v1/streams/{id}", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 200, description = "The stream", body = StreamItem), (status = 304, description = "As before (If-None-Match)")))]
async fn show(
    state: Shared,
    caller: Caller,
    Path(id): Path<StreamId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = state.shown(&caller);
    let item = state.store(move |store| {
        let stream = visible(store, &shown, id)?;
        shown.item(store, stream).map_err(Problem::from)
    });
    Ok(json::tagged(&item.await?, &headers))
}

/// Changes what is said of a stream, and who may watch it.
#[utoipa::path(patch, path = "/api/v1/streams/{id}", tag = "streams", params(("id" = String, Path, description = "The stream's id")), request_body = Change,
    responses((status = 200, description = "The stream as it is now", body = StreamItem)))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(id): Path<StreamId>,
    Json(asked): Json<Change>,
) -> Result<Response, Problem> {
    let title = asked.title.map(|title| text::line("title", &title, 1..=TITLE_CHARACTERS)).transpose()?;
    let description = asked.description;
    let description = description
        .map(|words| text::paragraph("description", &words, DESCRIPTION_CHARACTERS))
        .transpose()?;
    let (topics, visibility) = (asked.topics, asked.visibility);
    let shown = state.shown(&caller);
    let item = state.store(move |store| {
        editable(store, &shown, id)?;
        let topics = topics.map(|topics| topic_ids(store, &topics)).transpose()?;
        let change = StreamChange { title, description, topics, visibility };
        let stream = store.change_stream(id, &change)?;
        shown.item(store, stream).map_err(Problem::from)
    });
    let item = item.await?;
    if let Some(visibility) = visibility {
        state.site.live.visibility_changed(id, visibility).await;
    }
    Ok(json::fresh(&item))
}

/// Deletes a stream that has ended, with its chat and all that refers to it.
#[utoipa::path(delete, path = "/api/v1/streams/{id}", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is gone"),
        (status = 409, description = "It has not ended", body = super::openapi::ProblemDocument, content_type = "application/problem+json")))]
async fn delete(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    let shown = state.shown(&caller);
    let deleting = state.store(move |store| {
        editable(store, &shown, id)?;
        store.delete_stream(id).map_err(Problem::from)
    });
    deleting.await?;
    state.site.live.stream_deleted(id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a stream; the answer comes when it has ended. One that has ended before stays as it ended.
#[utoipa::path(post, path = "/api/v1/streams/{id}/stop", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 200, description = "The stream as it ended", body = StreamItem)))]
async fn stop(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<Response, Problem> {
    let shown = state.shown(&caller);
    let stream = state.store(move |store| editable(store, &shown, id)).await?;
    let is_own = caller.login().is_some_and(|login| login.user == stream.facts.user);
    let reason = if is_own { EndReason::User } else { EndReason::Owner };
    let stream = state.site.live.stop(id, reason).await?;
    let shown = state.shown(&caller);
    let item = state.store(move |store| shown.item(store, stream)).await?;
    Ok(json::fresh(&item))
}

/// The stream, if the asker may know of it.
pub(super) fn visible(store: &Store, shown: &Shown, id: StreamId) -> Result<Stream, Problem> {
    let stream = store.stream(id)?;
    if shown.may_see(&stream) { Ok(stream) } else { Err(Refusal::NotFound { what: "stream" }.into()) }
}

/// The stream, if the asker may change it.
pub(super) fn editable(store: &Store, shown: &Shown, id: StreamId) -> Result<Stream, Problem> {
    let stream = visible(store, shown, id)?;
    if shown.may_edit(&stream) { Ok(stream) } else { Err(Problem::Site(SiteError::Forbidden)) }
}

fn topic_ids(store: &Store, asked: &[String]) -> Result<Vec<TopicId>, Problem> {
    if asked.len() > TOPICS_PER_STREAM {
        return Err(Problem::field("topics", format!("at most {TOPICS_PER_STREAM} topics")));
    }
    let known: HashSet<TopicId> = store.topics()?.into_iter().map(|topic| topic.id).collect();
    let mut ids = Vec::new();
    for id in asked {
        let id = id.parse().ok().filter(|id| known.contains(id));
        let id = id.ok_or_else(|| Problem::field("topics", "there is no such topic"))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// Whose following, likes or watch list is asked for: one's own.
fn own(caller: &Caller, flag: Option<Flag>) -> Result<Option<perch_store::UserId>, Problem> {
    match flag {
        Some(Flag::Yes) => Ok(Some(caller.member()?.user)),
        Some(Flag::No) | None => Ok(None),
    }
}

fn bounded_query(q: Option<String>) -> Result<String, Problem> {
    let q = q.unwrap_or_default();
    if q.chars().count() > QUERY_CHARACTERS {
        return Err(no_query("q has at most 200 characters"));
    }
    Ok(q)
}

fn no_query(why: &str) -> Problem {
    Problem::InvalidQuery(why.to_owned())
}
