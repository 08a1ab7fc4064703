//! `/api/v1/system/update`: uploads an update of the whole system, if this machine installs updates through Perch, and reports
//! its progress.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::Query;
use super::json;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::receiving::{Pace, Terms, receive};
use super::state::{Shared, State};
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use perch_site::SiteError;
use perch_site::appliance::update::{self, UpdateFileError, UpdateState, Updates};
use perch_store::StreamState;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Bytes of an update at most: more than both systems on a card could ever need.
const MOST_BYTES: usize = 768 << 20;
const NO_UPDATE: &str = "this is not a Perch update: choose the file that ends in .update";

const TERMS: Terms = Terms {
    most: MOST_BYTES,
    head: update::HEAD_BYTES,
    look: |head| {
        let is_update = update::looks_like_one(head);
        is_update.then_some(()).ok_or_else(|| Problem::field("update", NO_UPDATE))
    },
    pace: Pace::FILE,
};

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show, take_in))
}

/// The state of an update.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UpdateNow)]
enum Now {
    /// There is none.
    Idle,
    /// It is being uploaded.
    Arriving,
    /// It is being checked, and written beside the running system.
    Installing,
    /// It is written; the board restarts into it.
    Restarting,
    /// The running system is on trial.
    Trial,
    /// The trial succeeded: the system is kept.
    Kept,
    /// Nothing was changed.
    Refused,
    /// Nothing was changed, because the update is older than the running system: `may_be_older` installs it all the same.
    Older,
    /// It did not become ready: the previous system runs again.
    Left,
}

/// The last update's state.
#[derive(Serialize, ToSchema)]
struct UpdateReport {
    state: Now,
    /// Why it was refused, also as too old.
    problem: Option<String>,
}

/// The last update's state or result.
#[utoipa::path(get, path = "/api/v1/system/update", tag = "system",
    responses((status = 200, description = "The report", body = UpdateReport),
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
        UpdateState::Older(why) => (Now::Older, Some(why)),
        UpdateState::Left => (Now::Left, None),
    };
    Ok(json::fresh(&UpdateReport { state, problem }))
}

/// What the owner says of the update.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wishes {
    /// True: it is installed although it is older than the running system, whose mended faults come back with it.
    #[serde(default)]
    may_be_older: bool,
}

/// Uploads and installs an update: it is checked and written beside the running system, and the board restarts into it within
/// minutes. If Perch becomes ready in it, it is kept; otherwise the board returns to the previous system. Refused while a stream
/// is on the air, because it would be interrupted. An update that is older than the running system is not installed (state `older`),
/// unless `may_be_older` is true.
#[utoipa::path(put, path = "/api/v1/system/update", tag = "system", params(Wishes),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, description = "It has arrived, and is being installed"),
        (status = 404, description = "This machine takes no updates through Perch", body = inline(ProblemDocument), content_type = "application/problem+json"),
        (status = 409, description = "A stream is on the air, or another update is in progress", body = inline(ProblemDocument), content_type = "application/problem+json")))]
async fn take_in(
    state: Shared,
    caller: Caller,
    Query(wishes): Query<Wishes>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let updates = at_hand(&state)?.clone();
    let username = caller.member()?.username.clone();
    refuse_on_air(&state)?;
    let begun = tokio::task::spawn_blocking(move || updates.begin()).await;
    let (incoming, file) = begun.map_err(|error| Problem::internal(&error))??;
    let file = receive(request.into_body(), file, &TERMS).await?;
    // A stream may have started during the upload.
    refuse_on_air(&state)?;
    let handed_over = tokio::task::spawn_blocking(move || {
        incoming.hand_over(&file, wishes.may_be_older)?;
        tracing::info!("{username} installs an update");
        Ok::<_, UpdateFileError>(())
    });
    handed_over.await.map_err(|error| Problem::internal(&error))??;
    Ok(StatusCode::ACCEPTED)
}

/// The updates, if this machine takes them.
fn at_hand(state: &State) -> Result<&Arc<Updates>, Problem> {
    state.site.updates.as_ref().ok_or(Problem::NotFound)
}

/// Refuses while a stream is on the air.
fn refuse_on_air(state: &State) -> Result<(), Problem> {
    let on_air = state.site.live.on_air();
    let is_on_air = on_air.borrow().iter().any(|stream| stream.state != StreamState::Ended);
    if is_on_air { Err(Problem::Site(SiteError::OnAir)) } else { Ok(()) }
}
