//! `/media/{stream}/` and `/media/live/`, the featured stream: playlists and segments. This is the hot path of the
//! server: it is answered before the router, a segment's bytes are sent from where the segmenter wrote them, and a
//! playlist is rendered once for everybody.
//!
//! Blocking reload is RFC 8216bis §6.2.5.2. Only members-only streams require a login here.

use super::authentication;
use super::body::Body;
use super::caching;
use super::caller::Peer;
use super::client::Client;
use super::cookies;
use super::file_answer;
use super::media_paths::MULTIVARIANT_PLAYLIST;
use super::not_live::why_nothing_is_live;
use super::patient_stream::SegmentAnswer;
use super::players::is_vlc;
use super::problem::Problem;
use super::range::{self, Part};
use super::recorded;
use super::state::State;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use perch_site::SiteError;
use perch_site::accounts::attempts::network;
use perch_site::accounts::logins::Login;
use perch_store::{Scope, StreamId, Viewer, Visibility};
use perch_studio::capture::status::CameraState;
use perch_studio::hls::{MEDIA_PLAYLIST, Offer, SegmentBytes};
use perch_studio::live::{AtOneAddress, OnAir, featured, viewer_of_address, viewer_of_cookie};
use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Stands for the featured stream, in place of a stream's id.
const FEATURED: &str = "live";

/// Views of recordings remembered until the next start; further ones are not counted.
const MOST_COUNTED: usize = 20_000;

/// Players may ask for one segment beyond the next one (RFC 8216bis §6.2.5.2).
const FARTHEST_AHEAD: u64 = 2;
/// Target durations after which a waiting reload is given up (RFC 8216bis §6.2.5.2).
const PATIENCE_TARGETS: u32 = 3;
/// Longest wait of a request for the first segment of a stream that is starting. Every working camera has one by then.
const FIRST_SEGMENT: Duration = Duration::from_secs(3);

/// VLC 3 buffers one second, whatever the playlist's HOLD-BACK says. If it starts with the first second of a stream, its buffer is empty before every
/// new segment, and it resets its clock each time. So it is answered once the playlist is this many target durations long, …
const VLC_TARGETS: u32 = 3;
/// … or after this time: long segments take longer, and a user waits.
const VLC_PATIENCE: Duration = Duration::from_secs(10);

/// A whole segment must be taken within this many target durations and a little. A slower peer cannot play a live
/// stream, and would keep segments in memory that have long left the playlist.
const SEGMENT_TARGETS: u32 = 3;
/// Extra time for a phone that loses its access point for a moment.
const SEGMENT_SLACK: Duration = Duration::from_secs(5);

/// Serves the streams to clients.
pub(super) struct Media {
    state: Arc<State>,
    on_air: watch::Receiver<Arc<[OnAir]>>,
    /// Bounds the waiting blocking reloads to the number of possible connections, because each connection waits for one
    /// at most.
    waiting: Semaphore,
    /// Viewers of recordings since the start. The store, whose writes sync the card, is called once for each.
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    views: HashSet<(StreamId, Viewer)>,
    at_address: AtOneAddress<(StreamId, IpAddr)>,
}

/// The stream that a request is about. One shared list of streams costs one reference count, where clones of its
/// handles would cost four.
struct Asked {
    on_air: Arc<[OnAir]>,
    index: usize,
}

/// Why no live stream can be served.
enum Missing {
    /// The stream is not on the air, but there may be a recording of it.
    OffAir(StreamId),
    /// Another reason.
    For(Problem),
}

impl Deref for Asked {
    type Target = OnAir;

    fn deref(&self) -> &OnAir {
        &self.on_air[self.index]
    }
}

impl Media {
    pub(super) fn new(state: Arc<State>, most_waiting: usize) -> Self {
        Self {
            on_air: state.site.live.on_air(),
            state,
            waiting: Semaphore::new(most_waiting),
            counted: Mutex::default(),
        }
    }

    /// Answers a request for `path` under [`PREFIX`].
    pub(super) async fn answer<B>(&self, path: &str, peer: Peer, request: &Request<B>) -> Response<Body> {
        self.answer_to(path, peer, None, request).await
    }

    /// The same for a `login` that is known already; `None`: the request's headers say who asks.
    pub(super) async fn answer_to<B>(
        &self,
        path: &str,
        peer: Peer,
        login: Option<&Login>,
        request: &Request<B>,
    ) -> Response<Body> {
        let (stream, name) = path.split_once('/').unwrap_or((path, ""));
        let asked = match *request.method() {
            Method::GET | Method::HEAD | Method::OPTIONS => self.asked(stream),
            _ => Err(Missing::For(Problem::Method { allowed: "GET, HEAD, OPTIONS".to_owned() })),
        };
        let asked = match asked {
            Ok(asked) if recorded::is_of_recording(name) => {
                let (viewer, from) = self.viewer(peer, request.headers());
                asked.viewers.saw(viewer, from, self.state.site.clock.monotonic());
                let target = asked.hls.offer().target_duration;
                return self.recorded(asked.stream, name, Some(target), peer, login, request).await;
            }
            Ok(asked) => asked,
            Err(Missing::OffAir(stream)) => {
                return self.recorded(stream, name, None, peer, login, request).await;
            }
            Err(Missing::For(problem)) => return for_everybody(problem.into_response()),
        };
        let is_public = asked.visibility == Visibility::Public;
        let answer = match *request.method() {
            Method::OPTIONS => Ok(preflight()),
            _ => self.find(&asked, name, peer, login, request).await,
        };
        let response = answer.unwrap_or_else(Problem::into_response);
        if is_public { for_everybody(response) } else { for_members(response) }
    }

    fn asked(&self, stream: &str) -> Result<Asked, Missing> {
        let on_air = self.on_air.borrow().clone();
        let (found, missing) = if stream == FEATURED {
            let found = featured(&on_air)
                .and_then(|featured| on_air.iter().position(|on_air| on_air.stream == featured.stream));
            (found, Missing::For(Problem::NotLive("nothing is live".to_owned())))
        } else {
            let stream: StreamId = stream.parse().map_err(|_| Missing::For(Problem::NotFound))?;
            let found = on_air.iter().position(|on_air| on_air.stream == stream);
            (found, Missing::OffAir(stream))
        };
        found.map(|index| Asked { on_air, index }).ok_or(missing)
    }

    /// Answers with a stream's recording. `target`: the target duration of a stream on the air.
    async fn recorded<B>(
        &self,
        stream: StreamId,
        name: &str,
        target: Option<Duration>,
        peer: Peer,
        login: Option<&Login>,
        request: &Request<B>,
    ) -> Response<Body> {
        let asked = file_answer::Asked {
            stream,
            name,
            target,
            query: request.uri().query().unwrap_or(""),
            headers: request.headers(),
            range: range::of(request),
        };
        let is_preflight = *request.method() == Method::OPTIONS;
        // Boxed: otherwise the answer to each live playlist would take as much memory.
        let (response, is_public) = if is_preflight {
            // Other sites' players play public recordings only; a preflight carries no login.
            (preflight(), Box::pin(recorded::is_public(&self.state, stream)).await)
        } else {
            let (answer, is_public) = Box::pin(recorded::answer(&self.state, peer, login, &asked)).await;
            (answer.unwrap_or_else(Problem::into_response), is_public)
        };
        if recorded::is_playlist(name) && response.status().is_success() && *request.method() == Method::GET {
            let (viewer, from) = self.viewer(peer, request.headers());
            self.watched(stream, viewer, from);
        }
        if is_public { for_everybody(response) } else { for_members(response) }
    }

    /// Counts a viewer of a recording, once. `from`: the address of a viewer without an account.
    fn watched(&self, stream: StreamId, viewer: Viewer, from: Option<IpAddr>) {
        let counted = &mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.views.len() < MOST_COUNTED
            && !counted.views.contains(&(stream, viewer))
            && from.is_none_or(|from| counted.at_address.admit((stream, from)))
        {
            counted.views.insert((stream, viewer));
            let state = Arc::clone(&self.state);
            tokio::spawn(async move { perch_site::recordings::watched(&state.site, stream, viewer).await });
        }
    }

    async fn find<B>(
        &self,
        asked: &Asked,
        name: &str,
        peer: Peer,
        login: Option<&Login>,
        request: &Request<B>,
    ) -> Result<Response<Body>, Problem> {
        if asked.visibility == Visibility::Members && login.is_none() {
            Box::pin(authentication::login_of(
                &self.state.site,
                peer.client(),
                Some(Scope::Read),
                request.headers(),
            ))
            .await?
            .ok_or(Problem::Site(SiteError::Unauthenticated))?;
        }
        match name {
            MEDIA_PLAYLIST => {
                let wanted = Directives::parse(request.uri().query().unwrap_or(""))?;
                let (viewer, from) = self.viewer(peer, request.headers());
                asked.viewers.saw(viewer, from, self.state.site.clock.monotonic());
                let offer = match wanted.sequence {
                    Some(sequence) => self.offer_with(asked, sequence).await?,
                    None if is_vlc(request.headers()) => self.offer_for_vlc(asked).await?,
                    None => self.offer(asked).await?,
                };
                Ok(playlist(&offer.playlist, &offer, wanted.sequence.is_some(), request.headers()))
            }
            MULTIVARIANT_PLAYLIST => {
                let offer = self.offer(asked).await?;
                Ok(playlist(&offer.multivariant, &offer, false, request.headers()))
            }
            _ => match asked.hls.segment(name) {
                Some(found) => {
                    segment(found, asked.hls.offer().target_duration, range::of_unvalidated(request))
                }
                None => Err(Problem::NoSuchSegment),
            },
        }
    }

    /// The viewer that the request is counted for, and the address of one without an account. This does not prove a login: the store is
    /// not called.
    fn viewer(&self, peer: Peer, headers: &HeaderMap) -> (Viewer, Option<IpAddr>) {
        let Client { address, secure } = peer.client();
        if let Some(token) = cookies::access_token(headers, secure)
            && let Some(bearer) = self.state.accounts().tokens.read(token, self.state.now())
        {
            return (bearer.user.into(), None);
        }
        let program = || headers.get(USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
        let viewer = cookies::viewer(headers, secure)
            .map_or_else(|| viewer_of_address(address, program()), viewer_of_cookie);
        (viewer, Some(network(address)))
    }

    /// The present offer. Waits for the first segment of a feed that is starting.
    async fn offer(&self, asked: &Asked) -> Result<Arc<Offer>, Problem> {
        let mut offer = asked.hls.offer();
        if !offer.playlist.is_empty() {
            return Ok(offer);
        }
        let is_coming =
            matches!(*asked.feed.state().borrow(), CameraState::Starting | CameraState::Live { .. });
        if is_coming && !offer.has_ended {
            let _waiting = self.waiting.try_acquire().map_err(|_| Problem::TooManyWaiting)?;
            if let Some(first) = Box::pin(asked.hls.wait_for(offer.next_sequence, FIRST_SEGMENT)).await {
                offer = first;
            }
        }
        if offer.playlist.is_empty() {
            return Err(Problem::NotLive(why_nothing_is_live(&asked.feed.state().borrow())));
        }
        Ok(offer)
    }

    /// The offer once it is long enough for VLC.
    async fn offer_for_vlc(&self, asked: &Asked) -> Result<Arc<Offer>, Problem> {
        let offer = self.offer(asked).await?;
        if offer.has_ended || offer.duration >= offer.target_duration * VLC_TARGETS {
            return Ok(offer);
        }
        let Ok(_waiting) = self.waiting.try_acquire() else { return Ok(offer) };
        Ok(Box::pin(asked.hls.covering(VLC_TARGETS, VLC_PATIENCE)).await)
    }

    /// Waits for the offer that holds segment `sequence`.
    async fn offer_with(&self, asked: &Asked, sequence: u64) -> Result<Arc<Offer>, Problem> {
        let offer = self.offer(asked).await?;
        if offer.has_ended || sequence < offer.next_sequence {
            return Ok(offer);
        }
        let last = offer.next_sequence - 1;
        if sequence > last + FARTHEST_AHEAD {
            return Err(Problem::TooFarAhead { asked: sequence, last });
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Problem::TooManyWaiting)?;
        let patience = offer.target_duration * PATIENCE_TARGETS;
        Box::pin(asked.hls.wait_for(sequence, patience)).await.ok_or(Problem::Overdue)
    }
}

/// Allows players on other sites to play public streams.
fn for_everybody(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Content-Range"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Keeps members-only streams out of shared caches.
pub(super) fn for_members(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let keeps = headers.get(CACHE_CONTROL) == Some(&caching::FOR_EVER);
    let caching = if keeps { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Delivery directives of the query (RFC 8216bis §6.2.5).
#[derive(Debug, Default, PartialEq)]
pub(super) struct Directives {
    pub(super) sequence: Option<u64>,
}

impl Directives {
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let (mut sequence, mut part) = (None, None);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let number =
                || value.parse::<u64>().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()));
            match name {
                "_HLS_msn" => {
                    sequence = Some(number().ok_or(Problem::Query("_HLS_msn is not a whole number"))?);
                }
                "_HLS_part" => {
                    part = Some(number().ok_or(Problem::Query("_HLS_part is not a whole number"))?);
                }
                // Others, such as _HLS_skip and those of caches, have no effect here.
                _ => {}
            }
        }
        match (sequence, part) {
            (None, Some(_)) => Err(Problem::Query("_HLS_part without _HLS_msn")),
            // Parts are not listed yet, so a request for one is answered when its segment is listed.
            (sequence, _) => Ok(Self { sequence }),
        }
    }
}

fn playlist(text: &Bytes, offer: &Offer, blocking: bool, known: &HeaderMap) -> Response<Body> {
    let tag =
        HeaderValue::from_maybe_shared(offer.tag.clone()).expect("digits and letters are a header value");
    let mut response = Response::new(Body::empty());
    if caching::is_known(known, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(text.clone());
    }
    let headers = response.headers_mut();
    headers.reserve(8); // three here, those for everybody or for members, and some to spare
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(playlist_caching(offer, blocking)));
    headers.insert(ETAG, tag);
    response
}

/// Browsers ask each time. A cache in front of us may answer by itself for a second, and much longer if the address
/// contains the number of the newest segment (RFC 8216bis, appendix B).
fn playlist_caching(offer: &Offer, blocking: bool) -> &'static str {
    match (offer.has_ended, blocking) {
        (true, _) => "public, max-age=10",
        (false, true) => "public, max-age=0, s-maxage=10",
        (false, false) => "public, max-age=0, s-maxage=1",
    }
}

fn segment(
    found: SegmentBytes,
    target: Duration,
    range: Option<&HeaderValue>,
) -> Result<Response<Body>, Problem> {
    let SegmentBytes { data, memory } = found;
    let part = range.map_or(Ok(Part::Whole), |range| range::parse(range, data.len() as u64))?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp2t"));
    headers.insert(CACHE_CONTROL, caching::FOR_EVER);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    match part {
        Part::Whole => *response.body_mut() = Body::from(data),
        Part::Bytes { first, last } => {
            headers.insert(CONTENT_RANGE, range::content_range(first, last, data.len() as u64));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = Body::from(data.slice(first as usize..=last as usize));
        }
    }
    response
        .extensions_mut()
        .insert(SegmentAnswer { pages: memory, within: target * SEGMENT_TARGETS + SEGMENT_SLACK });
    Ok(response)
}

/// The answer to a CORS preflight, which a browser sends before a player on another site may ask for a `Range`.
fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(http::header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(http::header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Range"));
    headers.insert(http::header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_and_strangers_ignored() {
        let sequence = |query| Directives::parse(query).map(|directives| directives.sequence);
        assert_eq!(sequence(""), Ok(None));
        assert_eq!(sequence("_HLS_msn=17"), Ok(Some(17)));
        assert_eq!(sequence("v=2&_HLS_msn=17&_HLS_part=3&_HLS_skip=YES"), Ok(Some(17)));
        for query in
            ["_HLS_msn=", "_HLS_msn=-1", "_HLS_msn=+1", "_HLS_msn=99999999999999999999", "_HLS_part=1"]
        {
            assert!(matches!(sequence(query), Err(Problem::Query(_))), "{query}");
        }
    }
}
