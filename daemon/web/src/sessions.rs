//! `/api/v1/me/sessions` and `/api/v1/me/password`: the caller's logins and password.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json::{self, Time};
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::StatusCode;
use perch_site::accounts::secret::Password;
use perch_site::{password, sessions};
use perch_store::{Session, SessionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list)).routes(routes!(close)).routes(routes!(change_password))
}

/// The caller's logins; they are never enough for several pages.
#[derive(Serialize, ToSchema)]
struct Sessions {
    items: Vec<Login>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A login.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct Login {
    #[schema(value_type = String)]
    id: SessionId,
    /// Browser and address.
    label: String,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Time,
    /// When it was last used, to within 15 minutes.
    #[schema(value_type = String, format = DateTime)]
    refreshed_at: Time,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
    /// True for the login that makes this request.
    is_current: bool,
}

impl Login {
    fn new(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            label: session.label,
            opened_at: Time(session.opened_at),
            refreshed_at: Time(session.refreshed_at),
            expires_at: Time(session.expires_at),
            is_current: Some(session.id) == current,
        }
    }
}

/// The caller's logins, newest first.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "me", responses((status = 200, description = "The logins", body = Sessions)))]
async fn list(state: Shared, caller: Caller) -> Result<Response, Problem> {
    let current = caller.login().and_then(|login| login.session);
    let sessions = sessions::list(&state.site, &caller.actor).await?;
    let items = sessions.into_iter().map(|session| Login::new(session, current)).collect();
    Ok(json::fresh(&Sessions { items, next_cursor: None }))
}

/// Closes one of the caller's logins.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "me", params(("id" = String, Path, description = "The login's id")),
    responses((status = 204, description = "It is closed")))]
async fn close(state: Shared, caller: Caller, Path(id): Path<SessionId>) -> Result<StatusCode, Problem> {
    sessions::close(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The old and the new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    #[schema(value_type = String, format = Password, max_length = 1024)]
    password: Password,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    new_password: Password,
}

/// Changes the password, and closes all other logins.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "me", request_body = PasswordChange,
    responses((status = 204, description = "The password is changed, all other logins are closed")))]
async fn change_password(
    state: Shared,
    caller: Caller,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let PasswordChange { password, new_password } = change;
    password::change(&state.site, &caller.actor, password, new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}
