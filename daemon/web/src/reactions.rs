//! `/api/v1/streams/{id}/reaction` and `/save`: what one thinks of a stream, and one's watch list.

use super::caller::Caller;
use super::input::{Json, Path};
use super::json;
use super::problem::Problem;
use super::state::{Shared, State};
use super::stream::word;
use axum::response::Response;
use http::StatusCode;
use perch_site::{reactions, watch_list};
use perch_store::{Reaction, StreamId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(react)).routes(routes!(save, unsave))
}

/// What one thinks of it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Opinion {
    Like,
    Dislike,
    None,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewReaction)]
struct Asked {
    #[schema(inline)]
    reaction: Opinion,
}

/// What people think of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Reactions)]
struct Counts {
    likes: u64,
    dislikes: u64,
    /// `like`, `dislike` or `none`.
    my_reaction: &'static str,
}

/// Likes a stream, dislikes it, or takes that back. One opinion for each person.
#[utoipa::path(put, path = "/api/v1/streams/{id}/reaction", tag = "streams", params(("id" = String, Path, description = "The stream's id")), request_body = Asked,
    responses((status = 200, description = "What people think of it now", body = Counts)))]
async fn react(
    state: Shared,
    caller: Caller,
    Path(id): Path<StreamId>,
    Json(asked): Json<Asked>,
) -> Result<Response, Problem> {
    let reaction = match asked.reaction {
        Opinion::Like => Some(Reaction::Like),
        Opinion::Dislike => Some(Reaction::Dislike),
        Opinion::None => None,
    };
    let facts = reactions::react(&state.site, &caller.actor, id, reaction).await?;
    Ok(json::fresh(&Counts { likes: facts.likes, dislikes: facts.dislikes, my_reaction: word(reaction) }))
}

/// Puts a stream on one's watch list.
#[utoipa::path(put, path = "/api/v1/streams/{id}/save", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is on the list")))]
async fn save(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    watch_list::save(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a stream off one's watch list.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/save", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is not on the list (any more)")))]
async fn unsave(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    watch_list::remove(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
