//! A store's file on a card that takes no writes: redb's repairs stay in memory, and the card is only read.
//!
//! redb marks a file while it is open, and opens a marked one only after a repair, which writes the header and the allocator's
//! state. A file whose writer met a failing card is always marked, so redb's own read-only mode refuses it.

use redb::StorageBackend;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Writes are kept in pieces of this size, bytes.
const PIECE: usize = 4096;

/// The file, and the pieces written over it.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    length: u64,
    /// The written pieces, by their number in the file.
    pieces: BTreeMap<u64, Box<[u8; PIECE]>>,
}

impl Overlay {
    /// An overlay on the file at `path`, which is only read.
    pub(crate) fn over(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, written: Mutex::new(Written { length, pieces: BTreeMap::new() }) })
    }

    /// Each change under the lock is one step, so a panic leaves nothing half done.
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece of the file as it is on the card, with zeros past its end.
    fn on_the_card(&self, number: u64) -> io::Result<Box<[u8; PIECE]>> {
        let mut piece = Box::new([0; PIECE]);
        let mut filled = 0;
        while filled < PIECE {
            match self.file.read_at(&mut piece[filled..], number * PIECE as u64 + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(piece)
    }
}

/// The pieces that cover `length` bytes from `offset`: each one's number, the range within it, and the offset of that
/// range within those bytes.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let begin = (at % PIECE as u64) as usize;
        let take = (PIECE - begin).min(length - done);
        let before = done;
        done += take;
        (take > 0).then(|| (at / PIECE as u64, begin..begin + take, before))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.written().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let written = self.written();
        if offset + out.len() as u64 > written.length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        if written.pieces.is_empty() {
            drop(written);
            return self.file.read_exact_at(out, offset);
        }
        for (number, range, at) in pieces(offset, out.len()) {
            let out = &mut out[at..at + range.len()];
            match written.pieces.get(&number) {
                Some(piece) => out.copy_from_slice(&piece[range]),
                None => out.copy_from_slice(&self.on_the_card(number)?[range]),
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        self.written().length = length;
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut written = self.written();
        for (number, range, at) in pieces(offset, data.len()) {
            let piece = match written.pieces.entry(number) {
                Entry::Occupied(piece) => piece.into_mut(),
                Entry::Vacant(place) => place.insert(self.on_the_card(number)?),
            };
            piece[range.clone()].copy_from_slice(&data[at..at + range.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_the_file_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let whole: Vec<u8> = (0..10_000_u32).map(|byte| byte as u8).collect();
        std::fs::write(&path, &whole).unwrap();
        let overlay = Overlay::over(&path).unwrap();
        let mut expected = whole.clone();
        for (offset, length) in [(0, 1), (4_090, 20), (4_096, 4_096), (9_999, 1)] {
            overlay.write(offset, &vec![7; length]).unwrap();
            expected[offset as usize..offset as usize + length].fill(7);
        }
        overlay.set_len(12_000).unwrap();
        expected.resize(12_000, 0);
        for (offset, length) in [(0, 12_000), (4_000, 200), (9_990, 100)] {
            let mut read = vec![0; length];
            overlay.read(offset as u64, &mut read).unwrap();
            assert_eq!(read, expected[offset..offset + length]);
        }
        assert!(overlay.read(11_999, &mut [0; 2]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}
