//! `/api/v1/auth/…`: logging in and out (design §4). What guards the doors is `accounts`.

use super::caller::Caller;
use super::cookies;
use super::input::Json;
use super::json;
use super::problem::Problem;
use super::state::{Shared, State};
use super::users::Me;
use crate::accounts::secret::{Password, RandomToken};
use crate::accounts::tokens::{ACCESS_SECONDS, REFRESH_SECONDS};
use axum::response::Response;
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use perch_store::{PasswordHash, Refusal, Standing, Store, StoreError, Timestamp, User, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Of a browser's name for itself, as its user sees it in the list of logins.
const LABEL_CHARACTERS: usize = 120;
/// Stands between browser and address in the label of a login.
const FROM: &str = " from ";
/// No username is longer; a longer one is nobody's.
const LONGEST_NAME: usize = 64;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(login))
}

/// Name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[schema(min_length = 1, max_length = 64)]
    username: String,
    #[schema(min_length = 1, max_length = 1024)]
    password: Password,
}

/// A login. Its refresh token is in the cookie `perch_refresh`, for this site's `/api/v1/auth` alone.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedIn {
    /// For `Authorization: Bearer`; also in the cookie `perch_access`.
    access_token: String,
    /// Seconds.
    expires_in: i64,
    user: Me,
}

/// Logs in.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "accounts", request_body = Credentials,
    responses((status = 200, description = "Logged in", body = LoggedIn)))]
async fn login(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Problem> {
    let Credentials { username, password } = credentials;
    if username.chars().count() > LONGEST_NAME {
        return Err(Problem::field("username", format!("at most {LONGEST_NAME} characters")));
    }
    let (name, address) = (username.clone(), caller.address());
    let found = state.store(move |store| find(store, &name, address)).await?;
    let is_known = found.as_ref().is_some_and(|found| found.is_known);
    let attempt = state.accounts().attempts.begin(&username, address, is_known)?;
    let (user, hash) = found.map(|found| (found.user, found.password)).unzip();
    let is_right = state.accounts().passwords.check(password, hash).await?;
    let Some(user) = user.filter(|_| is_right) else { return Err(Problem::WrongLogin) };
    attempt.succeeded();
    match user.standing {
        Standing::Active => log_in(&state, &caller, &headers, user.id, StatusCode::OK).await,
        Standing::Pending => Err(Problem::PendingApproval),
        Standing::Suspended => Err(Problem::Suspended),
    }
}

/// An account that somebody wants to log in to.
struct Found {
    user: User,
    password: PasswordHash,
    /// There is a login from this address.
    is_known: bool,
}

fn find(store: &Store, username: &str, address: IpAddr) -> Result<Option<Found>, StoreError> {
    let user = match store.user_by_name(username) {
        Ok(user) => user,
        Err(StoreError::Refused(Refusal::NotFound { .. })) => return Ok(None),
        Err(error) => return Err(error),
    };
    let from = format!("{FROM}{address}");
    let is_known = store.sessions(user.id)?.iter().any(|session| session.label.ends_with(&from));
    Ok(Some(Found { password: store.password(user.id)?, user, is_known }))
}

/// Opens a login, and answers with it.
pub(super) async fn log_in(
    state: &State,
    caller: &Caller,
    headers: &HeaderMap,
    user: UserId,
    status: StatusCode,
) -> Result<Response, Problem> {
    let refresh = RandomToken::new().map_err(|error| Problem::internal(&error))?;
    let (digest, label, now) = (refresh.digest(), label(headers, caller.address()), state.now());
    let opened = state.change_accounts(move |store| {
        let session = store.open_session(user, &digest, &label, now, expiry(now))?;
        Ok::<_, StoreError>((session, Me::of(store, user)?))
    });
    let (session, me) = opened.await?;
    let access_token = state.accounts().tokens.make(user, session.id, now);
    let mut response =
        json::fresh(&LoggedIn { access_token: access_token.clone(), expires_in: ACCESS_SECONDS, user: me });
    *response.status_mut() = status;
    cookies::keep(response.headers_mut(), &access_token, &refresh);
    Ok(response)
}

fn expiry(now: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis(now.unix_millis().saturating_add(1000 * REFRESH_SECONDS))
}

/// What its user sees a login as: the browser's own name, and the address, by which it is [known](Found::is_known) again.
fn label(headers: &HeaderMap, address: IpAddr) -> String {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("unknown program");
    let agent: String = agent.chars().take(LABEL_CHARACTERS).collect();
    format!("{agent}{FROM}{address}")
}

/// A username and a password that an account may have.
pub(super) fn checked(username: &str, password: Password) -> Result<(String, Password), Problem> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let length = username.chars().count();
    if !(1..=20).contains(&length) || !username.chars().all(is_name) {
        return Err(Problem::field("username", "must be 1 to 20 letters, digits, _, - or ."));
    }
    if !(8..=128).contains(&password.expose().chars().count()) {
        return Err(Problem::field("password", "must be 8 to 128 characters"));
    }
    Ok((username.to_owned(), password))
}
