//! Recordings: what is kept of streams, as the store knows it. The files themselves are the studio's (`perch_studio::recorder`).
//!
//! A row is written when a recording begins, when it ends, and when something about it changes; while it grows, the studio alone knows its
//! length. A recording whose stream is deleted stays as a row until its files are gone, so that a power cut leaves no files that nobody knows.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::{RECORDINGS, STREAM_FACTS};
use crate::{Refusal, Store, StoreError, StreamFacts, StreamId, Timestamp, UserId};
use redb::{ReadableTable as _, WriteTransaction};
use serde::{Deserialize, Serialize};

/// Where a recording is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It grows, or was growing when the power was cut.
    Recording,
    /// It is whole.
    Ended,
    /// It was deleted; its files are to be removed.
    Deleted,
}

/// What is kept of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The stream; it has one recording at most.
    pub stream: StreamId,
    /// What its files are called, without part number and extension.
    pub name: String,
    /// How many parts it has.
    pub parts: u32,
    /// Bytes of all its files, indexes included.
    pub bytes: u64,
    /// The sum of the durations of its pictures.
    pub duration_ms: u64,
    /// When its first picture was taken.
    pub started_at: Timestamp,
    /// Where it is in its life.
    pub state: RecordingState,
    /// It is kept whatever its age, and whatever else there is to keep.
    pub is_pinned: bool,
    /// The clock had not been set when it began: `started_at` is what the clock showed.
    pub is_date_provisional: bool,
    /// `started_at` was corrected since its files were named.
    pub is_name_outdated: bool,
}

impl Record for Recording {
    const NAME: &'static str = "recording";
    const VERSION: u8 = 1;
}

/// Which recordings to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingQuery {
    /// Of this account's streams only.
    pub user: Option<UserId>,
    /// Of streams older than this one.
    pub before: Option<StreamId>,
    /// So many at most.
    pub limit: usize,
}

impl Store {
    /// Writes what is known of a recording. Refused where its stream or the recording itself was deleted.
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

    /// Changes the recording of a stream; gives it as it is then.
    pub fn change_recording(
        &self,
        stream: StreamId,
        change: impl FnOnce(&mut Recording),
    ) -> Result<Recording, StoreError> {
        self.write(|tx| {
            let mut recording = present(tx, stream)?;
            change(&mut recording);
            put(tx, &recording)?;
            Ok(recording)
        })
    }

    /// Keeps a recording whatever its age, or no longer.
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
            let mut found = Vec::new();
            for row in tx.open_table(RECORDINGS)?.range(..end)?.rev() {
                if found.len() >= query.limit {
                    break;
                }
                let recording: Recording = record::decode(row?.1.value())?;
                if recording.state == RecordingState::Deleted {
                    continue;
                }
                let is_asked_for = match query.user {
                    Some(user) => facts(tx, recording.stream)?.user == user,
                    None => true,
                };
                if is_asked_for {
                    found.push(recording);
                }
            }
            Ok(found)
        })
    }

    /// Every recording, deleted ones included.
    pub fn all_recordings(&self) -> Result<Vec<Recording>, StoreError> {
        self.read(|tx| tx.open_table(RECORDINGS)?.iter()?.map(|row| record::decode(row?.1.value())).collect())
    }

    /// A recording is not to be kept any longer. Its stream stays. Its row stays until [`Self::forget_recording`] says that its files are gone.
    pub fn delete_recording(&self, stream: StreamId) -> Result<(), StoreError> {
        self.write(|tx| {
            present(tx, stream)?;
            delete(tx, stream)
        })
    }

    /// The files of a deleted recording are gone.
    pub fn forget_recording(&self, stream: StreamId) -> Result<(), StoreError> {
        self.write(|tx| {
            if get(tx, stream)?.is_some_and(|recording| recording.state == RecordingState::Deleted) {
                tx.open_table(RECORDINGS)?.remove(stream.number())?;
            }
            Ok(())
        })
    }
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

/// Marks the recording of a stream as deleted, where there is one.
pub(crate) fn delete(tx: &WriteTransaction, stream: StreamId) -> Outcome<()> {
    let Some(recording) = get(tx, stream)? else { return Ok(()) };
    put(tx, &Recording { state: RecordingState::Deleted, ..recording })
}

/// In a site at rest nothing grows.
pub(crate) fn end_all(tx: &WriteTransaction) -> Outcome<()> {
    let growing: Vec<Recording> = {
        let table = tx.open_table(RECORDINGS)?;
        let all =
            table.iter()?.map(|row| record::decode(row?.1.value())).collect::<Outcome<Vec<Recording>>>()?;
        all.into_iter().filter(|recording| recording.state == RecordingState::Recording).collect()
    };
    for recording in growing {
        put(tx, &Recording { state: RecordingState::Ended, ..recording })?;
    }
    Ok(())
}
