//! Keeps sendfile(2) from waiting for the card: the runtime's threads serve every viewer, and sendfile blocks while the card is read. Only what is
//! in the page cache is sent; what is not is read into it first, by a thread that may block.

use super::file_body::FileRange;
use rustix::fs::fstatfs;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// Bytes that are read ahead at a time: a second of a stream, and little beside the memory of a small board.
const AHEAD: u64 = 512 << 10;
/// Bytes of one read into the page cache.
const READ: usize = 64 << 10;
/// tmpfs (statfs(2), `TMPFS_MAGIC`).
const TMPFS: i64 = 0x0102_1994;

/// What one connection reads ahead.
#[derive(Debug, Default)]
pub(super) struct PageCache {
    reading: Option<JoinHandle<io::Result<FileRange>>>,
    /// Read last.
    read: Option<FileRange>,
}

/// Whether a range of a file is in the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cached {
    Yes,
    No,
    /// The file system cannot tell, as FAT, exFAT and FUSE.
    Unknown,
}

impl PageCache {
    /// The beginning of `range` that can be sent without waiting for the card; at least a byte. `range` must not be empty.
    pub(super) fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        range: &FileRange,
    ) -> Poll<io::Result<FileRange>> {
        let piece = FileRange { length: range.length.min(AHEAD), ..range.clone() };
        loop {
            let is_fresh = self.reading.is_some();
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                self.read = Some(read.map_err(io::Error::other)??);
            }
            let read = self.read.as_ref().and_then(|read| piece.within(read));
            match (cached(&piece), read) {
                (Cached::Yes, _) => return Poll::Ready(Ok(piece)),
                // One that was just read and is gone again is not read for ever: memory is so short that waiting is the least evil.
                (Cached::No, Some(read)) if is_fresh => return Poll::Ready(Ok(read)),
                (Cached::Unknown, Some(read)) => return Poll::Ready(Ok(read)),
                (Cached::No | Cached::Unknown, _) => {
                    let piece = piece.clone();
                    self.reading = Some(tokio::task::spawn_blocking(move || read_in(piece)));
                }
            }
        }
    }
}

/// Asks for the first and the last byte alone: the kernel reads ahead in order.
fn cached(piece: &FileRange) -> Cached {
    let ask = |at: u64| {
        let mut byte = [0];
        let read = preadv2(&*piece.file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
        judge(read, || is_in_memory(piece))
    };
    match ask(piece.at) {
        Cached::Yes => ask(piece.at + piece.length - 1),
        other => other,
    }
}

fn judge(read: Result<usize, Errno>, is_in_memory: impl FnOnce() -> bool) -> Cached {
    match read {
        Ok(1) => Cached::Yes,
        Err(Errno::OPNOTSUPP) if is_in_memory() => Cached::Yes,
        Err(Errno::OPNOTSUPP) => Cached::Unknown,
        // What is wrong, or missing, the read tells.
        _ => Cached::No,
    }
}

fn is_in_memory(piece: &FileRange) -> bool {
    #[allow(clippy::unnecessary_cast, reason = "the type differs from board to board")]
    let kind = fstatfs(&*piece.file).map(|found| found.f_type as i64);
    kind == Ok(TMPFS)
}

/// Reads the piece into the page cache. Blocks.
fn read_in(piece: FileRange) -> io::Result<FileRange> {
    let mut buffer = vec![0; READ];
    let mut at = piece.at;
    let end = piece.at + piece.length;
    while at < end {
        let most = READ.min((end - at) as usize);
        match piece.file.read_at(&mut buffer[..most], at) {
            // Less can be sent than was promised: the connection is broken off, and the other side sees it.
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")),
            Ok(read) => at += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Advice, fadvise};
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::Arc;

    fn range(file: &Arc<File>, at: u64, length: u64) -> FileRange {
        FileRange { file: Arc::clone(file), at, length }
    }

    fn file(mut file: File) -> Arc<File> {
        file.write_all(&vec![b'x'; 3 * AHEAD as usize]).unwrap();
        file.sync_all().unwrap();
        Arc::new(file)
    }

    async fn ready(cache: &mut PageCache, range: &FileRange) -> io::Result<u64> {
        std::future::poll_fn(|cx| cache.poll_ready(cx, range)).await.map(|ready| {
            assert_eq!(ready.at, range.at);
            ready.length
        })
    }

    #[tokio::test]
    async fn what_the_card_has_alone_is_read_first_in_pieces_and_the_rest_is_ready_at_once() {
        let file = file(tempfile::tempfile().unwrap());
        let mut cache = PageCache::default();
        fadvise(&*file, 0, None, Advice::DontNeed).unwrap();
        let whole = range(&file, 5, 3 * AHEAD - 5);
        assert_eq!(ready(&mut cache, &whole).await.unwrap(), AHEAD);
        assert!(cache.reading.is_none());
        // There by now, also for another connection.
        let mut other = PageCache::default();
        assert_eq!(ready(&mut other, &range(&file, 5, 100)).await.unwrap(), 100);
        assert!(other.read.is_none(), "nothing was read for it");
    }

    #[tokio::test]
    async fn a_file_in_memory_is_not_read() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
        let file = file(tempfile::tempfile_in(&folder).unwrap());
        let mut cache = PageCache::default();
        assert_eq!(ready(&mut cache, &range(&file, 0, 3 * AHEAD)).await.unwrap(), AHEAD);
        assert!(cache.read.is_none());
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_an_error() {
        let file = file(tempfile::tempfile().unwrap());
        let mut cache = PageCache::default();
        let ended = ready(&mut cache, &range(&file, 3 * AHEAD - 1, 2)).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_system_that_cannot_tell_is_asked_whether_it_is_a_disk() {
        assert_eq!(judge(Ok(1), || panic!("known")), Cached::Yes);
        assert_eq!(judge(Err(Errno::AGAIN), || panic!("known")), Cached::No);
        assert_eq!(judge(Ok(0), || panic!("known")), Cached::No);
        assert_eq!(judge(Err(Errno::OPNOTSUPP), || true), Cached::Yes);
        assert_eq!(judge(Err(Errno::OPNOTSUPP), || false), Cached::Unknown);
    }
}
