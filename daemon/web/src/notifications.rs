//! `/api/v1/me/notifications`: the caller's notifications. `events` delivers them live.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Query};
use super::json::{self, Time};
use super::list::{List, Page};
use super::people::UserRef;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use perch_site::notifications::{self, Told};
use perch_store::{EndReason, NotificationId, NotificationKind, RecordingTrouble, StreamId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(list)).routes(routes!(read))
}

/// A notification.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Notification {
    #[schema(value_type = String)]
    id: NotificationId,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    read: bool,
    /// `went_live`: a followed user went live; `followed`: a user follows the caller; `stream_stopped`: the caller's stream was
    /// stopped by something else; `recording_paused`: a stream that is to be recorded is not for now, though it may go on;
    /// `recording_went_on`: it is recorded again (both go to the stream's user and to owners); `account_waiting`: an account waits for
    /// an owner's approval (to owners).
    kind: &'static str,
    /// Who went live, follows or waits, or whose recording it is.
    #[schema(required)]
    by: Option<UserRef>,
    /// The stream.
    #[schema(required)]
    stream: Option<StreamRef>,
    /// What stopped the stream: `owner`, `button`, `disk`. What keeps the recording from growing: `no_room`, `read_only`, `missing` (its
    /// disk), `not_allowed`, `failing`.
    #[schema(required, value_type = Option<String>)]
    reason: Option<Reason>,
}

/// Why something stopped.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Reason {
    Stream(EndReason),
    Recording(RecordingTrouble),
}

/// A stream, in short.
#[derive(Debug, Serialize, ToSchema)]
struct StreamRef {
    #[schema(value_type = String)]
    id: StreamId,
    title: String,
}

impl From<Told> for Notification {
    fn from(told: Told) -> Self {
        let (kind, reason) = match told.notification.kind {
            NotificationKind::WentLive { .. } => ("went_live", None),
            NotificationKind::Followed { .. } => ("followed", None),
            NotificationKind::AccountWaiting { .. } => ("account_waiting", None),
            NotificationKind::StreamStopped { reason, .. } => {
                ("stream_stopped", Some(Reason::Stream(reason)))
            }
            NotificationKind::RecordingPaused { trouble, .. } => {
                ("recording_paused", Some(Reason::Recording(trouble)))
            }
            NotificationKind::RecordingWentOn { .. } => ("recording_went_on", None),
        };
        Self {
            id: told.notification.id,
            at: Time(told.notification.at),
            read: told.notification.read,
            kind,
            by: told.by.as_ref().map(UserRef::from),
            stream: told.stream.map(|stream| StreamRef { id: stream.facts.id, title: stream.details.title }),
            reason,
        }
    }
}

/// The caller's notifications, newest first; the newest 200 are kept.
#[utoipa::path(get, path = "/api/v1/me/notifications", tag = "me", params(Page),
    responses((status = 200, description = "The notifications", body = List<Notification>)))]
async fn list(state: Shared, caller: Caller, Query(page): Query<Page>) -> Result<Response, Problem> {
    let asked = page.asked::<NotificationId>()?;
    let told = notifications::list(&state.site, &caller.actor, asked.before, asked.and_one()).await?;
    Ok(json::fresh(&List::of(told, &asked, |told| told.notification.id, Notification::from)))
}

/// The notifications to mark as read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReadUpTo {
    /// The last notification that was read; all if missing.
    #[schema(value_type = Option<String>)]
    last: Option<NotificationId>,
}

/// Number of unread notifications.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Unread {
    pub(super) unread: usize,
}

/// Marks notifications as read.
#[utoipa::path(post, path = "/api/v1/me/notifications/read", tag = "me", request_body = ReadUpTo,
    responses((status = 200, description = "How many are left", body = Unread)))]
async fn read(state: Shared, caller: Caller, Json(up_to): Json<ReadUpTo>) -> Result<Response, Problem> {
    let unread = notifications::read(&state.site, &caller.actor, up_to.last).await?;
    Ok(json::fresh(&Unread { unread }))
}
