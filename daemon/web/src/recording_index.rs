//! `/api/v1/recordings/{stream}/index`: the bytes of each second of a recording.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Path, Query};
use super::json;
use super::links::link;
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

/// Fragments per page by default, and at most: a quarter of an hour.
const USUAL: usize = 100;
const MOST: usize = 1000;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(index))
}

/// About a second of a recording.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingFragment)]
struct Fragment {
    /// Its number in the recording, from 1.
    number: u64,
    /// Its beginning in the recording.
    at_seconds: f64,
    duration_seconds: f64,
    /// Its beginning in the stream, including pauses.
    offset_seconds: f64,
    /// Its file.
    url: String,
    /// Its first byte in that file.
    byte_offset: u64,
    bytes: u32,
    /// True if decoding can start with it.
    is_key: bool,
    /// True if a segment of the playlists begins with it.
    begins_segment: bool,
    /// The break before it: `seam` (the source restarted), `gap` (pictures are missing), or null.
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
            url: link(format_args!("/media/{stream}/{}.mp4", listed.part)),
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

/// A page of fragments, and the address of the small pictures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingIndex)]
struct Index {
    #[serde(flatten)]
    page: List<Fragment>,
    /// Small pictures along the time line (`WebVTT`); null while there are none.
    #[schema(required)]
    thumbnails_url: Option<String>,
}

/// Selects fragments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Fragments per page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the previous page: the number of its last fragment.
    cursor: Option<String>,
}

/// The fragments of a recording in order, each with its byte range in a part's file. The bytes before a part's first fragment are its header.
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
    let thumbnails_url = has_pictures.then(|| link(format_args!("/media/{stream}/{}", storyboard::TRACK)));
    Ok(json::fresh(&Index { page, thumbnails_url }))
}
