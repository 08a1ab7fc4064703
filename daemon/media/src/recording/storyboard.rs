//! The storyboard beside a recording: small pictures along its time line, on sheets of some dozens each, and the `WebVTT` that tells players which
//! part of which sheet belongs to which seconds.
//!
//! A header, then one record for each sheet: the lengths of its description and of its JPEG, a CRC-32 of both, and both. The description's
//! numbers are varints: columns, width and height of a picture, how many there are, the time of the first in milliseconds of the recording, and
//! for each further one the milliseconds since the one before it. Records are appended; one that was torn by a power cut ends the storyboard.
//!
//! Must not be here: decoding, files, which moments get a picture.

use super::varint;
use std::fmt::Write as _;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::time::Duration;

/// The first bytes, with the version of the form in the last one.
const MAGIC: [u8; 8] = *b"perchsb\x01";
/// Magic, the stream's id, CRC-32.
const HEADER_BYTES: usize = 8 + 16 + 4;
/// Before each record: two lengths and the CRC-32.
const RECORD_HEAD: usize = 12;
/// Pictures of a sheet at most; its description then has fewer than 2 KiB.
pub const MOST_PICTURES: usize = 256;
const LONGEST_DESCRIPTION: u32 = 4096;
/// A sheet of 256 pictures without any compression has fewer.
const LONGEST_JPEG: u32 = 4 << 20;
/// Pixels: a picture is small.
const WIDEST: u64 = 1024;

/// What is on a sheet: its pictures stand in rows, one right of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Pictures of a row.
    pub columns: u32,
    /// Width and height of each picture, pixels.
    pub size: (u32, u32),
    /// When each was taken: milliseconds of the recording. They grow.
    pub times_ms: Vec<u64>,
}

impl Sheet {
    /// Where a picture stands: left and top, pixels.
    pub fn place(&self, index: usize) -> (u32, u32) {
        let (index, columns) = (index as u32, self.columns.max(1));
        (index % columns * self.size.0, index / columns * self.size.1)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (width, height) = self.size;
        for number in [self.columns, width, height, self.times_ms.len() as u32] {
            varint::put(number.into(), &mut out);
        }
        let mut before = 0;
        for time in &self.times_ms {
            varint::put(time.saturating_sub(before), &mut out);
            before = *time;
        }
        out
    }

    fn decode(mut bytes: &[u8], after_ms: Option<u64>) -> Option<Self> {
        let rest = &mut bytes;
        let mut number = |most: u64| {
            let number = varint::take(rest).filter(|number| (1..=most).contains(number))?;
            u32::try_from(number).ok()
        };
        let columns = number(MOST_PICTURES as u64)?;
        let size = (number(WIDEST)?, number(WIDEST)?);
        let count = number(MOST_PICTURES as u64)?;
        let (mut times_ms, mut before) = (Vec::with_capacity(count as usize), after_ms);
        let mut time = 0_u64;
        for _ in 0..count {
            time = time.checked_add(varint::take(rest)?).filter(|time| *time <= super::FARTHEST)?;
            if before.is_some_and(|before| time <= before) {
                return None;
            }
            before = Some(time);
            times_ms.push(time);
        }
        rest.is_empty().then_some(Self { columns, size, times_ms })
    }
}

/// What a storyboard begins with.
pub fn header(stream: [u8; 16]) -> Vec<u8> {
    let mut out = [&MAGIC[..], &stream].concat();
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// Appends the record of a sheet, of [`MOST_PICTURES`] at most.
pub fn encode(sheet: &Sheet, jpeg: &[u8], out: &mut Vec<u8>) {
    let description = sheet.encode();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&description);
    crc.update(jpeg);
    for number in [description.len() as u32, jpeg.len() as u32, crc.finalize()] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&description);
    out.extend_from_slice(jpeg);
}

/// A sheet in a storyboard's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is on it.
    pub sheet: Sheet,
    /// Of its description in the file.
    at: u64,
    description_bytes: u32,
    jpeg_bytes: u32,
    crc: u32,
}

impl Record {
    /// The bytes of the file that [`Self::jpeg`] wants.
    pub fn range(&self) -> Range<u64> {
        self.at..self.at + u64::from(self.description_bytes) + u64::from(self.jpeg_bytes)
    }

    /// A tag for caches: another sheet has another.
    pub const fn check_sum(&self) -> u32 {
        self.crc
    }

    /// The sheet as a JPEG file, of the bytes of [`Self::range`]. `None` where they are damaged.
    pub fn jpeg<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        (crc32fast::hash(bytes) == self.crc).then(|| bytes.get(self.description_bytes as usize..)).flatten()
    }
}

/// The sheets of a storyboard, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storyboard {
    /// Whole ones only.
    pub records: Vec<Record>,
    /// Where the next record goes; 0: the header is missing too.
    pub end: u64,
}

impl Storyboard {
    /// Reads what there is, without the pictures but for the last sheet, which a power cut may have torn.
    ///
    /// # Errors
    ///
    /// Those of the file. What is no storyboard of this stream is an empty one.
    pub fn read(from: &mut (impl Read + Seek), stream: [u8; 16]) -> io::Result<Self> {
        let length = from.seek(SeekFrom::End(0))?;
        from.seek(SeekFrom::Start(0))?;
        let mut head = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Ok(Self::default());
        }
        from.read_exact(&mut head)?;
        if head[..] != header(stream) {
            return Ok(Self::default());
        }
        let mut board = Self { records: Vec::new(), end: HEADER_BYTES as u64 };
        while let Some(record) = board.next(from, length)? {
            board.end = record.range().end;
            board.records.push(record);
        }
        if let Some(last) = board.records.last() {
            let Range { start, end } = last.range();
            let mut bytes = vec![0; (end - start) as usize];
            from.seek(SeekFrom::Start(start))?;
            from.read_exact(&mut bytes)?;
            if last.jpeg(&bytes).is_none() {
                board.end = start - RECORD_HEAD as u64;
                board.records.pop();
            }
        }
        Ok(board)
    }

    fn next(&self, from: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Record>> {
        let at = self.end + RECORD_HEAD as u64;
        if at > length {
            return Ok(None);
        }
        from.seek(SeekFrom::Start(self.end))?;
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let mut bytes = [0; 4];
            from.read_exact(&mut bytes)?;
            *number = u32::from_be_bytes(bytes);
        }
        let [description_bytes, jpeg_bytes, crc] = numbers;
        let end = at + u64::from(description_bytes) + u64::from(jpeg_bytes);
        if description_bytes > LONGEST_DESCRIPTION || jpeg_bytes > LONGEST_JPEG || end > length {
            return Ok(None);
        }
        let mut description = vec![0; description_bytes as usize];
        from.read_exact(&mut description)?;
        let sheet = Sheet::decode(&description, self.last_ms());
        Ok(sheet.map(|sheet| Record { sheet, at, description_bytes, jpeg_bytes, crc }))
    }

    /// When the last picture was taken, milliseconds of the recording.
    pub fn last_ms(&self) -> Option<u64> {
        self.records.last().and_then(|record| record.sheet.times_ms.last()).copied()
    }

    /// As `WebVTT` (W3C): a cue for each picture, from its moment to the next one's, that names its sheet and where it is on it (Media Fragments
    /// §4.2.2). The first begins with the recording, the last ends with it. `address` is that of a sheet, counted from 1.
    pub fn web_vtt(&self, duration: Duration, address: impl Fn(usize) -> String) -> String {
        let mut text = "WEBVTT\n".to_owned();
        let times = self.records.iter().flat_map(|record| record.sheet.times_ms.iter().copied());
        let end = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let last = self.last_ms().unwrap_or_default();
        let mut ends = times.clone().skip(1).chain([end.max(last.saturating_add(1))]);
        let mut begins = [0].into_iter().chain(times.skip(1));
        for (number, record) in (1..).zip(&self.records) {
            let (width, height) = record.sheet.size;
            for index in 0..record.sheet.times_ms.len() {
                let (Some(from), Some(to)) = (begins.next(), ends.next()) else { return text };
                let (left, top) = record.sheet.place(index);
                let (from, to, address) = (Timestamp(from), Timestamp(to), address(number));
                // Writing to a String cannot fail.
                let _ = write!(text, "\n{from} --> {to}\n{address}#xywh={left},{top},{width},{height}\n");
            }
        }
        text
    }
}

/// Milliseconds, as `WebVTT` writes them.
struct Timestamp(u64);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, milliseconds) = (self.0 / 1000, self.0 % 1000);
        write!(f, "{:02}:{:02}:{:02}.{milliseconds:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    const STREAM: [u8; 16] = [7; 16];

    fn sheet(times_ms: &[u64]) -> Sheet {
        Sheet { columns: 2, size: (160, 90), times_ms: times_ms.to_vec() }
    }

    fn read(bytes: &[u8]) -> Storyboard {
        Storyboard::read(&mut Cursor::new(bytes), STREAM).unwrap()
    }

    fn file(sheets: &[(&[u64], &[u8])]) -> Vec<u8> {
        let mut file = header(STREAM);
        for (times, jpeg) in sheets {
            encode(&sheet(times), jpeg, &mut file);
        }
        file
    }

    #[test]
    fn sheets_are_found_again_and_players_are_told_where_each_picture_is() {
        let file = file(&[(&[80, 2000, 4000], b"one"), (&[3_599_000], b"the other")]);
        let board = read(&file);
        assert_eq!(board.end, file.len() as u64);
        let jpegs = board.records.iter().map(|record| {
            let Range { start, end } = record.range();
            record.jpeg(&file[start as usize..end as usize]).unwrap().to_vec()
        });
        assert_eq!(jpegs.collect::<Vec<_>>(), [b"one".to_vec(), b"the other".to_vec()]);
        let text = board.web_vtt(Duration::from_millis(3_600_500), |number| format!("s-{number}.jpg"));
        assert_eq!(
            text,
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\ns-1.jpg#xywh=0,0,160,90\n\n\
             00:00:02.000 --> 00:00:04.000\ns-1.jpg#xywh=160,0,160,90\n\n\
             00:00:04.000 --> 00:59:59.000\ns-1.jpg#xywh=0,90,160,90\n\n\
             00:59:59.000 --> 01:00:00.500\ns-2.jpg#xywh=0,0,160,90\n"
        );
        assert_eq!(Storyboard::default().web_vtt(Duration::ZERO, |_| String::new()), "WEBVTT\n");
    }

    #[test]
    fn another_streams_storyboard_or_another_version_is_none() {
        let file = file(&[(&[0], b"one")]);
        let other = Storyboard::read(&mut Cursor::new(&file), [8; 16]).unwrap();
        assert_eq!(other, Storyboard::default());
        for damaged in [&file[..20], b"", b"perchsb\x02and more that follows it"] {
            assert_eq!(read(damaged), Storyboard::default());
        }
        // Times that do not grow, sizes of nothing: damage.
        for lying in [sheet(&[5, 5]), Sheet { size: (0, 90), ..sheet(&[9]) }, sheet(&[])] {
            let mut file = header(STREAM);
            encode(&lying, b"jpeg", &mut file);
            assert_eq!(read(&file).records, [], "{lying:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_power_cut_tears_ends_the_storyboard_before_it(
            counts in prop::collection::vec(1_u64..6, 1..5), kept in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(),
        ) {
            let mut whole = header(STREAM);
            let (mut ends, mut time) = (vec![whole.len()], 0);
            for count in &counts {
                let times: Vec<u64> = (0..*count).map(|picture| time + picture * 2000).collect();
                time += count * 2000;
                encode(&sheet(&times), &[*count as u8; 50], &mut whole);
                ends.push(whole.len());
            }
            let cut = kept.index(whole.len() + 1);
            let board = read(&whole[..cut]);
            let expected = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
            prop_assert_eq!(board.records.len(), expected);
            // A flipped bit costs no more than what comes after it, and never shows a wrong picture as a right one.
            let mut flipped = whole.clone();
            let at = flip.index(whole.len());
            flipped[at] ^= 16;
            let board = read(&flipped);
            prop_assert!(board.records.len() >= ends.iter().filter(|end| **end <= at).count().saturating_sub(1));
            for (record, count) in board.records.iter().zip(&counts) {
                let Range { start, end } = record.range();
                if let Some(jpeg) = record.jpeg(&flipped[start as usize..end as usize]) {
                    prop_assert_eq!(jpeg, &[*count as u8; 50]);
                }
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let file = [header(STREAM), bytes].concat();
            let board = read(&file);
            prop_assert!(board.end <= file.len() as u64);
            drop(board.web_vtt(Duration::MAX, |number| number.to_string()));
        }
    }
}
