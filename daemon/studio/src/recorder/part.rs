//! A part of a recording while it is written: its media file and its index, and what of the media was synced.
//!
//! A fragment is written before its record in the index, so that the index never names bytes that the file lacks. Only the media file is synced:
//! records that a power cut takes from the index are read from the media again.

use perch_media::recording::Fragment;
use perch_media::recording::index::{Encoder, Header};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// A part's two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFiles {
    /// A fragmented MP4 file that any player opens.
    pub media: PathBuf,
    /// The index of its fragments (`perch_media::recording::index`).
    pub index: PathBuf,
}

/// A part that is growing. After an error the state of its files is unknown: they must be recovered before the next write.
#[derive(Debug)]
pub(super) struct Part {
    media: File,
    index: File,
    encoder: Encoder,
    /// Where the next fragment begins in the media.
    end: u64,
    index_bytes: u64,
    has_unsynced: bool,
    record: Vec<u8>,
}

/// Where the next fragment goes.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) encoder: Encoder,
    pub(super) media: u64,
    pub(super) index: u64,
}

impl Part {
    /// Begins a part. `init` is its `ftyp` and `moov`. Neither file may exist.
    pub(super) fn create(files: &PartFiles, header: &Header, init: &[u8]) -> io::Result<Self> {
        let new = |path: &Path| File::options().write(true).create_new(true).open(path);
        let (mut media, mut index) = (new(&files.media)?, new(&files.index)?);
        let head = header.encode();
        media.write_all(init)?;
        index.write_all(&head)?;
        Ok(Self {
            media,
            index,
            encoder: Encoder::new(header),
            end: init.len() as u64,
            index_bytes: head.len() as u64,
            has_unsynced: true,
            record: Vec::new(),
        })
    }

    /// Continues after the last fragment that recovery found whole. Later bytes are cut off.
    pub(super) fn reopen(files: &PartFiles, ends: Ends) -> io::Result<Self> {
        let at_end = |path: &Path, end: u64| {
            let mut file = File::options().write(true).open(path)?;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            Ok::<_, io::Error>(file)
        };
        Ok(Self {
            media: at_end(&files.media, ends.media)?,
            index: at_end(&files.index, ends.index)?,
            encoder: ends.encoder,
            end: ends.media,
            index_bytes: ends.index,
            has_unsynced: true,
            record: Vec::new(),
        })
    }

    /// Where the next fragment begins in the file.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of both files.
    pub(super) const fn bytes(&self) -> u64 {
        self.end + self.index_bytes
    }

    /// True if something was written since the last sync.
    pub(super) const fn has_unsynced(&self) -> bool {
        self.has_unsynced
    }

    /// Appends a fragment.
    pub(super) fn append(&mut self, fragment: &Fragment, bytes: &[u8]) -> io::Result<()> {
        self.has_unsynced = true;
        self.media.write_all(bytes)?;
        self.record.clear();
        self.encoder.push(fragment, &mut self.record);
        self.index.write_all(&self.record)?;
        self.end += bytes.len() as u64;
        self.index_bytes += self.record.len() as u64;
        Ok(())
    }

    /// Syncs the media, so that they survive a power cut.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.has_unsynced) {
            self.media.sync_data()?;
        }
        Ok(())
    }

    /// Syncs media and index.
    pub(super) fn close(self) -> io::Result<()> {
        self.media.sync_all()?;
        self.index.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_media::recording::index::Reader;
    use perch_media::recording::{Mark, Run};

    const HEADER: Header = Header { stream: [7; 16], part: 1, init_bytes: 4 };

    fn fragment(at: u64, bytes: u32) -> Fragment {
        Fragment { at, bytes, mark: Mark::default(), video: Run::default(), audio: None }
    }

    fn indexed(files: &PartFiles) -> Vec<Fragment> {
        let bytes = std::fs::read(&files.index).unwrap();
        Reader::new(bytes.as_slice()).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn fragments_are_appended_and_gone_on_with_after_what_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let files = PartFiles { media: dir.path().join("a.mp4"), index: dir.path().join("a.index") };
        let mut part = Part::create(&files, &HEADER, b"init").unwrap();
        assert!(Part::create(&files, &HEADER, b"init").is_err(), "nothing is written over");
        part.append(&fragment(4, 3000), &[b'x'; 3000]).unwrap();
        part.append(&fragment(3004, 0), b"").unwrap();
        part.append(&fragment(3004, 3), b"end").unwrap();
        part.sync().unwrap();
        let all = std::fs::read(&files.media).unwrap();
        assert_eq!((all.len() as u64, &all[3004..]), (part.end(), b"end".as_slice()));
        assert_eq!(indexed(&files).len(), 3);
        part.close().unwrap();

        let index = std::fs::read(&files.index).unwrap();
        let mut reader = Reader::new(index.as_slice()).unwrap();
        reader.next();
        let ends =
            Ends { encoder: reader.encoder(), media: reader.part_bytes(), index: reader.index_bytes() };
        let mut part = Part::reopen(&files, ends).unwrap();
        part.append(&fragment(3004, 2), b"go").unwrap();
        assert_eq!(std::fs::read(&files.media).unwrap()[3000..], *b"xxxxgo");
        assert_eq!(indexed(&files), [fragment(4, 3000), fragment(3004, 2)]);
        assert_eq!(part.bytes(), 3006 + std::fs::metadata(&files.index).unwrap().len());
    }
}
