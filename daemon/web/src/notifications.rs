//! `/api/v1/me/notifications`: what one is told of. Live delivery is `events`.

use super::caller::Caller;
use super::input::{Json, Query};
use super::json::{self, Time};
use super::list::{Asked, List};
use super::problem::Problem;
use super::state::{Shared, State};
use super::users::UserRef;
use axum::response::Response;
use perch_store::{
    EndReason, NotificationId, NotificationKind, Refusal, Store, StoreError, StreamId, UserId,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// Something that one is told of.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Notification {
    #[schema(value_type = String)]
    id: NotificationId,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    read: bool,
    /// `went_live`: somebody whom one follows; `followed`: by somebody; `stream_stopped`: one's own, by something else.
    kind: &'static str,
    /// Who goes live, or follows.
    #[schema(required)]
    by: Option<UserRef>,
    /// Which stream.
    #[schema(required)]
    stream: Option<StreamRef>,
    /// What stopped it: `owner`, `disk`.
    #[schema(required, value_type = Option<String>)]
    reason: Option<EndReason>,
}

/// A stream in a line.
#[derive(Debug, Serialize, ToSchema)]
struct StreamRef {
    #[schema(value_type = String)]
    id: StreamId,
    title: String,
}

impl Notification {
    /// With the names of those in it.
    pub(super) fn of(store: &Store, told: &perch_store::Notification) -> Result<Self, StoreError> {
        let (kind, by, stream, reason) = match told.kind {
            NotificationKind::WentLive { by, stream } => ("went_live", Some(by), Some(stream), None),
            NotificationKind::Followed { by } => ("followed", Some(by), None, None),
            NotificationKind::StreamStopped { stream, reason } => {
                ("stream_stopped", None, Some(stream), Some(reason))
            }
        };
        let by = by.map(|user| if_there(store.user(user))).transpose()?.flatten();
        let stream = stream.map(|stream| if_there(store.stream(stream))).transpose()?.flatten();
        Ok(Self {
            id: told.id,
            at: Time(told.at),
            read: told.read,
            kind,
            by: by.as_ref().map(UserRef::from),
            stream: stream.map(|stream| StreamRef { id: stream.facts.id, title: stream.details.title }),
            reason,
        })
    }
}

/// What was deleted between two looks is not there.
fn if_there<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::Refused(Refusal::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Notifications of a page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What one was told of, newest first; the newest 200 are kept.
#[utoipa::path(get, path = "/api/v1/me/notifications", tag = "me", params(Page),
    responses((status = 200, description = "The notifications", body = List<Notification>)))]
async fn list(state: Shared, caller: Caller, Query(page): Query<Page>) -> Result<Response, Problem> {
    let user = caller.member()?.user;
    let asked = Asked::<NotificationId>::new(page.limit, page.cursor.as_deref())?;
    let list = state.store(move |store| {
        let told = store.notifications(user, asked.before, asked.and_one())?;
        List::of(told, &asked, |told| told.id, |told| Notification::of(store, &told)).transposed()
    });
    Ok(json::fresh(&list.await?))
}

/// How far one has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReadUpTo {
    /// The last one that was read; all, where it is missing.
    #[schema(value_type = Option<String>)]
    last: Option<NotificationId>,
}

/// How many are left.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Unread {
    unread: usize,
}

impl Unread {
    /// As the store counts them.
    pub(super) fn of(store: &Store, user: UserId) -> Result<Self, StoreError> {
        Ok(Self { unread: store.unread_notifications(user)? })
    }
}

/// Marks notifications as read.
#[utoipa::path(post, path = "/api/v1/me/notifications/read", tag = "me", request_body = ReadUpTo,
    responses((status = 200, description = "What is left", body = Unread)))]
async fn read(state: Shared, caller: Caller, Json(up_to): Json<ReadUpTo>) -> Result<Response, Problem> {
    let user = caller.member()?.user;
    let unread = state.store(move |store| store.read_notifications(user, up_to.last)).await?;
    state.site.notices.recount(user);
    Ok(json::fresh(&Unread { unread }))
}
