//! `/api/v1/cameras/{id}/microphone`: how loud a camera's microphone is, whether it keeps time, muting and gain.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use perch_site::microphones::{self, MicrophoneChange};
use perch_studio::capture::microphones::{MicrophoneSettings, MicrophoneState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show, set))
}

/// A camera's microphone.
#[derive(Serialize, ToSchema)]
#[schema(as = Microphone)]
pub(super) struct MicrophoneItem {
    /// The stream's sound is silence.
    muted: bool,
    /// Added to the loudness, dB.
    #[schema(minimum = -30, maximum = 30)]
    gain_db: i32,
    /// The microphone in use; null while there is none, and while the camera is off.
    #[schema(required)]
    device: Option<String>,
    /// What it delivers: `48000 Hz, 2 channels, S16_LE`.
    #[schema(required)]
    format: Option<String>,
    /// In words: why there is no sound, or what is odd with it; empty when all is well.
    detail: String,
    /// By how much its clock is fast, parts per million. Corrected by resampling.
    #[schema(required)]
    drift_ppm: Option<f64>,
    /// Peak of the last third of a second, dBFS, after the gain and before muting; −96 for silence.
    #[schema(required)]
    peak_dbfs: Option<f64>,
    /// Root mean square of the same time, dBFS.
    #[schema(required)]
    rms_dbfs: Option<f64>,
    /// How often silence was put in or sound was cut so that it stays with the picture, since it was plugged in.
    mended: u64,
}

impl From<(MicrophoneSettings, MicrophoneState)> for MicrophoneItem {
    fn from((settings, state): (MicrophoneSettings, MicrophoneState)) -> Self {
        let tenths = |number: f64| (number * 10.0).round() / 10.0;
        Self {
            muted: settings.muted,
            gain_db: settings.gain_db,
            device: state.device,
            format: state.format,
            detail: state.problem.unwrap_or_default(),
            drift_ppm: state.drift_ppm.map(tenths),
            peak_dbfs: state.peak_dbfs.map(|level| tenths(level.into())),
            rms_dbfs: state.rms_dbfs.map(|level| tenths(level.into())),
            mended: state.mended,
        }
    }
}

/// Changes to a microphone; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MicrophoneChange)]
struct Change {
    #[serde(default)]
    muted: Option<bool>,
    #[serde(default)]
    #[schema(minimum = -30, maximum = 30)]
    gain_db: Option<i32>,
}

/// A camera's microphone as it is now.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/microphone", tag = "cameras", params(("id" = String, Path, description = "The camera's name")),
    responses((status = 200, description = "The microphone", body = MicrophoneItem)))]
async fn show(state: Shared, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(json::fresh(&MicrophoneItem::from(microphones::show(&state.site, &caller.actor, &id)?)))
}

/// Mutes a microphone or changes its gain: `{"muted": true, "gain_db": -6}`. It is saved, and heard at once.
#[utoipa::path(patch, path = "/api/v1/cameras/{id}/microphone", tag = "cameras", params(("id" = String, Path, description = "The camera's name")),
    request_body = Change, responses((status = 200, description = "The microphone", body = MicrophoneItem)))]
async fn set(
    state: Shared,
    caller: Caller,
    Path(id): Path<String>,
    Json(Change { muted, gain_db }): Json<Change>,
) -> Result<Response, Problem> {
    let change = MicrophoneChange { muted, gain_db };
    Ok(json::fresh(&MicrophoneItem::from(microphones::set(&state.site, &caller.actor, &id, change).await?)))
}
