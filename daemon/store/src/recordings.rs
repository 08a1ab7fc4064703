//! Recordings in the store: one row for each recorded stream. The studio handles the files (`perch_studio::recorder`).
//!
//! A row is written when a recording begins, when it ends, and when something about it changes; while it grows, the
//! studio alone knows its length. The row of a deleted stream's recording stays until its files are gone, so a power
//! cut cannot leave files that no row names.

use crate::failure::{Failure, Outcome};
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::{RECORDINGS, STREAM_FACTS};
use crate::writing::WriteTransaction;
use crate::{Refusal, Store, StoreError, StreamFacts, StreamId, Timestamp, UserId, lists};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

/// The state of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It grows, or was growing when the power was cut.
    Recording,
    /// It is complete.
    Ended,
    /// It was deleted, but some of its files may remain.
    Deleted,
}

/// A stream's recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The stream; it has one recording at most.
    pub stream: StreamId,
    /// Base name of its files, without part number and extension.
    pub name: String,
    /// Number of parts.
    pub parts: u32,
    /// Bytes of all its files, indexes included.
    pub bytes: u64,
    /// The sum of the durations of its pictures.
    pub duration_ms: u64,
    /// When its first picture was taken.
    pub started_at: Timestamp,
    /// The state of the recording.
    pub state: RecordingState,
    /// True if it is kept whatever its age, however full the card is.
    pub is_pinned: bool,
    /// True if the clock had not been set when it began: `started_at` is what the clock showed then.
    pub is_date_provisional: bool,
    /// True if `started_at` was corrected after its files were named.
    pub is_name_outdated: bool,
}

impl Record for Recording {
    const NAME: &'static str = "recording";
    const VERSION: u8 = 1;
}

/// Which recordings to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingQuery {
    /// Only recordings of this account's streams.
    pub user: Option<UserId>,
    /// Only recordings of streams older than this one.
    pub before: Option<StreamId>,
    /// The most recordings to return.
    pub limit: usize,
}

impl Store {
    /// Writes a recording's row. Refused if its stream or the recording itself was deleted.
    pub fn put_recording(&self, recording: &Recording) -> Result<(), StoreError> {
        self.write(|tx| {
            facts(tx, recording.stream)?;
            if let Some(known) = get(tx, recording.stream)?
                && known.state == RecordingState::Deleted
            {
                return Err(Refusal::NotFound { what: "recording" }.into());
            }
            put(tx, recording)
        })
    }

    /// Changes the recording of a stream; returns the changed one.
    pub fn change_recording(
        &self,
        stream: StreamId,
        change: impl Fn(&mut Recording),
    ) -> Result<Recording, StoreError> {
        self.write(|tx| {
            let mut recording = present(tx, stream)?;
            change(&mut recording);
            put(tx, &recording)?;
            Ok(recording)
        })
    }

    /// Pins a recording, which keeps it whatever its age, or unpins it.
    pub fn pin_recording(&self, stream: StreamId, is_pinned: bool) -> Result<Recording, StoreError> {
        self.change_recording(stream, |recording| recording.is_pinned = is_pinned)
    }

    /// The recording of a stream, if it has one that is not deleted.
    pub fn recording(&self, stream: StreamId) -> Result<Option<Recording>, StoreError> {
        let found = self.read(|tx| get(tx, stream))?;
        Ok(found.filter(|recording| recording.state != RecordingState::Deleted))
    }

    /// Recordings, those of the newest streams first.
    pub fn recordings(&self, query: RecordingQuery) -> Result<Vec<Recording>, StoreError> {
        self.read(|tx| {
            let end = query.before.map_or(u128::MAX, StreamId::number);
            let table = tx.reading(RECORDINGS)?;
            let is_there = |recording: &Recording| recording.state != RecordingState::Deleted;
            let mut found = Vec::new();
            if let Some(user) = query.user {
                for stream in lists::all_of(tx, user)?.into_iter().filter(|stream| stream.number() < end) {
                    if found.len() >= query.limit {
                        break;
                    }
                    found.extend(get(tx, stream)?.filter(is_there));
                }
                return Ok(found);
            }
            for row in table.range(..end)?.rev() {
                if found.len() >= query.limit {
                    break;
                }
                found.extend(Some(record::decode(row?.1.value())?).filter(is_there));
            }
            Ok(found)
        })
    }

    /// Every recording, deleted ones included.
    pub fn all_recordings(&self) -> Result<Vec<Recording>, StoreError> {
        self.read(all)
    }

    /// Marks a recording as deleted. Its stream stays. Its row stays until [`Self::forget_recording`] reports that its
    /// files are gone.
    pub fn delete_recording(&self, stream: StreamId) -> Result<(), StoreError> {
        self.write(|tx| {
            present(tx, stream)?;
            delete(tx, stream)
        })
    }

    /// The same of all recordings of an account's streams, pinned ones too. Returns them as they were.
    pub fn delete_recordings_of(&self, user: UserId) -> Result<Vec<Recording>, StoreError> {
        self.write(|tx| {
            let mut deleted = Vec::new();
            for recording in all(tx)? {
                let is_theirs = || Ok::<_, Failure>(facts(tx, recording.stream)?.user == user);
                if recording.state != RecordingState::Deleted && is_theirs()? {
                    delete(tx, recording.stream)?;
                    deleted.push(recording);
                }
            }
            Ok(deleted)
        })
    }

    /// Deleted recordings are kept after all, those whose streams are still there. Their files are all there; the caller knows. Returns
    /// how many.
    pub fn restore_recordings(&self, streams: &[StreamId]) -> Result<usize, StoreError> {
        self.write(|tx| {
            let mut restored = 0;
            for &stream in streams {
                let deleted = get(tx, stream)?.filter(|recording| recording.state == RecordingState::Deleted);
                if let (Some(recording), Ok(_)) = (deleted, facts(tx, stream)) {
                    put(tx, &Recording { state: RecordingState::Ended, ..recording })?;
                    restored += 1;
                }
            }
            Ok(restored)
        })
    }

    /// Removes the row of a deleted recording whose files are gone.
    pub fn forget_recording(&self, stream: StreamId) -> Result<(), StoreError> {
        self.write(|tx| {
            if get(tx, stream)?.is_some_and(|recording| recording.state == RecordingState::Deleted) {
                tx.open_table(RECORDINGS)?.remove(stream.number())?;
            }
            Ok(())
        })
    }
}

fn all(tx: &impl Reads) -> Outcome<Vec<Recording>> {
    tx.reading(RECORDINGS)?.iter()?.map(|row| record::decode(row?.1.value())).collect()
}

fn facts(tx: &impl Reads, stream: StreamId) -> Outcome<StreamFacts> {
    record::get(tx, STREAM_FACTS, stream.number())?.ok_or_else(|| Refusal::NotFound { what: "stream" }.into())
}

fn get(tx: &impl Reads, stream: StreamId) -> Outcome<Option<Recording>> {
    record::get(tx, RECORDINGS, stream.number())
}

fn present(tx: &WriteTransaction, stream: StreamId) -> Outcome<Recording> {
    get(tx, stream)?
        .filter(|recording| recording.state != RecordingState::Deleted)
        .ok_or_else(|| Refusal::NotFound { what: "recording" }.into())
}

fn put(tx: &WriteTransaction, recording: &Recording) -> Outcome<()> {
    record::put(tx, RECORDINGS, recording.stream.number(), recording)
}

/// Marks the recording of a stream as deleted, if it has one.
pub(crate) fn delete(tx: &WriteTransaction, stream: StreamId) -> Outcome<()> {
    let Some(recording) = get(tx, stream)? else { return Ok(()) };
    put(tx, &Recording { state: RecordingState::Deleted, ..recording })
}

/// Ends all growing recordings: in a site at rest nothing grows.
pub(crate) fn end_all(tx: &WriteTransaction) -> Outcome<()> {
    for recording in all(tx)? {
        if recording.state == RecordingState::Recording {
            put(tx, &Recording { state: RecordingState::Ended, ..recording })?;
        }
    }
    Ok(())
}
