//! A recording or a clip of it as one progressive MP4 file: a head computed from the indexes, followed by bytes of the parts' files.
//!
//! A growing recording is offered as it is at the request: its indexes name only whole fragments, and bytes that were written never change.

use super::plans::{Plans, Request, Stamp};
use crate::recorder::RecordingFiles;
use perch_media::cmaf::Description;
use perch_media::recording::index::{IndexError, Reader};
use perch_media::recording::progressive::{Clip, Fragments, Head, Progressive, ProgressiveError};
use perch_media::recording::{Fragment, VIDEO_TIMESCALE};
use perch_store::StreamId;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest header of a part, which contains no samples.
pub(super) const LONGEST_HEADER: u32 = 64 << 10;

/// Why a file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The requested time contains no picture.
    #[error("nothing was recorded at that time")]
    Nothing,
    /// The files cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<ProgressiveError> for DownloadError {
    fn from(error: ProgressiveError) -> Self {
        match error {
            ProgressiveError::Nothing => Self::Nothing,
            ProgressiveError::Io(error) | ProgressiveError::Index(IndexError::Io(error)) => Self::Io(error),
            ProgressiveError::Index(error) => Self::Io(io::Error::other(error)),
        }
    }
}

/// A file that can be sent. It holds the parts open, so that they can be renamed or deleted meanwhile.
#[derive(Debug)]
pub struct Download {
    progressive: Arc<Progressive>,
    indexes: Indexes,
    media: Vec<Arc<File>>,
}

impl Download {
    /// Plans the file, or takes its plan from `plans`. `clip`: the time of the recording, or all of it. `until`: the file as it was when the recording
    /// had this many fragments. Blocks.
    pub(super) fn plan(
        plans: &Plans,
        stream: StreamId,
        files: &RecordingFiles,
        clip: Option<Range<Duration>>,
        until: Option<usize>,
    ) -> Result<Self, DownloadError> {
        let (mut indexes, mut media, mut heads, mut stamps) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for part in &files.parts {
            let index = Arc::new(File::open(&part.index)?);
            let Ok(reader) = Reader::new(At::from(Arc::clone(&index))) else { continue };
            let length = reader.header().init_bytes.min(LONGEST_HEADER);
            let file = File::open(&part.media)?;
            let mut head = vec![0; length as usize];
            file.read_exact_at(&mut head, 0)?;
            let Some(description) = Description::read(&head) else { continue };
            stamps.push(Stamp::of(&index)?);
            heads.push(description);
            indexes.push(index);
            media.push(Arc::new(file));
        }
        let indexes = Indexes { files: indexes.into(), until: until.unwrap_or(usize::MAX) };
        let clip = clip.map(|Range { start, end }| Clip { from: ticks(start), to: ticks(end) });
        let request = Request { stream, clip, until, indexes: stamps };
        let plan = || Progressive::plan(heads, &indexes, clip);
        Ok(Self { progressive: plans.get_or_make(request, plan)?, indexes, media })
    }

    /// Fragments of the recording up to the file's end.
    pub fn fragments(&self) -> usize {
        self.progressive.fragments()
    }

    /// Identifies the file's content: `<fragments>-<check sum>-<length>`.
    pub fn version(&self) -> String {
        format!("{}-{:x}-{:x}", self.fragments(), self.progressive.check_sum(), self.bytes())
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.progressive.bytes()
    }

    /// Length of the computed head.
    pub fn head_bytes(&self) -> u64 {
        self.progressive.head_bytes()
    }

    /// The byte ranges of files after the head.
    pub fn media(&self) -> impl Iterator<Item = (Arc<File>, Range<u64>)> + '_ {
        let media = self.progressive.media().iter();
        media.map(|range| (Arc::clone(&self.media[range.part]), range.from..range.to))
    }

    /// The computed head.
    pub fn head(&self) -> DownloadHead {
        DownloadHead(self.progressive.head(self.indexes.clone()))
    }
}

/// The computed head of a file, made piece by piece.
pub struct DownloadHead(Head<Indexes>);

impl DownloadHead {
    /// Skips the next bytes.
    pub const fn skip(&mut self, bytes: u64) {
        self.0.skip(bytes);
    }

    /// Makes the next piece: about `bytes` long, shorter at the end. Blocks.
    pub fn read(&mut self, least: usize) -> io::Result<Vec<u8>> {
        self.0.read(least).map_err(|error| match error {
            ProgressiveError::Io(error) => error,
            error => io::Error::other(error),
        })
    }
}

fn ticks(time: Duration) -> u64 {
    let ticks = time.as_micros() * u128::from(VIDEO_TIMESCALE) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The indexes of all parts, in order.
#[derive(Clone, Debug)]
struct Indexes {
    files: Arc<[Arc<File>]>,
    /// Number of fragments to read.
    until: usize,
}

impl Fragments for Indexes {
    type Iter = std::iter::Take<AllFragments>;

    fn read(&self) -> Result<Self::Iter, IndexError> {
        let readers = self.files.iter().map(|file| Reader::new(BufReader::new(At::from(Arc::clone(file)))));
        let all = AllFragments { readers: readers.collect::<Result<_, _>>()?, part: 0 };
        Ok(all.take(self.until))
    }
}

/// The fragments of all parts. A torn record at an index's end is left out.
struct AllFragments {
    readers: Vec<Reader<BufReader<At>>>,
    part: usize,
}

impl Iterator for AllFragments {
    type Item = Result<(usize, Fragment), IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.readers.get_mut(self.part)?.next() {
                Some(Ok(fragment)) => return Some(Ok((self.part, fragment))),
                Some(Err(IndexError::Io(error))) => return Some(Err(error.into())),
                Some(Err(IndexError::Torn { .. } | IndexError::NotAnIndex)) | None => self.part += 1,
            }
        }
    }
}

/// A reading position in a file that several readers share.
struct At {
    file: Arc<File>,
    at: u64,
}

impl From<Arc<File>> for At {
    fn from(file: Arc<File>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
