//! `/api/v1/settings`: the owner's settings for the site.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::Json;
use super::json;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::HeaderMap;
use perch_site::settings;
use perch_store::{Registration, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show, change))
}

/// The site's settings.
#[derive(Serialize, ToSchema)]
struct Settings {
    site_name: String,
    /// Who may register: `open`, `approval` (the owner approves) or `closed`.
    #[schema(value_type = String)]
    registration: Registration,
    /// The role of a newly registered account: `viewer` or `streamer`.
    #[schema(value_type = String)]
    new_user_role: Role,
    /// True if streamers may publish from other programs, by RTMP.
    ingest: bool,
    retention: Retention,
    /// True if there is no owner yet: `/api/v1/setup` creates one.
    needs_setup: bool,
}

/// How long things are kept: days, 0 for ever.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the interface has the unit in each name")]
struct Retention {
    /// Ended streams without a recording, with their chats: after their end.
    unrecorded_stream_days: u32,
    /// Chats of other streams: after the stream's end.
    chat_days: u32,
    /// Notifications.
    notification_days: u32,
    /// Mutes and bans: after they ended.
    restriction_days: u32,
    /// Logins that nobody uses; they end after 30 days in any case.
    login_days: u32,
}

impl From<perch_store::Retention> for Retention {
    fn from(retention: perch_store::Retention) -> Self {
        Self {
            unrecorded_stream_days: retention.unrecorded_stream_days,
            chat_days: retention.chat_days,
            notification_days: retention.notification_days,
            restriction_days: retention.restriction_days,
            login_days: retention.login_days,
        }
    }
}

impl From<settings::Settings> for Settings {
    fn from(settings: settings::Settings) -> Self {
        let perch_store::Settings { site_name, registration, new_user_role, .. } = settings.decided;
        let (ingest, needs_setup) = (settings.is_ingest_on, settings.needs_setup);
        let retention = settings.retention.into();
        Self { site_name, registration, new_user_role, ingest, retention, needs_setup }
    }
}

/// The site's name, who may register, and whether it needs setup.
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings",
    responses((status = 200, description = "The settings", body = Settings), (status = 304, description = "Unchanged (If-None-Match)")))]
async fn show(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(json::tagged(&Settings::from(settings::show(&state.site).await?), &headers))
}

/// Changes to the settings; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    #[schema(min_length = 1, max_length = 50)]
    site_name: Option<String>,
    /// `open`, `approval` or `closed`.
    #[schema(value_type = Option<String>)]
    registration: Option<Registration>,
    /// `viewer` or `streamer`.
    #[schema(value_type = Option<String>)]
    new_user_role: Option<Role>,
    /// Whether streamers may publish from other programs, by RTMP.
    ingest: Option<bool>,
    #[serde(default)]
    retention: RetentionChange,
}

/// Changes to how long things are kept: days, 0 for ever; missing fields keep their value.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the interface has the unit in each name")]
struct RetentionChange {
    #[schema(maximum = 36_500)]
    unrecorded_stream_days: Option<u32>,
    #[schema(maximum = 36_500)]
    chat_days: Option<u32>,
    #[schema(maximum = 36_500)]
    notification_days: Option<u32>,
    #[schema(maximum = 36_500)]
    restriction_days: Option<u32>,
    #[schema(maximum = 36_500)]
    login_days: Option<u32>,
}

impl From<RetentionChange> for settings::RetentionChange {
    fn from(change: RetentionChange) -> Self {
        let RetentionChange {
            unrecorded_stream_days,
            chat_days,
            notification_days,
            restriction_days,
            login_days,
        } = change;
        Self { unrecorded_stream_days, chat_days, notification_days, restriction_days, login_days }
    }
}

/// Changes the settings.
#[utoipa::path(patch, path = "/api/v1/settings", tag = "settings", request_body = SettingsChange,
    responses((status = 200, description = "The settings", body = Settings)))]
async fn change(
    state: Shared,
    caller: Caller,
    Json(change): Json<SettingsChange>,
) -> Result<Response, Problem> {
    let SettingsChange { site_name, registration, new_user_role, ingest, retention } = change;
    let retention = retention.into();
    let change = settings::SettingsChange { site_name, registration, new_user_role, ingest, retention };
    let settings = settings::change(&state.site, &caller.actor, change).await?;
    Ok(json::fresh(&Settings::from(settings)))
}
