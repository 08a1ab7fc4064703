//! Recordings: finding, watching, pinning and deleting them, and the space they take on the card. Whoever may watch a
//! stream may watch its recording.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::stream;
use perch_store::{
    Recording, RecordingQuery, Refusal, Store, StoreError, Stream, StreamId, User, UserId, Viewer, Visibility,
};
use perch_studio::playback::Outline;
use perch_studio::recorder::{RecordingFiles, Storage};
use std::io;

/// A recording as an actor sees it.
#[derive(Debug, Clone)]
pub struct SeenRecording {
    /// The stored recording.
    pub recording: Recording,
    /// The recorded stream.
    pub stream: Stream,
    /// Whose stream it is.
    pub user: User,
    /// Why nothing is being written now, in words, although the stream should be recorded.
    pub trouble: Option<String>,
    /// True if the actor may pin and delete it.
    pub may_edit: bool,
}

/// The files and facts that a player needs.
#[derive(Debug, Clone)]
pub struct Playable {
    /// The recorded stream.
    pub stream: Stream,
    /// The stored recording.
    pub recording: Recording,
    /// Its files.
    pub files: RecordingFiles,
}

impl Playable {
    /// True if everybody may have it, so that shared caches may keep it.
    pub fn is_public(&self) -> bool {
        self.stream.facts.visibility == Visibility::Public
    }
}

/// Selects recordings.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Only recordings of the account with this name.
    pub username: Option<String>,
    /// Only recordings of streams older than this one.
    pub before: Option<StreamId>,
    /// Recordings per page.
    pub limit: usize,
}

/// Rows read from the store in one call.
const LOOKED_AT: usize = 100;

/// Recordings of streams that the actor may know of, those of the newest streams first.
///
/// # Errors
///
/// Those of the store.
pub async fn list(site: &Site, actor: &Actor, which: Which) -> Result<Vec<SeenRecording>, SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.lists(move |store| {
        let user = match which.username.map(|username| store.user_by_name(&username)).transpose() {
            Ok(user) => user.map(|user| user.id),
            // An unknown name has no recordings.
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
                    // The stream was deleted in the meantime.
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

/// One recording, and the details that players need; `None` if its files cannot be read now.
///
/// # Errors
///
/// `Refused` with `NotFound`, also if the stream is hidden from the actor.
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

/// Logs why a recording's files cannot be read: their disk was unplugged, or is broken.
fn cannot_read(recording: &Recording, error: &io::Error) {
    tracing::warn!(recording = recording.name, "a recording's files cannot be read: {error}");
}

/// The recording of a stream, with the files and facts that a player needs.
///
/// # Errors
///
/// `Refused` with `NotFound`, also if the stream is hidden from the actor.
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

/// Runs `work`, which reads a recording's files, on a thread that may block.
///
/// # Errors
///
/// `Unreadable` if they cannot be read now.
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

/// Counts a view when somebody starts to watch a recording, unless that viewer is counted already. Nobody waits; a view
/// that cannot be stored is lost.
pub async fn watched(site: &Site, stream: StreamId, viewer: Viewer) {
    if let Err(error) = site.store(move |store| store.count_views(&[(stream, viewer)])).await {
        tracing::debug!("a view was not counted: {error}");
    }
}

/// Pins a recording, which keeps it whatever its age and the space on the card, or unpins it; for its stream's user and
/// owners.
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

/// Deletes the recording of a stream, for its user and owners. The stream and its chat stay. It can be restored for a while, unless it grew.
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

/// Brings back the recording of a stream that was just deleted, for its user and owners.
///
/// # Errors
///
/// `Refused` with `NotFound`, also where its files are gone; `Forbidden`.
pub async fn restore(site: &Site, actor: &Actor, id: StreamId) -> Result<(), SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.store(move |store| {
        stream::editable(store, &actor, id)?;
        Ok::<_, SiteError>(recordings.restore(id)?)
    })
    .await
}

/// Deletes all recordings of an account's streams, pinned ones and those that grow too; for that account and owners. Returns how many.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Unauthenticated`, `Forbidden`.
pub async fn delete_all(site: &Site, actor: &Actor, username: String) -> Result<usize, SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.store(move |store| Ok::<_, SiteError>(recordings.delete_all(keeper(store, &actor, &username)?)?))
        .await
}

/// Brings back all recordings of an account's streams that were just deleted; for that account and owners. Returns how many.
///
/// # Errors
///
/// Those of [`delete_all`].
pub async fn restore_all(site: &Site, actor: &Actor, username: String) -> Result<usize, SiteError> {
    let (recordings, actor) = (site.recordings.clone(), actor.clone());
    site.store(move |store| Ok::<_, SiteError>(recordings.restore_all(keeper(store, &actor, &username)?)?))
        .await
}

/// The account of this name, whose recordings the actor may delete.
fn keeper(store: &Store, actor: &Actor, username: &str) -> Result<UserId, SiteError> {
    if !actor.is_member() {
        return Err(SiteError::Unauthenticated);
    }
    let user = store.user_by_name(username)?.id;
    if actor.may_act_for(user) { Ok(user) } else { Err(SiteError::Forbidden) }
}

/// The space that recordings take on the card, and how long the rest will last; for owners.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden`.
pub async fn storage(site: &Site, actor: &Actor) -> Result<Storage, SiteError> {
    actor.owner()?;
    let recordings = site.recordings.clone();
    site.store(move |_| recordings.storage()).await
}
