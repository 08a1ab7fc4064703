//! `/media/{stream}/` of what is recorded: playlists by byte ranges (RFC 8216bis §4.4.4.2), the parts that they name, and the download.
//!
//! Whoever may watch the stream may watch its recording; each request asks the site, so that what is deleted or hidden is gone at once.

use super::authentication;
use super::body::Body;
use super::caching;
use super::caller::Peer;
use super::download;
use super::file_body::{Computed, Content, FileBody, FileRange};
use super::media::MULTIVARIANT_PLAYLIST;
use super::problem::Problem;
use super::range::{self, Part};
use super::state::State;
use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use perch_site::SiteError;
use perch_site::recordings::{self, Playable};
use perch_store::{Refusal, StreamId};
use perch_studio::hls::MEDIA_PLAYLIST;
use perch_studio::playback::{OpenPart, Playback};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

/// From the beginning of the stream, also while it is live.
const DVR_PLAYLIST: &str = "dvr.m3u8";

/// As one file.
const DOWNLOAD: &str = "recording.mp4";

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) stream: StreamId,
    pub(super) name: &'a str,
    /// Of the playlist of a stream that is on the air.
    pub(super) target: Option<Duration>,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}

/// Whether this is the name of something recorded, also while the stream is live.
pub(super) fn is_of_recording(name: &str) -> bool {
    matches!(name, DVR_PLAYLIST | DOWNLOAD) || part_number(name).is_some()
}

/// Whether players fetch this to begin.
pub(super) fn is_playlist(name: &str) -> bool {
    name == DVR_PLAYLIST || name == MEDIA_PLAYLIST
}

/// The part that a name stands for: `1.mp4`. One name for one part: `01.mp4` is none.
fn part_number(name: &str) -> Option<u32> {
    let number: u32 = name.strip_suffix(".mp4")?.parse().ok()?;
    (name == format!("{number}.mp4")).then_some(number)
}

/// The answer, and whether everybody may have it.
pub(super) async fn answer(
    state: &State,
    peer: Peer,
    asked: &Asked<'_>,
) -> Result<(Response<Body>, bool), Problem> {
    let is_live_name = matches!(asked.name, MEDIA_PLAYLIST | MULTIVARIANT_PLAYLIST);
    if !is_live_name && !is_of_recording(asked.name) {
        return Err(Problem::NotLive("this stream is not on the air".to_owned()));
    }
    let caller = authentication::find_out(&state.site, peer, super::media::PREFIX, asked.headers).await?;
    let playable = match recordings::open(&state.site, &caller.actor, asked.stream).await {
        Err(SiteError::Refused(Refusal::NotFound { .. })) if is_live_name => {
            return Err(Problem::NotLive(
                "this stream is not on the air, and there is no recording of it".to_owned(),
            ));
        }
        playable => playable?,
    };
    let response = match (asked.name, part_number(asked.name)) {
        (_, Some(number)) => part(state, asked, &playable, number).await?,
        (DOWNLOAD, _) => download::answer(state, asked, &playable).await?,
        (MULTIVARIANT_PLAYLIST, _) => multivariant_playlist(state, asked, &playable).await?,
        _ => media_playlist(state, asked, &playable).await?,
    };
    Ok((response, playable.is_public()))
}

async fn media_playlist(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    let stream = asked.stream;
    let target = asked.target.map_or(1, |target| target.as_secs());
    let is_update = asked.query.split('&').any(|pair| matches!(pair, "_HLS_skip=YES" | "_HLS_skip=v2"));
    let text = recordings::read(&state.site, playable, move |playback, files| {
        playback.playlist(stream, files, target, is_update)
    });
    let text = text.await?.ok_or_else(nothing_yet)?;
    Ok(playlist(text, playable.files.is_growing, asked.headers))
}

async fn multivariant_playlist(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    let (stream, mode) = (asked.stream, playable.stream.details.mode);
    let text = recordings::read(&state.site, playable, move |playback, files| {
        playback.multivariant(stream, files, MEDIA_PLAYLIST, mode)
    });
    let text = text.await?.ok_or_else(nothing_yet)?;
    Ok(playlist(text, playable.files.is_growing, asked.headers))
}

fn nothing_yet() -> Problem {
    Problem::NotLive("nothing has been recorded yet".to_owned())
}

fn playlist(text: String, is_growing: bool, known: &HeaderMap) -> Response<Body> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = HeaderValue::try_from(format!("\"{:x}\"", hasher.finish())).expect("digits are a header value");
    let mut response = Response::new(Body::empty());
    if caching::is_known(known, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(Bytes::from(text));
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl"));
    let kept = if is_growing { "public, max-age=0, s-maxage=1" } else { "public, no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(ETAG, tag);
    response
}

async fn part(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
    number: u32,
) -> Result<Response<Body>, Problem> {
    let opened =
        recordings::read(&state.site, playable, move |_, files| Playback::part(files, number)).await?;
    let OpenPart { file, length } = opened.ok_or(Problem::NotFound)?;
    // A part only ever grows, so its length names what it holds.
    let tag = format!("\"{}-{number}-{length:x}\"", asked.stream);
    let content = vec![Content::File(FileRange { file, at: 0, length })];
    file_answer(content, length, &tag, asked.headers)
}

/// Answers with a file in MP4, or with the range of it that is asked for (RFC 9110 §13.1.5, §14).
pub(super) fn file_answer(
    content: Vec<Content>,
    length: u64,
    tag: &str,
    asked: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let tag = HeaderValue::try_from(tag).expect("a tag is letters and digits");
    let mut response = Response::new(Body::empty());
    if caching::is_known(asked, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        // A date in If-Range names nothing that was told here, and a weak tag never matches.
        let is_of_this = asked.get(IF_RANGE).is_none_or(|known| *known == tag);
        let range = asked.get(RANGE).filter(|_| is_of_this);
        let part = range.map_or(Ok(Part::Whole), |range| range::parse(range, length))?;
        let content = match part {
            Part::Whole => content,
            Part::Bytes { first, last } => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                response.headers_mut().insert(CONTENT_RANGE, range::content_range(first, last, length));
                range_of(content, first, last - first + 1)
            }
        };
        let body = FileBody::new(content);
        response.extensions_mut().insert(body.to_send());
        *response.body_mut() = Body::Files(body);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp4"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    headers.insert(ETAG, tag);
    Ok(response)
}

/// So many bytes of the content, after the first `skipped`.
fn range_of(content: Vec<Content>, skipped: u64, length: u64) -> Vec<Content> {
    let (mut skip, mut left) = (skipped, length);
    let mut range = Vec::new();
    for content in content {
        let whole = match &content {
            Content::Computed(computed) => computed.length,
            Content::File(range) => range.length,
        };
        let from = skip.min(whole);
        let taken = (whole - from).min(left);
        skip -= from;
        left -= taken;
        if taken > 0 {
            range.push(match content {
                Content::Computed(computed) => {
                    Content::Computed(Computed { at: computed.at + from, length: taken, ..computed })
                }
                Content::File(file) => Content::File(FileRange { at: file.at + from, length: taken, ..file }),
            });
        }
    }
    range
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::sync::Arc;

    #[test]
    fn parts_have_one_name_each() {
        assert_eq!(part_number("1.mp4"), Some(1));
        assert_eq!(part_number("12.mp4"), Some(12));
        for name in ["01.mp4", "+1.mp4", "1.ts", ".mp4", "-1.mp4", "99999999999.mp4", "1.mp4 "] {
            assert_eq!(part_number(name), None, "{name}");
        }
    }

    #[test]
    fn a_range_goes_across_what_the_content_is_made_of() {
        let file = Arc::new(File::open("/dev/null").unwrap());
        let content = || {
            vec![
                Content::Computed(Computed { write: Arc::new(|_| Ok(())), at: 0, length: 4 }),
                Content::File(FileRange { file: file.clone(), at: 100, length: 50 }),
                Content::File(FileRange { file: file.clone(), at: 7, length: 3 }),
            ]
        };
        let seen = |first, length| -> Vec<(u64, u64)> {
            let range = range_of(content(), first, length);
            let seen = range.iter().map(|content| match content {
                Content::Computed(computed) => (computed.at, computed.length),
                Content::File(range) => (range.at, range.length),
            });
            seen.collect()
        };
        assert_eq!(seen(0, 57), [(0, 4), (100, 50), (7, 3)]);
        assert_eq!(seen(2, 3), [(2, 2), (100, 1)]);
        assert_eq!(seen(4, 50), [(100, 50)]);
        assert_eq!(seen(53, 4), [(149, 1), (7, 3)]);
        assert_eq!(seen(56, 1), [(9, 1)]);
    }
}
