//! `/api/v1/auth/…`: registering, logging in and out (design §4).

use super::api::{Api, routes};
use super::authentication;
use super::caller::Caller;
use super::client::Client;
use super::cookies;
use super::input::{Json, OptionalJson};
use super::json;
use super::login::{self, LoggedIn};
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::Shared;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use perch_site::SiteError;
use perch_site::accounts::secret::Password;
use perch_site::registration::{self, NewPerson, Registered};
use perch_site::sessions;
use perch_store::Standing;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(register))
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
}

/// Name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[schema(min_length = 1, max_length = 64)]
    username: String,
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
    password: Password,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    #[schema(min_length = 1, max_length = 20)]
    username: String,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: Password,
    #[serde(default)]
    #[schema(max_length = 100)]
    full_name: String,
    #[serde(default)]
    #[schema(max_length = 254)]
    email: String,
}

/// An account that the owner has to approve before it can log in.
#[derive(Serialize, ToSchema)]
struct PendingAccount {
    username: String,
    /// Always `pending`.
    #[schema(value_type = String)]
    standing: Standing,
}

/// Creates an account and logs in.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "accounts", request_body = NewAccount,
    responses((status = 201, description = "The account is created and logged in", body = LoggedIn),
        (status = 202, description = "The account is created and waits for the owner's approval", body = PendingAccount),
        (status = 409, description = "The name is taken", body = ProblemDocument, content_type = "application/problem+json")))]
async fn register(
    state: Shared,
    caller: Caller,
    client: Client,
    headers: HeaderMap,
    Json(account): Json<NewAccount>,
) -> Result<Response, Problem> {
    let NewAccount { username, password, full_name, email } = account;
    let person = NewPerson { username, password, full_name, email };
    let agent = login::agent(&headers);
    match registration::register(&state.site, &caller.actor, person, agent).await? {
        Registered::LoggedIn(login) => Ok(login::answer(StatusCode::CREATED, client, *login)),
        Registered::Pending(user) => {
            let mut response =
                json::fresh(&PendingAccount { username: user.username, standing: user.standing });
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
    }
}

/// Logs in.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "accounts", request_body = Credentials,
    responses((status = 200, description = "Logged in", body = LoggedIn)))]
async fn log_in(
    state: Shared,
    caller: Caller,
    client: Client,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Problem> {
    let Credentials { username, password } = credentials;
    let agent = login::agent(&headers);
    let login = sessions::log_in(&state.site, &caller.actor, username, password, agent).await?;
    Ok(login::answer(StatusCode::OK, client, login))
}

/// Exchanges the refresh token in the cookie for a new one, and returns a new access token. If the answer is lost, the same token can
/// be exchanged again within 30 seconds; otherwise a token that was used before closes its login.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "accounts",
    responses((status = 200, description = "The login is renewed", body = LoggedIn)))]
async fn refresh(state: Shared, client: Client, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(token) = cookies::refresh_token(&headers, client.secure) else {
        return Ok(over(client, Problem::NoRefreshToken));
    };
    match sessions::refresh(&state.site, &token).await {
        Ok(login) => Ok(login::answer(StatusCode::OK, client, login)),
        Err(error @ SiteError::Refused(_)) => Ok(over(client, error.into())),
        Err(error) => Err(error.into()),
    }
}

/// Responds to a login that is over. The cookies are removed, so that the browser neither tries again nor sends them
/// on.
fn over(client: Client, problem: Problem) -> Response {
    let mut response = IntoResponse::into_response(problem);
    cookies::forget(response.headers_mut(), client.secure);
    response
}

/// Selects the logins to close.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogOut {
    /// True to log out all devices.
    #[serde(default)]
    everywhere: bool,
}

/// Logs out; without a login it does nothing.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "accounts", request_body = Option<LogOut>,
    responses((status = 204, description = "Logged out")))]
async fn log_out(
    state: Shared,
    client: Client,
    headers: HeaderMap,
    OptionalJson(how): OptionalJson<LogOut>,
) -> Result<Response, Problem> {
    let how = sessions::LogOut {
        access_token: authentication::shown_token(&headers, client.secure),
        refresh_token: cookies::refresh_token(&headers, client.secure),
        everywhere: how.unwrap_or_default().everywhere,
    };
    sessions::log_out(&state.site, how).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookies::forget(response.headers_mut(), client.secure);
    Ok(response)
}
