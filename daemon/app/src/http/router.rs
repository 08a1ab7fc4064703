//! Which address is answered by whom.

use super::body::Body;
use super::live::{self, Live};
use super::metrics::Metrics;
use super::places::Places;
use super::problem::Problem;
use super::traffic::Traffic;
use super::{cameras, health, metrics, page, system};
use crate::capture::status::{CameraState, SelfTest};
use crate::capture::supervisor::CameraHandle;
use crate::clock::Clock;
use crate::hls::HlsHandle;
use crate::system::board::Board;
use axum::Router;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use tower::Service;

/// Only what is ours, nothing inline. `blob:` is how hls.js feeds a video; everything else is closed.
const CONTENT_SECURITY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
);

/// A camera as the site shows it.
pub struct CameraInfo {
    /// How it is doing.
    pub handle: CameraHandle,
    /// What was configured.
    pub config: crate::config::Camera,
    /// What was chosen to run it with, and why not with something else.
    pub self_test: tokio::sync::watch::Receiver<SelfTest>,
}

/// Handles of the daemon's parts that the site shows.
pub struct Site {
    /// The live stream.
    pub hls: HlsHandle,
    /// The first one is live.
    pub cameras: Vec<CameraInfo>,
    /// The machine under the daemon.
    pub board: Board,
    /// For what people read.
    pub clock: Arc<dyn Clock>,
}

/// What the handlers share.
pub(super) struct State {
    pub(super) site: Site,
    pub(super) metrics: Metrics,
    pub(super) started: std::time::Duration,
    pub(super) last_look: system::LastLook,
}

/// Answers every request of the site; clones are the same.
#[derive(Clone)]
pub(super) struct Answers {
    live: Arc<Live>,
    router: Router,
}

impl Answers {
    pub(super) fn new(site: Site, traffic: Arc<Traffic>, places: Arc<Places>) -> Self {
        // The configuration has one camera at least, but nothing here depends on it.
        let live_camera = site.cameras.first().map(|camera| camera.handle.state().clone());
        let live_camera = live_camera.unwrap_or_else(|| tokio::sync::watch::channel(CameraState::Stopped).1);
        let live = Arc::new(Live::new(site.hls.clone(), live_camera, places.most()));
        let started = site.clock.monotonic();
        let metrics = Metrics::new(&site, traffic, places);
        let state = Arc::new(State { site, metrics, started, last_look: system::LastLook::default() });
        let router = Router::new()
            .route("/", get(page::index))
            .route("/assets/{version}/{*path}", get(page::asset))
            .route("/api/v1/cameras", get(cameras::list))
            .route("/api/v1/system", get(system::show))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(metrics::show))
            .fallback(async || axum::response::IntoResponse::into_response(Problem::NotFound))
            .method_not_allowed_fallback(async || {
                axum::response::IntoResponse::into_response(Problem::Method { allowed: "GET, HEAD" })
            })
            .with_state(state);
        Self { live, router }
    }

    pub(super) async fn answer(&self, peer: SocketAddr, mut request: Request<Incoming>) -> Response<Body> {
        if let Some(name) = request.uri().path().strip_prefix(live::PREFIX) {
            return self.live.answer(name, &request).await;
        }
        request.extensions_mut().insert(Peer(peer));
        let answered = self.router.clone().call(request).await;
        let mut response = answered.unwrap_or_else(|never| match never {}).map(Body::Routed);
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
        response
    }
}

/// The other end of the connection.
#[derive(Clone, Copy)]
pub(super) struct Peer(SocketAddr);

impl Peer {
    /// Whether the request comes from this machine, and not through a proxy on it for somebody else.
    pub(super) fn is_local(self, headers: &HeaderMap) -> bool {
        let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
            .iter()
            .any(|name| headers.contains_key(*name));
        self.0.ip().to_canonical().is_loopback() && !forwarded
    }
}

/// In words.
pub(super) fn why_nothing_is_live(state: &CameraState) -> String {
    match state {
        CameraState::Starting => "the camera is being started: try again in a second".to_owned(),
        CameraState::Live { .. } => {
            "the camera runs, the first segment is being made: try again in a second".to_owned()
        }
        CameraState::Waiting { reason } => format!("waiting for the camera: {reason}"),
        CameraState::Stopped => "nothing is live".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_is_this_machine_and_nobody_behind_a_proxy_on_it() {
        let from = |address: &str| Peer(SocketAddr::new(address.parse().unwrap(), 1));
        let none = HeaderMap::new();
        assert!(from("127.0.0.1").is_local(&none) && from("::1").is_local(&none));
        assert!(from("::ffff:127.0.0.1").is_local(&none));
        assert!(!from("192.0.2.1").is_local(&none));
        let proxied = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("192.0.2.1"),
        )]);
        assert!(!from("127.0.0.1").is_local(&proxied));
    }
}
