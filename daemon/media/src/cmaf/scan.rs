//! Reads the fragments of a part from the file itself, after a power cut or if its index is lost. Only headers and tables are read, and samples only
//! if they are to be checked.

use super::boxes::Fields;
use super::fragment::{TABLES_AT, read_track};
use super::mark::{self, read_mark};
use super::tracks::{AUDIO_TRACK, VIDEO_TRACK};
use crate::recording::{Fragment, Run};
use std::io::{self, Read, Seek, SeekFrom};

/// Longest tables in bytes; more are damage. Perch's fragments have at most some hundreds of samples, of 16 bytes each.
const MOST_TABLES: u32 = 1 << 20;
/// Longest `ftyp` and `moov` likewise.
const MOST_INIT: u32 = 1 << 20;

/// Why a file cannot be read as a part.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It does not begin with `ftyp` and `moov`.
    #[error("it is not a recording: it does not begin as one")]
    NotAPart,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A fragment found in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Its description.
    pub fragment: Fragment,
    /// CRC-32 of its samples, as its writer computed it.
    data_crc: u32,
    /// True if the file's `tfdt` is damaged, because it does not continue from the previous fragment. `fragment` has the correct time.
    pub has_wrong_time: bool,
}

/// Reads a part fragment by fragment, up to the first one that is incomplete or was not written by Perch.
#[derive(Debug)]
pub struct Scanner<F> {
    file: F,
    length: u64,
    init_bytes: u32,
    at: u64,
    /// End of the pictures read so far, in ticks: the next ones continue there, even after a seam or a gap.
    time: u64,
}

impl<F: Read + Seek> Scanner<F> {
    /// Reads the header of a file.
    pub fn new(mut file: F) -> Result<Self, ScanError> {
        let length = file.seek(SeekFrom::End(0))?;
        let mut at = 0;
        for kind in [*b"ftyp", *b"moov"] {
            match head_at(&mut file, at, length)? {
                Some((found, bytes)) if found == kind && bytes <= MOST_INIT => at += u64::from(bytes),
                _ => return Err(ScanError::NotAPart),
            }
        }
        let init_bytes = u32::try_from(at).map_err(|_| ScanError::NotAPart)?;
        Ok(Self { file, length, init_bytes, at, time: 0 })
    }

    /// Length of the part's header, and position of its first fragment.
    pub const fn init_bytes(&self) -> u32 {
        self.init_bytes
    }

    /// Position of the next fragment; after the last one, the end of the whole fragments.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Continues at `at`, where a fragment begins. The pictures before it end at `time`, in ticks of the video's timescale.
    pub const fn go_to(&mut self, at: u64, time: u64) {
        self.at = at;
        self.time = time;
    }

    fn read(&mut self) -> io::Result<Option<Scanned>> {
        let begin = self.at;
        let mut tables = [0; TABLES_AT + 8];
        if begin + tables.len() as u64 > self.length {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(begin))?;
        self.file.read_exact(&mut tables)?;
        let Some((b"uuid", inside)) =
            Fields(&tables[..mark::BYTES]).next_box().as_ref().map(|(k, f)| (k, *f))
        else {
            return Ok(None);
        };
        let Some((mark, data_crc)) = read_mark(inside) else { return Ok(None) };
        let mut head = Fields(&tables[mark::BYTES..]);
        let (Some(bytes), Some(kind)) = (head.u32(), head.bytes()) else { return Ok(None) };
        let end = begin + TABLES_AT as u64 + u64::from(bytes);
        if kind != *b"moof" || !(8..=MOST_TABLES).contains(&bytes) || end > self.length {
            return Ok(None);
        }
        let mut moof = vec![0; bytes as usize - 8];
        self.file.read_exact(&mut moof)?;
        let Some((b"mdat", data)) = head_at(&mut self.file, end, self.length)?.as_ref().map(|(k, b)| (k, *b))
        else {
            return Ok(None);
        };
        let whole = TABLES_AT as u64 + u64::from(bytes) + u64::from(data);
        let Ok(whole) = u32::try_from(whole) else { return Ok(None) };
        let found = read_tables(&moof, TABLES_AT as u32 + bytes + 8, data - 8);
        let found = found.map(|(mut video, audio)| {
            let told = std::mem::replace(&mut video.decode_time, self.time);
            let fragment = Fragment { at: begin, bytes: whole, mark, video, audio };
            Scanned { fragment, data_crc, has_wrong_time: told != self.time }
        });
        Ok(found.filter(|scanned| scanned.fragment.is_plausible()))
    }

    /// True if a fragment's samples are those that were written. A power cut may leave zeros in their place.
    pub fn is_sound(&mut self, scanned: &Scanned) -> io::Result<bool> {
        let Fragment { at, bytes, video, .. } = &scanned.fragment;
        self.file.seek(SeekFrom::Start(at + u64::from(video.data_at)))?;
        let mut left = bytes.saturating_sub(video.data_at) as usize;
        let (mut crc, mut buffer) = (crc32fast::Hasher::new(), vec![0; left.min(64 << 10)]);
        while left > 0 {
            let some = left.min(buffer.len());
            self.file.read_exact(&mut buffer[..some])?;
            crc.update(&buffer[..some]);
            left -= some;
        }
        Ok(crc.finalize() == scanned.data_crc)
    }
}

/// Ends where no whole fragment follows.
impl<F: Read + Seek> Iterator for Scanner<F> {
    type Item = io::Result<Scanned>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.read();
        if let Ok(Some(scanned)) = &found {
            self.at += u64::from(scanned.fragment.bytes);
            self.time += scanned.fragment.video.duration();
        }
        found.transpose()
    }
}

/// The runs of both tracks, if they describe exactly the `data` bytes at `data_at` of the fragment.
fn read_tables(moof: &[u8], data_at: u32, data: u32) -> Option<(Run, Option<Run>)> {
    let (mut fields, mut video, mut audio) = (Fields(moof), None, None);
    while let Some((kind, inside)) = fields.next_box() {
        if kind == *b"traf" {
            let (track, mut run) = read_track(inside)?;
            run.data_at = run.data_at.checked_add(TABLES_AT as u32)?;
            match track {
                VIDEO_TRACK if video.is_none() => video = Some(run),
                AUDIO_TRACK if audio.is_none() => audio = Some(run),
                _ => return None,
            }
        }
    }
    let video = video.filter(|run| !run.samples.is_empty() && run.data_at == data_at)?;
    let end = u64::from(data_at) + video.bytes();
    if audio.as_ref().is_some_and(|run: &Run| u64::from(run.data_at) != end || run.samples.is_empty()) {
        return None;
    }
    let all = end + audio.as_ref().map_or(0, Run::bytes);
    (fields.0.is_empty() && all == u64::from(data_at) + u64::from(data)).then_some((video, audio))
}

/// Type and length of the box at `at`; `None` if there is none that ends within the file.
fn head_at<F: Read + Seek>(file: &mut F, at: u64, length: u64) -> io::Result<Option<([u8; 4], u32)>> {
    if at + 8 > length {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut head = [0; 8];
    file.read_exact(&mut head)?;
    let mut fields = Fields(&head);
    let (Some(bytes), Some(kind)) = (fields.u32(), fields.bytes()) else { return Ok(None) };
    Ok((bytes >= 8 && at + u64::from(bytes) <= length).then_some((kind, bytes)))
}
