//! `/api/v1/topics`: the topics of streams, managed by the owner.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json;
use super::list::List;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use perch_site::topics;
use perch_store::TopicId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list, add)).routes(routes!(change, delete))
}

/// A topic of streams.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Topic {
    #[schema(value_type = String)]
    id: TopicId,
    name: String,
}

impl From<perch_store::Topic> for Topic {
    fn from(topic: perch_store::Topic) -> Self {
        Self { id: topic.id, name: topic.name }
    }
}

/// All topics, in the order of their tabs.
#[utoipa::path(get, path = "/api/v1/topics", tag = "topics",
    responses((status = 200, description = "The topics", body = List<Topic>), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn list(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    let listed = topics::list(&state.site).await?;
    Ok(json::tagged(&List::whole(listed.into_iter().map(Topic::from).collect()), &headers))
}

/// A new topic.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTopic {
    #[schema(min_length = 1, max_length = 40)]
    name: String,
}

/// Adds a topic after the others.
#[utoipa::path(post, path = "/api/v1/topics", tag = "topics", request_body = NewTopic,
    responses((status = 201, description = "The topic", body = Topic),
        (status = 409, description = "The name is taken, or there are too many topics", body = ProblemDocument, content_type = "application/problem+json")))]
async fn add(state: Shared, caller: Caller, Json(new): Json<NewTopic>) -> Result<Response, Problem> {
    let topic = topics::add(&state.site, &caller.actor, &new.name).await?;
    Ok(json::made(&Topic::from(topic)))
}

/// Changes to a topic; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TopicChange {
    #[schema(min_length = 1, max_length = 40)]
    name: Option<String>,
    /// Its position in the row of tabs, from 0.
    #[schema(minimum = 0, maximum = 99)]
    position: Option<u32>,
}

/// Renames or moves a topic.
#[utoipa::path(patch, path = "/api/v1/topics/{id}", tag = "topics", params(("id" = String, Path)), request_body = TopicChange,
    responses((status = 200, description = "The topic", body = Topic),
        (status = 409, description = "The name is taken", body = ProblemDocument, content_type = "application/problem+json")))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(id): Path<TopicId>,
    Json(change): Json<TopicChange>,
) -> Result<Response, Problem> {
    let change = topics::TopicChange { name: change.name, position: change.position };
    let topic = topics::change(&state.site, &caller.actor, id, change).await?;
    Ok(json::fresh(&Topic::from(topic)))
}

/// Deletes a topic; its streams stay.
#[utoipa::path(delete, path = "/api/v1/topics/{id}", tag = "topics", params(("id" = String, Path)),
    responses((status = 204, description = "The topic is deleted")))]
async fn delete(state: Shared, caller: Caller, Path(id): Path<TopicId>) -> Result<StatusCode, Problem> {
    topics::delete(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
