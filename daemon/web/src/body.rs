//! Response bodies: shared bytes on the hot path, files, axum's body elsewhere.

use super::file_body::FileBody;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A response body. Bytes go to the socket without boxing and without a copy.
pub(super) enum Body {
    Bytes(Full<Bytes>),
    Files(FileBody),
    Routed(axum::body::Body),
}

impl Body {
    /// The same body with the bytes of files themselves, for connections that cannot send files.
    pub(super) fn without_placeholders(self) -> Self {
        match self {
            Self::Files(body) => Self::Files(body.without_placeholders()),
            other => other,
        }
    }

    pub(super) fn empty() -> Self {
        Self::Bytes(Full::default())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Bytes(Full::new(bytes.into()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Bytes(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Files(body) => Pin::new(body).poll_frame(cx).map_err(axum::Error::new),
            Self::Routed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(body) => body.is_end_stream(),
            Self::Files(body) => body.is_end_stream(),
            Self::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(body) => body.size_hint(),
            Self::Files(body) => body.size_hint(),
            Self::Routed(body) => body.size_hint(),
        }
    }
}
