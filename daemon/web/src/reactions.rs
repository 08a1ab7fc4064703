//! `/api/v1/streams/{id}/reaction` and `/save`: the caller's reaction to a stream, and the watch list.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json;
use super::problem::Problem;
use super::state::Shared;
use super::stream::word;
use axum::response::Response;
use http::StatusCode;
use perch_site::{reactions, watch_list};
use perch_store::{Reaction, StreamId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(react)).routes(routes!(save, unsave))
}

/// The reaction.
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

/// A stream's reactions.
#[derive(Serialize, ToSchema)]
#[schema(as = Reactions)]
struct Counts {
    likes: u64,
    dislikes: u64,
    /// `like`, `dislike` or `none`.
    my_reaction: &'static str,
}

/// Likes or dislikes a stream, or removes the reaction. A person has one reaction per stream.
#[utoipa::path(put, path = "/api/v1/streams/{id}/reaction", tag = "streams", params(("id" = String, Path, description = "The stream's id")), request_body = Asked,
    responses((status = 200, description = "The new counts", body = Counts)))]
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

/// Puts a stream on the caller's watch list.
#[utoipa::path(put, path = "/api/v1/streams/{id}/save", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is on the list")))]
async fn save(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    watch_list::save(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a stream off the caller's watch list.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/save", tag = "streams", params(("id" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is not on the list")))]
async fn unsave(state: Shared, caller: Caller, Path(id): Path<StreamId>) -> Result<StatusCode, Problem> {
    watch_list::remove(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
