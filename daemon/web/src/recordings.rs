//! `/api/v1/recordings` and `/api/v1/storage`: what is kept of streams, and what it takes of the card.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json::{self, Time};
use super::list::{Asked, List};
use super::people::UserRef;
use super::problem::Problem;
use super::state::Shared;
use super::storyboard;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use perch_site::recordings::{self, SeenRecording};
use perch_store::{Recording, RecordingState, StreamId};
use perch_studio::playback::Outline;
use perch_studio::recorder::{Disk, DiskKind, Spare, Storage};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn routes() -> Api {
    Api::new()
        .routes(routes!(list))
        .routes(routes!(show, change, delete))
        .routes(routes!(restore))
        .routes(routes!(delete_all))
        .routes(routes!(restore_all))
        .routes(routes!(storage))
}

/// What is kept of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Recording)]
#[expect(clippy::struct_excessive_bools, reason = "an object in JSON: each is a fact of its own")]
struct RecordingItem {
    /// The stream's id.
    #[schema(value_type = String)]
    stream: StreamId,
    title: String,
    user: UserRef,
    /// `public` or `members`: as the stream.
    #[schema(value_type = String)]
    visibility: perch_store::Visibility,
    /// When its first picture was taken.
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
    /// The board's clock was not set then: `started_at` may be wrong.
    is_date_provisional: bool,
    /// The sum of the durations of its pictures.
    duration_seconds: f64,
    /// Of all its files.
    bytes: u64,
    /// Whether it is still growing.
    is_growing: bool,
    /// Kept whatever its age and the room on the card.
    pinned: bool,
    /// What its files are called on the card, without an extension.
    name: String,
    /// Why nothing is written just now; null where all is well.
    #[schema(required)]
    trouble: Option<String>,
    /// From its beginning, also while it grows.
    playlist_url: String,
    /// As one MP4 file; while it grows, of what is there so far.
    download_url: String,
    may_edit: bool,
}

impl From<SeenRecording> for RecordingItem {
    fn from(seen: SeenRecording) -> Self {
        let SeenRecording { recording, stream, user, trouble, may_edit } = seen;
        let is_growing = recording.state == RecordingState::Recording;
        let id = recording.stream;
        Self {
            stream: id,
            title: stream.details.title,
            user: UserRef::from(&user),
            visibility: stream.facts.visibility,
            started_at: Time(recording.started_at),
            is_date_provisional: recording.is_date_provisional,
            duration_seconds: recording.duration_ms as f64 / 1000.0,
            bytes: recording.bytes,
            is_growing,
            pinned: recording.is_pinned,
            name: recording.name,
            trouble,
            playlist_url: format!("/media/{id}/dvr.m3u8"),
            download_url: format!("/media/{id}/recording.mp4"),
            may_edit,
        }
    }
}

/// A recording with what players want to know of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingDetails)]
struct RecordingDetails {
    #[serde(flatten)]
    item: RecordingItem,
    /// Of its first part (RFC 6381); null where its files cannot be read.
    #[schema(required)]
    codecs: Option<String>,
    /// Small pictures along its time line, as `WebVTT`; null before there are any: they are made when the board has time.
    #[schema(required)]
    thumbnails_url: Option<String>,
    /// Where the recording's time and the stream's part: chat messages have the stream's. From one to the next both go on alike.
    timeline: Vec<Point>,
}

/// The same moment in two times, in seconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelinePoint)]
struct Point {
    /// Into the recording.
    at_seconds: f64,
    /// Into the stream, pauses included.
    offset_seconds: f64,
}

impl RecordingDetails {
    fn new(seen: SeenRecording, outline: Option<Outline>) -> Self {
        let mut item = RecordingItem::from(seen);
        let (mut codecs, mut thumbnails_url, mut timeline) = (None, None, Vec::new());
        if let Some(outline) = outline {
            // The files' own word: the store learns it at the end.
            item.duration_seconds = outline.duration.as_secs_f64();
            codecs = outline.codecs;
            thumbnails_url =
                outline.has_storyboard.then(|| format!("/media/{}/{}", item.stream, storyboard::TRACK));
            let seconds = |ms: u64| ms as f64 / 1000.0;
            timeline.extend(outline.jumps.iter().map(|jump| Point {
                at_seconds: seconds(jump.at_ms),
                offset_seconds: seconds(jump.stream_offset_ms),
            }));
        }
        Self { item, codecs, thumbnails_url, timeline }
    }
}

/// Which recordings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Of this username.
    user: Option<String>,
    /// Recordings of a page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What is kept of streams, the newest first.
#[utoipa::path(get, path = "/api/v1/recordings", tag = "recordings", params(Which),
    responses((status = 200, description = "A page of recordings", body = List<RecordingItem>)))]
async fn list(state: Shared, caller: Caller, Query(which): Query<Which>) -> Result<Response, Problem> {
    let asked = Asked::<StreamId>::new(which.limit, which.cursor.as_deref())?;
    let wanted = recordings::Which { username: which.user, before: asked.before, limit: asked.and_one() };
    let found = recordings::list(&state.site, &caller.actor, wanted).await?;
    Ok(json::fresh(&List::of(found, &asked, |seen| seen.recording.stream, RecordingItem::from)))
}

/// What is kept of a stream.
#[utoipa::path(get, path = "/api/v1/recordings/{stream}", tag = "recordings", params(("stream" = String, Path, description = "The stream's id")),
    responses((status = 200, description = "The recording", body = RecordingDetails), (status = 304, description = "As before (If-None-Match)")))]
async fn show(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (seen, outline) = recordings::show(&state.site, &caller.actor, stream).await?;
    Ok(json::tagged(&RecordingDetails::new(seen, outline), &headers))
}

/// What to change; what is not given stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordingChange)]
struct Change {
    /// Keep it whatever its age and the room on the card.
    pinned: Option<bool>,
}

/// Pins a recording, or unpins it.
#[utoipa::path(patch, path = "/api/v1/recordings/{stream}", tag = "recordings", params(("stream" = String, Path, description = "The stream's id")), request_body = Change,
    responses((status = 200, description = "The recording as it is now", body = RecordingDetails)))]
async fn change(
    state: Shared,
    caller: Caller,
    Path(stream): Path<StreamId>,
    Json(asked): Json<Change>,
) -> Result<Response, Problem> {
    if let Some(pinned) = asked.pinned {
        recordings::pin(&state.site, &caller.actor, stream, pinned).await?;
    }
    let (seen, outline) = recordings::show(&state.site, &caller.actor, stream).await?;
    Ok(json::fresh(&RecordingDetails::new(seen, outline)))
}

/// Deletes what is kept of a stream: it is hidden at once, and gone for good after ten minutes, or earlier when its room is needed or
/// Perch is started again. One that grows ends, and is gone at once. The stream and its chat stay.
#[utoipa::path(delete, path = "/api/v1/recordings/{stream}", tag = "recordings", params(("stream" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is deleted")))]
async fn delete(state: Shared, caller: Caller, Path(stream): Path<StreamId>) -> Result<StatusCode, Problem> {
    recordings::delete(&state.site, &caller.actor, stream).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings back what was just deleted. 404 where it is gone for good.
#[utoipa::path(post, path = "/api/v1/recordings/{stream}/restore", tag = "recordings", params(("stream" = String, Path, description = "The stream's id")),
    responses((status = 200, description = "The recording as it was", body = RecordingDetails)))]
async fn restore(state: Shared, caller: Caller, Path(stream): Path<StreamId>) -> Result<Response, Problem> {
    recordings::restore(&state.site, &caller.actor, stream).await?;
    let (seen, outline) = recordings::show(&state.site, &caller.actor, stream).await?;
    Ok(json::fresh(&RecordingDetails::new(seen, outline)))
}

/// How many recordings.
#[derive(Debug, Serialize, ToSchema)]
struct HowMany {
    recordings: usize,
}

/// Deletes all recordings of a user's streams as one by one, pinned ones and those that grow too.
#[utoipa::path(delete, path = "/api/v1/users/{username}/recordings", tag = "recordings", params(("username" = String, Path)),
    responses((status = 200, description = "How many were deleted", body = HowMany)))]
async fn delete_all(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<Response, Problem> {
    let recordings = recordings::delete_all(&state.site, &caller.actor, username).await?;
    Ok(json::fresh(&HowMany { recordings }))
}

/// Brings back all recordings of a user's streams that were just deleted.
#[utoipa::path(post, path = "/api/v1/users/{username}/recordings/restore", tag = "recordings", params(("username" = String, Path)),
    responses((status = 200, description = "How many came back", body = HowMany)))]
async fn restore_all(
    state: Shared,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<Response, Problem> {
    let recordings = recordings::restore_all(&state.site, &caller.actor, username).await?;
    Ok(json::fresh(&HowMany { recordings }))
}

/// What recordings take of the card.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Storage)]
struct StorageReport {
    /// Where recordings lie.
    folder: String,
    /// Of the card, or of the disk that the folder is on; null where the folder is not there.
    #[schema(required)]
    total_bytes: Option<u64>,
    #[schema(required)]
    free_bytes: Option<u64>,
    /// By all recordings.
    used_bytes: u64,
    /// How many there are.
    recordings: usize,
    /// What all recordings together may take; null where the folder is not there.
    #[schema(required)]
    budget_bytes: Option<u64>,
    /// Left free, whatever the budget.
    keep_free_bytes: u64,
    /// After so many days a recording is deleted; null: never.
    #[schema(required)]
    keep_days: Option<u32>,
    /// By what is being recorded now, else by the newest recording; null where there is none.
    #[schema(required)]
    written_bytes_per_hour: Option<u64>,
    /// Of recordings, over the last week. `disk` has what everything together writes.
    written_bytes_per_day: u64,
    /// At this rate a recording is kept for so many days; null where nothing was recorded lately.
    #[schema(required)]
    keeps_days: Option<f64>,
    /// The recording that is deleted next when room is needed.
    #[schema(required)]
    goes_next: Option<GoesNext>,
    /// The disk that the folder is on; null where the kernel knows none, or the folder is not there.
    #[schema(required)]
    disk: Option<DiskReport>,
    /// What does not work just now, in words.
    #[schema(required)]
    trouble: Option<String>,
}

/// A disk, as far as the kernel tells: what it does not tell is null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingDisk)]
struct DiskReport {
    /// As the kernel calls it: `mmcblk0`.
    name: String,
    /// `sd_card`, `emmc` or `disk`.
    kind: &'static str,
    /// As its maker calls it.
    #[schema(required)]
    model: Option<String>,
    /// Year and month: `2023-05`.
    #[schema(required)]
    made: Option<String>,
    /// The share of its life that is used, rounded up to tens; 110: it has lasted longer than its maker promised.
    #[schema(required, maximum = 110)]
    life_used_percent: Option<u8>,
    /// Its blocks in reserve for bad ones: `normal`, `low` (80 % are used), `urgent` (90 %).
    #[schema(required)]
    spare: Option<&'static str>,
    /// It takes no writes, or is mounted so.
    is_read_only: bool,
    /// Commands that failed since it was plugged in, those included that it does not know: a few mean nothing.
    #[schema(required)]
    failed_commands: Option<u64>,
    /// Errors that the file system has found.
    #[schema(required)]
    file_system_errors: Option<u64>,
    /// By all programs together, in 24 hours of running; null until it has been looked at for an hour.
    #[schema(required)]
    written_bytes_per_day: Option<u64>,
}

impl DiskReport {
    fn new(disk: Disk, is_read_only: bool) -> Self {
        let Disk { name, health, written_per_day } = disk;
        Self {
            name,
            kind: match health.kind {
                DiskKind::SdCard => "sd_card",
                DiskKind::Emmc => "emmc",
                DiskKind::Disk => "disk",
            },
            model: health.model,
            made: health.made.map(|(year, month)| format!("{year}-{month:02}")),
            life_used_percent: health.life_used_percent,
            spare: health.spare.map(|spare| match spare {
                Spare::Normal => "normal",
                Spare::Low => "low",
                Spare::Urgent => "urgent",
            }),
            is_read_only,
            failed_commands: health.failed_commands,
            file_system_errors: health.file_system_errors,
            written_bytes_per_day: written_per_day,
        }
    }
}

/// The recording that is deleted next.
#[derive(Debug, Serialize, ToSchema)]
struct GoesNext {
    #[schema(value_type = String)]
    stream: StreamId,
    name: String,
    bytes: u64,
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
}

impl From<Recording> for GoesNext {
    fn from(recording: Recording) -> Self {
        Self {
            stream: recording.stream,
            name: recording.name,
            bytes: recording.bytes,
            started_at: Time(recording.started_at),
        }
    }
}

impl From<Storage> for StorageReport {
    fn from(storage: Storage) -> Self {
        Self {
            folder: storage.folder.to_string_lossy().into_owned(),
            total_bytes: storage.card.map(|card| card.total),
            free_bytes: storage.card.map(|card| card.free),
            used_bytes: storage.used,
            recordings: storage.recordings,
            budget_bytes: storage.budget,
            keep_free_bytes: storage.keep_free,
            keep_days: (storage.keep_days > 0).then_some(storage.keep_days),
            written_bytes_per_hour: storage.written_per_hour,
            written_bytes_per_day: storage.written_per_day,
            keeps_days: storage.keeps_for.map(|keeps| keeps.as_secs_f64() / 86_400.0),
            goes_next: storage.goes_next.map(GoesNext::from),
            disk: storage.disk.map(|disk| DiskReport::new(disk, storage.is_read_only)),
            trouble: storage.trouble,
        }
    }
}

/// How full the card is, and how long recordings are kept on it.
#[utoipa::path(get, path = "/api/v1/storage", tag = "recordings",
    responses((status = 200, description = "What recordings take", body = StorageReport)))]
async fn storage(state: Shared, caller: Caller) -> Result<Response, Problem> {
    Ok(json::fresh(&StorageReport::from(recordings::storage(&state.site, &caller.actor).await?)))
}
