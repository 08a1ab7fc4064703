//! A stream in the API.

use super::json::Time;
use super::links::link;
use super::people::UserRef;
use perch_site::stream::{Featured, SeenStream};
use perch_store::{
    EndReason, Reaction, Recording, RecordingState, Stream, StreamDetails, StreamFacts, StreamId,
    StreamState, Topic, Visibility,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A topic of a stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StreamTopic)]
pub(super) struct TopicRef {
    id: String,
    name: String,
}

/// A stream, on the air or ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub(super) struct StreamItem {
    #[schema(value_type = String)]
    pub(super) id: StreamId,
    pub(super) title: String,
    pub(super) description: String,
    topics: Vec<TopicRef>,
    pub(super) user: UserRef,
    /// The id of its camera.
    camera: String,
    /// The actual picture's width, pixels.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Frames per second.
    fps: u32,
    bitrate_kbps: u32,
    /// Seconds after which it ends by itself.
    #[schema(required)]
    duration_seconds: Option<u32>,
    record: bool,
    /// `public` or `members`.
    #[schema(value_type = String)]
    visibility: Visibility,
    relays: Vec<String>,
    /// `starting`, `live`, `interrupted` or `ended`.
    #[schema(value_type = String)]
    state: StreamState,
    /// `user`, `owner`, `duration`, `button`, `shutdown`, `disk` or `interruption`; null until it has ended.
    #[schema(value_type = Option<String>, required)]
    end_reason: Option<EndReason>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    live_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    ended_at: Option<Time>,
    /// Seconds since it went live, or its duration once ended.
    elapsed_seconds: u64,
    views: u64,
    /// Present viewers.
    viewers: u32,
    peak_viewers: u32,
    likes: u64,
    dislikes: u64,
    /// `like`, `dislike` or `none`; null without a login.
    #[schema(required)]
    my_reaction: Option<&'static str>,
    /// True if it is on the caller's watch list; null without a login.
    #[schema(required)]
    saved: Option<bool>,
    /// The picture it is listed with; of a live stream another address each minute, unless its user chose one. Null before there is one.
    #[schema(required)]
    pub(super) thumbnail_url: Option<String>,
    /// `chosen` by Perch or `pinned` by an owner if it is the stream at `/media/live/`; else null.
    #[schema(required)]
    featured: Option<&'static str>,
    /// In words: what keeps viewers from seeing it, slows it, or keeps it from being recorded, with the remedy. Null
    /// when all is well, and for callers who may not change it.
    #[schema(required)]
    detail: Option<String>,
    /// Null if there is nothing to play.
    #[schema(required)]
    playlist_url: Option<String>,
    /// Its recording; null if there is none.
    #[schema(required)]
    recording: Option<RecordingRef>,
    /// True if the caller may change, stop and delete it.
    may_edit: bool,
}

/// The address of the picture that a stream is listed with; null before there is one.
pub(super) fn thumbnail_url(
    facts: &StreamFacts,
    details: &StreamDetails,
    elapsed_seconds: u64,
) -> Option<String> {
    let version = details.thumbnail_version;
    let which = match facts.state {
        _ if version == 0 => return None,
        StreamState::Live if !details.has_chosen_thumbnail() => format!("minute={}", elapsed_seconds / 60),
        _ => format!("v={version}"),
    };
    Some(link(format_args!("/api/v1/streams/{}/thumbnail.jpg?{which}", facts.id)))
}

impl From<SeenStream> for StreamItem {
    fn from(seen: SeenStream) -> Self {
        let Stream { facts, details, .. } = seen.stream;
        let thumbnail_url = thumbnail_url(&facts, &details, seen.elapsed_seconds);
        let topic = |topic: Topic| TopicRef { id: topic.id.to_string(), name: topic.name };
        Self {
            id: facts.id,
            title: details.title,
            description: details.description,
            topics: seen.topics.into_iter().map(topic).collect(),
            user: UserRef::from(&seen.user),
            camera: details.camera,
            width: details.mode.width,
            height: details.mode.height,
            fps: details.mode.frames_per_second,
            bitrate_kbps: details.mode.bitrate_kbps,
            duration_seconds: details.duration_seconds,
            record: details.record,
            visibility: facts.visibility,
            relays: details.relays,
            state: facts.state,
            end_reason: facts.end_reason,
            created_at: Time(facts.created_at),
            live_at: facts.live_at.map(Time),
            ended_at: facts.ended_at.map(Time),
            elapsed_seconds: seen.elapsed_seconds,
            views: facts.views,
            viewers: seen.viewers,
            peak_viewers: facts.peak_viewers,
            likes: facts.likes,
            dislikes: facts.dislikes,
            my_reaction: seen.own.map(|own| word(own.reaction)),
            saved: seen.own.map(|own| own.is_saved),
            thumbnail_url,
            featured: seen.featured.map(|featured| match featured {
                Featured::Chosen => "chosen",
                Featured::Pinned => "pinned",
            }),
            detail: seen.detail,
            playlist_url: seen.is_playable.then(|| link(format_args!("/media/{}/index.m3u8", facts.id))),
            recording: seen.recording.map(RecordingRef::from),
            may_edit: seen.may_edit,
        }
    }
}

/// A short description of a stream's recording; `/api/v1/recordings/{stream}` has more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamRecording)]
struct RecordingRef {
    /// The sum of the durations of its pictures.
    duration_seconds: f64,
    /// Bytes of all its files.
    bytes: u64,
    /// True if it is still growing.
    is_growing: bool,
    /// True if it is kept whatever its age, however full the card is.
    pinned: bool,
    /// The playlist of the recording from its beginning, also while it grows.
    playlist_url: String,
}

impl From<Recording> for RecordingRef {
    fn from(recording: Recording) -> Self {
        Self {
            duration_seconds: recording.duration_ms as f64 / 1000.0,
            bytes: recording.bytes,
            is_growing: recording.state == RecordingState::Recording,
            pinned: recording.is_pinned,
            playlist_url: link(format_args!("/media/{}/dvr.m3u8", recording.stream)),
        }
    }
}

/// The API's name of a reaction.
pub(super) fn word(reaction: Option<Reaction>) -> &'static str {
    match reaction {
        Some(Reaction::Like) => "like",
        Some(Reaction::Dislike) => "dislike",
        None => "none",
    }
}
