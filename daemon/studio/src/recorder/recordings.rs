//! All recordings: which there are, where their files are, what they take of the card, and which are deleted.
//!
//! The store has a row for each. What grows is known here as it grows; the store learns of it at the beginning, with each part and at the
//! end, because each of its writes syncs the card.

use super::folder::Folder;
use super::keeping::{self, Limits, used};
use super::names;
use super::part::PartFiles;
use super::storage::Storage;
use crate::clock::{Clock, wall};
use crate::config;
use crate::faults::{Faults, RECORDING};
use perch_store::{Recording, RecordingQuery, RecordingState, Store, StoreError, StreamId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFiles {
    /// One at least, in their order.
    pub parts: Vec<PartFiles>,
    /// The last part grows: its index may end in a record that is being written, and names no bytes that the part does not have.
    pub is_growing: bool,
}

/// A recording that grows.
#[derive(Clone, Debug)]
struct Growing {
    recording: Recording,
    /// Why nothing is written just now, in words.
    trouble: Option<String>,
}

/// All recordings; clones are the same. Calls ask the store and the card, and block.
#[derive(Clone)]
pub struct Recordings(Arc<Inner>);

struct Inner {
    folder: Folder,
    settings: config::Recording,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    growing: Mutex<BTreeMap<StreamId, Growing>>,
    /// Held while files are deleted or renamed, so that two do not reckon with the same room.
    tidying: Mutex<()>,
}

impl Recordings {
    /// The recordings of a store, in the configured folder or in `data_dir`. Nothing is looked at yet.
    pub fn new(
        settings: &config::Recording,
        data_dir: &Path,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        faults: Faults,
    ) -> Self {
        let folder = match &settings.folder {
            Some(folder) => Folder::new(folder.clone(), false),
            None => Folder::new(data_dir.join("recordings"), true),
        };
        let settings = settings.clone();
        Self(Arc::new(Inner {
            folder,
            settings,
            store,
            clock,
            faults,
            growing: Mutex::default(),
            tidying: Mutex::default(),
        }))
    }

    /// The recording of a stream, if it has one.
    pub fn recording(&self, stream: StreamId) -> Result<Option<Recording>, StoreError> {
        if let Some(growing) = self.growing().get(&stream) {
            return Ok(Some(growing.recording.clone()));
        }
        self.0.store.recording(stream)
    }

    /// Recordings, those of the newest streams first.
    pub fn recordings(&self, query: RecordingQuery) -> Result<Vec<Recording>, StoreError> {
        Ok(self.as_they_grow(self.0.store.recordings(query)?))
    }

    /// Keeps a recording whatever its age and the room on the card, or no longer.
    pub fn pin(&self, stream: StreamId, is_pinned: bool) -> Result<Recording, StoreError> {
        let mut recording = self.0.store.pin_recording(stream, is_pinned)?;
        if let Some(growing) = self.growing().get_mut(&stream) {
            growing.recording.is_pinned = is_pinned;
            recording = growing.recording.clone();
        }
        Ok(recording)
    }

    /// Where the files of a stream's recording are. `None`: it has none.
    pub fn files(&self, stream: StreamId) -> Result<Option<RecordingFiles>, StoreError> {
        let Some(recording) = self.recording(stream)? else { return Ok(None) };
        let is_growing = self.growing().contains_key(&stream);
        let file = |part, extension| names::file(self.0.folder.path(), &recording.name, part, extension);
        let parts: Vec<_> = (1..=recording.parts)
            .map(|part| PartFiles { media: file(part, "mp4"), index: file(part, "index") })
            .collect();
        Ok((!parts.is_empty()).then_some(RecordingFiles { parts, is_growing }))
    }

    /// Why a stream that is to be recorded is not being recorded just now, in words.
    pub fn trouble(&self, stream: StreamId) -> Option<String> {
        self.growing().get(&stream)?.trouble.clone()
    }

    /// What recordings take of the card, and how long it lasts.
    pub fn storage(&self) -> Result<Storage, StoreError> {
        let all = self.all()?;
        let card = self.0.folder.card().ok();
        let now = wall(&*self.0.clock);
        let path = self.0.folder.path().to_owned();
        let mut storage = Storage::new(path, card, &self.0.settings, &all, now);
        storage.trouble = self.0.faults.of(RECORDING);
        Ok(storage)
    }

    /// Deletes the recording of a stream. The stream stays. One that grows ends.
    pub fn delete(&self, stream: StreamId) -> Result<(), StoreError> {
        self.0.store.delete_recording(stream)?;
        self.remove_what_is_deleted()
    }

    /// Removes the files of recordings that were deleted, with their streams or without. What cannot be removed now is tried again later.
    pub fn remove_what_is_deleted(&self) -> Result<(), StoreError> {
        let _tidying = self.tidying();
        for recording in self.0.store.all_recordings()? {
            if recording.state == RecordingState::Deleted {
                self.remove(&recording)?;
            }
        }
        Ok(())
    }

    /// The same, as a task; what fails is logged.
    pub(crate) async fn remove_deleted(&self) {
        let recordings = self.clone();
        let removed = tokio::task::spawn_blocking(move || recordings.remove_what_is_deleted()).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!("files of deleted recordings are removed later: {error}");
        }
    }

    /// Deletes what is too old, and what is beyond the budget.
    pub fn keep_within_limits(&self) -> Result<(), StoreError> {
        self.make_room(0).map(drop)
    }

    /// Deletes the oldest recordings until so many more bytes have room; says whether they have.
    pub(super) fn make_room(&self, bytes: u64) -> Result<bool, StoreError> {
        let _tidying = self.tidying();
        let Ok(card) = self.0.folder.card() else { return Ok(false) };
        let all = self.all()?;
        let limits = Limits::new(&self.0.settings, card, used(&all), wall(&*self.0.clock));
        let verdict = keeping::judge(&all, card, &limits, bytes);
        for recording in verdict.delete {
            self.0.store.delete_recording(recording.stream)?;
            self.remove(recording)?;
            tracing::info!(recording = recording.name, "deleted the oldest recording to make room");
        }
        Ok(verdict.has_room)
    }

    /// Removes the files of a recording that the store knows as deleted.
    fn remove(&self, recording: &Recording) -> Result<(), StoreError> {
        self.growing().remove(&recording.stream);
        match self.0.folder.find().and_then(|()| self.0.folder.remove(recording.stream)) {
            Ok(()) => self.0.store.forget_recording(recording.stream),
            Err(error) => {
                tracing::warn!(
                    recording = recording.name,
                    "a deleted recording's files are removed later: {error}"
                );
                Ok(())
            }
        }
    }

    /// All that are not deleted.
    fn all(&self) -> Result<Vec<Recording>, StoreError> {
        let mut all = self.0.store.all_recordings()?;
        all.retain(|recording| recording.state != RecordingState::Deleted);
        Ok(self.as_they_grow(all))
    }

    fn as_they_grow(&self, mut all: Vec<Recording>) -> Vec<Recording> {
        let growing = self.growing();
        for recording in &mut all {
            if let Some(growing) = growing.get(&recording.stream) {
                recording.clone_from(&growing.recording);
            }
        }
        all
    }

    /// Each change under the lock is one step: a panic leaves nothing half done.
    fn growing(&self) -> MutexGuard<'_, BTreeMap<StreamId, Growing>> {
        self.0.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Guards no value.
    fn tidying(&self) -> MutexGuard<'_, ()> {
        self.0.tidying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
