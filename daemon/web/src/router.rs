//! Routes addresses to handlers. Everything except a stream's bytes goes through `access`.

use super::access;
use super::api::Api;
use super::body::Body;
use super::by_token;
use super::caller::Peer;
use super::config::Network;
use super::hosts::{AskedHosts, Hosts, Machine};
use super::links;
use super::media::Media;
use super::media_origins;
use super::media_paths;
use super::metrics::Metrics;
use super::problem::Problem;
use super::reading_on::ReadOn;
use super::slots::Slots;
use super::state::State;
use super::to_https::leads_to_https;
use super::traffic::Traffic;
use super::{
    api_tokens, auth, avatar, backups, board_time, cameras, chat, chat_events, controls, embed, events, feed,
    follows, health, ingest, me, messages, microphones, moderation, notifications, openapi, other_sites,
    page, pictures, qr, reactions, recording_index, recordings, relays, rights, sessions, settings, setup,
    streams, system, topics, trust, update, users, webhooks, wifi,
};
use axum::Router;
use axum::extract::MatchedPath;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response};
use perch_site::Site;
use std::sync::Arc;
use tower::Service;
use utoipa::openapi::OpenApi;

/// The API: every address with its handler and its description.
fn api() -> Api {
    Api::new()
        .merge(api_tokens::routes())
        .merge(auth::routes())
        .merge(avatar::routes())
        .merge(backups::routes())
        .merge(board_time::routes())
        .merge(cameras::routes())
        .merge(controls::routes())
        .merge(events::routes())
        .merge(follows::routes())
        .merge(ingest::routes())
        .merge(me::routes())
        .merge(other_sites::routes())
        .merge(qr::routes())
        .merge(notifications::routes())
        .merge(pictures::routes())
        .merge(chat::routes())
        .merge(chat_events::routes())
        .merge(messages::routes())
        .merge(microphones::routes())
        .merge(moderation::routes())
        .merge(openapi::routes())
        .merge(reactions::routes())
        .merge(recordings::routes())
        .merge(recording_index::routes())
        .merge(relays::routes())
        .merge(sessions::routes())
        .merge(settings::routes())
        .merge(setup::routes())
        .merge(streams::routes())
        .merge(system::routes())
        .merge(topics::routes())
        .merge(trust::routes())
        .merge(update::routes())
        .merge(users::routes())
        .merge(webhooks::routes())
        .merge(wifi::routes())
}

/// The API's document.
pub(super) fn document() -> OpenApi {
    openapi::complete(api().into_document())
}

/// The document as text.
pub fn openapi_text() -> String {
    document().to_pretty_json().expect("the document is plain data")
}

/// The document as served.
fn served_document() -> Bytes {
    Bytes::from(document().to_json().expect("the document is plain data"))
}

/// Addresses outside the API.
fn pages() -> Router<Arc<State>> {
    let screens =
        page::SCREENS.iter().fold(Router::new(), |router, path| router.route(path, get(page::index)));
    screens
        .route(page::WATCH, get(embed::watch))
        .route(page::EMBED, get(embed::player))
        .route(page::OEMBED, get(embed::oembed))
        .route(page::FEED, get(feed::show))
        .route(page::ASSETS, get(page::asset))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
}

/// Who and what is let in: `[server]`'s lists.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    pub(super) names: Vec<String>,
    pub(super) trusted_proxies: Arc<[Network]>,
    pub(super) metrics_from: Arc<[Network]>,
}

/// Answers every request of the site; clones share everything.
#[derive(Clone)]
pub(super) struct Answers {
    media: Arc<Media>,
    router: Router,
    state: Arc<State>,
    trusted_proxies: Arc<[Network]>,
    hosts: Arc<Hosts>,
}

impl Answers {
    pub(super) fn new(site: Site, traffic: Arc<Traffic>, slots: Arc<Slots>, doors: &Doors) -> Self {
        let most_waiting = slots.most();
        let metrics = Metrics::new(&site, traffic, slots);
        let state = Arc::new(State::new(site, metrics, doors.metrics_from.clone(), served_document));
        let media = Arc::new(Media::new(Arc::clone(&state), most_waiting));
        let router = api()
            .into_router()
            .merge(pages())
            .route_layer(from_fn_with_state(Arc::clone(&state), access::guard))
            .fallback(async || axum::response::IntoResponse::into_response(Problem::NotFound))
            .method_not_allowed_fallback(async |path: MatchedPath| Problem::Method {
                allowed: rights::methods_of(path.as_str()),
            })
            .with_state(Arc::clone(&state));
        let (board, clock) = (state.site.board.clone(), state.site.clock.clone());
        let hosts = Hosts::new(move || Machine::this(&board), clock, doors.names.clone());
        Self { media, router, state, trusted_proxies: doors.trusted_proxies.clone(), hosts: Arc::new(hosts) }
    }

    pub(super) async fn answer<B>(&self, peer: Peer, mut request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let peer = match peer {
            Peer::Network(client) => Peer::Network(client.behind(&self.trusted_proxies, request.headers())),
            Peer::Console => peer,
        };
        if let Some(inner) = links::without_path(links::path(), request.uri()) {
            *request.uri_mut() = inner;
        }
        let line = AccessLine::of(peer, &request);
        let answered = self.answer_to(peer, request).await;
        let response = answered.unwrap_or_else(Problem::into_response);
        if let Some(line) = line {
            line.write(&response);
        }
        response
    }

    async fn answer_to<B>(&self, peer: Peer, mut request: Request<B>) -> Result<Response<Body>, Problem>
    where
        B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let asked = match peer {
            Peer::Network(client) => AskedHosts::of(&request, client, &self.trusted_proxies)?,
            Peer::Console => AskedHosts::default(),
        };
        let wifi = self.state.site.wifi.as_ref();
        // Phones on the access point ask for their makers' hosts.
        if let Some(away) = wifi::leads_away(wifi, peer, request.method(), request.uri().path()) {
            return Ok(away.map(Body::Routed));
        }
        self.hosts.admit(&asked)?;
        if let Some(away) = leads_to_https(&self.state.site.https, peer, &request) {
            return Ok(away.map(Body::Routed));
        }
        if let Some(path) = request.uri().path().strip_prefix(media_paths::PREFIX) {
            let mut answer = if let Some(parts) = by_token::parts_of(path) {
                Box::pin(by_token::answer(&self.media, &self.state, parts, peer, &request)).await
            } else {
                self.media.answer(path, peer, &request).await
            };
            let allowed = self.state.site.other_sites.get();
            media_origins::narrow(&allowed.media_origins, request.headers(), &mut answer);
            return Ok(answer);
        }
        let extensions = request.extensions_mut();
        extensions.insert(peer);
        extensions.insert(peer.client());
        extensions.insert(asked);
        // Boxed: otherwise each playlist's future would have the size of the largest handler's, and be moved with it.
        Ok(Box::pin(self.route(request)).await)
    }

    async fn route<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let body = ReadOn::new(&head.headers, body);
        let answered = self.router.clone().call(Request::from_parts(head, body)).await;
        let mut response = answered.unwrap_or_else(|never| match never {}).map(Body::Routed);
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        // The player in frames of other sites has its own.
        if !headers.contains_key(CONTENT_SECURITY_POLICY) {
            headers.insert(CONTENT_SECURITY_POLICY, page::OWN_FRAMES_ONLY);
        }
        response
    }
}

/// A line of the access log: without query, tokens, headers and body, which may be private.
struct AccessLine {
    peer: Peer,
    method: Method,
    path: String,
}

impl AccessLine {
    /// `None` if the log level hides it.
    fn of<B>(peer: Peer, request: &Request<B>) -> Option<Self> {
        tracing::enabled!(tracing::Level::DEBUG).then(|| Self {
            peer,
            method: request.method().clone(),
            path: by_token::without_token(request.uri().path()).into_owned(),
        })
    }

    fn write(&self, response: &Response<Body>) {
        let Self { peer, method, path } = self;
        tracing::debug!("{peer} {method} {path} {}", response.status().as_u16());
    }
}
