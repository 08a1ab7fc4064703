//! `/api/v1/streams/{id}/chat/events`: a chat for those whose proxy does not pass on a WebSocket. Its lines come as Server-Sent
//! Events, and messages are sent with a POST to `/api/v1/streams/{id}/messages`. `perch_site::chat` decides who may enter; rooms,
//! rights and limits are those of the WebSocket (`chat`).

use super::api::{Api, routes};
use super::caller::Caller;
use super::chat::From;
use super::events;
use super::input::{Path, Query};
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use bytes::Bytes;
use perch_site::chat::{Participant, Text};
use perch_store::StreamId;
use std::time::Duration;
use tokio::sync::mpsc;

/// Interval of signs of life: proxies cut connections that are silent for a minute, and the page gives up sooner.
const BEAT: Duration = Duration::from_secs(15);
/// Writes on their way into the socket; the rest waits in the room's queue for this connection, which has its own bound.
const QUEUE: usize = 8;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(listen))
}

/// A stream's chat as Server-Sent Events, for clients that cannot open a WebSocket.
///
/// Each event's data is a line as the WebSocket has it. Messages are sent with `POST /api/v1/streams/{id}/messages`.
#[utoipa::path(get, path = "/api/v1/streams/{id}/chat/events", tag = "chat", params(("id" = String, Path), From),
    responses((status = 200, description = "Server-Sent Events, until the chat is over", body = String, content_type = "text/event-stream")))]
async fn listen(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Query(from): Query<From>,
) -> Result<Response, Problem> {
    let who = caller.login().cloned();
    let participant = state.site.chat.join(stream, who, caller.address(), from.after).await?;
    let (lines, body) = mpsc::channel(QUEUE);
    tokio::spawn(tell(participant, lines));
    Ok(events::response(body))
}

/// Runs until the page has gone, or the room ends the connection. Dropping the participant leaves the room.
async fn tell(mut participant: Participant, page: mpsc::Sender<Bytes>) {
    loop {
        match participant.past().await {
            Ok(Some(lines)) if page.send(events_of(&lines)).await.is_err() => return,
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                tracing::warn!("a chat's history cannot be read: {error}");
                return;
            }
        }
    }
    let mut beat = tokio::time::interval(BEAT);
    loop {
        let told = tokio::select! {
            lines = participant.next() => match lines {
                Ok(lines) => page.send(events_of(&lines)).await,
                // Why, the room has said in a line. The page comes back by itself if it may.
                Err(_) => return,
            },
            _ = beat.tick() => page.send(Bytes::from_static(b":\n\n")).await,
            () = page.closed() => return,
        };
        if told.is_err() {
            return;
        }
    }
}

/// Lines of JSON, which have no line breaks of their own, as events.
fn events_of(lines: &[Text]) -> Bytes {
    lines.iter().flat_map(|line| [&b"data: "[..], line.as_bytes(), b"\n\n"]).flatten().copied().collect()
}
