//! Recovers a part after a power cut or a card's failure from its own bytes: torn fragments are cut off, and the index is completed.
//!
//! The index is believed up to shortly before its end. From there on the media are read: after a power cut the index may name fragments that never
//! reached the card, or lack some that did. Without a usable index the whole file is read, but only the heads of its boxes.

use super::part::{Ends, Part, PartFiles};
use perch_media::cmaf::{ScanError, Scanner};
use perch_media::recording::index::{Encoder, Header, Reader};
use perch_media::recording::{Fragment, VIDEO_TIMESCALE};
use perch_store::StreamId;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

/// Fragments at the end of the index that are read from the media again: more than are normally written between two syncs.
const DOUBTED: usize = 16;
/// Bytes at the end of a file in which the samples' check sums are compared too. A power cut does no harm further back, and reading everything
/// would take minutes.
const LOOKED_INTO: u64 = 64 << 20;
/// A file without a header that is longer than this is not one that was just being created.
const LONGEST_HEAD: u64 = 1 << 20;

/// The whole fragments of a part.
#[derive(Debug)]
pub(super) struct Recovered {
    /// Its `ftyp` and `moov`.
    pub(super) init: Vec<u8>,
    pub(super) ends: Ends,
    pub(super) so_far: SoFar,
    /// Number of bytes after the last whole fragment.
    behind: u64,
}

/// Length of a part so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SoFar {
    pub(super) fragments: u32,
    /// The sum of the durations of its pictures, in ticks of the video's timescale.
    pub(super) ticks: u64,
    /// End of its sound, in ticks of the audio's timescale.
    pub(super) audio_end: u64,
}

impl SoFar {
    fn count(&mut self, fragment: &Fragment) {
        self.fragments += 1;
        self.ticks += fragment.video.duration();
        if let Some(audio) = &fragment.audio {
            self.audio_end = audio.decode_time + audio.duration();
        }
    }
}

impl Recovered {
    /// Bytes of both files once they are closed.
    pub(super) const fn bytes(&self) -> u64 {
        let kept = if self.may_be_cut() { 0 } else { self.behind };
        self.ends.media + kept + self.ends.index
    }

    /// Cuts off torn bytes and syncs the part.
    pub(super) fn close(self, files: &PartFiles) -> io::Result<()> {
        if self.may_be_cut() { Part::reopen(files, self.ends)?.close() } else { Ok(()) }
    }

    /// True if the bytes after the whole fragments may be cut off: they are as few as a power cut leaves. More of them are damage to a file that may
    /// hold pictures further on, so they stay.
    pub(super) const fn may_be_cut(&self) -> bool {
        self.behind < LOOKED_INTO
    }
}

/// Finds the whole fragments of a part, and writes its index. The caller cuts the media (`Part::reopen` or [`Recovered::close`]). `None` if there is
/// no such part, or if it lacks even its header; its files are then removed.
pub(super) fn recover(files: &PartFiles, part: u32, stream: StreamId) -> io::Result<Option<Recovered>> {
    let media = match File::open(&files.media) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    read_from_the_card(&media)?;
    let length = media.metadata()?.len();
    let mut scanner = match Scanner::new(&media) {
        Ok(scanner) => scanner,
        Err(ScanError::Io(error)) => return Err(error),
        Err(ScanError::NotAPart) => return put_aside(files, length).map(|()| None),
    };
    let mut init = vec![0; scanner.init_bytes() as usize];
    media.read_exact_at(&mut init, 0)?;
    let header = Header { stream: stream.number().to_be_bytes(), part, init_bytes: init.len() as u32 };
    let mut found = believed(files, &header, length)?.unwrap_or_else(|| Believed {
        encoder: Encoder::new(&header),
        media: init.len() as u64,
        index: 0,
        so_far: SoFar::default(),
    });
    let mut records = if found.index == 0 { header.encode() } else { Vec::new() };
    let index_kept = found.index;
    scanner.go_to(found.media, found.so_far.ticks);
    while let Some(scanned) = scanner.next().transpose()? {
        let fragment = &scanned.fragment;
        if length - fragment.at < LOOKED_INTO && !scanner.is_sound(&scanned)? {
            break;
        }
        found.encoder.push(fragment, &mut records);
        found.media = fragment.at + u64::from(fragment.bytes);
        found.so_far.count(fragment);
    }
    let mut index = File::options().write(true).create(true).truncate(false).open(&files.index)?;
    index.set_len(index_kept)?;
    index.seek(SeekFrom::End(0))?;
    index.write_all(&records)?;
    let ends = Ends { encoder: found.encoder, media: found.media, index: index_kept + records.len() as u64 };
    let behind = length - ends.media;
    Ok(Some(Recovered { init, ends, so_far: found.so_far, behind }))
}

/// Drops the kernel's cached pages of a file. If writing a page fails, Linux reports that once and then keeps the page as if it were written:
/// recovery would believe data that is gone after the next start.
fn read_from_the_card(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// The part of the index that is believed.
struct Believed {
    encoder: Encoder,
    media: u64,
    index: u64,
    so_far: SoFar,
}

fn believed(files: &PartFiles, header: &Header, length: u64) -> io::Result<Option<Believed>> {
    let open = || match File::open(&files.index) {
        Ok(file) => read_from_the_card(&file)
            .map(|()| Reader::new(BufReader::new(file)).ok().filter(|reader| reader.header() == *header)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let Some(reader) = open()? else { return Ok(None) };
    let is_there = |fragment: &Fragment| fragment.at + u64::from(fragment.bytes) <= length;
    let whole = reader.map_while(Result::ok).take_while(is_there).count();
    let Some(mut reader) = open()? else { return Ok(None) };
    let mut so_far = SoFar::default();
    for fragment in reader.by_ref().take(whole.saturating_sub(DOUBTED)).flatten() {
        so_far.count(&fragment);
    }
    Ok(Some(Believed {
        encoder: reader.encoder(),
        media: reader.part_bytes(),
        index: reader.index_bytes(),
        so_far,
    }))
}

/// Ticks of the video's timescale in milliseconds.
pub(super) const fn milliseconds(ticks: u64) -> u64 {
    ticks * 1000 / VIDEO_TIMESCALE as u64
}

/// Removes a file that lacks even the header of a part. A long file that is not ours is put aside instead.
fn put_aside(files: &PartFiles, length: u64) -> io::Result<()> {
    if length > LONGEST_HEAD {
        std::fs::rename(&files.media, files.media.with_extension("mp4.damaged"))?;
    } else {
        std::fs::remove_file(&files.media)?;
    }
    match std::fs::remove_file(&files.index) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::access_unit;
    use perch_media::cmaf::{FragmentBuilder, init_segment};
    use perch_media::recording::Mark;
    use perch_media::time::MediaDuration;
    use proptest::prelude::*;
    use std::path::Path;

    const STREAM: StreamId = StreamId::from_number(7);
    /// Unit in which a file system writes.
    const PAGE: usize = 4096;

    /// A part with this many fragments, and the end of each.
    fn recorded(files: &PartFiles, count: u32) -> Vec<u64> {
        let unit = |number: i64| {
            access_unit(number * 3000, number % 10 == 0, 300 + number.unsigned_abs() as usize % 700)
        };
        let init = init_segment(&unit(0).format, None);
        let header = Header { stream: STREAM.number().to_be_bytes(), part: 1, init_bytes: init.len() as u32 };
        let mut part = Part::create(files, &header, &init).unwrap();
        let mut builder = FragmentBuilder::new(unit(0).format, None);
        let mut ends = vec![part.end()];
        for fragment in 0..i64::from(count) {
            for picture in 0..10 {
                builder.push_video(&unit(fragment * 10 + picture), MediaDuration::from_ticks(3000));
            }
            let mut bytes = Vec::new();
            let made = builder.finish(Mark::default(), part.end(), &mut bytes).unwrap();
            part.append(&made, &bytes).unwrap();
            ends.push(part.end());
        }
        part.close().unwrap();
        ends
    }

    fn files(dir: &Path) -> PartFiles {
        PartFiles { media: dir.join("a.mp4"), index: dir.join("a.index") }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// A power cut leaves what was synced, and any pages of the rest, in both files.
        #[test]
        fn whatever_a_power_cut_leaves_all_that_was_synced_is_whole_and_nothing_else_is_taken_for_it(
            count in 1_u32..60,
            synced in 0.0..1.0,
            kept in 0.0..1.0,
            lost_pages in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            index_kept in 0.0..1.1,
            index_flip in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let files = files(dir.path());
            let ends = recorded(&files, count);
            let whole = std::fs::read(&files.media).unwrap();
            // A recording is synced at the ends of fragments, at most a few before the last one.
            let unsynced = ((f64::from(count) * (1.0 - synced)) as usize).min(DOUBTED - 4);
            let synced = ends.len() - 1 - unsynced;
            let safe = ends[synced] as usize;
            let mut left = whole[..safe + ((whole.len() - safe) as f64 * kept) as usize].to_vec();
            let end = left.len();
            for page in lost_pages.iter().filter(|_| end > safe) {
                let at = safe + page.index(end - safe) / PAGE * PAGE;
                left[at..(at + PAGE).min(end)].fill(0);
            }
            std::fs::write(&files.media, &left).unwrap();
            let mut index = std::fs::read(&files.index).unwrap();
            if let Some(flip) = index_flip {
                let at = flip.index(index.len());
                index[at] ^= 4;
            }
            if index_kept > 1.0 {
                std::fs::remove_file(&files.index).unwrap();
            } else {
                index.truncate((index.len() as f64 * index_kept) as usize);
                std::fs::write(&files.index, index).unwrap();
            }

            let found = recover(&files, 1, STREAM).unwrap().unwrap();
            let (fragments, media) = (found.so_far.fragments as usize, found.ends.media);
            prop_assert!(fragments >= synced, "{fragments} of {synced}");
            prop_assert_eq!(media, ends[fragments]);
            prop_assert!(left[..media as usize] == whole[..media as usize], "a page that was lost was taken for whole");
            prop_assert_eq!(found.so_far.ticks, fragments as u64 * 30_000);
            found.close(&files).unwrap();
            let again = recover(&files, 1, STREAM).unwrap().unwrap();
            prop_assert_eq!((again.so_far.fragments as usize, again.bytes()), (fragments, media + std::fs::metadata(&files.index).unwrap().len()));
        }
    }

    #[test]
    fn an_index_is_the_same_again() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        recorded(&files, 40);
        let index = std::fs::read(&files.index).unwrap();
        for foreign in [&b""[..], b"another program's file", &index[..20]] {
            std::fs::write(&files.index, foreign).unwrap();
            recover(&files, 1, STREAM).unwrap().unwrap().close(&files).unwrap();
            assert_eq!(std::fs::read(&files.index).unwrap(), index);
        }
        // Of another stream.
        recover(&files, 1, StreamId::from_number(8)).unwrap().unwrap();
        assert_ne!(std::fs::read(&files.index).unwrap(), index);
    }

    #[test]
    fn damage_far_from_the_end_costs_no_pictures_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        let ends = recorded(&files, 40);
        let mut media = std::fs::read(&files.media).unwrap();
        media[ends[3] as usize + 4] ^= 1;
        std::fs::write(&files.media, &media).unwrap();
        let found = recover(&files, 1, STREAM).unwrap().unwrap();
        assert_eq!(found.so_far.fragments, 40, "the index tells of them");
        found.close(&files).unwrap();
        assert_eq!(std::fs::read(&files.media).unwrap(), media);
        // Another program's film in its place is put aside.
        std::fs::write(&files.media, vec![1; 2 << 20]).unwrap();
        assert!(recover(&files, 1, STREAM).unwrap().is_none());
        assert!(!files.media.exists() && files.media.with_extension("mp4.damaged").exists());
    }
}
