//! `/api/v1/cameras`: every camera with its state in words, the reasons for its mode and encoder, and its abilities.

use super::api::{Api, routes};
use super::caller::Caller;
use super::controls::ControlItem;
use super::input::Path;
use super::json;
use super::microphones::MicrophoneItem;
use super::people::UserRef;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::HeaderMap;
use perch_site::cameras::{self, Holder};
use perch_site::microphones;
use perch_studio::capture::ability::{Ability, AbleMode, AnySize, Steps};
use perch_studio::capture::status::{CameraState, SelfTest};
use perch_studio::config::SourceKind;
use perch_studio::live::LiveCamera;
use serde::Serialize;
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list)).routes(routes!(show))
}

/// A list in the form of all lists of the API; there are never enough cameras for several pages.
#[derive(Serialize, ToSchema)]
#[schema(as = CameraList)]
struct List {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ListedCamera)]
struct Item {
    /// The same as its name.
    id: String,
    name: String,
    /// The configured source.
    #[schema(value_type = String)]
    source: SourceKind,
    /// `starting`, `live`, `waiting`, `stopped`.
    state: &'static str,
    /// In words: what is missing, or keeps some viewers from seeing it, with the remedy; empty when all is well.
    detail: String,
    /// The running camera; null until one runs.
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
    /// The id of the stream that uses it, if the caller may know it.
    #[schema(required)]
    stream: Option<String>,
    /// The user of that stream.
    #[schema(required)]
    user: Option<UserRef>,
    #[serde(flatten)]
    self_test: SelfTest,
}

/// A camera and what can be requested of it.
#[derive(Serialize, ToSchema)]
struct Camera {
    #[serde(flatten)]
    item: Item,
    /// Null while the camera is missing; `detail` says why.
    #[schema(required)]
    ability: Option<AbilityItem>,
    /// The picture's controls; empty if there are none.
    controls: Vec<ControlItem>,
    microphone: MicrophoneItem,
}

/// The abilities that a stream may request of the camera.
#[derive(Serialize, ToSchema)]
#[schema(as = Ability)]
struct AbilityItem {
    /// Sizes, largest first.
    modes: Vec<ModeItem>,
    /// A range in which every size can be requested, in addition to the modes.
    #[schema(required)]
    sizes: Option<Sizes>,
    bitrate_kbps: Bounds,
}

/// A size in pixels, and its frame rates, highest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Mode)]
struct ModeItem {
    width: u32,
    height: u32,
    frames_per_second: Vec<u32>,
}

/// A range of sizes in pixels, and the frame rates, highest first.
#[derive(Serialize, ToSchema)]
struct Sizes {
    width: Range,
    height: Range,
    frames_per_second: Vec<u32>,
}

/// Numbers from `min` to `max`, in steps of `step`.
#[derive(Serialize, ToSchema)]
struct Range {
    min: u32,
    max: u32,
    step: u32,
}

/// Numbers from `min` to `max`.
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

/// Every camera with its state, and the reasons for its mode and encoder.
#[utoipa::path(get, path = "/api/v1/cameras", tag = "cameras",
    responses((status = 200, description = "The cameras", body = List), (status = 304, description = "Unchanged (If-None-Match)")))]
pub(super) async fn list(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let cameras = cameras::list(&state.site, &caller.actor).await?;
    let items = cameras.into_iter().map(|(camera, holder)| Item::new(camera, holder.as_ref())).collect();
    Ok(json::tagged(&List { items, next_cursor: None }, &headers))
}

/// A camera with its abilities, and the reasons for its mode and encoder.
#[utoipa::path(get, path = "/api/v1/cameras/{id}", tag = "cameras", params(("id" = String, Path, description = "The camera's name")),
    responses((status = 200, description = "The camera", body = Camera), (status = 304, description = "Unchanged (If-None-Match)")))]
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
        microphone: microphones::of(&state.site, found.camera).into(),
    };
    Ok(json::tagged(&camera, &headers))
}
