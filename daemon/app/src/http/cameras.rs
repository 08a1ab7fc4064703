//! `GET /api/v1/cameras`: every camera, how it is doing in words, and why it runs the way it does.

use super::json;
use super::state::{CameraInfo, Shared, State};
use crate::capture::status::{CameraState, SelfTest};
use crate::config::SourceKind;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A list as all lists of the API are; there are never so many cameras that they need pages.
#[derive(Serialize)]
struct List {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Item {
    name: String,
    /// What the configuration asks for.
    source: SourceKind,
    /// `starting`, `live`, `waiting`, `stopped`.
    state: &'static str,
    /// In words: what is missing, with the way out; empty when live.
    detail: String,
    /// What runs; absent (null) until something does.
    camera: Option<String>,
    encoder: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    frames_per_second: Option<f64>,
    #[serde(flatten)]
    self_test: SelfTest,
}

impl From<&CameraInfo> for Item {
    fn from(info: &CameraInfo) -> Self {
        let state = info.handle.state().borrow().clone();
        let (word, detail, running) = match state {
            CameraState::Starting => ("starting", String::new(), None),
            CameraState::Live { source } => ("live", String::new(), Some(source)),
            CameraState::Waiting { reason } => ("waiting", reason, None),
            CameraState::Stopped => ("stopped", String::new(), None),
        };
        Self {
            name: info.handle.name().to_owned(),
            source: info.config.source,
            self_test: info.self_test.borrow().clone(),
            state: word,
            detail,
            width: running.as_ref().map(|source| source.width),
            height: running.as_ref().map(|source| source.height),
            frames_per_second: running.as_ref().map(|source| source.frames_per_second),
            encoder: running.as_ref().map(|source| source.encoder.clone()),
            camera: running.map(|source| source.camera),
        }
    }
}

/// Every camera, how it is doing, and why it runs the way it does.
#[utoipa::path(get, path = "/api/v1/cameras", tag = "cameras",
    responses((status = 200, description = "The cameras", body = serde_json::Value), (status = 304, description = "As before (If-None-Match)")))]
pub(super) async fn list(state: Shared, headers: HeaderMap) -> Response {
    let list = List { items: state.site.cameras.iter().map(Item::from).collect(), next_cursor: None };
    json::tagged(&list, &headers)
}
