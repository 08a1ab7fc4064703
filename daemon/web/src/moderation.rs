//! Mutes, bans and chat rules: `/api/v1/streams/{id}/chat-rules` and `…/restrictions` are for the chats of a streamer,
//! `/api/v1/restrictions` is for the whole site, `/api/v1/users/{username}/restrictions` for what holds for one person.

use super::api::{Api, routes};
use super::barred::ScopeName;
use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json::{self, Time};
use super::list::{List, Page};
use super::openapi::ProblemDocument;
use super::people::UserRef;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::StatusCode;
use perch_site::moderation::{self, Found, ListPlace, Listed, Scope};
use perch_store::{ChatRules, Room, Severity, StreamId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The room of restrictions that hold everywhere.
const EVERYWHERE: &str = "everywhere";

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(change_rules))
        .routes(routes!(list))
        .routes(routes!(restrict, lift))
        .routes(routes!(list_everywhere))
        .routes(routes!(restrict_everywhere, lift_everywhere))
        .routes(routes!(list_of_user))
        .routes(routes!(lift_of_user))
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
    /// `stream`: in the chat of this stream; `chats`: in all chats of its user, as without it. For the whole site only `everywhere`.
    #[schema(value_type = Option<String>)]
    scope: Option<ScopeName>,
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
    /// `stream`, `chats` (all of the streamer) or `everywhere`.
    #[schema(value_type = String)]
    scope: ScopeName,
    /// Where to lift it: `/api/v1/users/{username}/restrictions/{room}`.
    room: String,
    /// The stream, for the scope `stream`.
    #[schema(required)]
    stream: Option<RestrictedStream>,
    /// The streamer, for the scope `chats`.
    #[schema(required)]
    streamer: Option<UserRef>,
    /// When it ends; null: when it is lifted.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

/// A stream, in short.
#[derive(Serialize, ToSchema)]
struct RestrictedStream {
    #[schema(value_type = String)]
    id: StreamId,
    title: String,
}

/// Selects which restrictions to lift.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Lifted {
    /// `stream` or `chats`; both without it.
    #[param(value_type = Option<String>)]
    scope: Option<ScopeName>,
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

/// The people restricted in the stream's chat and in all chats of its user, newest first.
#[utoipa::path(get, path = "/api/v1/streams/{id}/restrictions", tag = "chat", params(("id" = String, Path), Page),
    responses((status = 200, description = "The restrictions that hold", body = List<ShownRestriction>)))]
async fn list(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    show(&state, &caller, Listed::At(stream), &page).await
}

/// Mutes or bans a person in the stream's chat or in all chats of its user; replaces an earlier restriction there.
#[utoipa::path(put, path = "/api/v1/streams/{id}/restrictions/{username}", tag = "chat",
    params(("id" = String, Path), ("username" = String, Path)), request_body = NewRestriction,
    responses((status = 204, description = "Barred"),
        (status = 409, description = "The caller's own account, the streamer, or an owner", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restrict(
    state: Shared,
    caller: Caller,
    Path((stream, username)): Path<(StreamId, String)>,
    Json(new): Json<NewRestriction>,
) -> Result<StatusCode, Problem> {
    let scope = scope_at(stream, new.scope.unwrap_or(ScopeName::Chats))
        .ok_or_else(|| Problem::field("scope", "must be \"stream\" or \"chats\""))?;
    moderation::restrict(&state.site, &caller.actor, scope, username, new.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts a person's restrictions in the stream's chat and in all chats of its user; without one it does nothing.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/restrictions/{username}", tag = "chat",
    params(("id" = String, Path), ("username" = String, Path), Lifted), responses((status = 204, description = "No restriction")))]
async fn lift(
    state: Shared,
    caller: Caller,
    Path((stream, username)): Path<(StreamId, String)>,
    Query(lifted): Query<Lifted>,
) -> Result<StatusCode, Problem> {
    let scopes = match lifted.scope {
        None => vec![Scope::Stream(stream), Scope::ChatsOf(stream)],
        Some(scope) => vec![
            scope_at(stream, scope)
                .ok_or_else(|| Problem::InvalidQuery("scope must be stream or chats".to_owned()))?,
        ],
    };
    moderation::lift(&state.site, &caller.actor, scopes, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The people restricted in all chats, newest first.
#[utoipa::path(get, path = "/api/v1/restrictions", tag = "chat", params(Page),
    responses((status = 200, description = "The restrictions that hold", body = List<ShownRestriction>)))]
async fn list_everywhere(
    state: Shared,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    show(&state, &caller, Listed::Everywhere, &page).await
}

/// Mutes or bans a person in all chats.
#[utoipa::path(put, path = "/api/v1/restrictions/{username}", tag = "chat", params(("username" = String, Path)), request_body = NewRestriction,
    responses((status = 204, description = "Barred"),
        (status = 409, description = "The caller's own account, or an owner", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restrict_everywhere(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Json(new): Json<NewRestriction>,
) -> Result<StatusCode, Problem> {
    if new.scope.is_some_and(|scope| scope != ScopeName::Everywhere) {
        return Err(Problem::field("scope", "must be \"everywhere\""));
    }
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
    moderation::lift(&state.site, &caller.actor, vec![Scope::Everywhere], username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A person's restrictions that the caller may lift, newest first.
#[utoipa::path(get, path = "/api/v1/users/{username}/restrictions", tag = "chat", params(("username" = String, Path), Page),
    responses((status = 200, description = "The restrictions that hold", body = List<ShownRestriction>)))]
async fn list_of_user(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    show(&state, &caller, Listed::Of(username), &page).await
}

/// Lifts a person's restriction; without one it does nothing.
#[utoipa::path(delete, path = "/api/v1/users/{username}/restrictions/{room}", tag = "chat",
    params(("username" = String, Path), ("room" = String, Path, description = "The restriction's `room`")),
    responses((status = 204, description = "No restriction")))]
async fn lift_of_user(
    state: Shared,
    caller: Caller,
    Path((username, room)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let number = match room.as_str() {
        EVERYWHERE => Room::Everywhere.number(),
        id => {
            id.parse::<StreamId>().ok().map(StreamId::number).filter(|id| *id > 0).ok_or(Problem::NotFound)?
        }
    };
    moderation::lift_in(&state.site, &caller.actor, number, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A scope at a stream's address; `None` for everywhere.
fn scope_at(stream: StreamId, scope: ScopeName) -> Option<Scope> {
    match scope {
        ScopeName::Stream => Some(Scope::Stream(stream)),
        ScopeName::Chats => Some(Scope::ChatsOf(stream)),
        ScopeName::Everywhere => None,
    }
}

async fn show(state: &State, caller: &Caller, listed: Listed, page: &Page) -> Result<Response, Problem> {
    let asked = page.asked::<ListPlace>()?;
    let found =
        moderation::restrictions(&state.site, &caller.actor, listed, asked.before, asked.and_one()).await?;
    Ok(json::fresh(&List::of(found, &asked, Found::place, ShownRestriction::from)))
}

impl From<NewRestriction> for moderation::NewRestriction {
    fn from(NewRestriction { severity, seconds, .. }: NewRestriction) -> Self {
        Self { severity, seconds }
    }
}

impl From<Found> for ShownRestriction {
    fn from(found: Found) -> Self {
        let room = match found.room {
            Room::Stream(stream) => stream.to_string(),
            Room::ChatsOf(streamer) => streamer.to_string(),
            Room::Everywhere => EVERYWHERE.to_owned(),
        };
        let stream =
            found.stream.map(|stream| RestrictedStream { id: stream.facts.id, title: stream.details.title });
        Self {
            user: UserRef::from(&found.user),
            severity: found.restriction.severity,
            scope: found.room.into(),
            room,
            stream,
            streamer: found.streamer.as_ref().map(UserRef::from),
            until: found.restriction.until.map(Time),
            at: Time(found.restriction.at),
        }
    }
}
