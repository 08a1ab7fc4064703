//! Responses for an opened or renewed login: tokens in cookies for browsers, the access token in the body for programs.

use super::client::Client;
use super::cookies;
use super::json;
use super::people::Me;
use axum::response::Response;
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use perch_site::accounts::tokens::ACCESS_SECONDS;
use perch_site::sessions;
use serde::Serialize;
use utoipa::ToSchema;

/// A login. Its refresh token is in the cookie `perch_refresh`, which is sent to `/api/v1/auth` only; over TLS the cookies' names
/// begin with `__Secure-`.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedIn {
    /// For `Authorization: Bearer`; also in the cookie `perch_access`.
    access_token: String,
    /// Validity of the access token, in seconds.
    expires_in: i64,
    user: Me,
}

/// Responds with a login.
pub(super) fn answer(status: StatusCode, client: Client, login: sessions::LoggedIn) -> Response {
    let access_token = login.access_token.expose();
    let user = Me::from(login.me);
    let mut response =
        json::fresh(&LoggedIn { access_token: access_token.to_owned(), expires_in: ACCESS_SECONDS, user });
    cookies::keep(response.headers_mut(), client.secure, access_token, &login.refresh_token);
    *response.status_mut() = status;
    response
}

/// The name that a browser or program gives itself.
pub(super) fn agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("unknown program")
}
