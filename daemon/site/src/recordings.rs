//! Recordings: finding them, watching them again, pinning and deleting them, and what they take of the card. Whoever may watch a stream may watch its
//! recording.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::stream;
use perch_store::{
    Recording, RecordingQuery, Refusal, Store, StoreError, Stream, StreamId, User, Viewer, Visibility,
};
use perch_studio::playback::Outline;
use perch_studio::recorder::{RecordingFiles, Storage};
use std::io;

/// A recording as an actor sees it.
#[derive(Debug, Clone)]
pub struct SeenRecording {
    /// What is kept.
    pub recording: Recording,
    /// Of which stream.
    pub stream: Stream,
    /// Whose stream it is.
    pub user: User,
    /// Why nothing is written just now, in words, though the stream is to be recorded.
    pub trouble: Option<String>,
    /// Whether the actor may pin and delete it.
    pub may_edit: bool,
}

/// What a player needs of a recording.
#[derive(Debug, Clone)]
pub struct Playable {
    /// Of which stream.
    pub stream: Stream,
    /// What is kept.
    pub recording: Recording,
    /// Where it lies.
    pub files: RecordingFiles,
}

impl Playable {
    /// Whether everybody may have it, so that caches on the way may keep it.
    pub fn is_public(&self) -> bool {
        self.stream.facts.visibility == Visibility::Public
    }
}

/// Which recordings.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Of the account with this name.
    pub username: Option<String>,
    /// Of streams older than this one.
    pub before: Option<StreamId>,
    /// Recordings of a page.
    pub limit: usize,
}

/// The store is asked for so many at once.
const LOOKED_AT: usize = 100;

/// Recordings of streams that the actor may know of, those of the newest streams first.
///
/// # Errors
///
/// Those of the store.
pub async fn list(site: &Site, actor: &Actor, which: Which) -> Result<Vec<SeenRecording>, SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.store(move |store| {
        let user = match which.username.map(|username| store.user_by_name(&username)).transpose() {
            Ok(user) => user.map(|user| user.id),
            // Nobody has this name: nobody's recordings.
            Err(StoreError::Refused(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut query = RecordingQuery { user, before: which.before, limit: LOOKED_AT };
        let mut seen = Vec::new();
        loop {
            let found = recordings.recordings(query)?;
            let is_last = found.len() < LOOKED_AT;
            for recording in found {
                query.before = Some(recording.stream);
                let stream = match store.stream(recording.stream) {
                    // It was deleted meanwhile.
                    Err(StoreError::Refused(_)) => continue,
                    found => found?,
                };
                if stream::may_see(&actor, stream.facts.visibility) {
                    let trouble = recordings.trouble(recording.stream);
                    seen.push(see(store, &actor, recording, stream, trouble)?);
                }
                if seen.len() == which.limit {
                    return Ok(seen);
                }
            }
            if is_last {
                return Ok(seen);
            }
        }
    })
    .await
}

fn see(
    store: &Store,
    actor: &Actor,
    recording: Recording,
    stream: Stream,
    trouble: Option<String>,
) -> Result<SeenRecording, StoreError> {
    let user = store.user(stream.facts.user)?;
    let may_edit = actor.may_act_for(user.id);
    Ok(SeenRecording { recording, stream, user, trouble, may_edit })
}

/// One recording, and what players want to know of it; `None` where its files cannot be read just now.
///
/// # Errors
///
/// `Refused` with `NotFound`, also where the actor may not know of the stream.
pub async fn show(
    site: &Site,
    actor: &Actor,
    id: StreamId,
) -> Result<(SeenRecording, Option<Outline>), SiteError> {
    let (recordings, playback, actor) = (site.recordings.clone(), site.playback.clone(), actor.clone());
    site.store(move |store| {
        let stream = stream::visible(store, &actor, id)?;
        let recording = recordings.recording(id)?.ok_or(NOT_FOUND)?;
        let outline = match recordings.files(id)? {
            Some(files) => playback.outline(id, &files).map_err(|error| cannot_read(&recording, &error)).ok(),
            None => None,
        };
        Ok::<_, SiteError>((see(store, &actor, recording, stream, recordings.trouble(id))?, outline))
    })
    .await
}

const NOT_FOUND: Refusal = Refusal::NotFound { what: "recording" };

/// Logs why a recording's files cannot be read: the disk that they are on was pulled, or is broken.
fn cannot_read(recording: &Recording, error: &io::Error) {
    tracing::warn!(recording = recording.name, "a recording's files cannot be read: {error}");
}

/// What a player needs of the recording of a stream.
///
/// # Errors
///
/// `Refused` with `NotFound`, also where the actor may not know of the stream.
pub async fn open(site: &Site, actor: &Actor, id: StreamId) -> Result<Playable, SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.store(move |store| {
        let stream = stream::visible(store, &actor, id)?;
        let recording = recordings.recording(id)?.ok_or(NOT_FOUND)?;
        let files = recordings.files(id)?.ok_or(NOT_FOUND)?;
        Ok::<_, SiteError>(Playable { stream, recording, files })
    })
    .await
}

/// Reads of a recording's files what `work` asks for.
///
/// # Errors
///
/// `Unreadable` where they cannot be read just now.
pub async fn read<T: Send + 'static>(
    site: &Site,
    playable: &Playable,
    work: impl FnOnce(&perch_studio::playback::Playback, &RecordingFiles) -> io::Result<T> + Send + 'static,
) -> Result<T, SiteError> {
    let (playback, playable) = (site.playback.clone(), playable.clone());
    site.store(move |_| {
        work(&playback, &playable.files).map_err(|error| {
            cannot_read(&playable.recording, &error);
            SiteError::Unreadable
        })
    })
    .await
}

/// Somebody begins to watch a recording: a view, unless it is counted already. One that cannot be kept is lost, and nobody waits for it.
pub async fn watched(site: &Site, stream: StreamId, viewer: Viewer) {
    if let Err(error) = site.store(move |store| store.count_views(&[(stream, viewer)])).await {
        tracing::debug!("a view was not counted: {error}");
    }
}

/// Keeps a recording whatever its age and the room on the card, or no longer; for its stream's user and owners.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Forbidden`.
pub async fn pin(
    site: &Site,
    actor: &Actor,
    id: StreamId,
    is_pinned: bool,
) -> Result<SeenRecording, SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.store(move |store| {
        let stream = stream::editable(store, &actor, id)?;
        let recording = recordings.pin(id, is_pinned)?;
        Ok::<_, SiteError>(see(store, &actor, recording, stream, recordings.trouble(id))?)
    })
    .await
}

/// Deletes the recording of a stream, for its user and owners. The stream and its chat stay.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Forbidden`.
pub async fn delete(site: &Site, actor: &Actor, id: StreamId) -> Result<(), SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.store(move |store| {
        stream::editable(store, &actor, id)?;
        Ok::<_, SiteError>(recordings.delete(id)?)
    })
    .await
}

/// What recordings take of the card, and how long it lasts; for owners.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden`.
pub async fn storage(site: &Site, actor: &Actor) -> Result<Storage, SiteError> {
    actor.owner()?;
    let recordings = site.recordings.clone();
    site.store(move |_| recordings.storage()).await
}
