//! `GET /api/v1/system`: the daemon and the machine under it.

use super::json::{self, Time};
use super::state::{Shared, State};
use super::wifi;
use axum::response::Response;
use perch_site::appliance::board::BoardReport;
use perch_site::appliance::update::UpdateState;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// For whoever is about to go live.
const RESTARTS_SOON: &str = "An update is being installed: the board restarts by itself within a few minutes, and what is live is interrupted until it is back.";

#[derive(Serialize, ToSchema)]
struct System {
    version: &'static str,
    /// Wall time of the daemon, RFC 3339: for the difference to the reader's own clock.
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// Since the daemon's start.
    uptime_seconds: u64,
    /// Which Wi-Fi it is in is chosen here, by `/api/v1/system/wifi`.
    chooses_wifi: bool,
    /// Updates of the system are installed here, by `/api/v1/system/update`.
    takes_updates: bool,
    /// Absent while the daemon ends.
    #[serde(flatten)]
    board: Option<BoardReport>,
}

/// The daemon and the machine under it.
#[utoipa::path(get, path = "/api/v1/system", tag = "system",
    responses((status = 200, description = "How they are", body = System)))]
pub(super) async fn show(state: Shared) -> Response {
    let axum::extract::State(of_board) = state.clone();
    // Some files of `/sys` ask the firmware, which takes its time, and a card may stall.
    let mut board = tokio::task::spawn_blocking(move || of_board.last_look.again(&of_board.site)).await.ok();
    if let Some(board) = &mut board {
        board.warnings.extend(state.site.faults.in_words());
        let update = state.site.updates.as_ref().map(|updates| updates.state());
        if matches!(update, Some(UpdateState::Installing | UpdateState::Restarting)) {
            board.warnings.push(RESTARTS_SOON.to_owned());
        }
    }
    let clock = &state.site.clock;
    json::fresh(&System {
        version: env!("CARGO_PKG_VERSION"),
        time: Time(state.now()),
        uptime_seconds: clock.monotonic().saturating_sub(state.started).as_secs(),
        takes_updates: state.site.updates.is_some(),
        chooses_wifi: wifi::at_hand(&state).is_ok(),
        board,
    })
}
