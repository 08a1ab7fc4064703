//! `/api/v1/system/update`: takes an update of the whole system in, where this machine installs updates through Perch, and tells how it goes.

use super::caller::Caller;
use super::json;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::receiving::{Terms, receive};
use super::state::{Shared, State};
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use perch_site::SiteError;
use perch_site::appliance::update::{self, UpdateFileError, UpdateState, Updates};
use perch_store::StreamState;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Larger than both of a card's systems could ever be.
const MOST_BYTES: usize = 768 << 20;
const NO_UPDATE: &str = "this is no update of Perch: choose the file that ends in .update";

const TERMS: Terms = Terms {
    most: MOST_BYTES,
    head: update::HEAD_BYTES,
    look: |head| {
        let is_update = update::looks_like_one(head);
        is_update.then_some(()).ok_or_else(|| Problem::field("update", NO_UPDATE))
    },
};

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(show, take_in))
}

/// Where an update is.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Now {
    /// There is none.
    Idle,
    /// Somebody sends one.
    Arriving,
    /// It is checked, and written beside the system that runs.
    Installing,
    /// It is written; the board restarts into it.
    Restarting,
    /// The system that runs is on trial.
    Trial,
    /// It has passed, and is kept.
    Kept,
    /// Nothing was changed.
    Refused,
    /// It did not become ready: the system from before runs again.
    Left,
}

/// How the last update goes, or went.
#[derive(Serialize, ToSchema)]
struct UpdateReport {
    state: Now,
    /// Why it was refused.
    problem: Option<String>,
}

/// How the last update goes, or what came of it.
#[utoipa::path(get, path = "/api/v1/system/update", tag = "system",
    responses((status = 200, description = "How it goes", body = UpdateReport),
        (status = 404, description = "This machine takes no updates through Perch", body = inline(ProblemDocument), content_type = "application/problem+json")))]
async fn show(state: Shared) -> Result<Response, Problem> {
    let (state, problem) = match at_hand(&state)?.state() {
        UpdateState::Idle => (Now::Idle, None),
        UpdateState::Arriving => (Now::Arriving, None),
        UpdateState::Installing => (Now::Installing, None),
        UpdateState::Restarting => (Now::Restarting, None),
        UpdateState::Trial => (Now::Trial, None),
        UpdateState::Kept => (Now::Kept, None),
        UpdateState::Refused(why) => (Now::Refused, Some(why)),
        UpdateState::Left => (Now::Left, None),
    };
    Ok(json::fresh(&UpdateReport { state, problem }))
}

/// Takes an update in and has it installed: it is checked and written beside the system that runs, and the board restarts into it within minutes. When
/// Perch becomes ready in it, it is kept; otherwise the board comes back to the system from before. Refused while a stream is on the air: it would end.
#[utoipa::path(put, path = "/api/v1/system/update", tag = "system",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, description = "It has arrived, and is being installed"),
        (status = 404, description = "This machine takes no updates through Perch", body = inline(ProblemDocument), content_type = "application/problem+json"),
        (status = 409, description = "A stream is on the air, or another update is on its way", body = inline(ProblemDocument), content_type = "application/problem+json")))]
async fn take_in(state: Shared, caller: Caller, request: Request) -> Result<StatusCode, Problem> {
    let updates = at_hand(&state)?.clone();
    let username = caller.member()?.username.clone();
    refuse_on_air(&state)?;
    let begun = tokio::task::spawn_blocking(move || updates.begin()).await;
    let (incoming, file) = begun.map_err(|error| Problem::internal(&error))??;
    let file = receive(request.into_body(), file, &TERMS).await?;
    // Somebody may have gone live while it came.
    refuse_on_air(&state)?;
    let handed_over = tokio::task::spawn_blocking(move || {
        incoming.hand_over(&file)?;
        tracing::info!("{username} installs an update");
        Ok::<_, UpdateFileError>(())
    });
    handed_over.await.map_err(|error| Problem::internal(&error))??;
    Ok(StatusCode::ACCEPTED)
}

/// Where this machine takes them.
fn at_hand(state: &State) -> Result<&Arc<Updates>, Problem> {
    state.site.updates.as_ref().ok_or(Problem::NotFound)
}

/// Nobody's stream ends by surprise.
fn refuse_on_air(state: &State) -> Result<(), Problem> {
    let on_air = state.site.live.on_air();
    let is_on_air = on_air.borrow().iter().any(|stream| stream.state != StreamState::Ended);
    if is_on_air { Err(Problem::Site(SiteError::OnAir)) } else { Ok(()) }
}
