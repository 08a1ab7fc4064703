//! `GET /api/v1/system`: the daemon and the machine under it.

use super::json;
use super::router::State;
use crate::system::board::BoardReport;
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Serialize)]
struct System {
    version: &'static str,
    /// Wall time of the daemon, RFC 3339: for the difference to the reader's own clock.
    time: String,
    /// Since the daemon's start.
    uptime_seconds: u64,
    /// Absent while the daemon ends.
    #[serde(flatten)]
    board: Option<BoardReport>,
}

/// `GET /api/v1/system`
pub(super) async fn show(state: axum::extract::State<Arc<State>>) -> Response {
    let board = state.site.board.clone();
    // Some files of `/sys` ask the firmware, which takes its time.
    let board = tokio::task::spawn_blocking(move || board.report()).await.ok();
    let clock = &state.site.clock;
    let time = OffsetDateTime::from(clock.wall());
    let system = System {
        version: env!("CARGO_PKG_VERSION"),
        time: time.format(&Rfc3339).expect("years of today are four digits long"),
        uptime_seconds: clock.monotonic().saturating_sub(state.started).as_secs(),
        board,
    };
    json::fresh(&system)
}
