//! `POST /api/v1/setup`: creates the owner, once, for the person with the setup code.

use super::api::{Api, routes};
use super::caller::Caller;
use super::client::Client;
use super::input::Json;
use super::login::{self, LoggedIn};
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use perch_site::accounts::secret::Password;
use perch_site::setup;
use perch_store::Registration;
use serde::Deserialize;
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(set_up))
}

/// The first owner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOwner {
    /// The code from perchd's log, or from `perchd setup-code`.
    #[schema(max_length = 64)]
    setup_code: String,
    #[schema(min_length = 1, max_length = 20)]
    username: String,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: Password,
    /// Who may register from then on: `closed`, `approval` (the owner approves each account), or `open`. New accounts are viewers.
    #[serde(default)]
    #[schema(value_type = Option<String>, default = "approval")]
    registration: Registration,
}

/// Creates the owner and logs in.
#[utoipa::path(post, path = "/api/v1/setup", tag = "accounts", request_body = NewOwner,
    responses((status = 201, description = "The owner is created and logged in", body = LoggedIn),
        (status = 409, description = "There is already an owner", body = inline(crate::openapi::ProblemDocument), content_type = "application/problem+json")))]
async fn set_up(
    state: Shared,
    caller: Caller,
    client: Client,
    headers: HeaderMap,
    Json(new): Json<NewOwner>,
) -> Result<Response, Problem> {
    let NewOwner { setup_code, username, password, registration } = new;
    let new = setup::NewOwner { setup_code, username, password, registration };
    let login = setup::set_up(&state.site, &caller.actor, new, login::agent(&headers)).await?;
    Ok(login::answer(StatusCode::CREATED, client, login))
}
