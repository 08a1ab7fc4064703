//! `/api/v1/users`: profiles, and the owner's management of accounts.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json::{self, Time};
use super::list::{Asked, List};
use super::openapi::ProblemDocument;
use super::people::{User, UserRef};
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use perch_site::accounts::secret::Password;
use perch_site::users::{self, AccountChange, ManagedAccount, NewAccount};
use perch_store::{Role, Standing, User as Account, UserId, UserQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Characters of the search words at most.
const QUERY_CHARACTERS: usize = 100;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list, add)).routes(routes!(show, change, delete))
}

/// A user's profile.
#[utoipa::path(get, path = "/api/v1/users/{username}", tag = "people", params(("username" = String, Path)),
    responses((status = 200, description = "The person", body = User), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn show(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let profile = users::show(&state.site, &caller.actor, username).await?;
    Ok(json::tagged(&User::from(profile), &headers))
}

/// An account as the site's owner sees it.
#[derive(Serialize, ToSchema)]
struct ManagedUser {
    #[serde(flatten)]
    name: UserRef,
    email: String,
    /// `viewer`, `streamer` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    /// `active`, `pending` or `suspended`.
    #[schema(value_type = String)]
    standing: Standing,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// True if it has a key for publishing from other programs.
    has_ingest_key: bool,
}

impl From<Account> for ManagedUser {
    /// A new one has no key.
    fn from(user: Account) -> Self {
        Self::from(ManagedAccount { user, has_ingest_key: false })
    }
}

impl From<ManagedAccount> for ManagedUser {
    fn from(ManagedAccount { user, has_ingest_key }: ManagedAccount) -> Self {
        Self {
            has_ingest_key,
            name: UserRef::from(&user),
            email: user.email,
            role: user.role,
            standing: user.standing,
            created_at: Time(user.created_at),
        }
    }
}

/// Selects accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Words of the username or full name, each whole or as a prefix.
    #[param(max_length = 100)]
    q: Option<String>,
    /// `active`, `pending` or `suspended`.
    #[param(value_type = Option<String>)]
    standing: Option<Standing>,
    /// Accounts per page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// All accounts, newest first.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", params(Which),
    responses((status = 200, description = "The accounts", body = List<ManagedUser>)))]
async fn list(state: Shared, caller: Caller, Query(which): Query<Which>) -> Result<Response, Problem> {
    let asked = Asked::<UserId>::new(which.limit, which.cursor.as_deref())?;
    let text = which.q.unwrap_or_default();
    if text.chars().count() > QUERY_CHARACTERS {
        return Err(Problem::InvalidQuery(format!("q must have at most {QUERY_CHARACTERS} characters")));
    }
    let query = UserQuery { text, standing: which.standing, before: asked.before, limit: asked.and_one() };
    let users = users::find(&state.site, &caller.actor, query).await?;
    Ok(json::fresh(&List::of(users, &asked, |found| found.user.id, ManagedUser::from)))
}

/// An account that the owner creates.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddedUser {
    #[schema(min_length = 1, max_length = 20)]
    username: String,
    #[schema(min_length = 8, max_length = 128)]
    password: Password,
    /// `viewer`, `streamer` or `owner`.
    #[schema(value_type = String)]
    role: Role,
}

/// Creates an account, whatever the settings say about registration.
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = AddedUser,
    responses((status = 201, description = "The account", body = ManagedUser),
        (status = 409, description = "The name is taken", body = ProblemDocument, content_type = "application/problem+json")))]
async fn add(state: Shared, caller: Caller, Json(added): Json<AddedUser>) -> Result<Response, Problem> {
    let AddedUser { username, password, role } = added;
    let user = users::add(&state.site, &caller.actor, NewAccount { username, password, role }).await?;
    Ok(json::made(&ManagedUser::from(user)))
}

/// The owner's changes to an account; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ManagedChange {
    /// `viewer`, `streamer` or `owner`.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// `active` approves or readmits; `suspended` logs out everywhere and ends the account's streams.
    #[schema(value_type = Option<String>)]
    standing: Option<Standing>,
    /// A new password; logs out everywhere.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128)]
    password: Option<Password>,
}

/// Changes an account's role, standing or password.
#[utoipa::path(patch, path = "/api/v1/users/{username}", tag = "people", params(("username" = String, Path)), request_body = ManagedChange,
    responses((status = 200, description = "The account", body = ManagedUser),
        (status = 409, description = "The last owner must stay one", body = ProblemDocument, content_type = "application/problem+json")))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Json(change): Json<ManagedChange>,
) -> Result<Response, Problem> {
    let ManagedChange { role, standing, password } = change;
    let change = AccountChange { role, standing, password };
    let user = users::change(&state.site, &caller.actor, username, change).await?;
    Ok(json::fresh(&ManagedUser::from(user)))
}

/// Deletes an account with everything in it. A stream on the air ends first.
#[utoipa::path(delete, path = "/api/v1/users/{username}", tag = "people", params(("username" = String, Path)),
    responses((status = 204, description = "The account is deleted"),
        (status = 409, description = "The last owner cannot be deleted", body = ProblemDocument, content_type = "application/problem+json")))]
async fn delete(state: Shared, caller: Caller, Path(username): Path<String>) -> Result<StatusCode, Problem> {
    users::delete(&state.site, &caller.actor, username).await?;
    Ok(StatusCode::NO_CONTENT)
}
