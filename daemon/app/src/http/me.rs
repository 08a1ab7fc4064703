//! `/api/v1/me`: oneself.

use super::caller::Caller;
use super::json;
use super::problem::Problem;
use super::state::{Shared, State};
use super::users::Me;
use axum::response::Response;
use http::HeaderMap;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// One's own account.
#[utoipa::path(get, path = "/api/v1/me", tag = "me",
    responses((status = 200, description = "The account", body = Me), (status = 304, description = "As before (If-None-Match)")))]
async fn show(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let user = caller.member()?.user;
    let me = state.store(move |store| Me::of(store, user)).await?;
    Ok(json::tagged(&me, &headers))
}
