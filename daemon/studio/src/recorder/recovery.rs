//! Closes a part that a power cut or a failing card left, from its own bytes: what is torn is cut off, and the index is made whole again.
//!
//! The index tells what the file holds up to shortly before its end. From there on the file itself is read: after a power cut the index may
//! name what never reached the card, or lack what did. Without a usable index the whole file is read, box heads only.

use super::fragmenter::{KEY, MARK};
use super::part::{Ends, PartFiles};
use bytes::Bytes;
use perch_media::recording::index::{Encoder, Header, Reader};
use perch_media::recording::{Break, Fragment, Mark, Run, SampleEntry};
use perch_store::StreamId;
use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

/// Fragments at the end of the index that are read from the file again: more than are written between two syncs, in the usual case.
const DOUBTED: usize = 16;
/// Bytes at the end of a file in which the samples are looked into too. Further back a power cut did no harm, and reading all of it would take
/// minutes.
const LOOKED_INTO: u64 = 64 << 20;
/// A header of more bytes is not ours.
const LONGEST_HEAD: u64 = 1 << 20;

/// What is whole of a part.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) init: Bytes,
    pub(super) ends: Ends,
    /// How many.
    pub(super) fragments: u32,
    /// The sum of the durations of its pictures.
    pub(super) ticks: u64,
}

impl Recovered {
    /// Of both files.
    pub(super) const fn bytes(&self) -> u64 {
        self.ends.media + self.ends.index
    }
}

/// Finds out what is whole of a part, and writes its index. The media are cut by who goes on with them (`Part::reopen`). `None`: there is no
/// such part, or not even its header; then its files are gone.
pub(super) fn recover(files: &PartFiles, part: u32, stream: StreamId) -> io::Result<Option<Recovered>> {
    let media = match File::open(&files.media) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let length = media.metadata()?.len();
    let Some(init) = read_init(&media, length)? else {
        // A file that is not ours is put aside, not removed.
        if length > LONGEST_HEAD {
            std::fs::rename(&files.media, files.media.with_extension("mp4.damaged"))?;
        } else {
            std::fs::remove_file(&files.media)?;
        }
        return match std::fs::remove_file(&files.index) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(None),
        };
    };
    let header = Header { stream: stream.number().to_be_bytes(), part, init_bytes: init.len() as u32 };
    let mut found = believed(files, &header, length)?.unwrap_or_else(|| Believed {
        encoder: Encoder::new(&header),
        media: init.len() as u64,
        index: 0,
        fragments: 0,
        ticks: 0,
    });
    let mut records = if found.index == 0 { header.encode() } else { Vec::new() };
    let index_kept = found.index;
    while let Some(fragment) = read_fragment(&media, found.media, length)? {
        found.encoder.push(&fragment, &mut records);
        found.media += u64::from(fragment.bytes);
        found.ticks += fragment.video.duration();
        found.fragments += 1;
    }
    let mut index = File::options().write(true).create(true).truncate(false).open(&files.index)?;
    index.set_len(index_kept)?;
    index.seek(SeekFrom::End(0))?;
    index.write_all(&records)?;
    let ends = Ends { encoder: found.encoder, media: found.media, index: index_kept + records.len() as u64 };
    Ok(Some(Recovered { init, ends, fragments: found.fragments, ticks: found.ticks }))
}

/// What the index tells for sure.
struct Believed {
    encoder: Encoder,
    media: u64,
    index: u64,
    fragments: u32,
    ticks: u64,
}

fn believed(files: &PartFiles, header: &Header, length: u64) -> io::Result<Option<Believed>> {
    let open = || match File::open(&files.index) {
        Ok(file) => Ok(Reader::new(BufReader::new(file)).ok().filter(|reader| reader.header() == *header)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let Some(reader) = open()? else { return Ok(None) };
    let is_there = |fragment: &Fragment| fragment.at + u64::from(fragment.bytes) <= length;
    let whole = reader.map_while(Result::ok).take_while(is_there).count();
    let Some(mut reader) = open()? else { return Ok(None) };
    let mut ticks = 0;
    let fragments = whole.saturating_sub(DOUBTED);
    for fragment in reader.by_ref().take(fragments).flatten() {
        ticks += fragment.video.duration();
    }
    Ok(Some(Believed {
        encoder: reader.encoder(),
        media: reader.part_bytes(),
        index: reader.index_bytes(),
        fragments: fragments as u32,
        ticks,
    }))
}

/// `ftyp` and `moov`, where the file begins with them whole.
fn read_init(media: &File, length: u64) -> io::Result<Option<Bytes>> {
    let Some(ftyp) = read_head(media, 0, length)?.filter(|head| head.kind == *b"ftyp") else {
        return Ok(None);
    };
    let Some(moov) = read_head(media, ftyp.end, length)?.filter(|head| head.kind == *b"moov") else {
        return Ok(None);
    };
    if moov.end > LONGEST_HEAD {
        return Ok(None);
    }
    let mut init = vec![0; moov.end as usize];
    media.read_exact_at(&mut init, 0)?;
    Ok(Some(init.into()))
}

struct Head {
    kind: [u8; 4],
    /// Of its content.
    at: u64,
    end: u64,
}

/// The head of the box at `at`; `None` where no whole box is.
fn read_head(media: &File, at: u64, length: u64) -> io::Result<Option<Head>> {
    if at + 8 > length {
        return Ok(None);
    }
    let mut bytes = [0; 8];
    media.read_exact_at(&mut bytes, at)?;
    let [a, b, c, d, kind @ ..] = bytes;
    let end = at + u64::from(u32::from_be_bytes([a, b, c, d]));
    Ok((end >= at + 8 && end <= length).then_some(Head { kind, at: at + 8, end }))
}

/// The fragment at `at`; `None` where no whole one of ours is.
fn read_fragment(media: &File, at: u64, length: u64) -> io::Result<Option<Fragment>> {
    let Some(uuid) = read_head(media, at, length)?.filter(|head| head.kind == *b"uuid") else {
        return Ok(None);
    };
    let Some(moof) = read_head(media, uuid.end, length)?.filter(|head| head.kind == *b"moof") else {
        return Ok(None);
    };
    let Some(mdat) = read_head(media, moof.end, length)?.filter(|head| head.kind == *b"mdat") else {
        return Ok(None);
    };
    if moof.end - at > LONGEST_HEAD || mdat.end - at > u64::from(u32::MAX) {
        return Ok(None);
    }
    let mut head = vec![0; (moof.end - at) as usize];
    media.read_exact_at(&mut head, at)?;
    let content = |from: u64, to: u64| &head[(from - at) as usize..(to - at) as usize];
    let Some(mark) = parse_mark(content(uuid.at, uuid.end)) else { return Ok(None) };
    let Some(mut video) = parse_moof(content(moof.at, moof.end)) else { return Ok(None) };
    video.data_at = (mdat.at - at) as u32;
    let bytes = (mdat.end - at) as u32;
    let is_whole = video.bytes() == mdat.end - mdat.at && !video.samples.is_empty();
    let is_doubtful = length - at < LOOKED_INTO;
    if !is_whole || is_doubtful && !has_nal_units(media, mdat.at, &video)? {
        return Ok(None);
    }
    Ok(Some(Fragment { at, bytes, mark, video, audio: None }))
}

/// Every sample is NAL units with their lengths before them, to its last byte: zeros that a file system left in place of data are none.
fn has_nal_units(media: &File, mut at: u64, video: &Run) -> io::Result<bool> {
    for sample in &video.samples {
        let end = at + u64::from(sample.bytes);
        while at < end {
            if at + 5 > end {
                return Ok(false);
            }
            let mut head = [0; 5];
            media.read_exact_at(&mut head, at)?;
            let [a, b, c, d, header] = head;
            let nal_bytes = u32::from_be_bytes([a, b, c, d]);
            // The forbidden bit is clear, and the type is one (H.264 §7.4.1).
            if nal_bytes == 0 || header & 0x80 != 0 || header & 0x1f == 0 {
                return Ok(false);
            }
            at += 4 + u64::from(nal_bytes);
        }
        if at != end {
            return Ok(false);
        }
    }
    Ok(true)
}

fn parse_mark(content: &[u8]) -> Option<Mark> {
    let rest = content.strip_prefix(&MARK)?;
    let (&[flags], rest) = rest.split_first_chunk::<1>()?;
    let (&offset, rest) = rest.split_first_chunk::<8>()?;
    let (&wall, _) = rest.split_first_chunk::<8>()?;
    let flag = |bit: u32| flags >> bit & 1 == 1;
    Some(Mark {
        begins_segment: flag(0),
        is_independent: flag(1),
        before: if flag(3) {
            Break::Gap
        } else if flag(2) {
            Break::Seam
        } else {
            Break::None
        },
        stream_offset_ms: u64::from_be_bytes(offset),
        wall_ms: i64::from_be_bytes(wall),
    })
}

/// The content of the first box of a kind among these.
fn find<'a>(mut boxes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    loop {
        let (size, rest) = boxes.split_first_chunk::<4>()?;
        let size = u32::from_be_bytes(*size) as usize;
        let content = rest.get(..size.checked_sub(4)?)?;
        if content.starts_with(kind) {
            return Some(&content[4..]);
        }
        boxes = boxes.get(size..)?;
    }
}

fn parse_moof(moof: &[u8]) -> Option<Run> {
    let traf = find(moof, b"traf")?;
    let decode_time = u64::from_be_bytes(*find(traf, b"tfdt")?.get(4..)?.first_chunk()?);
    let trun = find(traf, b"trun")?;
    if *trun.first_chunk::<4>()? != [1, 0, 0x0f, 1] {
        return None;
    }
    let word = |at: usize| Some(u32::from_be_bytes(*trun.get(at..)?.first_chunk()?));
    let count = word(4)? as usize;
    let entries = trun.get(12..)?;
    if entries.len() != count.checked_mul(16)? {
        return None;
    }
    let samples = (0..count).map(|number| {
        let at = 12 + number * 16;
        Some(SampleEntry {
            duration: word(at)?,
            bytes: word(at + 4)?,
            is_key: word(at + 8)? == KEY,
            composition_offset: word(at + 12)?.cast_signed(),
        })
    });
    Some(Run { decode_time, data_at: 0, samples: samples.collect::<Option<_>>()? })
}
