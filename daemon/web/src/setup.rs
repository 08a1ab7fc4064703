//! `POST /api/v1/setup`: makes the owner, once, for whoever has the setup code.

use super::auth::{self, LoggedIn};
use super::caller::Caller;
use super::input::Json;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use perch_site::SiteError;
use perch_site::accounts::secret::Password;
use perch_store::NewUser;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What guesses at the code are counted under; no username has a space.
const SUBJECT: &str = "setup code";

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(set_up))
}

/// The first owner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOwner {
    /// From perchd's log, or `perchd setup-code`.
    #[schema(max_length = 64)]
    setup_code: String,
    #[schema(min_length = 1, max_length = 20)]
    username: String,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: Password,
}

/// Makes the owner, and logs in.
#[utoipa::path(post, path = "/api/v1/setup", tag = "accounts", request_body = NewOwner,
    responses((status = 201, description = "The owner is made and logged in", body = LoggedIn),
        (status = 409, description = "There is an owner already", body = inline(crate::openapi::ProblemDocument), content_type = "application/problem+json")))]
async fn set_up(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
    Json(setup): Json<NewOwner>,
) -> Result<Response, Problem> {
    if state.store(perch_store::Store::has_owner).await? {
        return Err(perch_store::Refusal::OwnerExists.into());
    }
    // Counted for each address alone: strangers on the LAN must not be able to keep the owner from setting up.
    let attempt = state.accounts().attempts.begin(SUBJECT, caller.address(), true)?;
    if !state.accounts().setup_code.is(&setup.setup_code) {
        return Err(Problem::Site(SiteError::WrongSetupCode));
    }
    attempt.succeeded();
    let (username, password) = auth::checked(&setup.username, setup.password)?;
    let new = NewUser {
        username,
        full_name: String::new(),
        email: String::new(),
        password: state.accounts().passwords.hash(password).await?,
    };
    let (accounts, now) = (state.site.accounts.clone(), state.now());
    let owner = state
        .change_accounts(move |store| {
            let owner = store.create_owner(&new, now)?;
            accounts.setup_code.forget();
            Ok::<_, perch_store::StoreError>(owner)
        })
        .await?;
    tracing::info!("{} has set Perch up", owner.username);
    auth::log_in(&state, &caller, &headers, owner.id, StatusCode::CREATED).await
}
