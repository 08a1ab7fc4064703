//! Deletes recordings: those that users delete, which can be restored for a while, and those that must make room.

use super::keeping;
use super::recordings::Recordings;
use super::trash::Trash;
use perch_store::{Recording, RecordingState, Refusal, StoreError, StreamId, UserId};
use std::sync::{MutexGuard, PoisonError};

const NOT_FOUND: StoreError = StoreError::Refused(Refusal::NotFound { what: "recording" });

impl Recordings {
    /// Deletes the recording of a stream; the stream itself stays. A recording that is growing ends and cannot be restored; any other can, for a while.
    pub fn delete(&self, stream: StreamId) -> Result<(), StoreError> {
        self.throw_away(|| {
            let recording = self.0.store.recording(stream)?.ok_or(NOT_FOUND)?;
            self.0.store.delete_recording(stream)?;
            Ok(vec![recording])
        })
        .map(drop)
    }

    /// Deletes all recordings of an account's streams, including pinned ones. Returns their number.
    pub fn delete_all(&self, user: UserId) -> Result<usize, StoreError> {
        self.throw_away(|| self.0.store.delete_recordings_of(user))
    }

    fn throw_away(
        &self,
        delete: impl FnOnce() -> Result<Vec<Recording>, StoreError>,
    ) -> Result<usize, StoreError> {
        let count = {
            // Held so that no files are removed between the two steps.
            let _tidying = self.tidying();
            let deleted = delete()?;
            let now = self.0.clock.monotonic();
            let mut trash = self.trash();
            for recording in &deleted {
                if recording.state == RecordingState::Ended {
                    trash.put(recording.stream, now);
                }
            }
            deleted.len()
        };
        self.remove_what_is_deleted()?;
        Ok(count)
    }

    /// Restores a recording that was deleted a moment ago. Refused with `NotFound` if its files are gone.
    pub fn restore(&self, stream: StreamId) -> Result<(), StoreError> {
        let is_back = self.bring_back(|one| one == stream)? > 0;
        if is_back { Ok(()) } else { Err(NOT_FOUND) }
    }

    /// Restores all recordings of an account's streams that were deleted a moment ago. Returns their number.
    pub fn restore_all(&self, user: UserId) -> Result<usize, StoreError> {
        self.bring_back(|one| self.0.store.stream(one).is_ok_and(|stream| stream.facts.user == user))
    }

    fn bring_back(&self, is_wanted: impl Fn(StreamId) -> bool) -> Result<usize, StoreError> {
        let _tidying = self.tidying();
        let mut wanted = self.trash().kept(self.0.clock.monotonic());
        wanted.retain(|stream| is_wanted(*stream));
        let count = self.0.store.restore_recordings(&wanted)?;
        for stream in wanted {
            self.trash().forget(stream);
        }
        Ok(count)
    }

    /// Removes the files of deleted recordings that can no longer be restored, whether or not their streams were deleted too. Files that cannot be
    /// removed now are tried again later.
    pub fn remove_what_is_deleted(&self) -> Result<(), StoreError> {
        let _tidying = self.tidying();
        let now = self.0.clock.monotonic();
        for recording in self.0.store.all_recordings()? {
            let may_come_back =
                self.trash().keeps(recording.stream, now) && self.0.store.stream(recording.stream).is_ok();
            if recording.state == RecordingState::Deleted && !may_come_back {
                self.remove(&recording)?;
            }
        }
        Ok(())
    }

    /// The same as a task; errors are logged.
    pub(crate) async fn remove_deleted(&self) {
        let recordings = self.clone();
        let removed = tokio::task::spawn_blocking(move || recordings.remove_what_is_deleted()).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!("files of deleted recordings are removed later: {error}");
        }
    }

    /// Deletes recordings that are too old or exceed the budget.
    pub fn keep_within_limits(&self) -> Result<(), StoreError> {
        self.make_room(0).map(drop)
    }

    /// Deletes the oldest recordings until `wanted` more bytes fit; returns whether they do. The files of recordings that users deleted go first.
    pub(super) fn make_room(&self, bytes: u64) -> Result<bool, StoreError> {
        let _tidying = self.tidying();
        loop {
            let Ok(card) = self.0.folder.card() else { return Ok(false) };
            let all = self.with_storyboards(self.all()?);
            let limits = self.limits(card, &all);
            let verdict = keeping::judge(&all, card, &limits, bytes);
            let is_short =
                !verdict.has_room || verdict.delete.iter().any(|recording| !limits.is_too_old(recording));
            if is_short && self.empty_trash()? {
                continue;
            }
            for recording in verdict.delete {
                self.0.store.delete_recording(recording.stream)?;
                self.remove(recording)?;
                tracing::info!(recording = recording.name, "deleted the oldest recording to make room");
            }
            return Ok(verdict.has_room);
        }
    }

    /// Removes the files of all recordings that could still be restored. Returns whether there were any.
    fn empty_trash(&self) -> Result<bool, StoreError> {
        if !self.trash().empty() {
            return Ok(false);
        }
        for recording in self.0.store.all_recordings()? {
            if recording.state == RecordingState::Deleted {
                self.remove(&recording)?;
            }
        }
        Ok(true)
    }

    /// Removes the files of a recording that is marked as deleted in the store.
    pub(super) fn remove(&self, recording: &Recording) -> Result<(), StoreError> {
        self.growing().remove(&recording.stream);
        self.recovered().remove(&recording.stream);
        self.trash().forget(recording.stream);
        match self.0.folder.find().and_then(|()| self.0.folder.remove(recording.stream)) {
            Ok(()) => {
                self.storyboards().forget(recording.stream);
                self.0.store.forget_recording(recording.stream)
            }
            Err(error) => {
                tracing::warn!(
                    recording = recording.name,
                    "a deleted recording's files are removed later: {error}"
                );
                Ok(())
            }
        }
    }

    /// Each change under the lock is one step: a panic leaves nothing half done.
    fn trash(&self) -> MutexGuard<'_, Trash> {
        self.0.trash.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
