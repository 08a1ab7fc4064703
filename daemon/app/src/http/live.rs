//! `/media/live/`: the playlists and segments of the running stream. The hot path of the whole server: it is answered before the
//! router, a segment is the very bytes that the segmenter made, and a playlist is rendered once for everybody.
//!
//! Blocking reload is RFC 8216bis §6.2.5.2.

use super::body::Body;
use super::caching;
use super::problem::Problem;
use super::range::{self, Part};
use super::router::why_nothing_is_live;
use crate::capture::status::CameraState;
use crate::hls::{HlsHandle, MEDIA_PLAYLIST, Offer, SegmentBytes};
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// What this part of the site lives under.
pub(super) const PREFIX: &str = "/media/live/";

const MULTIVARIANT_PLAYLIST: &str = "main.m3u8";

/// Players may ask for one segment beyond the next one (RFC 8216bis §6.2.5.2).
const FARTHEST_AHEAD: u64 = 2;
/// Target durations after which a reload that waits is given up (RFC 8216bis §6.2.5.2).
const PATIENCE_TARGETS: u32 = 3;
/// A camera that starts has its first segment within this, or something is wrong with it.
const FIRST_SEGMENT: Duration = Duration::from_secs(3);

/// The live stream, as clients fetch it.
pub(super) struct Live {
    hls: HlsHandle,
    /// Blocking reloads that may wait at once: as many as there can be connections, each of which waits for one at most.
    waiting: Semaphore,
    /// How the live camera is doing.
    camera: watch::Receiver<CameraState>,
}

impl Live {
    pub(super) fn new(hls: HlsHandle, camera: watch::Receiver<CameraState>, most_waiting: usize) -> Self {
        Self { hls, camera, waiting: Semaphore::new(most_waiting) }
    }

    /// Answers a request for `name` under [`PREFIX`].
    pub(super) async fn answer<B>(&self, name: &str, request: &Request<B>) -> Response<Body> {
        let answer = match *request.method() {
            Method::GET | Method::HEAD => self.find(name, request).await,
            Method::OPTIONS => Ok(preflight()),
            _ => Err(Problem::Method { allowed: "GET, HEAD, OPTIONS".to_owned() }),
        };
        let mut response = answer.unwrap_or_else(Problem::into_response);
        let headers = response.headers_mut();
        // Players on other sites may play what anybody may see.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    async fn find<B>(&self, name: &str, request: &Request<B>) -> Result<Response<Body>, Problem> {
        match name {
            MEDIA_PLAYLIST => {
                let wanted = Directives::parse(request.uri().query().unwrap_or(""))?;
                let offer = match wanted.sequence {
                    Some(sequence) => self.offer_with(sequence).await?,
                    None => self.offer().await?,
                };
                Ok(playlist(&offer.playlist, &offer, wanted.sequence.is_some(), request.headers()))
            }
            MULTIVARIANT_PLAYLIST => {
                let offer = self.offer().await?;
                Ok(playlist(&offer.multivariant, &offer, false, request.headers()))
            }
            _ => match self.hls.segment(name) {
                Some(found) => segment(found, request.headers()),
                None => Err(Problem::NoSuchSegment),
            },
        }
    }

    /// What is offered; where the first segment is just being made, as soon as it is there.
    async fn offer(&self) -> Result<Arc<Offer>, Problem> {
        let mut offer = self.hls.offer();
        let is_coming = matches!(*self.camera.borrow(), CameraState::Starting | CameraState::Live { .. });
        if offer.playlist.is_empty() && is_coming && !offer.has_ended {
            let _waiting = self.waiting.try_acquire().map_err(|_| Problem::TooManyWaiting)?;
            if let Some(first) = self.hls.wait_for(offer.next_sequence, FIRST_SEGMENT).await {
                offer = first;
            }
        }
        if offer.playlist.is_empty() {
            return Err(Problem::NotLive(why_nothing_is_live(&self.camera.borrow())));
        }
        Ok(offer)
    }

    /// The offer as soon as it has segment `sequence`.
    async fn offer_with(&self, sequence: u64) -> Result<Arc<Offer>, Problem> {
        let offer = self.offer().await?;
        if offer.has_ended || sequence < offer.next_sequence {
            return Ok(offer);
        }
        let last = offer.next_sequence - 1;
        if sequence > last + FARTHEST_AHEAD {
            return Err(Problem::TooFarAhead { asked: sequence, last });
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Problem::TooManyWaiting)?;
        self.hls.wait_for(sequence, offer.target_duration * PATIENCE_TARGETS).await.ok_or(Problem::Overdue)
    }
}

/// Delivery directives of the query (RFC 8216bis §6.2.5).
#[derive(Debug, Default, PartialEq)]
struct Directives {
    sequence: Option<u64>,
}

impl Directives {
    fn parse(query: &str) -> Result<Self, Problem> {
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
                // Others, such as _HLS_skip and those of caches, change nothing here.
                _ => {}
            }
        }
        match (sequence, part) {
            (None, Some(_)) => Err(Problem::Query("_HLS_part without _HLS_msn")),
            // There are no parts yet: a part is here when its segment is.
            (sequence, _) => Ok(Self { sequence }),
        }
    }
}

fn playlist(text: &Bytes, offer: &Offer, blocking: bool, known: &HeaderMap) -> Response<Body> {
    // Sequence numbers are never given twice, so the last one names what there is for ever.
    let tag = format!("\"{}{}\"", offer.next_sequence, if offer.has_ended { "-end" } else { "" });
    let tag = HeaderValue::try_from(tag).expect("digits and letters are a header value");
    let mut response = Response::new(Body::empty());
    if caching::is_known(known, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(text.clone());
    }
    let headers = response.headers_mut();
    headers.reserve(5);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(playlist_caching(offer, blocking)));
    headers.insert(ETAG, tag);
    response
}

/// Browsers ask each time. A cache in front of us may answer a whole second by itself, and much longer where the address holds
/// the number of the newest segment (RFC 8216bis, appendix B).
fn playlist_caching(offer: &Offer, blocking: bool) -> &'static str {
    match (offer.has_ended, blocking) {
        (true, _) => "public, max-age=10",
        (false, true) => "public, max-age=0, s-maxage=10",
        (false, false) => "public, max-age=0, s-maxage=1",
    }
}

fn segment(found: SegmentBytes, asked: &HeaderMap) -> Result<Response<Body>, Problem> {
    let SegmentBytes { data, memory } = found;
    let part = asked.get(RANGE).map_or(Ok(Part::Whole), |range| range::parse(range, data.len()))?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp2t"));
    headers.insert(CACHE_CONTROL, caching::FOR_EVER);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(memory) = memory {
        response.extensions_mut().insert(memory);
    }
    let headers = response.headers_mut();
    match part {
        Part::Whole => *response.body_mut() = Body::from(data),
        Part::Bytes { first, last } => {
            headers.insert(CONTENT_RANGE, range::content_range(first, last, data.len()));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = Body::from(data.slice(first..=last));
        }
    }
    Ok(response)
}

/// What a browser asks before a player of another site may send a `Range`.
fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(http::header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(http::header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Range"));
    headers.insert(http::header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Content-Range"));
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
