//! Reads the rest of a request that has been answered. If a connection is closed while its peer still sends, it is reset, and the
//! peer loses the response (RFC 9112 §9.6): a client whose large upload is refused early would see only a broken connection. So
//! the rest is read and discarded.
//!
//! Not here: how much of a body a handler accepts (`receiving`).

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Time for the whole rest: a large file over a wireless network.
const PATIENCE: Duration = Duration::from_mins(2);
/// Time for the next piece. A peer that has seen the response may send no more.
const STALL: Duration = Duration::from_secs(5);

/// A body that is read to its end even if the handler does not want it.
pub(super) struct ReadOn<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    /// `None` at its end.
    body: Option<B>,
    /// The client sent `Expect: 100-continue` (RFC 9110 §10.1.1); after the response it sends no body.
    asks_first: bool,
}

impl<B> ReadOn<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    pub(super) fn new(headers: &HeaderMap, body: B) -> Self {
        Self { body: Some(body), asks_first: headers.contains_key(EXPECT) }
    }
}

impl<B> Body for ReadOn<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for ReadOn<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream() && !self.asks_first) else {
            return;
        };
        // Without a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(PATIENCE, async move {
                while let Ok(Some(Ok(_))) = tokio::time::timeout(STALL, body.frame()).await {}
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt as _, stream};
    use http::HeaderValue;
    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A body that never ends, one piece every `pause`; and the number of pieces taken.
    fn endless(
        pause: Duration,
    ) -> (impl Body<Data = Bytes, Error = Infallible> + Send + Unpin, Arc<AtomicU64>) {
        let taken = Arc::new(AtomicU64::new(0));
        let count = taken.clone();
        let pieces = stream::unfold(count, move |count: Arc<AtomicU64>| async move {
            tokio::time::sleep(pause).await;
            count.fetch_add(1, Ordering::Relaxed);
            Some((Ok(Frame::data(Bytes::from_static(b"more"))), count))
        });
        (StreamBody::new(pieces.boxed()), taken)
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_is_read_for_a_while_and_not_for_ever() {
        let (body, taken) = endless(Duration::from_secs(1));
        let mut body = ReadOn::new(&HeaderMap::new(), body);
        body.frame().await.unwrap().unwrap();
        drop(body);
        tokio::time::sleep(2 * PATIENCE).await;
        let taken = taken.load(Ordering::Relaxed);
        assert!((PATIENCE.as_secs() - 1..=PATIENCE.as_secs() + 2).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_no_more_is_waited_for_a_little() {
        let (body, taken) = endless(STALL + Duration::from_millis(1));
        drop(ReadOn::new(&HeaderMap::new(), body));
        tokio::time::sleep(PATIENCE).await;
        assert_eq!((taken.load(Ordering::Relaxed), Arc::strong_count(&taken)), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_not_be_sent_is_not_waited_for() {
        let (body, taken) = endless(Duration::from_secs(1));
        let headers = HeaderMap::from_iter([(EXPECT, HeaderValue::from_static("100-continue"))]);
        drop(ReadOn::new(&headers, body));
        tokio::time::sleep(PATIENCE).await;
        assert_eq!((taken.load(Ordering::Relaxed), Arc::strong_count(&taken)), (0, 1));
    }
}
