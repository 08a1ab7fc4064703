//! `/api/v1/settings/other-sites`: which other sites may show the player in a frame, and play public streams.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::Json;
use super::json;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use perch_site::other_sites;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show, change))
}

/// Other sites, each as an origin such as `https://example.org`, or `*` for all.
#[derive(Serialize, ToSchema)]
struct OtherSites {
    /// Sites whose pages may show `/embed/{id}` in a frame.
    frame_ancestors: Vec<String>,
    /// Sites whose scripts may fetch public streams and recordings.
    media_origins: Vec<String>,
}

impl From<&perch_store::OtherSites> for OtherSites {
    fn from(sites: &perch_store::OtherSites) -> Self {
        let perch_store::OtherSites { frame_ancestors, media_origins } = sites.clone();
        Self { frame_ancestors, media_origins }
    }
}

/// Which other sites may show the player, and play public streams.
#[utoipa::path(get, path = "/api/v1/settings/other-sites", tag = "settings",
    responses((status = 200, description = "The lists", body = OtherSites)))]
async fn show(state: Shared, caller: Caller) -> Result<Response, Problem> {
    Ok(json::fresh(&OtherSites::from(&*other_sites::show(&state.site, &caller.actor)?)))
}

/// Changes; a missing list stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OtherSitesChange {
    #[schema(max_items = 50)]
    frame_ancestors: Option<Vec<String>>,
    #[schema(max_items = 50)]
    media_origins: Option<Vec<String>>,
}

/// Changes which other sites may show the player, and play public streams.
#[utoipa::path(patch, path = "/api/v1/settings/other-sites", tag = "settings", request_body = OtherSitesChange,
    responses((status = 200, description = "The lists", body = OtherSites)))]
async fn change(
    state: Shared,
    caller: Caller,
    Json(change): Json<OtherSitesChange>,
) -> Result<Response, Problem> {
    let OtherSitesChange { frame_ancestors, media_origins } = change;
    let change = other_sites::OtherSitesChange { frame_ancestors, media_origins };
    Ok(json::fresh(&OtherSites::from(&*other_sites::change(&state.site, &caller.actor, change).await?)))
}
