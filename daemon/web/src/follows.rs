//! Following: `/api/v1/users/{username}/follow`, followers and followed users, and `/api/v1/me/subscriptions`.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Path, Query};
use super::json;
use super::list::{List, Page};
use super::openapi::ProblemDocument;
use super::people::UserRef;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::StatusCode;
use perch_site::follows::{self, Subscriptions, Which};
use perch_store::{StreamId, User as Account};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(follow, unfollow))
        .routes(routes!(followers))
        .routes(routes!(following))
        .routes(routes!(subscriptions))
}

/// Follows a user; repeating it changes nothing.
#[utoipa::path(put, path = "/api/v1/users/{username}/follow", tag = "people", params(("username" = String, Path)),
    responses((status = 204, description = "Followed"),
        (status = 409, description = "The caller's own account", body = ProblemDocument, content_type = "application/problem+json")))]
async fn follow(state: Shared, caller: Caller, Path(username): Path<String>) -> Result<StatusCode, Problem> {
    follows::follow(&state.site, &caller.actor, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops following a user; without following it does nothing.
#[utoipa::path(delete, path = "/api/v1/users/{username}/follow", tag = "people", params(("username" = String, Path)),
    responses((status = 204, description = "Not followed")))]
async fn unfollow(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<StatusCode, Problem> {
    follows::unfollow(&state.site, &caller.actor, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user's followers.
#[utoipa::path(get, path = "/api/v1/users/{username}/followers", tag = "people", params(("username" = String, Path), Page),
    responses((status = 200, description = "Newest accounts first", body = List<Neighbour>)))]
async fn followers(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    people(&state, &caller, username, &page, Which::Followers).await
}

/// The users that a user follows.
#[utoipa::path(get, path = "/api/v1/users/{username}/following", tag = "people", params(("username" = String, Path), Page),
    responses((status = 200, description = "Newest accounts first", body = List<Neighbour>)))]
async fn following(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    people(&state, &caller, username, &page, Which::Following).await
}

/// A person in a list of followers or followed users.
#[derive(Serialize, ToSchema)]
struct Neighbour {
    #[serde(flatten)]
    user: UserRef,
    /// True if the caller follows them; null without a login, and for the caller's own account.
    #[schema(required)]
    is_following: Option<bool>,
}

impl From<follows::Neighbour> for Neighbour {
    fn from(found: follows::Neighbour) -> Self {
        Self { user: UserRef::from(&found.user), is_following: found.is_following }
    }
}

async fn people(
    state: &Shared,
    caller: &Caller,
    username: String,
    page: &Page,
    which: Which,
) -> Result<Response, Problem> {
    let asked = page.asked()?;
    let found =
        follows::neighbours(&state.site, &caller.actor, username, which, asked.before, asked.and_one());
    Ok(json::fresh(&List::of(found.await?, &asked, |found| found.user.id, Neighbour::from)))
}

/// A user whom the caller follows.
#[derive(Serialize, ToSchema)]
struct Subscription {
    #[serde(flatten)]
    user: UserRef,
    /// The id of the user's stream that is on the air.
    #[schema(required)]
    live_stream: Option<String>,
}

/// The users whom the caller follows. The first page begins with all of them who are on the air; they are few.
#[utoipa::path(get, path = "/api/v1/me/subscriptions", tag = "me", params(Page),
    responses((status = 200, description = "Those on the air first, then newest accounts first", body = List<Subscription>)))]
async fn subscriptions(state: Shared, caller: Caller, Query(page): Query<Page>) -> Result<Response, Problem> {
    let asked = page.asked()?;
    let found = follows::subscriptions(&state.site, &caller.actor, asked.before, asked.and_one());
    let Subscriptions { on_air, quiet } = found.await?;
    let subscription = |user: &Account, live_stream: Option<StreamId>| Subscription {
        user: UserRef::from(user),
        live_stream: live_stream.map(|stream| stream.to_string()),
    };
    let on_air = on_air.iter().map(|(user, stream)| subscription(user, Some(*stream))).collect();
    let list = List::of(quiet, &asked, |user| user.id, |user| subscription(&user, None)).after(on_air);
    Ok(json::fresh(&list))
}
