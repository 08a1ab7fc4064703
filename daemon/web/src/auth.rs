//! `/api/v1/auth/…`: logging in and out (design §4). What guards the doors is `accounts`.

use super::caller::{self, Caller};
use super::cookies;
use super::input::{Json, OptionalJson};
use super::json;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::{Shared, State};
use super::users::{self, Me};
use axum::response::{IntoResponse, Response};
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use perch_site::SiteError;
use perch_site::accounts::secret::{Password, RandomToken};
use perch_site::accounts::tokens::{ACCESS_SECONDS, REFRESH_SECONDS};
use perch_site::text;
use perch_store::{
    NewUser, PasswordHash, Refusal, Registration, SESSIONS_PER_USER, Standing, Store, StoreError, Timestamp,
    User, UserId,
};
use perch_studio::clock::wall;
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
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
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

/// A login. Its refresh token is in the cookie `perch_refresh`, for this site's `/api/v1/auth` alone.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedIn {
    /// For `Authorization: Bearer`; also in the cookie `perch_access`.
    access_token: String,
    /// Seconds.
    expires_in: i64,
    user: Me,
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
    /// `pending`
    #[schema(value_type = String)]
    standing: Standing,
}

/// Makes an account, and logs in.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "accounts", request_body = NewAccount,
    responses((status = 201, description = "The account is made and logged in", body = LoggedIn),
        (status = 202, description = "The account is made, and the owner has to approve it", body = PendingAccount),
        (status = 409, description = "The name is taken", body = ProblemDocument, content_type = "application/problem+json")))]
async fn register(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
    Json(account): Json<NewAccount>,
) -> Result<Response, Problem> {
    let (username, password) = checked(&account.username, account.password)?;
    let full_name = users::full_name(&account.full_name)?;
    let email = text::email(&account.email)?;
    // Before the hash is paid for.
    let name = username.clone();
    state.store(move |store| may_register(store, &name)).await?;
    state.site.limits.admit_registration(caller.address())?;
    let password = state.accounts().passwords.hash(password).await?;
    let (new, now) = (NewUser { username, full_name, email, password }, state.now());
    let user = state.store(move |store| store.register(&new, now)).await?;
    match user.standing {
        Standing::Active => log_in(&state, &caller, &headers, user.id, StatusCode::CREATED).await,
        standing => {
            let mut response = json::fresh(&PendingAccount { username: user.username, standing });
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
    }
}

fn may_register(store: &Store, username: &str) -> Result<(), StoreError> {
    if store.settings()?.registration == Registration::Closed {
        return Err(Refusal::RegistrationClosed.into());
    }
    match store.user_by_name(username) {
        Ok(_) => Err(Refusal::UsernameTaken { username: username.to_owned() }.into()),
        Err(StoreError::Refused(Refusal::NotFound { .. })) => Ok(()),
        Err(error) => Err(error),
    }
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
    let Some(user) = user.filter(|_| is_right) else { return Err(Problem::Site(SiteError::WrongLogin)) };
    attempt.succeeded();
    match user.standing {
        Standing::Active => log_in(&state, &caller, &headers, user.id, StatusCode::OK).await,
        Standing::Pending => Err(Problem::Site(SiteError::PendingApproval)),
        Standing::Suspended => Err(Problem::Site(SiteError::Suspended)),
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
    let accounts = state.site.accounts.clone();
    let opened = state.store(move |store| {
        let has_most = store.sessions(user)?.len() >= SESSIONS_PER_USER;
        let session = store.open_session(user, &digest, &label, now, expiry(now))?;
        if has_most {
            // One more has closed the oldest.
            accounts.logins.forget();
        }
        Ok::<_, StoreError>((session, Me::of(store, user)?))
    });
    let (session, me) = opened.await?;
    let access_token = state.accounts().tokens.make(user, session.id, now);
    let mut response = with_cookies(&access_token, &refresh, me);
    *response.status_mut() = status;
    Ok(response)
}

/// Exchanges the refresh token of the cookie for the next one, and gives a new access token. A token that was used before closes its login.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "accounts",
    responses((status = 200, description = "The login goes on", body = LoggedIn)))]
async fn refresh(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(token) = cookies::refresh_token(&headers) else { return Ok(over(Problem::NoRefreshToken)) };
    let next = RandomToken::new().map_err(|error| Problem::internal(&error))?;
    let (digest, next_digest) = (token.digest(), next.digest());
    let (accounts, clock) = (state.site.accounts.clone(), state.site.clock.clone());
    let refreshed = state.store(move |store| {
        // A clock that has just been set must not make every login look old.
        accounts.wall_clock.correct(store)?;
        let now = wall(&*clock);
        let session = store.refresh_session(&digest, &next_digest, now, expiry(now)).inspect_err(|_| {
            // A token that came twice, or too late, has closed its login.
            accounts.logins.forget();
        })?;
        Ok::<_, StoreError>((session.id, session.user, now, Me::of(store, session.user)?))
    });
    match refreshed.await {
        Ok((session, user, now, me)) => {
            let access_token = state.accounts().tokens.make(user, session, now);
            Ok(with_cookies(&access_token, &next, me))
        }
        Err(problem @ Problem::Site(SiteError::Refused(_))) => Ok(over(problem)),
        Err(problem) => Err(problem),
    }
}

/// This login is over: the browser need not try again, and what is left of it must not stand in the way.
fn over(problem: Problem) -> Response {
    let mut response = IntoResponse::into_response(problem);
    cookies::forget(response.headers_mut());
    response
}

/// How far to log out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogOut {
    /// On all devices.
    #[serde(default)]
    everywhere: bool,
}

/// Logs out, also where there was no login.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "accounts", request_body = Option<LogOut>,
    responses((status = 204, description = "Logged out")))]
async fn log_out(
    state: Shared,
    headers: HeaderMap,
    OptionalJson(how): OptionalJson<LogOut>,
) -> Result<Response, Problem> {
    let everywhere = how.unwrap_or_default().everywhere;
    // An expired access token still says which login it is of.
    let session = caller::bearer(&state, &headers).map(|bearer| bearer.session);
    let refresh = cookies::refresh_token(&headers).map(|token| token.digest());
    let closing = state.change_accounts(move |store| {
        if let Some(session) = session {
            match store.session(session) {
                Ok(session) if everywhere => store.close_sessions(session.user, None)?,
                Ok(session) => store.close_session(session.id)?,
                Err(StoreError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        refresh.map_or(Ok(()), |digest| store.close_session_of(&digest))
    });
    closing.await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookies::forget(response.headers_mut());
    Ok(response)
}

/// Whether the caller knows the account's password: asked for again before what cannot be undone.
pub(super) async fn confirm(state: &State, caller: &Caller, password: Password) -> Result<(), Problem> {
    let login = caller.member()?;
    let attempt = state.accounts().attempts.begin(&login.username, caller.address(), true)?;
    let user = login.user;
    let hash = state.store(move |store| store.password(user)).await?;
    if !state.accounts().passwords.check(password, Some(hash)).await? {
        return Err(Problem::Site(SiteError::WrongPassword));
    }
    attempt.succeeded();
    Ok(())
}

fn with_cookies(access_token: &str, refresh: &RandomToken, user: Me) -> Response {
    let access_token = access_token.to_owned();
    let mut response =
        json::fresh(&LoggedIn { access_token: access_token.clone(), expires_in: ACCESS_SECONDS, user });
    cookies::keep(response.headers_mut(), &access_token, refresh);
    response
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
    let username = text::username(username)?;
    Ok((username, checked_password("password", password)?))
}

/// A password that an account may have.
pub(super) fn checked_password(field: &'static str, password: Password) -> Result<Password, Problem> {
    text::password(field, password.expose())?;
    Ok(password)
}
