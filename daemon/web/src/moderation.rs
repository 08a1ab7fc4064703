//! Who may not speak, or not come in, and how a chat is run: `/api/v1/streams/{id}/chat-rules` and `…/restrictions` are for the chats of a streamer,
//! `/api/v1/restrictions` is for the whole site.

use super::caller::Caller;
use super::input::{Json, Path};
use super::json::{self, Time};
use super::openapi::ProblemDocument;
use super::people::UserRef;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::StatusCode;
use perch_site::SiteError;
use perch_store::{
    ChatRules, Refusal, Restriction, Role, Room, Severity, Store, StoreError, StreamId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Of slow mode.
const SLOWEST_SECONDS: u32 = 3600;
/// A restriction that is to be longer is for ever.
const LONGEST_SECONDS: u32 = 366 * 86_400;
/// Restrictions that are shown.
const SHOWN: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(change_rules))
        .routes(routes!(list))
        .routes(routes!(restrict, lift))
        .routes(routes!(list_everywhere))
        .routes(routes!(restrict_everywhere, lift_everywhere))
}

/// What to change of a chat's rules; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RulesChange {
    /// Between two messages of a person; 0: no slow mode.
    #[schema(minimum = 0, maximum = 3600)]
    slow_mode_seconds: Option<u32>,
    /// Whether only followers of the streamer write.
    followers_only: Option<bool>,
    /// Whether only people with an account read.
    members_only: Option<bool>,
}

/// How a chat is run.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatRules)]
struct Rules {
    slow_mode_seconds: u32,
    followers_only: bool,
    members_only: bool,
}

/// What somebody is barred from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRestriction {
    /// `mute`: may read; `ban`: may not come in.
    #[schema(value_type = String)]
    severity: Severity,
    /// For how long; left out: until it is lifted.
    #[schema(minimum = 1, maximum = 31_622_400)]
    seconds: Option<u32>,
}

/// What somebody is barred from.
#[derive(Serialize, ToSchema)]
#[schema(as = Restriction)]
struct ShownRestriction {
    user: UserRef,
    /// `mute` or `ban`.
    #[schema(value_type = String)]
    severity: Severity,
    /// Null: until it is lifted.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

/// All that holds now.
#[derive(Serialize, ToSchema)]
struct Restrictions {
    items: Vec<ShownRestriction>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Whose stream it is, for somebody who moderates there.
fn moderated(store: &Store, caller: &Caller, stream: StreamId) -> Result<UserId, Problem> {
    let streamer = store.stream(stream)?.facts.user;
    if caller.may_act_for(streamer) { Ok(streamer) } else { Err(Problem::Site(SiteError::Forbidden)) }
}

/// Changes how a stream's chat is run.
#[utoipa::path(patch, path = "/api/v1/streams/{id}/chat-rules", tag = "chat", params(("id" = String, Path)), request_body = RulesChange,
    responses((status = 200, description = "The rules as they are now", body = Rules)))]
async fn change_rules(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Json(change): Json<RulesChange>,
) -> Result<Response, Problem> {
    if change.slow_mode_seconds.is_some_and(|seconds| seconds > SLOWEST_SECONDS) {
        return Err(Problem::field("slow_mode_seconds", format!("at most {SLOWEST_SECONDS}")));
    }
    let changed = state.store(move |store| {
        let streamer = moderated(store, &caller, stream)?;
        let rules = store.chat_rules(stream)?;
        let rules = ChatRules {
            slow_mode_seconds: change.slow_mode_seconds.unwrap_or(rules.slow_mode_seconds),
            followers_only: change.followers_only.unwrap_or(rules.followers_only),
            members_only: change.members_only.unwrap_or(rules.members_only),
        };
        store.set_chat_rules(stream, &rules)?;
        Ok::<_, Problem>((streamer, rules))
    });
    let (streamer, rules) = changed.await?;
    state.site.chat.look_again(Some(streamer));
    let ChatRules { slow_mode_seconds, followers_only, members_only } = rules;
    Ok(json::fresh(&Rules { slow_mode_seconds, followers_only, members_only }))
}

/// Who is barred from the streamer's chats.
#[utoipa::path(get, path = "/api/v1/streams/{id}/restrictions", tag = "chat", params(("id" = String, Path)),
    responses((status = 200, description = "All that holds now", body = Restrictions)))]
async fn list(state: Shared, caller: Caller, Path(stream): Path<StreamId>) -> Result<Response, Problem> {
    let now = state.now();
    let shown = state.store(move |store| {
        let streamer = moderated(store, &caller, stream)?;
        Ok::<_, Problem>(show(store, Room::Of(streamer), now)?)
    });
    Ok(json::fresh(&shown.await?))
}

/// Mutes or bans somebody in all chats of the streamer, in place of what was before.
#[utoipa::path(put, path = "/api/v1/streams/{id}/restrictions/{username}", tag = "chat",
    params(("id" = String, Path), ("username" = String, Path)), request_body = NewRestriction,
    responses((status = 204, description = "Barred"),
        (status = 409, description = "Nobody bars themselves", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restrict(
    state: Shared,
    caller: Caller,
    Path((stream, username)): Path<(StreamId, String)>,
    Json(new): Json<NewRestriction>,
) -> Result<StatusCode, Problem> {
    new.check()?;
    let now = state.now();
    let restricted = state.store(move |store| {
        let streamer = moderated(store, &caller, stream)?;
        bar(store, &caller, Room::Of(streamer), &username, &new, now)?;
        Ok::<_, Problem>(streamer)
    });
    state.site.chat.look_again(Some(restricted.await?));
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts what somebody is barred from in the streamer's chats, also where there is nothing.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/restrictions/{username}", tag = "chat",
    params(("id" = String, Path), ("username" = String, Path)), responses((status = 204, description = "Not barred")))]
async fn lift(
    state: Shared,
    caller: Caller,
    Path((stream, username)): Path<(StreamId, String)>,
) -> Result<StatusCode, Problem> {
    let lifted = state.store(move |store| {
        let streamer = moderated(store, &caller, stream)?;
        store.lift_restriction(Room::Of(streamer), store.user_by_name(&username)?.id)?;
        Ok::<_, Problem>(streamer)
    });
    state.site.chat.look_again(Some(lifted.await?));
    Ok(StatusCode::NO_CONTENT)
}

/// Who is barred from all chats.
#[utoipa::path(get, path = "/api/v1/restrictions", tag = "chat",
    responses((status = 200, description = "All that holds now", body = Restrictions)))]
async fn list_everywhere(state: Shared) -> Result<Response, Problem> {
    let now = state.now();
    let shown = state.store(move |store| show(store, Room::Everywhere, now)).await?;
    Ok(json::fresh(&shown))
}

/// Mutes or bans somebody in all chats.
#[utoipa::path(put, path = "/api/v1/restrictions/{username}", tag = "chat", params(("username" = String, Path)), request_body = NewRestriction,
    responses((status = 204, description = "Barred"),
        (status = 409, description = "Nobody bars themselves", body = ProblemDocument, content_type = "application/problem+json")))]
async fn restrict_everywhere(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Json(new): Json<NewRestriction>,
) -> Result<StatusCode, Problem> {
    new.check()?;
    let now = state.now();
    state.store(move |store| bar(store, &caller, Room::Everywhere, &username, &new, now)).await?;
    state.site.chat.look_again(None);
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts what somebody is barred from in all chats, also where there is nothing.
#[utoipa::path(delete, path = "/api/v1/restrictions/{username}", tag = "chat", params(("username" = String, Path)),
    responses((status = 204, description = "Not barred")))]
async fn lift_everywhere(state: Shared, Path(username): Path<String>) -> Result<StatusCode, Problem> {
    let lifted =
        state.store(move |store| store.lift_restriction(Room::Everywhere, store.user_by_name(&username)?.id));
    lifted.await?;
    state.site.chat.look_again(None);
    Ok(StatusCode::NO_CONTENT)
}

impl NewRestriction {
    fn check(&self) -> Result<(), Problem> {
        if self.seconds.is_some_and(|seconds| !(1..=LONGEST_SECONDS).contains(&seconds)) {
            return Err(Problem::field("seconds", format!("1 to {LONGEST_SECONDS}, or left out")));
        }
        Ok(())
    }
}

fn bar(
    store: &Store,
    caller: &Caller,
    room: Room,
    username: &str,
    new: &NewRestriction,
    now: Timestamp,
) -> Result<(), Problem> {
    let (by, user) = (caller.member()?, store.user_by_name(username)?);
    if user.id == by.user || room == Room::Of(user.id) {
        return Err(Refusal::OwnAccount.into());
    }
    // Owners are above the rules of all rooms: it would be a word without effect.
    if user.role == Role::Owner {
        return Err(Problem::Site(SiteError::Forbidden));
    }
    let until = new.seconds.map(|seconds| {
        Timestamp::from_unix_millis(now.unix_millis().saturating_add(i64::from(seconds) * 1000))
    });
    let restriction = Restriction { user: user.id, severity: new.severity, until, by: by.user, at: now };
    Ok(store.restrict(room, &restriction)?)
}

fn show(store: &Store, room: Room, now: Timestamp) -> Result<Restrictions, StoreError> {
    let restrictions = store.restrictions(room, SHOWN)?;
    let holding = restrictions.into_iter().filter(|found| found.until.is_none_or(|until| until > now));
    let shown = holding.map(|found| {
        let user = UserRef::from(&store.user(found.user)?);
        let until = found.until.map(Time);
        Ok(ShownRestriction { user, severity: found.severity, until, at: Time(found.at) })
    });
    Ok(Restrictions { items: shown.collect::<Result<_, StoreError>>()?, next_cursor: None })
}
