//! `/media/by-token/{token}/…`: streams and pictures for players and pages that send no headers, such as a kitchen display or a recorder of
//! cameras. The token is an API token with the scope `watch`, which opens nothing else. Names within playlists are relative, so segments are asked
//! for under the same address.
//!
//! - `{stream}/{name}` as at `/media/{stream}/{name}`, with `live` for the featured stream
//! - `camera/{camera}/{name}`: the stream that the camera carries now
//! - `camera/{camera}/snapshot.jpg`: what the camera sees now; `?width=` in pixels
//!
//! The token must not reach a log: [`without_token`].

use super::body::Body;
use super::caller::Peer;
use super::media::{Media, for_members};
use super::problem::Problem;
use super::state::State;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use perch_site::accounts::logins::Login;
use perch_site::{Actor, api_tokens, snapshots};
use perch_store::{Scope, StreamState};
use std::borrow::Cow;

/// What such an address begins with, below `/media/`.
const BY_TOKEN: &str = "by-token/";
/// Stands for a camera, in place of a stream.
const CAMERA: &str = "camera/";
/// A camera's picture.
const SNAPSHOT: &str = "snapshot.jpg";
/// Default width of a picture, pixels.
const USUAL_WIDTH: u32 = 1280;

/// The token, and the address behind it, of a path below `/media/`.
pub(super) fn parts_of(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(BY_TOKEN)?.split_once('/')
}

/// A whole path as it may be logged.
pub(super) fn without_token(path: &str) -> Cow<'_, str> {
    let prefix = format!("/media/{BY_TOKEN}");
    match path.split_once(prefix.as_str()) {
        Some((before, token)) => {
            let rest = token.find('/').map_or("", |end| &token[end..]);
            Cow::Owned(format!("{before}{prefix}…{rest}"))
        }
        None => Cow::Borrowed(path),
    }
}

/// Answers a request for `rest`, as the token's account.
pub(super) async fn answer<B>(
    media: &Media,
    state: &State,
    (token, rest): (&str, &str),
    peer: Peer,
    request: &Request<B>,
) -> Response<Body> {
    let login = api_tokens::login_of(&state.site, peer.address(), token, Some(Scope::Watch)).await;
    let answer = match login {
        Ok(login) => find(media, state, login, rest, peer, request).await,
        Err(error) => Err(error.into()),
    };
    for_members(answer.unwrap_or_else(Problem::into_response))
}

async fn find<B>(
    media: &Media,
    state: &State,
    login: Login,
    rest: &str,
    peer: Peer,
    request: &Request<B>,
) -> Result<Response<Body>, Problem> {
    let Some(rest) = rest.strip_prefix(CAMERA) else {
        return Ok(media.answer_to(rest, peer, Some(&login), request).await);
    };
    let (camera, name) = rest.split_once('/').ok_or(Problem::NotFound)?;
    if name == SNAPSHOT {
        return picture(state, login, camera, peer, request).await;
    }
    let stream = {
        let on_air = state.site.live.on_air();
        let on_air = on_air.borrow();
        let carries = |stream: &&perch_studio::live::OnAir| {
            stream.origin.camera() == Some(camera) && stream.state != StreamState::Ended
        };
        on_air.iter().find(carries).map(|stream| stream.stream)
    };
    let stream = stream.ok_or_else(|| Problem::NotLive("this camera is not live".to_owned()))?;
    Ok(media.answer_to(&format!("{stream}/{name}"), peer, Some(&login), request).await)
}

/// A picture of what the camera sees now.
async fn picture<B>(
    state: &State,
    login: Login,
    camera: &str,
    peer: Peer,
    request: &Request<B>,
) -> Result<Response<Body>, Problem> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::Method { allowed: "GET, HEAD".to_owned() });
    }
    let actor = Actor::Account { login, address: peer.address() };
    // Each may cost a decoded picture.
    state.site.limits.admit(&actor, false)?;
    let width = width_of(request.uri().query().unwrap_or(""))
        .ok_or(Problem::Query("width must be from 16 to 4096 pixels"))?;
    let snapshot = snapshots::take(&state.site, &actor, camera, width).await?;
    let mut response = Response::new(Body::from(snapshot.jpeg));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    Ok(response)
}

/// The requested width; other parameters, with which pages get around caches, have no effect.
fn width_of(query: &str) -> Option<u32> {
    let width = query.split('&').find_map(|pair| pair.strip_prefix("width="));
    let width = width.map_or(Some(USUAL_WIDTH), |width| width.parse().ok())?;
    (16..=4096).contains(&width).then_some(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_token_and_what_it_is_for() {
        assert_eq!(parts_of("by-token/perch_0/live/index.m3u8"), Some(("perch_0", "live/index.m3u8")));
        assert_eq!(parts_of("by-token/perch_0"), None);
        assert_eq!(parts_of("live/index.m3u8"), None);
    }

    #[test]
    fn no_line_of_the_log_has_a_token() {
        assert_eq!(without_token("/media/by-token/perch_0/live/1.ts"), "/media/by-token/…/live/1.ts");
        assert_eq!(without_token("/media/by-token/perch_0"), "/media/by-token/…");
        assert_eq!(without_token("/perch/media/by-token/perch_0/x"), "/perch/media/by-token/…/x");
        assert_eq!(without_token("/media/live/index.m3u8"), "/media/live/index.m3u8");
    }

    #[test]
    fn a_width_is_a_number_of_pixels() {
        for (query, width) in [
            ("", Some(1280)),
            ("t=5&width=640", Some(640)),
            ("width=15", None),
            ("width=x", None),
            ("width=99999999999", None),
        ] {
            assert_eq!(width_of(query), width, "{query}");
        }
    }
}
