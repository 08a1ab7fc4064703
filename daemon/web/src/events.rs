//! `/api/v1/me/events`: notifications as they happen, as Server-Sent Events (HTML Living Standard §9.2). A page that reconnects
//! sends the last id it has seen, and gets what it missed. A connection lasts at most as long as its login.

use super::api::{Api, routes};
use super::caller::Caller;
use super::notifications::{Notification, Unread};
use super::problem::Problem;
use super::state::{Shared, State};
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use hyper::body::Frame;
use perch_site::accounts::logins::Login;
use perch_site::notices::{Heard, Listener};
use perch_site::{notifications, sessions};
use perch_store::{NOTIFICATIONS_PER_USER, NotificationId, Store};
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Interval of signs of life, so that proxies do not drop an idle connection.
const BEAT: Duration = Duration::from_secs(15);
/// Events on their way into the socket; the rest waits in the listener's own queue.
const QUEUE: usize = 8;

/// Tells nginx and proxies that follow it to pass each event on at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(listen))
}

/// Sends notifications as they happen: events `notification` (as in the list) and `unread` (`{"unread": 3}`), the latter also at
/// the start.
#[utoipa::path(get, path = "/api/v1/me/events", tag = "me", params(("Last-Event-ID" = Option<String>, Header, description = "The last notification that was seen")),
    responses((status = 200, description = "Server-Sent Events, without end", body = String, content_type = "text/event-stream")))]
async fn listen(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let login = caller.member()?.clone();
    let listener = state.site.notices.listen(login.user)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (events, body) = mpsc::channel(QUEUE);
    let teller = Teller { state: state.0, login, events, last };
    tokio::spawn(async move {
        if let Err(Over::Failed(problem)) = teller.tell(listener).await {
            // The page reconnects and asks again; our own errors were logged where they happened.
            tracing::debug!(%problem, "a page gets no more notifications");
        }
    });
    Ok(response(body))
}

/// A response of Server-Sent Events. nginx passes them on as they come if it is told so; other proxies know by their type.
pub(super) fn response(events: mpsc::Receiver<Bytes>) -> Response {
    let headers =
        [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), (X_ACCEL_BUFFERING, "no")];
    (headers, Body::new(Events(events))).into_response()
}

/// Writes the events of one connection.
struct Teller {
    state: Arc<State>,
    login: Login,
    events: mpsc::Sender<Bytes>,
    /// The newest notification that the page has.
    last: Option<NotificationId>,
}

/// Why a connection ends.
enum Over {
    /// Its page has gone.
    Gone,
    /// An error.
    Failed(Problem),
}

impl<E: Into<Problem>> From<E> for Over {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Teller {
    /// Runs until the page, its login or the daemon is gone.
    async fn tell(mut self, mut listener: Listener) -> Result<(), Over> {
        let mut logins = self.state.accounts().logins.changes();
        let mut beat = tokio::time::interval(BEAT);
        self.catch_up().await?;
        loop {
            tokio::select! {
                heard = listener.next() => match heard {
                    Some(Heard::Told(told)) => self.notify(&told).await?,
                    Some(Heard::Recount) => self.count().await?,
                    None => return Ok(()),
                },
                // An error means that the daemon ends.
                changed = logins.changed() => if changed.is_err() || !self.is_logged_in().await? {
                    return Ok(());
                },
                _ = beat.tick() => self.send(Bytes::from_static(b":\n\n")).await?,
                () = self.events.closed() => return Ok(()),
            }
        }
    }

    /// Sends what happened since the page last connected, and the count.
    async fn catch_up(&mut self) -> Result<(), Over> {
        let (user, last) = (self.login.user, self.last);
        if let Some(last) = last {
            let read = move |store: &Store| store.notifications(user, None, NOTIFICATIONS_PER_USER);
            let missed = self.state.store(read).await?;
            for told in missed.iter().rev().filter(|told| told.id > last) {
                self.notify(told).await?;
            }
        }
        self.count().await
    }

    async fn notify(&mut self, told: &perch_store::Notification) -> Result<(), Over> {
        // Already sent by `catch_up`.
        if self.last.is_some_and(|last| told.id <= last) {
            return Ok(());
        }
        let id = told.id;
        let told = notifications::with_people(&self.state.site, told.clone()).await?;
        let notification = Notification::from(told);
        self.send(event("notification", Some(id), &notification)).await?;
        self.last = Some(id);
        self.count().await
    }

    async fn count(&self) -> Result<(), Over> {
        let unread = notifications::unread(&self.state.site, self.login.user).await?;
        self.send(event("unread", None, &Unread { unread })).await
    }

    async fn is_logged_in(&self) -> Result<bool, Over> {
        Ok(sessions::is_open(&self.state.site, &self.login).await?)
    }

    /// Waits while the page is slow; the connection is closed if it takes nothing at all.
    async fn send(&self, event: Bytes) -> Result<(), Over> {
        self.events.send(event).await.map_err(|_| Over::Gone)
    }
}

/// An event; JSON has no line breaks of its own.
fn event<T: Serialize>(kind: &str, id: Option<NotificationId>, data: &T) -> Bytes {
    let data = serde_json::to_string(data).expect("plain data is always JSON");
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Bytes::from(format!("event: {kind}\n{id}data: {data}\n\n"))
}

/// Events as a response body.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_block_whatever_is_in_it() {
        let data = serde_json::json!({"title": "one\ntwo\r\n\nevent: fake"});
        let text = event("notification", Some(NotificationId::from_number(7)), &data);
        let text = std::str::from_utf8(&text).unwrap();
        assert_eq!(text.matches("\n\n").count(), 1);
        assert!(text.starts_with("event: notification\nid: 00000000000000000000000007\ndata: {"), "{text}");
        assert_eq!(text.lines().count(), 4);
    }
}
