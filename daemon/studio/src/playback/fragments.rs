//! Lists the fragments of a recording from its indexes, for programs that fetch the bytes of a moment themselves.

use crate::recorder::RecordingFiles;
use perch_media::recording::index::{IndexError, Reader};
use perch_media::recording::{Break, Fragment, VIDEO_TIMESCALE};
use perch_store::StreamId;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A fragment and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedFragment {
    /// Its number in the recording, from 1.
    pub number: u64,
    /// Its part, from 1.
    pub part: u32,
    /// Its first byte in the part's file.
    pub at: u64,
    /// Its length in bytes.
    pub bytes: u32,
    /// Its beginning in the recording, in ticks of 1/90000 s.
    pub begins: u64,
    /// Its duration, in the same ticks.
    pub lasts: u64,
    /// Its beginning in the stream, pauses included, in milliseconds.
    pub stream_offset_ms: u64,
    /// True if decoding can start with it.
    pub is_key: bool,
    /// True if a segment of the playlists begins with it.
    pub begins_segment: bool,
    /// The break before it.
    pub before: Break,
}

/// The ends of the latest pages in their indexes, from which the next pages are read. They hold no file open.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Vec<Place>>);

/// Number of places kept: each takes about 150 bytes of memory.
const KEPT: usize = 16;

/// The end of a page.
#[derive(Clone, Debug)]
struct Place {
    stream: StreamId,
    /// As in [`RecordingFiles`].
    recovered: u32,
    /// Index of the part.
    part: usize,
    /// Device and inode of the part's index.
    index: (u64, u64),
    /// Fragments before it in the recording.
    number: u64,
    /// Their duration in ticks of 1/90000 s.
    begins: u64,
    reader: Reader<io::Empty>,
}

impl Pages {
    /// At most `limit` fragments after fragment number `after`; 0 for the beginning. Reads the indexes from the end of an earlier page, or from their
    /// beginning: 3 MB for ten hours.
    pub(super) fn listed(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        after: u64,
        limit: usize,
    ) -> io::Result<Vec<ListedFragment>> {
        let mut place = self.nearest(stream, files.recovered, after);
        let mut found = Vec::new();
        let first = place.as_ref().map_or(0, |place| place.part);
        let (mut number, mut begins) = place.as_ref().map_or((0, 0), |place| (place.number, place.begins));
        for (part, of_part) in files.parts.iter().enumerate().skip(first) {
            let file = File::open(&of_part.index)?;
            let index = identity(&file)?;
            let from = BufReader::new(file);
            let mut reader = match place.take() {
                Some(place) if place.index == index => place.reader.go_on_in(from)?,
                // Another file has its name now.
                Some(_) => {
                    self.places().retain(|place| place.stream != stream);
                    return self.listed(stream, files, after, limit);
                }
                None => match Reader::new(from) {
                    Ok(reader) => reader,
                    Err(IndexError::Io(error)) => return Err(error),
                    // It has no header yet.
                    Err(_) => continue,
                },
            };
            while let Some(fragment) = reader.next() {
                let fragment = match fragment {
                    Ok(fragment) => fragment,
                    Err(IndexError::Io(error)) => return Err(error),
                    // The record is being written, or was torn by a power cut. The ones before it are valid.
                    Err(_) => break,
                };
                let lasts = fragment.video.samples.iter().map(|sample| u64::from(sample.duration)).sum();
                number += 1;
                if number > after {
                    let part = part as u32 + 1;
                    found.push(ListedFragment::new(&fragment, number, part, begins, lasts));
                }
                if found.len() >= limit {
                    return Ok(found);
                }
                begins += lasts;
                // Callers ask for one fragment more than a page has, to see whether there is another page.
                if found.len() + 1 == limit {
                    let (recovered, reader) = (files.recovered, reader.place());
                    self.keep(Place { stream, recovered, part, index, number, begins, reader });
                }
            }
        }
        Ok(found)
    }

    /// The last place that is not after fragment number `after`.
    fn nearest(&self, stream: StreamId, recovered: u32, after: u64) -> Option<Place> {
        let places = self.places();
        let usable = places
            .iter()
            .filter(|place| place.stream == stream && place.recovered == recovered && place.number <= after);
        usable.max_by_key(|place| place.number).cloned()
    }

    fn keep(&self, place: Place) {
        let mut places = self.places();
        places.retain(|known| (known.stream, known.number) != (place.stream, place.number));
        if places.len() >= KEPT {
            places.remove(0);
        }
        places.push(place);
    }

    /// Each change under the lock is one step: a panic leaves nothing half done.
    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let found = file.metadata()?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
impl Pages {
    pub(super) fn kept(&self) -> usize {
        self.places().len()
    }
}

impl ListedFragment {
    fn new(fragment: &Fragment, number: u64, part: u32, begins: u64, lasts: u64) -> Self {
        let Fragment { at, bytes, mark, .. } = fragment;
        Self {
            number,
            part,
            at: *at,
            bytes: *bytes,
            begins,
            lasts,
            stream_offset_ms: mark.stream_offset_ms,
            is_key: mark.is_independent,
            begins_segment: mark.begins_segment,
            before: mark.before,
        }
    }

    /// Its beginning in the recording, in seconds.
    pub fn begins_seconds(&self) -> f64 {
        self.begins as f64 / f64::from(VIDEO_TIMESCALE)
    }

    /// Its duration in seconds.
    pub fn seconds(&self) -> f64 {
        self.lasts as f64 / f64::from(VIDEO_TIMESCALE)
    }
}
