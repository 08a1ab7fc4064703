//! `/api/v1/webhooks`, and their delivery: `body` renders events, `target` reads addresses, `post` sends one request, `delivering` is the task that
//! sends what is due.

mod body;
mod delivering;
mod post;
mod target;

pub use body::body as webhook_body;
pub use delivering::deliver;

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json::{self, Time};
use super::list::List;
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use http::StatusCode;
use perch_site::webhook_settings::{self, SeenDelivery};
use perch_site::webhooks::shown_secret;
use perch_store::{
    DeliveryState, EventKind, Webhook, WebhookChange, WebhookDelivery, WebhookDeliveryId, WebhookId,
};
use serde::{Deserialize, Serialize};
use target::Target;
use utoipa::ToSchema;

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(list, add))
        .routes(routes!(change, delete))
        .routes(routes!(deliveries))
        .routes(routes!(test))
}

/// A webhook, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
struct WebhookItem {
    #[schema(value_type = String)]
    id: WebhookId,
    url: String,
    /// `stream.started`, `stream.ended`, `recording.ready`, `relay.failed`, `camera.fault`, `storage.low`, `chat.message`.
    #[schema(value_type = Vec<String>)]
    events: Vec<EventKind>,
    /// False: it is told of nothing, and what waits for it waits on.
    enabled: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl From<Webhook> for WebhookItem {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events.into_iter().collect(),
            enabled: webhook.is_enabled,
            created_at: Time(webhook.created_at),
        }
    }
}

/// All webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks", body = List<WebhookItem>)))]
async fn list(state: Shared, caller: Caller) -> Result<Response, Problem> {
    let found = webhook_settings::list(&state.site, &caller.actor).await?;
    Ok(json::fresh(&List::whole(found.into_iter().map(WebhookItem::from).collect())))
}

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    /// `http://` or `https://`. Addresses of the board itself and link-local ones are refused, unless perch.toml allows them.
    #[schema(min_length = 1, max_length = 1000)]
    url: String,
    /// What it is told of.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 7)]
    events: Vec<EventKind>,
}

/// A webhook that was just added.
#[derive(Serialize, ToSchema)]
struct MadeWebhook {
    #[serde(flatten)]
    item: WebhookItem,
    /// Signs what is delivered: base64 of 32 bytes after `whsec_`. It is not shown again.
    #[schema(value_type = String, format = Password)]
    secret: String,
}

/// Adds a webhook.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, description = "The webhook", body = MadeWebhook),
        (status = 409, description = "There are too many webhooks", body = ProblemDocument, content_type = "application/problem+json")))]
async fn add(state: Shared, caller: Caller, Json(new): Json<NewWebhook>) -> Result<Response, Problem> {
    let url = acceptable(&new.url)?;
    let added =
        webhook_settings::add(&state.site, &caller.actor, url, new.events.into_iter().collect()).await?;
    let secret = shown_secret(&added.secret);
    Ok(json::made(&MadeWebhook { item: added.into(), secret }))
}

/// The address as it is stored. Whom it reaches is checked at each delivery.
fn acceptable(url: &str) -> Result<String, Problem> {
    let url = url.trim();
    Target::parse(url).map(|_| url.to_owned()).map_err(|why| Problem::field("url", why))
}

/// Changes to a webhook; missing fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange)]
struct Change {
    #[schema(min_length = 1, max_length = 1000)]
    url: Option<String>,
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 7)]
    events: Option<Vec<EventKind>>,
    enabled: Option<bool>,
}

/// Changes a webhook.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)), request_body = Change,
    responses((status = 200, description = "The webhook", body = WebhookItem)))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(id): Path<WebhookId>,
    Json(change): Json<Change>,
) -> Result<Response, Problem> {
    let change = WebhookChange {
        url: change.url.as_deref().map(acceptable).transpose()?,
        events: change.events.map(|events| events.into_iter().collect()),
        is_enabled: change.enabled,
    };
    let changed = webhook_settings::change(&state.site, &caller.actor, id, change).await?;
    Ok(json::fresh(&WebhookItem::from(changed)))
}

/// Deletes a webhook with its deliveries.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 204, description = "The webhook is deleted")))]
async fn delete(state: Shared, caller: Caller, Path(id): Path<WebhookId>) -> Result<StatusCode, Problem> {
    webhook_settings::delete(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What became of one event.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
struct DeliveryItem {
    /// The same at each try, in the header `webhook-id`.
    #[schema(value_type = String)]
    id: WebhookDeliveryId,
    /// As in `events`, or `test`.
    #[schema(value_type = String)]
    event: EventKind,
    /// `waiting`, `delivered` or `failed` (given up).
    #[schema(value_type = String)]
    state: DeliveryState,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// How often it was tried.
    tries: u32,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    tried_at: Option<Time>,
    /// The status that the receiver answered last.
    #[schema(required)]
    status: Option<u16>,
    /// Why the last try failed, in words.
    #[schema(required)]
    detail: Option<String>,
    /// Seconds until the next try; null if it is over, or under way.
    #[schema(required)]
    next_in_seconds: Option<u64>,
}

impl From<SeenDelivery> for DeliveryItem {
    fn from(SeenDelivery { delivery, next_in }: SeenDelivery) -> Self {
        let WebhookDelivery { id, event, state, created_at, tries, tried_at, status, detail, .. } = delivery;
        Self {
            id,
            event,
            state,
            created_at: Time(created_at),
            tries,
            tried_at: tried_at.map(Time),
            status,
            detail,
            next_in_seconds: next_in.map(|next_in| next_in.as_secs()),
        }
    }
}

/// What was delivered to a webhook, newest first: everything that waits, and the last 50 that are over.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, description = "The deliveries", body = List<DeliveryItem>)))]
async fn deliveries(state: Shared, caller: Caller, Path(id): Path<WebhookId>) -> Result<Response, Problem> {
    let found = webhook_settings::deliveries(&state.site, &caller.actor, id).await?;
    Ok(json::fresh(&List::whole(found.into_iter().map(DeliveryItem::from).collect())))
}

/// Sends a webhook a test.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 204, description = "It is sent; the deliveries tell what became of it")))]
async fn test(state: Shared, caller: Caller, Path(id): Path<WebhookId>) -> Result<StatusCode, Problem> {
    webhook_settings::test(&state.site, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
