//! Verifies all recordings: compares the files on the card with their indexes and with the store. Rebuilds what can be derived from the media alone.

use super::names;
use super::recordings::{Growth, Recordings};
use super::recovery;
use perch_media::cmaf::Scanner;
use perch_media::recording::index::Reader;
use perch_store::{Recording, RecordingState, StoreError, StreamId};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

impl Recordings {
    /// What is wrong with recordings, in words; empty if nothing is. Reads every byte of them, and skips those that are growing.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        let mut wrong = Vec::new();
        // Includes deleted recordings: their files stay for ten minutes, so that they can be restored.
        let rows = self.0.store.all_recordings()?;
        let known: BTreeSet<_> = rows.iter().map(|recording| names::id_part(recording.stream)).collect();
        for recording in self.all()? {
            if recording.state == RecordingState::Ended {
                self.verify_one(&recording, &mut wrong);
            }
        }
        match self.folder().files() {
            Ok(files) => {
                let strange = files.iter().filter(|found| {
                    matches!(found.extension.as_str(), "mp4" | names::STORYBOARD)
                        && !is_of(&found.name, &known)
                });
                wrong.extend(
                    strange.map(|found| format!("{}: Perch knows no recording of it", found.path.display())),
                );
            }
            Err(error) => wrong.push(format!("{}: {error}", self.folder().path().display())),
        }
        wrong.sort();
        Ok(wrong)
    }

    fn verify_one(&self, recording: &Recording, wrong: &mut Vec<String>) {
        let mut growth = Growth { parts: recording.parts, ..Growth::default() };
        let mut ticks = 0;
        for part in 1..=recording.parts {
            let files = self.part(&recording.name, part);
            match verify_part(&files.media, &files.index) {
                Ok(Checked { bytes, ticks: of_part, complaint }) => {
                    growth.bytes += bytes;
                    ticks += of_part;
                    wrong.extend(complaint.map(|what| format!("{}: {what}", files.media.display())));
                }
                Err(error) => wrong.push(format!("{}: {error}", files.media.display())),
            }
        }
        growth.duration_ms = recovery::milliseconds(ticks);
        if growth != Growth::of(recording) && !wrong.iter().any(|what| what.contains(&recording.name)) {
            wrong.push(format!("{}: its length is not the one that Perch knows", recording.name));
        }
    }

    /// Rebuilds the indexes of all recordings from their media, removes their storyboards (they are made again), corrects lengths and sizes, and lists files that the store did not know, if their stream still
    /// exists. Returns what it did, in words. Must not run while anything is recorded.
    pub fn rebuild(&self) -> Result<Vec<String>, StoreError> {
        let mut done = self.adopt()?;
        for recording in self.all()? {
            let growth = match self.rebuild_one(&recording) {
                Ok(growth) => growth,
                Err(error) => {
                    done.push(format!("{}: {error}", recording.name));
                    continue;
                }
            };
            self.write_end(recording.stream, growth)?;
            done.push(format!("{}: {} s, {} bytes", recording.name, growth.duration_ms / 1000, growth.bytes));
        }
        Ok(done)
    }

    fn rebuild_one(&self, recording: &Recording) -> io::Result<Growth> {
        let (mut growth, mut ticks) = (Growth { parts: recording.parts, ..Growth::default() }, 0);
        remove(&names::file(self.folder().path(), &recording.name, 1, names::STORYBOARD))?;
        for part in 1..=recording.parts {
            let files = self.part(&recording.name, part);
            remove(&files.index)?;
            if let Some(found) = self.recover(&recording.name, part, recording.stream)? {
                growth.bytes += found.bytes();
                ticks += found.so_far.ticks;
            }
        }
        growth.duration_ms = recovery::milliseconds(ticks);
        Ok(growth)
    }

    /// Adds rows for files whose stream is still in the store.
    fn adopt(&self) -> Result<Vec<String>, StoreError> {
        let Ok(files) = self.folder().files() else { return Ok(Vec::new()) };
        let mut adopted = Vec::new();
        for found in files.iter().filter(|found| found.extension == "mp4" && found.part == 1) {
            let Some(stream) = stream_of(&found.path.with_extension("index")) else { continue };
            if self.recording(stream)?.is_some() || !found.name.ends_with(&names::id_part(stream)) {
                continue;
            }
            let parts = files.iter().filter(|other| other.extension == "mp4" && other.name == found.name);
            let Ok(mut recording) = self.new_recording(stream) else { continue };
            recording.parts = parts.map(|part| part.part).max().unwrap_or(1);
            recording.name.clone_from(&found.name);
            if let Some(started_at) = first_picture(&found.path) {
                recording.started_at = started_at;
            }
            recording.state = RecordingState::Ended;
            self.put(&recording)?;
            adopted.push(format!("{}: known again", found.name));
        }
        Ok(adopted)
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_of(name: &str, known: &BTreeSet<String>) -> bool {
    known.iter().any(|id| name.ends_with(id.as_str()))
}

/// The stream that an index belongs to.
fn stream_of(index: &Path) -> Option<StreamId> {
    let reader = Reader::new(BufReader::new(File::open(index).ok()?)).ok()?;
    Some(StreamId::from_number(u128::from_be_bytes(reader.header().stream)))
}

fn first_picture(media: &Path) -> Option<perch_store::Timestamp> {
    let first = Scanner::new(File::open(media).ok()?).ok()?.next()?.ok()?;
    Some(perch_store::Timestamp::from_unix_millis(first.fragment.mark.wall_ms))
}

/// What was found in a part.
struct Checked {
    bytes: u64,
    ticks: u64,
    complaint: Option<String>,
}

fn verify_part(media: &Path, index: &Path) -> io::Result<Checked> {
    let file = File::open(media)?;
    let length = file.metadata()?.len();
    let index_length = std::fs::metadata(index).map_or(0, |found| found.len());
    let mut checked = Checked { bytes: length + index_length, ticks: 0, complaint: None };
    let mut complain = |what: String| {
        checked.complaint.get_or_insert(what);
    };
    let mut scanner = match Scanner::new(file) {
        Ok(scanner) => scanner,
        Err(error) => {
            complain(error.to_string());
            return Ok(checked);
        }
    };
    let mut indexed = match File::open(index).map(|file| Reader::new(BufReader::new(file))) {
        Ok(Ok(reader)) => Some(reader),
        _ => None,
    };
    if indexed.is_none() {
        complain("its index is missing, or not of this version of Perch".to_owned());
    }
    let mut ticks = 0;
    while let Some(scanned) = scanner.next().transpose()? {
        let fragment = &scanned.fragment;
        ticks += fragment.video.duration();
        if !scanner.is_sound(&scanned)? {
            complain(format!("the pictures at byte {} are not the ones that were recorded", fragment.at));
        }
        if scanned.has_wrong_time {
            complain(format!("the pictures at byte {} have a wrong time", fragment.at));
        }
        let is_indexed =
            |reader: &mut Reader<_>| matches!(reader.next(), Some(Ok(known)) if known == *fragment);
        if !indexed.as_mut().is_none_or(is_indexed) {
            complain(format!("its index differs from it at byte {}", fragment.at));
            indexed = None;
        }
    }
    if indexed.is_some_and(|mut reader| reader.next().is_some()) {
        complain("its index names more than there is".to_owned());
    }
    if scanner.at() < length {
        complain(format!("what follows byte {} of {length} is no recording", scanner.at()));
    }
    checked.ticks = ticks;
    Ok(checked)
}
