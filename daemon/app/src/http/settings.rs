//! `/api/v1/settings`: what the owner has decided for the site.

use super::json;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::HeaderMap;
use perch_store::{Registration, StoreError};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// What everybody may know of the site's settings.
#[derive(Serialize, ToSchema)]
struct Settings {
    site_name: String,
    /// Who may register: `open`, `approval` (the owner approves) or `closed`.
    #[schema(value_type = String)]
    registration: Registration,
    /// There is no owner yet: `/api/v1/setup` makes one.
    needs_setup: bool,
}

/// What the site calls itself, who may register, and whether it must be set up first.
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings",
    responses((status = 200, description = "The settings", body = Settings), (status = 304, description = "As before (If-None-Match)")))]
async fn show(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    let settings = state.store(|store| {
        let settings = store.settings()?;
        let needs_setup = !store.has_owner()?;
        Ok::<_, StoreError>(Settings {
            site_name: settings.site_name,
            registration: settings.registration,
            needs_setup,
        })
    });
    Ok(json::tagged(&settings.await?, &headers))
}
