//! `/media/{stream}/` of recordings: playlists of byte ranges (RFC 8216bis §4.4.4.2), the parts that they name, the storyboard, and the download.
//!
//! Whoever may watch the stream may watch its recording. Each request asks the site, so that a deleted or hidden recording is gone at once.

use super::authentication;
use super::body::Body;
use super::caching;
use super::caller::Peer;
use super::content_coding::takes_gzip;
use super::download;
use super::file_answer::{Asked, file_answer};
use super::file_body::{Content, FileRange};
use super::media_paths::{MULTIVARIANT_PLAYLIST, PREFIX};
use super::players::is_vlc;
use super::problem::Problem;
use super::state::State;
use super::storyboard;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use perch_site::accounts::logins::Login;
use perch_site::recordings::{self, Playable};
use perch_site::{Actor, SiteError};
use perch_store::{Refusal, Scope, StreamId};
use perch_studio::hls::MEDIA_PLAYLIST;
use perch_studio::playback::{Form, OpenPart, Playback, PlaylistText};

/// Playlist from the beginning of the stream, also while it is live.
const DVR_PLAYLIST: &str = "dvr.m3u8";

/// The recording as one file.
const DOWNLOAD: &str = "recording.mp4";

/// True for names that belong to the recording even while the stream is live.
pub(super) fn is_of_recording(name: &str) -> bool {
    matches!(name, DVR_PLAYLIST | DOWNLOAD)
        || part_number(name).is_some()
        || storyboard::is_of_storyboard(name)
}

/// True for names that players fetch first.
pub(super) fn is_playlist(name: &str) -> bool {
    name == DVR_PLAYLIST || name == MEDIA_PLAYLIST
}

/// The part with this name, such as `1.mp4`. Each part has one name: `01.mp4` is none.
fn part_number(name: &str) -> Option<u32> {
    let number: u32 = name.strip_suffix(".mp4")?.parse().ok()?;
    (name == format!("{number}.mp4")).then_some(number)
}

/// The answer, and whether everybody may see it. A problem in finding the recording is for those who asked: there may be one that
/// they may not see.
///
/// `login`: who asks, if that is known already.
pub(super) async fn answer(
    state: &State,
    peer: Peer,
    login: Option<&Login>,
    asked: &Asked<'_>,
) -> (Result<Response<Body>, Problem>, bool) {
    match open(state, peer, login, asked).await {
        Ok(playable) => (answer_with(state, asked, &playable).await, playable.is_public()),
        Err(problem) => (Err(problem), false),
    }
}

async fn open(
    state: &State,
    peer: Peer,
    login: Option<&Login>,
    asked: &Asked<'_>,
) -> Result<Playable, Problem> {
    let is_live_name = matches!(asked.name, MEDIA_PLAYLIST | MULTIVARIANT_PLAYLIST);
    if !is_live_name && !is_of_recording(asked.name) {
        return Err(Problem::NotLive("this stream is not on the air".to_owned()));
    }
    let actor = match login {
        Some(login) => Actor::Account { login: login.clone(), address: peer.address() },
        None => {
            authentication::find_out(&state.site, peer, PREFIX, Some(Scope::Read), asked.headers).await?.actor
        }
    };
    match recordings::open(&state.site, &actor, asked.stream).await {
        Err(SiteError::Refused(Refusal::NotFound { .. })) if is_live_name => {
            Err(Problem::NotLive("this stream is not on the air, and there is no recording of it".to_owned()))
        }
        playable => Ok(playable?),
    }
}

async fn answer_with(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    match (asked.name, part_number(asked.name)) {
        (_, Some(number)) => part(state, asked, playable, number).await,
        (DOWNLOAD, _) => download::answer(state, asked, playable).await,
        (MULTIVARIANT_PLAYLIST, _) => multivariant_playlist(state, asked, playable).await,
        (name, _) if storyboard::is_of_storyboard(name) => storyboard::answer(state, asked, playable).await,
        _ => media_playlist(state, asked, playable).await,
    }
}

/// True if everybody may watch a stream's recording. False if there is none that an anonymous caller may see.
pub(super) async fn is_public(state: &State, stream: StreamId) -> bool {
    let nobody = Actor::Anonymous { address: std::net::Ipv4Addr::UNSPECIFIED.into() };
    recordings::open(&state.site, &nobody, stream).await.is_ok_and(|playable| playable.is_public())
}

async fn media_playlist(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    let stream = asked.stream;
    let target = asked.target.map_or(1, |target| target.as_secs());
    let is_update = asked.query.split('&').any(|pair| matches!(pair, "_HLS_skip=YES" | "_HLS_skip=v2"));
    let form = if is_vlc(asked.headers) {
        Form::HeadersInside
    } else if is_update && playable.files.is_growing {
        Form::Update
    } else if takes_gzip(asked.headers) {
        Form::Packed
    } else {
        Form::Whole
    };
    let text = recordings::read(&state.site, playable, move |playback, files| {
        playback.playlist(stream, files, target, form)
    });
    let text = text.await?.ok_or_else(Problem::nothing_recorded_yet)?;
    Ok(playlist(text, playable.files.is_growing, asked.headers))
}

async fn multivariant_playlist(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    let (stream, mode) = (asked.stream, playable.stream.details.mode);
    let text = recordings::read(&state.site, playable, move |playback, files| {
        let text = playback.multivariant(stream, files, MEDIA_PLAYLIST, mode)?;
        Ok(text.map(PlaylistText::from))
    });
    let text = text.await?.ok_or_else(Problem::nothing_recorded_yet)?;
    Ok(playlist(text, playable.files.is_growing, asked.headers))
}

fn playlist(text: PlaylistText, is_growing: bool, known: &HeaderMap) -> Response<Body> {
    let PlaylistText { bytes, is_gzip, tag } = text;
    // Each coding is a representation with a tag of its own (RFC 9110 §8.8.3.3).
    let tag = format!("\"{tag:x}{}\"", if is_gzip { "-gzip" } else { "" });
    let tag = HeaderValue::try_from(tag).expect("letters and digits are a header value");
    let mut response = Response::new(Body::empty());
    let is_known = caching::is_known(known, &tag);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(bytes);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl"));
    headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    if is_gzip && !is_known {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // A recording that has ended does not change, but it may be deleted or restricted to members, so caches must ask.
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
    let OpenPart { file, length, modified } = opened.ok_or(Problem::NotFound)?;
    // A part only grows, but after a fault of the card other bytes may take the place of its last ones.
    let tag = format!("\"{}-{number}-{length:x}-{modified:x}\"", asked.stream);
    let content = vec![Content::File(FileRange { file, at: 0, length })];
    file_answer(content, length, &tag, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_one_name_each() {
        assert_eq!(part_number("1.mp4"), Some(1));
        assert_eq!(part_number("12.mp4"), Some(12));
        for name in ["01.mp4", "+1.mp4", "1.ts", ".mp4", "-1.mp4", "99999999999.mp4", "1.mp4 "] {
            assert_eq!(part_number(name), None, "{name}");
        }
    }
}
