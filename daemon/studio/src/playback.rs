//! Serves recordings to players: playlists made from the indexes, and the parts themselves.
//!
//! The playlists that were asked for last stay in memory. For a recording that grows, only the new end of its index is read.
//!
//! Must not be here: who may watch, HTTP, how a recording is written (`recorder`).

mod download;
mod fragments;
mod plans;
mod storyboard;
mod text;

use download::LONGEST_HEADER;
pub use download::{Download, DownloadError, DownloadHead};
pub use fragments::ListedFragment;
use fragments::Pages;
pub use perch_media::recording::Break;
use plans::Plans;
pub use storyboard::{Sheet, sheet};
pub use text::PlaylistText;

use crate::recorder::{PartFiles, RecordingFiles};
use perch_media::hls::{MultivariantPlaylist, Variant};
use perch_media::recording::codecs::codecs;
use perch_media::recording::index::{IndexError, Reader};
use perch_media::recording::playlist::{Bandwidth, Jump, Playlist};
use perch_store::{StreamId, VideoMode};
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Number of playlists kept in memory. Ten hours take 0.7 MB, and 0.2 MB compressed.
const KEPT: usize = 4;

/// The forms of a playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of it.
    Whole,
    /// All of it, compressed if the recording has ended.
    Packed,
    /// What is new, while the recording grows (`_HLS_skip=YES`).
    Update,
    /// All of it, for players that heed only the first EXT-X-MAP: the first segment of each further part begins with the part's header.
    HeadersInside,
}

/// Opens recordings for viewers. Its calls read the card, and block.
#[derive(Debug, Default)]
pub struct Playback {
    /// In the order of their last use, the latest at the end.
    opened: Mutex<Vec<(StreamId, Arc<Mutex<Opened>>)>>,
    plans: Plans,
    pages: Pages,
}

/// The present state of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// The sum of the durations of its pictures.
    pub duration: Duration,
    /// Points at which its time and the stream's time diverge.
    pub jumps: Vec<Jump>,
    /// Codecs of its first part (RFC 6381).
    pub codecs: Option<String>,
    /// `None` before there is a segment.
    pub bandwidth: Option<Bandwidth>,
    /// True if there is a storyboard, at least of its beginning.
    pub has_storyboard: bool,
}

/// A part, open for sending.
#[derive(Clone, Debug)]
pub struct OpenPart {
    /// A fragmented MP4 file.
    pub file: Arc<File>,
    /// Its length now, in bytes.
    pub length: u64,
    /// When it was written last, in nanoseconds since the Unix epoch. After a fault of the card other bytes may take the place of the last ones.
    pub modified: i128,
}

impl Playback {
    /// The media playlist, or `None` before there is a whole segment. `target`: longest duration of a segment of a growing recording, in seconds,
    /// rounded.
    pub fn playlist(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        target: u64,
        form: Form,
    ) -> io::Result<Option<PlaylistText>> {
        self.with(stream, files, target, |opened| {
            if opened.playlist.is_empty() {
                return Ok(None);
            }
            if form == Form::HeadersInside {
                return Ok(Some(opened.playlist.text_with_headers_inside().into()));
            }
            if !opened.is_whole || form != Form::Packed {
                return Ok(Some(opened.playlist.text(form == Form::Update).into()));
            }
            let packed = match opened.packed.take() {
                Some(packed) => packed,
                None => PlaylistText::from(opened.playlist.text(false)).packed()?,
            };
            opened.packed = Some(packed.clone());
            Ok(Some(packed))
        })
    }

    /// The present state of the recording.
    pub fn outline(&self, stream: StreamId, files: &RecordingFiles) -> io::Result<Outline> {
        self.with(stream, files, 0, |opened| {
            let codecs = match (&opened.codecs, files.parts.first()) {
                (None, Some(part)) => codecs_of(part)?,
                (known, _) => known.clone(),
            };
            opened.codecs.clone_from(&codecs);
            let playlist = &opened.playlist;
            Ok(Outline {
                duration: playlist.duration(),
                jumps: playlist.jumps(),
                codecs,
                bandwidth: playlist.bandwidth(),
                has_storyboard: files.storyboard().is_some_and(|path| path.exists()),
            })
        })
    }

    /// The multivariant playlist with the variant `uri`, or `None` before there is a whole segment. `mode`: the mode of the pictures.
    pub fn multivariant(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        uri: &str,
        mode: VideoMode,
    ) -> io::Result<Option<String>> {
        let outline = self.outline(stream, files)?;
        let variant = outline.codecs.zip(outline.bandwidth).map(|(codecs, bandwidth)| Variant {
            uri: uri.to_owned(),
            bandwidth: bandwidth.peak,
            average_bandwidth: bandwidth.average,
            codecs,
            resolution: (mode.width, mode.height),
            frame_rate: mode.frames_per_second.into(),
        });
        Ok(variant.map(|variant| MultivariantPlaylist { variants: vec![variant] }.to_string()))
    }

    /// The storyboard's `WebVTT` track, or `None` before there are pictures. `address` gives the address of a sheet by its number, from 1.
    pub fn web_vtt(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        address: impl Fn(usize) -> String,
    ) -> io::Result<Option<String>> {
        let duration = self.outline(stream, files)?.duration;
        storyboard::web_vtt(stream, files, duration, address)
    }

    /// The recording as one file, or only the time `clip` of it. `until`: the file as it was when the recording had this many fragments.
    pub fn download(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        clip: Option<Range<Duration>>,
        until: Option<usize>,
    ) -> Result<Download, DownloadError> {
        Download::plan(&self.plans, stream, files, clip, until)
    }

    /// At most `limit` fragments after fragment number `after`; 0 for the beginning.
    pub fn fragments(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        after: u64,
        limit: usize,
    ) -> io::Result<Vec<ListedFragment>> {
        self.pages.listed(stream, files, after, limit)
    }

    /// Opens a part by its number, from 1; `None` if there is no such part.
    pub fn part(files: &RecordingFiles, number: u32) -> io::Result<Option<OpenPart>> {
        let index = (number as usize).checked_sub(1);
        let Some(part) = index.and_then(|index| files.parts.get(index)) else { return Ok(None) };
        let file = File::open(&part.media)?;
        let found = file.metadata()?;
        let modified = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
        Ok(Some(OpenPart { file: Arc::new(file), length: found.len(), modified }))
    }

    fn with<T>(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        target: u64,
        work: impl FnOnce(&mut Opened) -> io::Result<T>,
    ) -> io::Result<T> {
        let opened = {
            let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let known = all.iter().position(|(known, _)| *known == stream).map(|at| all.remove(at).1);
            let opened = known.unwrap_or_default();
            if all.len() >= KEPT {
                all.remove(0);
            }
            all.push((stream, Arc::clone(&opened)));
            opened
        };
        // A panic may have left a playlist that lacks a fragment, so it is made again.
        let mut opened = opened.lock().unwrap_or_else(|poisoned| {
            let mut opened = poisoned.into_inner();
            *opened = Opened::default();
            opened
        });
        if let Err(error) = opened.read_on(files, target) {
            *opened = Opened::default();
            return Err(error);
        }
        work(&mut opened)
    }
}

/// A recording's playlist, and how far its indexes have been read.
#[derive(Debug, Default)]
struct Opened {
    playlist: Playlist,
    codecs: Option<String>,
    /// Index of the part being read.
    part: usize,
    /// Holds no file open, so that a disk can be unmounted while nobody reads from it.
    reader: Option<Reader<io::Empty>>,
    /// As in [`RecordingFiles`].
    recovered: u32,
    /// True once everything was read of a recording that does not grow.
    is_whole: bool,
    /// The compressed playlist of a recording that has ended, once somebody asked for it.
    packed: Option<PlaylistText>,
}

impl Opened {
    /// Reads what was added to the indexes.
    fn read_on(&mut self, files: &RecordingFiles, target: u64) -> io::Result<()> {
        // It continues after a restart, or a recovery changed its last seconds.
        if (self.is_whole && files.is_growing) || self.recovered != files.recovered {
            *self = Self { recovered: files.recovered, ..Self::default() };
        }
        if self.is_whole {
            return Ok(());
        }
        self.playlist.set_target(target);
        while let Some(part) = files.parts.get(self.part) {
            let is_last = self.part + 1 == files.parts.len();
            if !self.read_part(part)? && is_last && files.is_growing {
                return Ok(());
            }
            if is_last {
                break;
            }
            self.part += 1;
            self.reader = None;
        }
        if !files.is_growing {
            self.playlist.end();
            self.is_whole = true;
            self.reader = None;
        }
        Ok(())
    }

    /// Reads what was added to a part's index. Returns false if the index has no header yet.
    fn read_part(&mut self, part: &PartFiles) -> io::Result<bool> {
        let from = BufReader::new(File::open(&part.index)?);
        let mut reader = match self.reader.take() {
            Some(reader) => reader.go_on_in(from)?,
            None => match Reader::new(from) {
                Ok(reader) => {
                    self.playlist.begin_part(&reader.header());
                    reader
                }
                Err(IndexError::Io(error)) => return Err(error),
                Err(error) => {
                    tracing::debug!("{}: {error}", part.index.display());
                    return Ok(false);
                }
            },
        };
        let read = self.read_fragments(&mut reader);
        self.reader = Some(reader.go_on_in(io::empty())?);
        read.map(|()| true)
    }

    fn read_fragments(&mut self, reader: &mut Reader<BufReader<File>>) -> io::Result<()> {
        for fragment in reader {
            match fragment {
                Ok(fragment) => self.playlist.push(&fragment),
                // The record is being written, or was torn by a power cut. The ones before it are valid.
                Err(IndexError::Torn { .. } | IndexError::NotAnIndex) => break,
                Err(IndexError::Io(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

fn codecs_of(part: &PartFiles) -> io::Result<Option<String>> {
    let Ok(index) = Reader::new(BufReader::new(File::open(&part.index)?)) else { return Ok(None) };
    let length = index.header().init_bytes.min(LONGEST_HEADER);
    let mut header = Vec::new();
    File::open(&part.media)?.take(length.into()).read_to_end(&mut header)?;
    Ok(codecs(&header))
}

#[cfg(test)]
#[path = "playback/tests.rs"]
mod tests;
