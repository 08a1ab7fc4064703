//! `/api/v1/streams/{id}/chat`: a connection to a chat over a WebSocket. Everything that waits for the peer has a deadline:
//! pings, reads, the closing handshake. `perch_site::chat` decides who may enter, and `access` checks that our own page asks.

mod line;

pub(super) use line::Message;
pub use line::line;

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Path, Query};
use super::openapi::ProblemDocument;
use super::problem::Problem;
use super::state::Shared;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{
    CloseCode, CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code,
};
use axum::response::Response;
use futures_util::SinkExt as _;
use line::LINE_BYTES;
pub(super) use line::Said;
use perch_site::chat::{ChatError, Event, Leave, Participant, Text};
use perch_store::{MessageId, StreamId};
use serde::Deserialize;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use utoipa::IntoParams;

/// Interval of pings; a peer that is silent from one to the next is disconnected.
const PING: Duration = Duration::from_secs(20);
/// Time for the peer to take the sent lines.
const WRITE: Duration = Duration::from_secs(10);
/// Time for the peer to answer a close frame.
const GOODBYE: Duration = Duration::from_secs(1);
/// Read and write buffer of each connection, bytes.
const BUFFER: usize = 4 << 10;
/// Bytes waiting for the peer at most; the longest line is a presence of 50 people.
const MOST_BUFFERED: usize = 128 << 10;
/// Frames that a peer may send at once; one more is allowed every [`FRAMES_APART`].
const FRAMES: u32 = 20;
const FRAMES_APART: Duration = Duration::from_millis(200);

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(open))
}

/// Selects where the lines begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The id of the last message received: later ones are sent first, instead of the newest 50.
    #[param(value_type = Option<String>)]
    pub(super) after: Option<MessageId>,
}

/// A stream's chat, over WebSocket; lines of JSON.
///
/// The daemon first sends `{"type":"welcome","rules","you","may_write","barred","viewers"}`, then `message` (as in the list of messages;
/// with `client_id` for its sender), `delete` (`id`), `presence` (`viewers`, `people`), `reaction` (`likes`, `dislikes`), `rules`
/// (`rules`, `may_write`, `barred`), `error` (`code`, `detail`, `barred`, `client_id`) and `ended`. `barred` is the reader's mute or
/// ban (`severity`, `scope`, `until`) or null. A client sends
/// `{"type":"message","text","client_id"}` and `{"type":"delete","id"}`. Everyone gets messages in the same order, once they are
/// stored.
#[utoipa::path(get, path = "/api/v1/streams/{id}/chat", tag = "chat", params(("id" = String, Path), From),
    responses((status = 101, description = "The WebSocket is open"),
        (status = 426, description = "The request does not ask for a WebSocket", body = ProblemDocument, content_type = "application/problem+json")))]
async fn open(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Query(from): Query<From>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| Problem::UpgradeRequired)?;
    let who = caller.login().cloned();
    let participant = state.site.chat.join(stream, who, caller.address(), from.after).await?;
    Ok(upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(MOST_BUFFERED)
        .max_message_size(LINE_BYTES)
        .max_frame_size(LINE_BYTES)
        .on_upgrade(|socket| converse(socket, participant)))
}

/// The close frame of a connection that we end.
type Goodbye = (CloseCode, &'static str);

async fn converse(mut socket: WebSocket, mut participant: Participant) {
    // A peer that is gone needs no close frame.
    let Some((code, reason)) = talk(&mut socket, &mut participant).await else { return };
    let close = Frame::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    let both = async {
        if socket.send(close).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // In time or not, the connection ends now.
    let _ = timeout(GOODBYE, both).await;
}

/// Runs until either side ends it; `None` when the peer is gone.
async fn talk(socket: &mut WebSocket, participant: &mut Participant) -> Option<Goodbye> {
    loop {
        match participant.past().await {
            Ok(Some(texts)) => send(socket, texts).await?,
            Ok(None) => break,
            Err(error) => {
                tracing::warn!("a chat's history cannot be read: {error}");
                return Some((close_code::ERROR, "internal"));
            }
        }
    }
    let mut pings = tokio::time::interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_there = true;
    let mut rested = Instant::now();
    loop {
        tokio::select! {
            lines = participant.next() => match lines {
                Ok(lines) => send(socket, lines.iter().cloned()).await?,
                Err(leave) => return Some(goodbye(leave)),
            },
            frame = socket.recv() => {
                is_there = true;
                rested = rested.max(Instant::now()) + FRAMES_APART;
                if rested > Instant::now() + FRAMES_APART * FRAMES {
                    return Some((close_code::POLICY, "too_many_requests"));
                }
                match hear(frame, participant).await {
                    ControlFlow::Continue(None) => {}
                    ControlFlow::Continue(Some(error)) => send(socket, [error]).await?,
                    ControlFlow::Break(end) => return end,
                }
            }
            _ = pings.tick() => {
                if !std::mem::replace(&mut is_there, false) {
                    return None;
                }
                let ping = socket.send(Frame::Ping(bytes::Bytes::new()));
                timeout(WRITE, ping).await.ok()?.ok()?;
            }
        }
    }
}

/// Sends several lines in one write; `None` if the peer does not take them.
async fn send(socket: &mut WebSocket, texts: impl IntoIterator<Item = Text>) -> Option<()> {
    let sending = async {
        for text in texts {
            let text = text.into_bytes().try_into().expect("a line of a chat is UTF-8");
            socket.feed(Frame::Text(text)).await?;
        }
        socket.flush().await
    };
    timeout(WRITE, sending).await.ok()?.ok()
}

/// Handles a frame from the peer: returns a reply for this peer alone, or the end.
async fn hear(
    frame: Option<Result<Frame, axum::Error>>,
    participant: &Participant,
) -> ControlFlow<Option<Goodbye>, Option<Text>> {
    let text = match frame {
        Some(Ok(Frame::Text(text))) => text,
        Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => return ControlFlow::Continue(None),
        Some(Ok(Frame::Binary(_))) => {
            return ControlFlow::Break(Some((close_code::UNSUPPORTED, "text_only")));
        }
        // `converse` sends the reply to a close frame by reading on.
        Some(Ok(Frame::Close(_))) => return ControlFlow::Break(Some((close_code::NORMAL, ""))),
        Some(Err(_)) | None => return ControlFlow::Break(None),
    };
    let said = match Said::read(&text) {
        Ok(said) => said,
        Err(detail) => return ControlFlow::Continue(Some(error("invalid_message", &detail, None))),
    };
    let (done, client_id) = match said {
        Said::Message { text, client_id } => (participant.say(&text, client_id.clone()).await, client_id),
        Said::Delete { id } => (participant.delete(id).await, None),
    };
    let answer = done.err().map(|refused| {
        let (code, detail) = match &refused {
            ChatError::Text(refused) => ("invalid_field", refused.to_string()),
            ChatError::Barred(barred) => (barred.code(), barred.to_string()),
            ChatError::NotYours => ("forbidden", refused.to_string()),
            ChatError::Store(perch_store::StoreError::Refused(refusal)) => ("not_found", refusal.to_string()),
            ChatError::NoRoom | ChatError::Closing => ("ended", "the chat is over".to_owned()),
            ChatError::NotSent(refused) => (refused.code(), refused.to_string()),
            ChatError::Store(_) | ChatError::Full | ChatError::Crowded => {
                tracing::error!("a chat line failed: {refused}");
                ("internal", "this failed: see perchd's log".to_owned())
            }
        };
        error(code, &detail, client_id.as_deref())
    });
    ControlFlow::Continue(answer)
}

fn error(code: &'static str, detail: &str, client_id: Option<&str>) -> Text {
    line(&Event::Error { code, detail, restricted: None, client_id })
}

const fn goodbye(leave: Leave) -> Goodbye {
    match leave {
        Leave::Ended => (close_code::NORMAL, "ended"),
        Leave::Slow => (close_code::AGAIN, "too_slow"),
        Leave::Barred(barred) => (close_code::POLICY, barred.code()),
        Leave::Closing => (close_code::AWAY, "shutdown"),
    }
}
