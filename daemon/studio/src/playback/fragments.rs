//! The fragments of a recording one by one, as its indexes tell of them: for programs that fetch a moment's bytes by themselves.

use crate::recorder::RecordingFiles;
use perch_media::recording::index::{IndexError, Reader};
use perch_media::recording::{Break, VIDEO_TIMESCALE};
use std::fs::File;
use std::io::{self, BufReader};

/// A fragment, and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedFragment {
    /// Its place in the recording, from 1.
    pub number: u64,
    /// The part that it is in, from 1.
    pub part: u32,
    /// Where it begins in the part's file, bytes.
    pub at: u64,
    /// Its length in bytes.
    pub bytes: u32,
    /// Where it begins in the recording, in ticks of 1/90000 s.
    pub begins: u64,
    /// How long it lasts, in the same ticks.
    pub lasts: u64,
    /// Where it begins in the stream, pauses included, milliseconds.
    pub stream_offset_ms: u64,
    /// A player can begin with it.
    pub is_key: bool,
    /// A segment of the playlists begins with it.
    pub begins_segment: bool,
    /// What lies before it.
    pub before: Break,
}

/// At most so many fragments after the one with the number `after`; 0: from the first. Reads the indexes from their beginning: 3 MB for ten hours.
pub(super) fn listed(files: &RecordingFiles, after: u64, limit: usize) -> io::Result<Vec<ListedFragment>> {
    let mut found = Vec::new();
    let (mut number, mut begins) = (0, 0);
    for (part, files) in (1..).zip(&files.parts) {
        let reader = match Reader::new(BufReader::new(File::open(&files.index)?)) {
            Ok(reader) => reader,
            Err(IndexError::Io(error)) => return Err(error),
            // It has no header yet.
            Err(_) => continue,
        };
        for fragment in reader {
            let fragment = match fragment {
                Ok(fragment) => fragment,
                Err(IndexError::Io(error)) => return Err(error),
                // It is being written, or was torn by a power cut: what comes before is good.
                Err(_) => break,
            };
            let lasts = fragment.video.samples.iter().map(|sample| u64::from(sample.duration)).sum();
            number += 1;
            if number > after {
                found.push(ListedFragment {
                    number,
                    part,
                    at: fragment.at,
                    bytes: fragment.bytes,
                    begins,
                    lasts,
                    stream_offset_ms: fragment.mark.stream_offset_ms,
                    is_key: fragment.mark.is_independent,
                    begins_segment: fragment.mark.begins_segment,
                    before: fragment.mark.before,
                });
            }
            if found.len() >= limit {
                return Ok(found);
            }
            begins += lasts;
        }
    }
    Ok(found)
}

impl ListedFragment {
    /// Where it begins in the recording.
    pub fn begins_seconds(&self) -> f64 {
        self.begins as f64 / f64::from(VIDEO_TIMESCALE)
    }

    /// How long it lasts.
    pub fn seconds(&self) -> f64 {
        self.lasts as f64 / f64::from(VIDEO_TIMESCALE)
    }
}
