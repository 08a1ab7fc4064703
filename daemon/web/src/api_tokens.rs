//! `/api/v1/me/tokens`: the caller's API tokens, for programs. A token is shown once, in the answer that it is made by.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json::{self, Time};
use super::list::List;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::StatusCode;
use perch_site::api_tokens::{self, Asked};
use perch_store::{ApiToken, ApiTokenId, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list, make)).routes(routes!(revoke))
}

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiToken)]
struct TokenItem {
    #[schema(value_type = String)]
    id: ApiTokenId,
    name: String,
    /// `read`: what the account sees. `chat`: write and moderate. `go-live`: start, change and stop streams. `manage`: change everything else, but
    /// no logins, passwords, tokens and accounts. `watch`: streams and pictures, at addresses that hold the token.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// Null: it is valid until it is revoked.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Time>,
    /// Null if it was never used.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_used_at: Option<Time>,
}

impl From<ApiToken> for TokenItem {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes.into_iter().collect(),
            created_at: Time(token.created_at),
            expires_at: token.expires_at.map(Time),
            last_used_at: token.last_used_at.map(Time),
        }
    }
}

/// The caller's API tokens, newest first.
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "me",
    responses((status = 200, description = "The tokens", body = List<TokenItem>)))]
async fn list(state: Shared, caller: Caller) -> Result<Response, Problem> {
    let tokens = api_tokens::list(&state.site, &caller.actor).await?;
    Ok(json::fresh(&List::whole(tokens.into_iter().map(TokenItem::from).collect())))
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiToken {
    /// What it is for.
    #[schema(min_length = 1, max_length = 60)]
    name: String,
    /// At least one of `read`, `chat`, `go-live` and `manage`; or `watch` alone.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 5)]
    scopes: Vec<Scope>,
    /// Days until it ends; without it, it is valid until it is revoked.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
struct MadeApiToken {
    #[serde(flatten)]
    item: TokenItem,
    /// The token itself, for `Authorization: Bearer`. It is not shown again.
    #[schema(value_type = String, format = Password)]
    token: String,
}

/// Makes an API token.
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "me", request_body = NewApiToken,
    responses((status = 201, description = "The token", body = MadeApiToken),
        (status = 409, description = "There are too many tokens", body = ProblemDocument, content_type = "application/problem+json")))]
async fn make(state: Shared, caller: Caller, Json(new): Json<NewApiToken>) -> Result<Response, Problem> {
    let NewApiToken { name, scopes, expires_in_days } = new;
    let asked = Asked { name, scopes: scopes.into_iter().collect(), expires_in_days };
    let made = api_tokens::make(&state.site, &caller.actor, asked).await?;
    let token = made.expose();
    Ok(json::made(&MadeApiToken { item: made.token.into(), token }))
}

/// Revokes one of the caller's API tokens.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{id}", tag = "me", params(("id" = String, Path, description = "The token's id")),
    responses((status = 204, description = "It is revoked")))]
async fn revoke(state: Shared, caller: Caller, Path(id): Path<ApiTokenId>) -> Result<StatusCode, Problem> {
    api_tokens::revoke(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
