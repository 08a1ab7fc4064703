//! Mutes, bans and chat rules: `/api/v1/streams/{id}/chat-rules` and `…/restrictions` are for the chats of a streamer,
//! `/api/v1/restrictions` is for the whole site.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json::{self, Time};
use super::openapi::ProblemDocument;
use super::people::UserRef;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::StatusCode;
use perch_site::moderation::{self, Scope};
use perch_store::{ChatRules, Restriction, Severity, StreamId, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(change_rules))
        .routes(routes!(list))
        .routes(routes!(restrict, lift))
        .routes(routes!(list_everywhere))
        .routes(routes!(restrict_everywhere, lift_everywhere))
}

/// Changes to a chat's rules; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RulesChange {
    /// Seconds between two messages of a person; 0: no slow mode.
    #[schema(minimum = 0, maximum = 3600)]
    slow_mode_seconds: Option<u32>,
    /// True if only followers of the streamer may write.
    followers_only: Option<bool>,
    /// True if only people with an account may read.
    members_only: Option<bool>,
}

/// The rules of a chat.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatRules)]
struct Rules {
    slow_mode_seconds: u32,
    followers_only: bool,
    members_only: bool,
}

/// A mute or ban.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRestriction {
    /// `mute`: may read; `ban`: may not enter.
    #[schema(value_type = String)]
    severity: Severity,
    /// How long it lasts; missing: until it is lifted.
    #[schema(minimum = 1, maximum = 31_622_400)]
    seconds: Option<u32>,
}

/// A person's mute or ban.
#[derive(Serialize, ToSchema)]
#[schema(as = Restriction)]
struct ShownRestriction {
    user: UserRef,
    /// `mute` or `ban`.
    #[schema(value_type = String)]
    severity: Severity,
    /// When it ends; null: when it is lifted.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

/// All present restrictions.
#[derive(Serialize, ToSchema)]
struct Restrictions {
    items: Vec<ShownRestriction>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Changes the rules of a stream's chat.
#[utoipa::path(patch, path = "/api/v1/streams/{id}/chat-rules", tag = "chat", params(("id" = String, Path)), request_body = RulesChange,
    responses((status = 200, description = "The new rules", body = Rules)))]
async fn change_rules(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Json(change): Json<RulesChange>,
) -> Result<Response, Problem> {
    let RulesChange { slow_mode_seconds, followers_only, members_only } = change;
    let change = moderation::RulesChange { slow_mode_seconds, followers_only, members_only };
    let rules = moderation::change_rules(&state.site, &caller.actor, stream, change).await?;
    let ChatRules { slow_mode_seconds, followers_only, members_only } = rules;
    Ok(json::fresh(&Rules { slow_mode_seconds, followers_only, members_only }))
}

/// The people restricted in the streamer's chats.
#[utoipa::path(get, path = "/api/v1/streams/{id}/restrictions", tag = "chat", params(("id" = String, Path)),
    responses((status = 200, description = "All present restrictions", body = Restrictions)))]
async fn list(state: Shared, caller: Caller, Path(stream): Path<StreamId>) -> Result<Response, Problem> {
    show(&state, &caller, Scope::ChatsOf(stream)).await
}

/// Mutes or bans a person in all chats of the streamer; replaces an earlier restriction there.
#[utoipa::path(put, path = "/api/v1/streams/{id}/restrictions/{username}", tag = "chat",
    params(("id" = String, Path), ("username" = String, Path)), request_body = NewRestriction,
    responses((status = 204, description = "Barred"),
        (status = 409, description = "The caller's own account", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restrict(
    state: Shared,
    caller: Caller,
    Path((stream, username)): Path<(StreamId, String)>,
    Json(new): Json<NewRestriction>,
) -> Result<StatusCode, Problem> {
    moderation::restrict(&state.site, &caller.actor, Scope::ChatsOf(stream), username, new.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts a person's restriction in the streamer's chats; without one it does nothing.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/restrictions/{username}", tag = "chat",
    params(("id" = String, Path), ("username" = String, Path)), responses((status = 204, description = "No restriction")))]
async fn lift(
    state: Shared,
    caller: Caller,
    Path((stream, username)): Path<(StreamId, String)>,
) -> Result<StatusCode, Problem> {
    moderation::lift(&state.site, &caller.actor, Scope::ChatsOf(stream), username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The people restricted in all chats.
#[utoipa::path(get, path = "/api/v1/restrictions", tag = "chat",
    responses((status = 200, description = "All present restrictions", body = Restrictions)))]
async fn list_everywhere(state: Shared, caller: Caller) -> Result<Response, Problem> {
    show(&state, &caller, Scope::Everywhere).await
}

/// Mutes or bans a person in all chats.
#[utoipa::path(put, path = "/api/v1/restrictions/{username}", tag = "chat", params(("username" = String, Path)), request_body = NewRestriction,
    responses((status = 204, description = "Barred"),
        (status = 409, description = "The caller's own account", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restrict_everywhere(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Json(new): Json<NewRestriction>,
) -> Result<StatusCode, Problem> {
    moderation::restrict(&state.site, &caller.actor, Scope::Everywhere, username, new.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts a person's restriction in all chats; without one it does nothing.
#[utoipa::path(delete, path = "/api/v1/restrictions/{username}", tag = "chat", params(("username" = String, Path)),
    responses((status = 204, description = "No restriction")))]
async fn lift_everywhere(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<StatusCode, Problem> {
    moderation::lift(&state.site, &caller.actor, Scope::Everywhere, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn show(state: &State, caller: &Caller, scope: Scope) -> Result<Response, Problem> {
    let found = moderation::restrictions(&state.site, &caller.actor, scope).await?;
    let items = found.iter().map(|(found, user)| ShownRestriction::of(found, user)).collect();
    Ok(json::fresh(&Restrictions { items, next_cursor: None }))
}

impl From<NewRestriction> for moderation::NewRestriction {
    fn from(NewRestriction { severity, seconds }: NewRestriction) -> Self {
        Self { severity, seconds }
    }
}

impl ShownRestriction {
    fn of(found: &Restriction, user: &User) -> Self {
        let user = UserRef::from(user);
        Self { user, severity: found.severity, until: found.until.map(Time), at: Time(found.at) }
    }
}
