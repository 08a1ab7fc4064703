//! `/api/v1/recordings/{stream}/index`: where each second of a recording lies in its files.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Path, Query};
use super::json;
use super::list::{Asked, List};
use super::problem::Problem;
use super::state::Shared;
use super::storyboard;
use axum::response::Response;
use perch_site::recordings;
use perch_store::StreamId;
use perch_studio::playback::{Break, ListedFragment};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Fragments of a page by default, and at most: a quarter of an hour.
const USUAL: usize = 100;
const MOST: usize = 1000;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(index))
}

/// About a second of a recording.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingFragment)]
struct Fragment {
    /// Its place in the recording, from 1.
    number: u64,
    /// Where it begins in the recording.
    at_seconds: f64,
    duration_seconds: f64,
    /// Where it begins in the stream, pauses included.
    offset_seconds: f64,
    /// The file that it lies in.
    url: String,
    /// Where it begins in that file, bytes.
    byte_offset: u64,
    bytes: u32,
    /// It begins with a picture that players can begin with.
    is_key: bool,
    /// A segment of the playlists begins with it.
    begins_segment: bool,
    /// What lies before it: `seam` (the source began anew), `gap` (pictures are missing); null: nothing.
    #[schema(required)]
    before: Option<&'static str>,
}

impl Fragment {
    fn new(stream: StreamId, listed: &ListedFragment) -> Self {
        Self {
            number: listed.number,
            at_seconds: listed.begins_seconds(),
            duration_seconds: listed.seconds(),
            offset_seconds: listed.stream_offset_ms as f64 / 1000.0,
            url: format!("/media/{stream}/{}.mp4", listed.part),
            byte_offset: listed.at,
            bytes: listed.bytes,
            is_key: listed.is_key,
            begins_segment: listed.begins_segment,
            before: match listed.before {
                Break::None => None,
                Break::Seam => Some("seam"),
                Break::Gap => Some("gap"),
            },
        }
    }
}

/// A page of fragments, and where the small pictures are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingIndex)]
struct Index {
    #[serde(flatten)]
    page: List<Fragment>,
    /// Small pictures along the time line (`WebVTT`); null while there are none.
    #[schema(required)]
    thumbnails_url: Option<String>,
}

/// Which fragments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Fragments of a page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the page before: the number of its last fragment.
    cursor: Option<String>,
}

/// The fragments of a recording in their order, each with the bytes of a part's file that it takes. Bytes before the first are the part's head.
#[utoipa::path(get, path = "/api/v1/recordings/{stream}/index", tag = "recordings",
    params(("stream" = String, Path, description = "The stream's id"), Which),
    responses((status = 200, description = "A page of fragments", body = Index)))]
async fn index(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let limit = which.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::InvalidQuery(format!("limit must be from 1 to {MOST}")));
    }
    let Asked { before, .. } = Asked::<u64>::new(None, which.cursor.as_deref())?;
    let asked = Asked { limit, before };
    let playable = recordings::open(&state.site, &caller.actor, stream).await?;
    let (after, wanted) = (before.unwrap_or(0), asked.and_one());
    let found = recordings::read(&state.site, &playable, move |playback, files| {
        let has_pictures = playback.outline(stream, files)?.has_storyboard;
        Ok((playback.fragments(stream, files, after, wanted)?, has_pictures))
    });
    let (found, has_pictures) = found.await?;
    let page = List::of(found, &asked, |one| one.number, |one| Fragment::new(stream, &one));
    let thumbnails_url = has_pictures.then(|| format!("/media/{stream}/{}", storyboard::TRACK));
    Ok(json::fresh(&Index { page, thumbnails_url }))
}
