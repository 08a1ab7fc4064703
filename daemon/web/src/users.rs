//! People as the API shows them: `/api/v1/users`, and the owner's management of accounts.

use super::auth;
use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json::{self, Time};
use super::list::{Asked, List};
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use perch_site::SiteError;
use perch_site::accounts::logins::Login;
use perch_site::accounts::secret::Password;
use perch_site::text::{self, FieldError};
use perch_store::{
    EndReason, NewUser, PasswordHash, Refusal, Role, SessionId, Standing, Store, StoreError, StreamId,
    User as Account, UserId, UserQuery,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Of how a person is called.
const FULL_NAME_CHARACTERS: usize = 100;
/// Of the words that accounts are looked for by.
const QUERY_CHARACTERS: usize = 100;
/// Streams of one account that are ended one after the other before it is deleted: it has one camera at a time for each.
const STREAMS_AT_ONCE: usize = 16;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(show, change, delete))
}

/// A person in a line: beside a stream, a message, a notification.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct UserRef {
    pub(super) username: String,
    pub(super) full_name: String,
    /// Another address for every picture; null where there is none.
    #[schema(required)]
    pub(super) avatar_url: Option<String>,
}

impl From<&Account> for UserRef {
    fn from(user: &Account) -> Self {
        let avatar_url = (user.avatar_version > 0)
            .then(|| format!("/api/v1/users/{}/avatar?v={}", user.username, user.avatar_version));
        Self { username: user.username.clone(), full_name: user.full_name.clone(), avatar_url }
    }
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    #[serde(flatten)]
    name: UserRef,
    bio: String,
    /// `viewer`, `streamer` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    followers: u64,
    following: u64,
    /// How many there are, as far as the asker may see them.
    streams: u64,
    /// The id of the stream that is on the air.
    #[schema(required)]
    live_stream: Option<String>,
    /// Null where nobody is logged in, and of oneself.
    #[schema(required)]
    is_following: Option<bool>,
}

impl User {
    /// As `asker` sees the person.
    pub(super) fn seen_by(store: &Store, user: &Account, asker: Option<UserId>) -> Result<Self, StoreError> {
        let counts = store.follow_counts(user.id)?;
        let is_member = asker.is_some();
        let live = store.unfinished_streams()?.into_iter().find(|stream| {
            let is_public = stream.facts.visibility == perch_store::Visibility::Public;
            stream.facts.user == user.id && (is_public || is_member)
        });
        let other = asker.filter(|asker| *asker != user.id);
        let is_following = other.map(|asker| store.is_following(asker, user.id)).transpose()?;
        Ok(Self {
            name: UserRef::from(user),
            bio: user.bio.clone(),
            role: user.role,
            created_at: Time(user.created_at),
            followers: counts.followers,
            following: counts.following,
            streams: store.count_streams(user.id, is_member)? as u64,
            live_stream: live.map(|stream| stream.facts.id.to_string()),
            is_following,
        })
    }
}

/// Oneself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    #[serde(flatten)]
    user: User,
    email: String,
    /// `active`, `pending` or `suspended`.
    #[schema(value_type = String)]
    standing: Standing,
    unread_notifications: u64,
    /// Whether an ingest key has been made.
    has_stream_key: bool,
}

impl Me {
    /// The account as its owner sees it.
    pub(super) fn of(store: &Store, user: UserId) -> Result<Self, StoreError> {
        let account = store.user(user)?;
        Ok(Self {
            user: User::seen_by(store, &account, Some(user))?,
            email: account.email,
            standing: account.standing,
            unread_notifications: store.unread_notifications(user)? as u64,
            has_stream_key: store.has_stream_key(user)?,
        })
    }
}

/// How a person is called; may be empty.
pub(super) fn full_name(text: &str) -> Result<String, FieldError> {
    text::name("full_name", text, 0..=FULL_NAME_CHARACTERS)
}

/// The account with this name, as far as the asker may know of it: one that waits for approval or is suspended is for owners alone.
pub(super) fn named(store: &Store, username: &str, asker: Option<&Login>) -> Result<Account, StoreError> {
    let user = store.user_by_name(username)?;
    let is_owner = asker.is_some_and(|asker| asker.role == Role::Owner);
    if user.standing == Standing::Active || is_owner {
        Ok(user)
    } else {
        Err(Refusal::NotFound { what: "user" }.into())
    }
}

/// Somebody's profile.
#[utoipa::path(get, path = "/api/v1/users/{username}", tag = "people", params(("username" = String, Path)),
    responses((status = 200, description = "The person", body = User), (status = 304, description = "As before (If-None-Match)")))]
async fn show(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let login = caller.login().cloned();
    let user = state.store(move |store| {
        let user = named(store, &username, login.as_ref())?;
        User::seen_by(store, &user, login.map(|login| login.user))
    });
    Ok(json::tagged(&user.await?, &headers))
}

/// An account as its site's owner sees it.
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
}

impl From<Account> for ManagedUser {
    fn from(user: Account) -> Self {
        Self {
            name: UserRef::from(&user),
            email: user.email,
            role: user.role,
            standing: user.standing,
            created_at: Time(user.created_at),
        }
    }
}

/// Which accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Words of the username or full name, each whole or as a beginning.
    #[param(max_length = 100)]
    q: Option<String>,
    /// `active`, `pending` or `suspended`.
    #[param(value_type = Option<String>)]
    standing: Option<Standing>,
    /// Accounts of a page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// All accounts, newest first.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", params(Which),
    responses((status = 200, description = "The accounts", body = List<ManagedUser>)))]
async fn list(state: Shared, Query(which): Query<Which>) -> Result<Response, Problem> {
    let asked = Asked::<UserId>::new(which.limit, which.cursor.as_deref())?;
    let text = which.q.unwrap_or_default();
    if text.chars().count() > QUERY_CHARACTERS {
        return Err(Problem::InvalidQuery(format!("q has at most {QUERY_CHARACTERS} characters")));
    }
    let query = UserQuery { text, standing: which.standing, before: asked.before, limit: asked.and_one() };
    let users = state.store(move |store| store.find_users(&query)).await?;
    Ok(json::fresh(&List::of(users, &asked, |user| user.id, ManagedUser::from)))
}

/// An account that the owner makes.
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

/// Makes an account, whatever the settings say of registration.
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = AddedUser,
    responses((status = 201, description = "The account", body = ManagedUser),
        (status = 409, description = "The name is taken", body = ProblemDocument, content_type = "application/problem+json")))]
async fn add(state: Shared, Json(added): Json<AddedUser>) -> Result<Response, Problem> {
    let (username, password) = auth::checked(&added.username, added.password)?;
    let password = state.accounts().passwords.hash(password).await?;
    let new = NewUser { username, full_name: String::new(), email: String::new(), password };
    let now = state.now();
    let accounts = state.site.accounts.clone();
    let user = state.store(move |store| {
        let user = store.add_user(&new, added.role, now)?;
        if user.role == Role::Owner {
            // Made at the console before anybody has set Perch up: that is setup, too.
            accounts.setup_code.forget();
        }
        Ok::<_, StoreError>(user)
    });
    Ok(json::made(&ManagedUser::from(user.await?)))
}

/// What the owner changes of an account; what is missing stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ManagedChange {
    /// `viewer`, `streamer` or `owner`.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// `active` approves or readmits; `suspended` logs out everywhere and ends what is on the air.
    #[schema(value_type = Option<String>)]
    standing: Option<Standing>,
    /// A new one; logs out everywhere.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128)]
    password: Option<Password>,
}

/// Changes what an account may do.
#[utoipa::path(patch, path = "/api/v1/users/{username}", tag = "people", params(("username" = String, Path)), request_body = ManagedChange,
    responses((status = 200, description = "The account", body = ManagedUser),
        (status = 409, description = "The last owner stays", body = ProblemDocument, content_type = "application/problem+json")))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
    Json(change): Json<ManagedChange>,
) -> Result<Response, Problem> {
    let password = match change.password {
        Some(password) => {
            let password = auth::checked_password("password", password)?;
            Some(state.accounts().passwords.hash(password).await?)
        }
        None => None,
    };
    // An owner who changes the own password stays logged in here.
    let own = caller.member()?.clone();
    let changed = state.change_accounts(move |store| {
        let user = store.user_by_name(&username)?;
        let keep = own.session.filter(|_| own.user == user.id);
        apply(store, user.id, (change.role, change.standing), password.as_ref(), keep)
    });
    let user = changed.await?;
    if user.standing != Standing::Active {
        end_streams(&state, user.id, EndReason::Owner).await?;
    }
    Ok(json::fresh(&ManagedUser::from(user)))
}

/// What could be refused comes first.
fn apply(
    store: &Store,
    user: UserId,
    (role, standing): (Option<Role>, Option<Standing>),
    password: Option<&PasswordHash>,
    keep: Option<SessionId>,
) -> Result<Account, StoreError> {
    if let Some(standing) = standing {
        store.set_standing(user, standing)?;
    }
    if let Some(role) = role {
        store.set_role(user, role)?;
    }
    if let Some(password) = password {
        store.change_password(user, password, keep)?;
    }
    store.user(user)
}

/// Deletes an account with everything in it. A stream that is on the air ends first.
#[utoipa::path(delete, path = "/api/v1/users/{username}", tag = "people", params(("username" = String, Path)),
    responses((status = 204, description = "It is gone"),
        (status = 409, description = "The last owner stays", body = ProblemDocument, content_type = "application/problem+json")))]
async fn delete(state: Shared, Path(username): Path<String>) -> Result<StatusCode, Problem> {
    let user = state.store(move |store| store.user_by_name(&username)).await?;
    delete_account(&state, user.id, EndReason::Owner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes an account; what of it is on the air ends for `reason`.
pub(super) async fn delete_account(state: &State, user: UserId, reason: EndReason) -> Result<(), Problem> {
    // It is the store that says whether something is on the air, in the same transaction; and it refuses the last owner first.
    for _ in 0..STREAMS_AT_ONCE {
        match state.change_accounts(move |store| store.delete_user(user)).await {
            Err(Problem::Site(SiteError::Refused(Refusal::NotEnded { stream }))) => {
                end_stream(state, stream, reason).await?;
            }
            done => {
                done?;
                state.site.live.user_deleted(user).await;
                return Ok(());
            }
        }
    }
    Err(Problem::Site(SiteError::Busy("the account goes live again and again")))
}

/// Ends what an account has on the air.
async fn end_streams(state: &State, user: UserId, reason: EndReason) -> Result<(), Problem> {
    for stream in state.store(Store::unfinished_streams).await? {
        if stream.facts.user == user {
            end_stream(state, stream.facts.id, reason).await?;
        }
    }
    Ok(())
}

async fn end_stream(state: &State, stream: StreamId, reason: EndReason) -> Result<(), Problem> {
    state.site.live.stop(stream, reason).await?;
    Ok(())
}
