//! `GET /api/v1/system`: the daemon and its machine. Everyone gets the time, which the page needs; addresses, names, versions and disks
//! are the owner's.

use super::api::{Api, routes};
use super::caller::Caller;
use super::json::{self, Time};
use super::state::Shared;
use super::wifi;
use axum::response::Response;
use perch_site::appliance::board::BoardReport;
use perch_site::appliance::update::UpdateState;
use perch_store::Role;
use serde::Serialize;
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show))
}

/// Text for a user who is about to go live.
const RESTARTS_SOON: &str = "An update is being installed: the board restarts within a few minutes, which interrupts live streams until it is back.";

#[derive(Serialize, ToSchema)]
struct System {
    /// The daemon's wall time, RFC 3339, for comparison with the client's clock.
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// Conditions that a person should attend to, in words; for streamers and owners, else empty.
    warnings: Vec<String>,
    #[serde(flatten)]
    machine: Option<Machine>,
}

/// For owners, and for the addresses of `[server] metrics_from`.
#[derive(Serialize, ToSchema)]
struct Machine {
    version: &'static str,
    /// Seconds since the daemon's start.
    uptime_seconds: u64,
    /// True if `/api/v1/system/wifi` can choose the board's Wi-Fi network.
    chooses_wifi: bool,
    /// True if `/api/v1/system/update` can install updates of the system.
    takes_updates: bool,
    /// Missing while the daemon shuts down.
    #[serde(flatten)]
    board: Option<BoardReport>,
}

/// The daemon and its machine: the time for everyone, warnings for streamers and owners, the rest for owners and the addresses of
/// `[server] metrics_from`.
#[utoipa::path(get, path = "/api/v1/system", tag = "system",
    responses((status = 200, description = "The report", body = System)))]
pub(super) async fn show(state: Shared, caller: Caller) -> Response {
    let role = caller.actor.role();
    let is_owner = role == Some(Role::Owner) || caller.is_listed;
    let time = Time(state.now());
    if !is_owner && role != Some(Role::Streamer) {
        return json::fresh(&System { time, warnings: Vec::new(), machine: None });
    }
    let axum::extract::State(of_board) = state.clone();
    // Some files of `/sys` query the firmware, which takes time, and a card may stall.
    let mut board = tokio::task::spawn_blocking(move || of_board.last_look.again(&of_board.site)).await.ok();
    if let Some(board) = &mut board {
        board.warnings.extend(state.site.faults.in_words());
        let update = state.site.updates.as_ref().map(|updates| updates.state());
        if matches!(update, Some(UpdateState::Installing | UpdateState::Restarting)) {
            board.warnings.push(RESTARTS_SOON.to_owned());
        }
    }
    let warnings = board.as_mut().map(|board| std::mem::take(&mut board.warnings)).unwrap_or_default();
    let clock = &state.site.clock;
    let machine = is_owner.then(|| Machine {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: clock.monotonic().saturating_sub(state.started).as_secs(),
        takes_updates: state.site.updates.is_some(),
        chooses_wifi: wifi::at_hand(&state).is_ok(),
        board,
    });
    json::fresh(&System { time, warnings, machine })
}
