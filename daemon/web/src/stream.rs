//! A stream as the API shows it.

use super::json::Time;
use super::people::UserRef;
use perch_site::accounts::logins::Login;
use perch_store::{
    EndReason, Reaction, Role, Store, StoreError, Stream, StreamId, StreamState, Timestamp, Visibility,
};
use perch_studio::live::OnAir;
use serde::Serialize;
use utoipa::ToSchema;

/// What a stream is filed under.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StreamTopic)]
pub(super) struct TopicRef {
    id: String,
    name: String,
}

/// A stream: on the air, or over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub(super) struct StreamItem {
    #[schema(value_type = String)]
    id: StreamId,
    title: String,
    description: String,
    topics: Vec<TopicRef>,
    user: UserRef,
    camera: String,
    width: u32,
    height: u32,
    /// Frames per second.
    fps: u32,
    bitrate_kbps: u32,
    /// After which it ends by itself.
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
    /// Since it is live, or how long it was.
    elapsed_seconds: u64,
    views: u64,
    /// Who watch now.
    viewers: u32,
    peak_viewers: u32,
    likes: u64,
    dislikes: u64,
    /// `like`, `dislike` or `none`; null where nobody is logged in.
    #[schema(required)]
    my_reaction: Option<&'static str>,
    /// Whether it is on one's watch list; null where nobody is logged in.
    #[schema(required)]
    saved: Option<bool>,
    #[schema(required)]
    thumbnail_url: Option<String>,
    /// Null when there is nothing to play (any more).
    #[schema(required)]
    playlist_url: Option<String>,
    /// Whether the asker may change, stop and delete it.
    may_edit: bool,
}

/// What is needed to show streams to somebody.
pub(super) struct Shown {
    pub(super) asker: Option<Login>,
    pub(super) on_air: std::sync::Arc<[OnAir]>,
    pub(super) now: Timestamp,
}

impl Shown {
    /// Whether the asker may know of it.
    pub(super) fn may_see(&self, stream: &Stream) -> bool {
        stream.facts.visibility == Visibility::Public || self.asker.is_some()
    }

    /// Whether the asker may change it.
    pub(super) fn may_edit(&self, stream: &Stream) -> bool {
        self.asker.as_ref().is_some_and(|login| login.user == stream.facts.user || login.role == Role::Owner)
    }

    /// The stream as the asker sees it.
    pub(super) fn item(&self, store: &Store, stream: Stream) -> Result<StreamItem, StoreError> {
        let may_edit = self.may_edit(&stream);
        let Stream { facts, details, topics: filed } = stream;
        let asker = self.asker.as_ref().map(|login| login.user);
        // The console has an owner's rights and no account of its own.
        let asker = asker.filter(|_| self.asker.as_ref().is_some_and(|login| login.session.is_some()));
        let my_reaction = asker.map(|user| store.reaction(user, facts.id)).transpose()?;
        let topics = store.topics()?.into_iter().filter(|topic| filed.contains(&topic.id));
        let on_air = self.on_air.iter().find(|on_air| on_air.stream == facts.id);
        let until = facts.ended_at.unwrap_or(self.now).unix_millis();
        let elapsed =
            facts.live_at.map_or(0, |live_at| until.saturating_sub(live_at.unix_millis()).max(0) / 1000);
        let version = details.thumbnail_version;
        Ok(StreamItem {
            id: facts.id,
            title: details.title,
            description: details.description,
            topics: topics.map(|topic| TopicRef { id: topic.id.to_string(), name: topic.name }).collect(),
            user: UserRef::from(&store.user(facts.user)?),
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
            elapsed_seconds: elapsed as u64,
            views: facts.views,
            viewers: on_air.map_or(0, |on_air| on_air.viewers.now()),
            peak_viewers: facts.peak_viewers,
            likes: facts.likes,
            dislikes: facts.dislikes,
            my_reaction: my_reaction.map(word),
            saved: asker.map(|user| store.is_saved(user, facts.id)).transpose()?,
            thumbnail_url: (version > 0)
                .then(|| format!("/api/v1/streams/{}/thumbnail.jpg?v={version}", facts.id)),
            playlist_url: on_air.map(|_| format!("/media/{}/index.m3u8", facts.id)),
            may_edit,
        })
    }
}

/// A reaction as the API names it.
pub(super) fn word(reaction: Option<Reaction>) -> &'static str {
    match reaction {
        Some(Reaction::Like) => "like",
        Some(Reaction::Dislike) => "dislike",
        None => "none",
    }
}
