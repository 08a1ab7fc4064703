//! `/api/v1/settings`: what the owner has decided for the site.

use super::input::Json;
use super::json;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::HeaderMap;
use perch_site::text;
use perch_store::{Registration, Role, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Of the site's name: it stands in the page's title.
const SITE_NAME_CHARACTERS: RangeInclusive<usize> = 1..=50;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(show, change))
}

/// The site's settings.
#[derive(Serialize, ToSchema)]
struct Settings {
    site_name: String,
    /// Who may register: `open`, `approval` (the owner approves) or `closed`.
    #[schema(value_type = String)]
    registration: Registration,
    /// What a newly registered account may do: `viewer` or `streamer`.
    #[schema(value_type = String)]
    new_user_role: Role,
    /// There is no owner yet: `/api/v1/setup` makes one.
    needs_setup: bool,
}

impl Settings {
    fn of(store: &Store) -> Result<Self, StoreError> {
        let perch_store::Settings { site_name, registration, new_user_role } = store.settings()?;
        Ok(Self { site_name, registration, new_user_role, needs_setup: !store.has_owner()? })
    }
}

/// What the site calls itself, who may register, and whether it must be set up first.
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings",
    responses((status = 200, description = "The settings", body = Settings), (status = 304, description = "As before (If-None-Match)")))]
async fn show(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(json::tagged(&state.store(Settings::of).await?, &headers))
}

/// What to change of the settings; what is missing stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    #[schema(min_length = 1, max_length = 50)]
    site_name: Option<String>,
    /// `open`, `approval` or `closed`.
    #[schema(value_type = Option<String>)]
    registration: Option<Registration>,
    /// `viewer` or `streamer`.
    #[schema(value_type = Option<String>)]
    new_user_role: Option<Role>,
}

/// Changes the settings.
#[utoipa::path(patch, path = "/api/v1/settings", tag = "settings", request_body = SettingsChange,
    responses((status = 200, description = "The settings", body = Settings)))]
async fn change(state: Shared, Json(change): Json<SettingsChange>) -> Result<Response, Problem> {
    let site_name =
        change.site_name.map(|name| text::name("site_name", &name, SITE_NAME_CHARACTERS)).transpose()?;
    if change.new_user_role == Some(Role::Owner) {
        return Err(Problem::field(
            "new_user_role",
            "must be viewer or streamer: nobody registers as an owner",
        ));
    }
    let changed = state.store(move |store| {
        store.change_settings(|settings| {
            settings.site_name = site_name.unwrap_or_else(|| std::mem::take(&mut settings.site_name));
            settings.registration = change.registration.unwrap_or(settings.registration);
            settings.new_user_role = change.new_user_role.unwrap_or(settings.new_user_role);
        })?;
        Settings::of(store)
    });
    Ok(json::fresh(&changed.await?))
}
