//! `/api/v1/me`: the caller's account. `sessions` has password and logins, `avatar` the picture, `ingest` the key for other programs.

use super::api::{Api, routes};
use super::caller::Caller;
use super::client::Client;
use super::cookies;
use super::input::Json;
use super::json;
use super::openapi::ProblemDocument;
use super::people::Me;
use super::problem::Problem;
use super::state::Shared;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use perch_site::accounts::secret::Password;
use perch_site::me;
use perch_store::UserChange;
use serde::Deserialize;
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show, change, delete))
}

/// The caller's account.
#[utoipa::path(get, path = "/api/v1/me", tag = "me",
    responses((status = 200, description = "The account", body = Me), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn show(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let me = me::show(&state.site, &caller.actor).await?;
    Ok(json::tagged(&Me::from(me), &headers))
}

/// Changes to the account; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    #[schema(min_length = 1, max_length = 20)]
    username: Option<String>,
    #[schema(max_length = 100)]
    full_name: Option<String>,
    #[schema(max_length = 254)]
    email: Option<String>,
    #[schema(max_length = 1000)]
    bio: Option<String>,
}

/// Changes the caller's profile.
#[utoipa::path(patch, path = "/api/v1/me", tag = "me", request_body = Change,
    responses((status = 200, description = "The account", body = Me),
        (status = 409, description = "The name is taken", body = ProblemDocument, content_type = "application/problem+json")))]
async fn change(state: Shared, caller: Caller, Json(change): Json<Change>) -> Result<Response, Problem> {
    let Change { username, full_name, email, bio } = change;
    let change = UserChange { username, full_name, email, bio };
    let me = me::change(&state.site, &caller.actor, change).await?;
    Ok(json::fresh(&Me::from(me)))
}

/// The caller's password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Farewell {
    #[schema(max_length = 1024)]
    password: Password,
}

/// Deletes the caller's account with its streams, messages and follows. A stream on the air ends first.
#[utoipa::path(delete, path = "/api/v1/me", tag = "me", request_body = Farewell,
    responses((status = 204, description = "The account is deleted"),
        (status = 409, description = "The last owner cannot be deleted", body = ProblemDocument, content_type = "application/problem+json")))]
async fn delete(
    state: Shared,
    caller: Caller,
    client: Client,
    Json(farewell): Json<Farewell>,
) -> Result<Response, Problem> {
    me::delete(&state.site, &caller.actor, farewell.password).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookies::forget(response.headers_mut(), client.secure);
    Ok(response)
}
