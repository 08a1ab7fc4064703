//! `/media/{stream}/thumbnails.vtt` and the sheets that it names: small pictures along a recording's time line, as players know them (`WebVTT` with
//! media fragments, `#xywh=`).

use super::body::Body;
use super::caching;
use super::file_answer::Asked;
use super::problem::Problem;
use super::state::State;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use perch_site::recordings::{self, Playable};
use perch_studio::playback;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Which picture belongs to which seconds.
pub(super) const TRACK: &str = "thumbnails.vtt";

/// Whether this is the name of the track or of a sheet.
pub(super) fn is_of_storyboard(name: &str) -> bool {
    name == TRACK || sheet_number(name).is_some()
}

fn sheet_name(number: usize) -> String {
    format!("thumbnails-{number}.jpg")
}

/// The sheet that a name stands for; one name for one sheet.
fn sheet_number(name: &str) -> Option<usize> {
    let number = name.strip_prefix("thumbnails-")?.strip_suffix(".jpg")?.parse().ok()?;
    (name == sheet_name(number)).then_some(number)
}

/// Answers with the track or a sheet of a recording that the caller may watch.
pub(super) async fn answer(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    let stream = asked.stream;
    if let Some(number) = sheet_number(asked.name) {
        let sheet =
            recordings::read(&state.site, playable, move |_, files| playback::sheet(stream, files, number));
        let sheet = sheet.await?.ok_or(Problem::NotFound)?;
        return Ok(tagged(sheet.jpeg, "image/jpeg", sheet.check_sum.into(), asked.headers));
    }
    let text = recordings::read(&state.site, playable, move |playback, files| {
        playback.web_vtt(stream, files, sheet_name)
    });
    let text = text.await?.ok_or(Problem::NotFound)?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Ok(tagged(text.into(), "text/vtt; charset=utf-8", hasher.finish(), asked.headers))
}

/// Asked again each time, so that what was deleted or hidden is gone at once.
fn tagged(bytes: Bytes, kind: &'static str, tag: u64, known: &HeaderMap) -> Response<Body> {
    let tag = HeaderValue::try_from(format!("\"{tag:x}\"")).expect("digits are a header value");
    let mut response = Response::new(Body::empty());
    if caching::is_known(known, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(bytes);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    headers.insert(ETAG, tag);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_have_one_name_each() {
        assert_eq!(sheet_number("thumbnails-1.jpg"), Some(1));
        assert_eq!(sheet_number(&sheet_name(123)), Some(123));
        for name in [
            "thumbnails-01.jpg",
            "thumbnails-+1.jpg",
            "thumbnails-.jpg",
            "thumbnails-1.png",
            "1.jpg",
            "thumbnails.jpg",
        ] {
            assert_eq!(sheet_number(name), None, "{name}");
        }
        assert!(is_of_storyboard("thumbnails.vtt") && !is_of_storyboard("thumbnails.txt"));
    }
}
