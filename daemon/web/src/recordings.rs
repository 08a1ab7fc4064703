//! `/api/v1/recordings` and `/api/v1/storage`: recordings of streams, and how much of the card they take.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path, Query};
use super::json::{self, Time};
use super::links::link;
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

/// The recording of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Recording)]
#[expect(clippy::struct_excessive_bools, reason = "an object in JSON: each is a fact of its own")]
struct RecordingItem {
    /// The stream's id.
    #[schema(value_type = String)]
    stream: StreamId,
    title: String,
    user: UserRef,
    /// `public` or `members`, as for the stream.
    #[schema(value_type = String)]
    visibility: perch_store::Visibility,
    /// When its first picture was taken.
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
    /// True if the board's clock was not set then, so that `started_at` may be wrong.
    is_date_provisional: bool,
    /// The sum of the durations of its pictures.
    duration_seconds: f64,
    /// Size of all its files.
    bytes: u64,
    /// True while it is growing.
    is_growing: bool,
    /// True if it is kept regardless of its age and the space on the card.
    pinned: bool,
    /// Name of its files on the card, without an extension.
    name: String,
    /// Why nothing is recorded just now; null if nothing is wrong.
    #[schema(required)]
    trouble: Option<String>,
    /// Playlist from its beginning, also while it grows.
    playlist_url: String,
    /// One MP4 file; while it grows, of what is recorded so far.
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
            playlist_url: link(format_args!("/media/{id}/dvr.m3u8")),
            download_url: link(format_args!("/media/{id}/recording.mp4")),
            may_edit,
        }
    }
}

/// A recording with details for players.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingDetails)]
struct RecordingDetails {
    #[serde(flatten)]
    item: RecordingItem,
    /// Codecs of its first part (RFC 6381); null if its files cannot be read.
    #[schema(required)]
    codecs: Option<String>,
    /// Small pictures along its time line, as `WebVTT`; null before there are any. They are made when the board is idle.
    #[schema(required)]
    thumbnails_url: Option<String>,
    /// Points at which the recording's time and the stream's time, which chat messages have, diverge. Between two points both advance alike.
    timeline: Vec<Point>,
}

/// One moment in both times, in seconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelinePoint)]
struct Point {
    /// Seconds into the recording.
    at_seconds: f64,
    /// Seconds into the stream, including pauses.
    offset_seconds: f64,
}

impl RecordingDetails {
    fn new(seen: SeenRecording, outline: Option<Outline>) -> Self {
        let mut item = RecordingItem::from(seen);
        let (mut codecs, mut thumbnails_url, mut timeline) = (None, None, Vec::new());
        if let Some(outline) = outline {
            // From the files: the store is written at the end.
            item.duration_seconds = outline.duration.as_secs_f64();
            codecs = outline.codecs;
            thumbnails_url = outline
                .has_storyboard
                .then(|| link(format_args!("/media/{}/{}", item.stream, storyboard::TRACK)));
            let seconds = |ms: u64| ms as f64 / 1000.0;
            timeline.extend(outline.jumps.iter().map(|jump| Point {
                at_seconds: seconds(jump.at_ms),
                offset_seconds: seconds(jump.stream_offset_ms),
            }));
        }
        Self { item, codecs, thumbnails_url, timeline }
    }
}

/// Selects recordings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// A username.
    user: Option<String>,
    /// Recordings per page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// The recordings, newest first.
#[utoipa::path(get, path = "/api/v1/recordings", tag = "recordings", params(Which),
    responses((status = 200, description = "A page of recordings", body = List<RecordingItem>)))]
async fn list(state: Shared, caller: Caller, Query(which): Query<Which>) -> Result<Response, Problem> {
    let asked = Asked::<StreamId>::new(which.limit, which.cursor.as_deref())?;
    let wanted = recordings::Which { username: which.user, before: asked.before, limit: asked.and_one() };
    let found = recordings::list(&state.site, &caller.actor, wanted).await?;
    Ok(json::fresh(&List::of(found, &asked, |seen| seen.recording.stream, RecordingItem::from)))
}

/// The recording of a stream.
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

/// Changes; missing fields keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordingChange)]
struct Change {
    /// Keep it regardless of its age and the space on the card.
    pinned: Option<bool>,
}

/// Pins or unpins a recording.
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

/// Deletes the recording of a stream. It is hidden at once and removed after ten minutes, or earlier if its space is needed or Perch is restarted. A
/// recording that is growing ends and is removed at once. The stream and its chat stay.
#[utoipa::path(delete, path = "/api/v1/recordings/{stream}", tag = "recordings", params(("stream" = String, Path, description = "The stream's id")),
    responses((status = 204, description = "It is deleted")))]
async fn delete(state: Shared, caller: Caller, Path(stream): Path<StreamId>) -> Result<StatusCode, Problem> {
    recordings::delete(&state.site, &caller.actor, stream).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restores a recording that was just deleted. 404 if its files are gone.
#[utoipa::path(post, path = "/api/v1/recordings/{stream}/restore", tag = "recordings", params(("stream" = String, Path, description = "The stream's id")),
    responses((status = 200, description = "The recording as it was", body = RecordingDetails)))]
async fn restore(state: Shared, caller: Caller, Path(stream): Path<StreamId>) -> Result<Response, Problem> {
    recordings::restore(&state.site, &caller.actor, stream).await?;
    let (seen, outline) = recordings::show(&state.site, &caller.actor, stream).await?;
    Ok(json::fresh(&RecordingDetails::new(seen, outline)))
}

/// A number of recordings.
#[derive(Debug, Serialize, ToSchema)]
struct HowMany {
    recordings: usize,
}

/// Deletes all recordings of a user's streams, including pinned ones and those that are growing.
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

/// Restores all recordings of a user's streams that were just deleted.
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

/// How much of the card recordings take.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Storage)]
struct StorageReport {
    /// The folder of the recordings.
    folder: String,
    /// Size of the folder's file system; null if the folder is missing.
    #[schema(required)]
    total_bytes: Option<u64>,
    #[schema(required)]
    free_bytes: Option<u64>,
    /// Bytes of all recordings.
    used_bytes: u64,
    /// Number of recordings.
    recordings: usize,
    /// Bytes that all recordings together may take; null if the folder is missing.
    #[schema(required)]
    budget_bytes: Option<u64>,
    /// Bytes that stay free, regardless of the budget.
    keep_free_bytes: u64,
    /// Days after which a recording is deleted; null for never.
    #[schema(required)]
    keep_days: Option<u32>,
    /// Bytes an hour of what is being recorded now, else of the newest recording; null if there is none.
    #[schema(required)]
    written_bytes_per_hour: Option<u64>,
    /// Bytes of recordings a day, over the last week. `disk` has the bytes that all programs write.
    written_bytes_per_day: u64,
    /// Days that a recording is kept at this rate; null if nothing was recorded lately.
    #[schema(required)]
    keeps_days: Option<f64>,
    /// The recording that is deleted next when space is needed.
    #[schema(required)]
    goes_next: Option<GoesNext>,
    /// The folder's disk; null if the kernel knows none, or the folder is missing.
    #[schema(required)]
    disk: Option<DiskReport>,
    /// Why some stream is not recorded just now, in words.
    #[schema(required)]
    trouble: Option<String>,
}

/// A disk. Facts that the kernel does not know are null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingDisk)]
struct DiskReport {
    /// The kernel's name for it: `mmcblk0`.
    name: String,
    /// `sd_card`, `emmc` or `disk`.
    kind: &'static str,
    /// Its maker's name for it.
    #[schema(required)]
    model: Option<String>,
    /// Year and month of its making: `2023-05`.
    #[schema(required)]
    made: Option<String>,
    /// Percentage of its life that is used, rounded up to tens; 110 if it has lasted longer than its maker promised.
    #[schema(required, maximum = 110)]
    life_used_percent: Option<u8>,
    /// Its spare blocks: `normal`, `low` (80 % are used) or `urgent` (90 %).
    #[schema(required)]
    spare: Option<&'static str>,
    /// True if it takes no writes, or is mounted read-only.
    is_read_only: bool,
    /// Commands that failed since it was plugged in, including unsupported ones: a few mean nothing.
    #[schema(required)]
    failed_commands: Option<u64>,
    /// Errors found by the file system.
    #[schema(required)]
    file_system_errors: Option<u64>,
    /// Bytes that all programs write in 24 hours of running; null before an hour has been counted.
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

/// How full the card is, and how long it keeps recordings.
#[utoipa::path(get, path = "/api/v1/storage", tag = "recordings",
    responses((status = 200, description = "What recordings take", body = StorageReport)))]
async fn storage(state: Shared, caller: Caller) -> Result<Response, Problem> {
    Ok(json::fresh(&StorageReport::from(recordings::storage(&state.site, &caller.actor).await?)))
}
