//! The files of storyboards (`perch_media::recording::storyboard`): which recordings need one, how large they are, and how a sheet is appended. The
//! pictures on them are made by `storyboard`.

use super::keeping;
use super::names;
use super::recordings::Recordings;
use perch_store::{Recording, RecordingQuery, StoreError, StreamId};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

/// A recording that may need small pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanting {
    pub(crate) stream: StreamId,
    /// Duration so far.
    pub(crate) duration_ms: u64,
    pub(crate) is_growing: bool,
}

/// Result of writing a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    Kept,
    /// Recordings have used up their budget, or the card is nearly full: nothing is deleted to make room for a storyboard.
    NoRoom,
    /// The recording is gone.
    Deleted,
}

impl Recordings {
    /// All recordings, the newest first.
    pub(crate) fn wanting_storyboards(&self) -> Result<Vec<Wanting>, StoreError> {
        let all = self.recordings(RecordingQuery { limit: usize::MAX, ..RecordingQuery::default() })?;
        let growing = self.growing();
        let wanting = all.into_iter().map(|recording| Wanting {
            stream: recording.stream,
            duration_ms: recording.duration_ms,
            is_growing: growing.contains_key(&recording.stream),
        });
        Ok(wanting.collect())
    }

    /// Writes to a recording's storyboard from byte `at` on, over a torn sheet.
    pub(crate) fn append_to_storyboard(
        &self,
        stream: StreamId,
        at: u64,
        bytes: &[u8],
    ) -> io::Result<Appended> {
        // While this is held, the recording is neither deleted nor renamed.
        let _tidying = self.tidying();
        let Some(recording) = self.known(stream).map_err(io::Error::other)? else {
            return Ok(Appended::Deleted);
        };
        if !self.has_room_for(bytes.len() as u64)? {
            return Ok(Appended::NoRoom);
        }
        let path = names::file(self.folder().path(), &recording.name, 1, names::STORYBOARD);
        let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
        let written = append(&mut file, at, bytes);
        self.storyboards().set(stream, file.metadata()?.len());
        written.map(|()| Appended::Kept)
    }

    fn has_room_for(&self, bytes: u64) -> io::Result<bool> {
        let card = self.folder().card()?;
        let all = self.with_storyboards(self.all().map_err(io::Error::other)?);
        let verdict = keeping::judge(&all, card, &self.limits(card, &all), bytes);
        Ok(verdict.has_room && verdict.delete.is_empty())
    }

    /// The same recordings, with the bytes of their storyboards added.
    pub(super) fn with_storyboards(&self, mut all: Vec<Recording>) -> Vec<Recording> {
        self.storyboards().add_to(&mut all, self.folder());
        all
    }
}

/// A sheet covers some minutes. It is synced so that a power cut tears at most the last one.
fn append(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_data());
    if written.is_err() {
        // After a write that failed on a full card: a torn sheet is useless.
        let _ = file.set_len(at);
    }
    written
}
