//! `/healthz`: the process answers. `/readyz`: the first segment can be served, the store answers, and the card takes writes.
//! `/metrics`: counters, for this machine and its owner (`access`).

use super::not_live::why_nothing_is_live;
use super::problem::Problem;
use super::state::State;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use perch_store::StreamState;
use perch_studio::capture::status::CameraState;
use perch_studio::faults::CARD;
use std::sync::Arc;
use std::time::Duration;

/// A card stalls for 8 s at times; after 10 s without an answer the store counts as hanging.
const STORE_HANGS: Duration = Duration::from_secs(10);

type Text = ([(http::HeaderName, &'static str); 2], &'static str);

const HEADERS: [(http::HeaderName, &str); 2] =
    [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];

/// `GET /healthz`
pub(super) async fn alive() -> Text {
    (HEADERS, "alive\n")
}

/// `GET /readyz`
pub(super) async fn ready(state: axum::extract::State<Arc<State>>) -> Result<Text, Problem> {
    let waits = state.site.store_probe.waits();
    if waits >= STORE_HANGS {
        return Err(Problem::NotReady(format!(
            "the store has not answered for {} s: is the card broken?",
            waits.as_secs()
        )));
    }
    if let Some(words) = state.site.faults.of(CARD) {
        return Err(Problem::NotReady(words));
    }
    let on_air = state.site.live.on_air();
    let on_air = on_air.borrow();
    if on_air.iter().any(|on_air| on_air.state != StreamState::Ended && on_air.hls.is_ready()) {
        return Ok((HEADERS, "ready\n"));
    }
    let running = on_air.iter().find(|on_air| on_air.state != StreamState::Ended);
    let state = running.map_or(CameraState::Stopped, |on_air| on_air.feed.state().borrow().clone());
    Err(Problem::NotReady(why_nothing_is_live(&state)))
}

/// `GET /metrics`
pub(super) async fn metrics(
    state: axum::extract::State<Arc<State>>,
) -> ([(http::HeaderName, &'static str); 2], String) {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")], state.metrics.text())
}
