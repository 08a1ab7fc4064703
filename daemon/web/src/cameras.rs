//! `/api/v1/cameras`: every camera, how it is doing in words, why it runs the way it does, and what can be asked of it.

use super::caller::Caller;
use super::controls::ControlItem;
use super::input::Path;
use super::json;
use super::people::UserRef;
use super::problem::Problem;
use super::state::{Shared, State};
use axum::response::Response;
use http::HeaderMap;
use perch_site::cameras::{self, Holder};
use perch_studio::capture::ability::{Ability, AbleMode, AnySize, Steps};
use perch_studio::capture::status::{CameraState, SelfTest};
use perch_studio::config::SourceKind;
use perch_studio::live::LiveCamera;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// A list as all lists of the API are; there are never so many cameras that they need pages.
#[derive(Serialize, ToSchema)]
#[schema(as = CameraList)]
struct List {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Camera)]
struct Item {
    /// The same as its name.
    id: String,
    name: String,
    /// What the configuration asks for.
    #[schema(value_type = String)]
    source: SourceKind,
    /// `starting`, `live`, `waiting`, `stopped`.
    state: &'static str,
    /// In words: what is missing, with the way out; empty when live.
    detail: String,
    /// What runs; absent (null) until something does.
    #[schema(required)]
    camera: Option<String>,
    #[schema(required)]
    encoder: Option<String>,
    #[schema(required)]
    width: Option<u32>,
    #[schema(required)]
    height: Option<u32>,
    #[schema(required)]
    frames_per_second: Option<f64>,
    /// The id of the stream that has it, where the caller may know of one.
    #[schema(required)]
    stream: Option<String>,
    /// Whose stream that is.
    #[schema(required)]
    user: Option<UserRef>,
    #[serde(flatten)]
    self_test: SelfTest,
}

/// A camera and what can be asked of it.
#[derive(Serialize, ToSchema)]
struct Camera {
    #[serde(flatten)]
    item: Item,
    /// Null while the camera is not there; `detail` says what is the matter.
    #[schema(required)]
    ability: Option<AbilityItem>,
    /// What can be set of the picture; empty where nothing can.
    controls: Vec<ControlItem>,
}

/// What a stream may ask of the camera.
#[derive(Serialize, ToSchema)]
#[schema(as = Ability)]
struct AbilityItem {
    /// Sizes to choose from, largest first.
    modes: Vec<ModeItem>,
    /// Every size within a range can be asked for, beside the modes.
    #[schema(required)]
    sizes: Option<Sizes>,
    bitrate_kbps: Bounds,
}

/// A size, pixels, and how many frames per second there may be of it, highest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Mode)]
struct ModeItem {
    width: u32,
    height: u32,
    frames_per_second: Vec<u32>,
}

/// A range of sizes, pixels, and the frames per second to choose from, highest first.
#[derive(Serialize, ToSchema)]
struct Sizes {
    width: Range,
    height: Range,
    frames_per_second: Vec<u32>,
}

/// Numbers from `min` to `max`, `step` apart.
#[derive(Serialize, ToSchema)]
struct Range {
    min: u32,
    max: u32,
    step: u32,
}

/// From `min` to `max`.
#[derive(Serialize, ToSchema)]
struct Bounds {
    min: u32,
    max: u32,
}

impl Item {
    fn new(info: &LiveCamera, holder: Option<&Holder>) -> Self {
        let state = info.handle().state().borrow().clone();
        let (word, detail, running) = match state {
            CameraState::Starting => ("starting", String::new(), None),
            CameraState::Live { source, advice } => ("live", advice.unwrap_or_default(), Some(source)),
            CameraState::Waiting { reason } => ("waiting", reason, None),
            CameraState::Stopped => ("stopped", String::new(), None),
        };
        Self {
            id: info.config.name.clone(),
            name: info.config.name.clone(),
            source: info.config.source,
            self_test: info.self_test.borrow().clone(),
            state: word,
            detail,
            stream: holder.map(|holder| holder.stream.to_string()),
            user: holder.map(|holder| UserRef::from(&holder.user)),
            width: running.as_ref().map(|source| source.width),
            height: running.as_ref().map(|source| source.height),
            frames_per_second: running.as_ref().map(|source| source.frames_per_second),
            encoder: running.as_ref().map(|source| source.encoder.clone()),
            camera: running.map(|source| source.camera),
        }
    }
}

impl From<Ability> for AbilityItem {
    fn from(ability: Ability) -> Self {
        let mode = |mode: &AbleMode| ModeItem {
            width: mode.width,
            height: mode.height,
            frames_per_second: mode.rates.offered(),
        };
        let range = |steps: Steps| Range { min: steps.least, max: steps.most, step: steps.step };
        let sizes = |any: AnySize| Sizes {
            width: range(any.width),
            height: range(any.height),
            frames_per_second: any.rates.offered(),
        };
        let (min, max) = ability.bitrate_kbps.into_inner();
        Self {
            modes: ability.modes.iter().map(mode).collect(),
            sizes: ability.any_size.map(sizes),
            bitrate_kbps: Bounds { min, max },
        }
    }
}

/// Every camera, how it is doing, and why it runs the way it does.
#[utoipa::path(get, path = "/api/v1/cameras", tag = "cameras",
    responses((status = 200, description = "The cameras", body = List), (status = 304, description = "As before (If-None-Match)")))]
pub(super) async fn list(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let cameras = cameras::list(&state.site, &caller.actor).await?;
    let items = cameras.into_iter().map(|(camera, holder)| Item::new(camera, holder.as_ref())).collect();
    Ok(json::tagged(&List { items, next_cursor: None }, &headers))
}

/// A camera, what can be asked of it, and why it runs the way it does.
#[utoipa::path(get, path = "/api/v1/cameras/{id}", tag = "cameras", params(("id" = String, Path, description = "The camera's name")),
    responses((status = 200, description = "The camera", body = Camera), (status = 304, description = "As before (If-None-Match)")))]
async fn show(
    state: Shared,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = cameras::show(&state.site, &caller.actor, &id).await?;
    let camera = Camera {
        item: Item::new(found.camera, found.holder.as_ref()),
        ability: found.ability.map(AbilityItem::from),
        controls: found.controls.into_iter().map(ControlItem::from).collect(),
    };
    Ok(json::tagged(&camera, &headers))
}
