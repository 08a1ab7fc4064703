//! A stream as an actor sees it, and who may see and change it.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use perch_store::{
    Reaction, Recording, Refusal, Store, StoreError, Stream, StreamId, Timestamp, Topic, User, UserId,
    Visibility,
};
use perch_studio::live::{OnAir, featured};
use perch_studio::recorder::Recordings;
use std::sync::Arc;

/// A stream as an actor sees it now.
#[derive(Debug, Clone)]
pub struct SeenStream {
    /// The stored stream, updated with facts that only the studio knows so far.
    pub stream: Stream,
    /// The topics it is filed under.
    pub topics: Vec<Topic>,
    /// The stream's user.
    pub user: User,
    /// Seconds since it went live, or its length; 0 before its first picture.
    pub elapsed_seconds: u64,
    /// Present viewers.
    pub viewers: u32,
    /// True if it can be played.
    pub is_playable: bool,
    /// Its recording, if there is one.
    pub recording: Option<Recording>,
    /// What keeps viewers from seeing it, slows it, or keeps it from being recorded, with the remedy. `None` when all
    /// is well, and for those who cannot change it.
    pub detail: Option<String>,
    /// Why it is the stream at `/media/live/`, if it is.
    pub featured: Option<Featured>,
    /// The actor's reaction and watch list; `None` without an account.
    pub own: Option<OwnMarks>,
    /// True if the actor may change, stop and delete it.
    pub may_edit: bool,
}

/// Why a stream is the one at `/media/live/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Featured {
    /// The studio chose it: the public one that has been live longest.
    Chosen,
    /// An owner pinned it.
    Pinned,
}

/// The marks that one account has set on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnMarks {
    /// Its like or dislike.
    pub reaction: Option<Reaction>,
    /// True if it is on the watch list.
    pub is_saved: bool,
}

/// Everything needed to show stored streams to an actor: the actor, the time, and the streams on the air.
#[derive(Clone)]
pub struct Perspective {
    actor: Actor,
    on_air: Arc<[OnAir]>,
    recordings: Recordings,
    now: Timestamp,
}

impl Perspective {
    /// The actor's perspective at this moment.
    pub fn of(site: &Site, actor: &Actor) -> Self {
        let on_air = site.live.on_air().borrow().clone();
        Self { actor: actor.clone(), on_air, recordings: site.recordings.clone(), now: site.now() }
    }

    /// The stream as the actor sees it. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn see(&self, store: &Store, mut stream: Stream) -> Result<SeenStream, StoreError> {
        let on_air = self.on_air.iter().find(|on_air| on_air.stream == stream.facts.id);
        if let Some(on_air) = on_air {
            on_air.complete(&mut stream);
        }
        let facts = &stream.facts;
        let mut topics = store.topics()?;
        topics.retain(|topic| stream.topics.contains(&topic.id));
        let until = facts.ended_at.unwrap_or(self.now).unix_millis();
        let elapsed = facts.live_at.map_or(0, |live_at| until.saturating_sub(live_at.unix_millis()).max(0));
        let recording = self.recordings.recording(facts.id)?;
        let may_edit = self.actor.may_act_for(facts.user);
        let detail = |on_air: &OnAir| on_air.detail().or_else(|| self.recordings.trouble(facts.id));
        Ok(SeenStream {
            topics,
            user: store.user(facts.user)?,
            elapsed_seconds: elapsed as u64 / 1000,
            viewers: on_air.map_or(0, |on_air| on_air.viewers.now()),
            is_playable: on_air.is_some() || recording.is_some(),
            recording,
            detail: on_air.filter(|_| may_edit).and_then(detail),
            featured: featured(&self.on_air)
                .filter(|featured| featured.stream == facts.id)
                .map(|featured| if featured.is_pinned { Featured::Pinned } else { Featured::Chosen }),
            own: self.actor.user().map(|user| own_marks(store, user, facts.id)).transpose()?,
            may_edit,
            stream,
        })
    }
}

fn own_marks(store: &Store, user: UserId, stream: StreamId) -> Result<OwnMarks, StoreError> {
    Ok(OwnMarks { reaction: store.reaction(user, stream)?, is_saved: store.is_saved(user, stream)? })
}

/// True if the actor may see streams of this visibility: members-only streams need an account.
pub const fn may_see(actor: &Actor, visibility: Visibility) -> bool {
    matches!(visibility, Visibility::Public) || actor.is_member()
}

/// The stream, if the actor may see it. Blocks.
///
/// # Errors
///
/// `Refused` with `NotFound`, also if it is hidden from the actor.
pub fn visible(store: &Store, actor: &Actor, id: StreamId) -> Result<Stream, SiteError> {
    let stream = store.stream(id)?;
    if may_see(actor, stream.facts.visibility) {
        Ok(stream)
    } else {
        Err(Refusal::NotFound { what: "stream" }.into())
    }
}

/// The stream, if the actor may change it: its user, and owners. Blocks.
///
/// # Errors
///
/// Those of [`visible`], and `Forbidden`.
pub fn editable(store: &Store, actor: &Actor, id: StreamId) -> Result<Stream, SiteError> {
    let stream = visible(store, actor, id)?;
    if actor.may_act_for(stream.facts.user) { Ok(stream) } else { Err(SiteError::Forbidden) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{EndReason, Role, StreamChange};
    use std::time::Duration;

    #[tokio::test]
    async fn a_stream_for_members_is_there_for_members_and_is_changed_by_its_user_and_owners() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        let public = site.stream(&ann, "front");
        let hidden = site.stream(&ann, "back");
        let members = StreamChange { visibility: Some(Visibility::Members), ..StreamChange::default() };
        site.store.change_stream(hidden, &members).unwrap();
        for (actor, sees_hidden, edits) in [
            (&site.nobody, false, false),
            (&ben, true, false),
            (&ann, true, true),
            (&olga, true, true),
            (&Actor::Console, true, true),
        ] {
            assert!(visible(&site.store, actor, public).is_ok(), "{actor}");
            let seen = visible(&site.store, actor, hidden);
            assert_eq!(seen.is_ok(), sees_hidden, "{actor}: {seen:?}");
            assert_eq!(editable(&site.store, actor, public).is_ok(), edits, "{actor}");
            let hidden = editable(&site.store, actor, hidden);
            assert_eq!(hidden.is_ok(), edits, "{actor}");
            // A hidden stream looks like a missing one.
            let is_forbidden = matches!(hidden, Err(SiteError::Forbidden));
            assert_eq!(is_forbidden, sees_hidden && !edits, "{actor}");
        }
    }

    #[tokio::test]
    async fn a_stream_is_shown_with_its_age_and_with_ones_own_marks() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let id = site.stream(&ann, "front");
        let see = |actor: &Actor| {
            Perspective::of(&site, actor).see(&site.store, site.store.stream(id).unwrap()).unwrap()
        };
        assert_eq!(see(&ann).elapsed_seconds, 0, "before its first picture");
        site.store.stream_live(id, site.now()).unwrap();
        site.clock.turn(Duration::from_secs(90));
        site.store.react(ann.user().unwrap(), id, Some(Reaction::Like)).unwrap();
        let seen = see(&ann);
        assert_eq!((seen.elapsed_seconds, seen.may_edit, seen.is_playable), (90, true, false));
        assert_eq!(seen.own, Some(OwnMarks { reaction: Some(Reaction::Like), is_saved: false }));
        assert_eq!(seen.user.username, "ann");
        assert_eq!(see(&site.nobody).own, None);
        // The console has an owner's rights, but no account that could like anything.
        let console = see(&Actor::Console);
        assert_eq!((console.own, console.may_edit), (None, true));
        site.store.end_stream(id, EndReason::User, site.now()).unwrap();
        site.clock.turn(Duration::from_secs(90));
        assert_eq!(see(&ann).elapsed_seconds, 90, "it is over");
    }
}
