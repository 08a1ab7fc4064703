//! The body of an answer from files, sent by sendfile(2), in order with bytes that are computed meanwhile (the head of an MP4 file).
//!
//! hyper takes bodies as `Bytes`. For bytes of a file this body yields a slice of [`PLACEHOLDER`], which is never read: the connection's stream
//! (`patient_stream`) recognises it by its address and sends as many bytes of the file instead.

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// Bytes of a file that hyper is given at a time.
const PIECE: usize = 512 << 10;
/// Bytes of what is computed, at a time. The first piece leaves as soon as there is anything.
const COMPUTED: usize = 64 << 10;

/// As long as a piece and never touched, so it takes addresses but no memory.
static PLACEHOLDER: LazyLock<&'static [u8]> = LazyLock::new(|| vec![0; PIECE].leak());

/// The components of an answer, in order.
pub(super) enum Content {
    /// Bytes that are computed while they are sent.
    Computed(Computed),
    /// A range of a file, which must be long enough.
    File(FileRange),
}

/// Makes bytes, piece by piece.
pub(super) trait Compute: Send {
    /// Skips the next bytes.
    fn skip(&mut self, bytes: u64);

    /// Makes the next piece: at least `bytes` bytes, fewer at the end. Blocks.
    fn read(&mut self, least: usize) -> io::Result<Vec<u8>>;
}

/// Bytes that are computed once the connection has taken those before them: a slow client occupies no thread between two pieces.
pub(super) struct Computed {
    compute: Box<dyn Compute>,
    length: u64,
    /// Bytes of the next piece.
    piece: usize,
}

impl Computed {
    /// The next `length` of these bytes.
    pub(super) fn new(compute: impl Compute + 'static, length: u64) -> Self {
        Self { compute: Box::new(compute), length, piece: 1 }
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// `length` bytes after the first `skipped`.
    pub(super) fn range(mut self, skipped: u64, length: u64) -> Self {
        self.compute.skip(skipped);
        Self { length, ..self }
    }

    /// The next piece and the rest. Blocks.
    fn read(mut self) -> io::Result<(Bytes, Self)> {
        let mut bytes = self.compute.read(self.piece)?;
        bytes.truncate(usize::try_from(self.length).unwrap_or(usize::MAX));
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.length -= bytes.len() as u64;
        self.piece = COMPUTED;
        Ok((bytes.into(), self))
    }
}

/// Bytes of a file.
#[derive(Clone, Debug)]
pub(super) struct FileRange {
    pub(super) file: Arc<File>,
    pub(super) at: u64,
    pub(super) length: u64,
}

impl FileRange {
    /// The beginning of this range that is in the other one.
    pub(super) fn within(&self, other: &Self) -> Option<Self> {
        let end = other.at + other.length;
        let begins = Arc::ptr_eq(&self.file, &other.file) && (other.at..end).contains(&self.at);
        begins.then(|| Self { length: self.length.min(end - self.at), ..self.clone() })
    }
}

/// Reads a range of a file piece by piece.
struct Reading(FileRange);

impl Compute for Reading {
    fn skip(&mut self, bytes: u64) {
        let skipped = bytes.min(self.0.length);
        self.0.at += skipped;
        self.0.length -= skipped;
    }

    fn read(&mut self, least: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.0.length.min(least.max(COMPUTED) as u64) as usize];
        self.0.file.read_exact_at(&mut bytes, self.0.at)?;
        self.skip(bytes.len() as u64);
        Ok(bytes)
    }
}

/// The pieces of files that hyper has received and the connection has not sent yet; an extension of the response.
#[derive(Clone, Debug, Default)]
pub(super) struct FilesToSend(Arc<Mutex<ToSend>>);

#[derive(Debug, Default)]
struct ToSend {
    pieces: VecDeque<FileRange>,
    /// Nothing follows the pieces: hyper has the whole body, or wants no more of it.
    is_all: bool,
}

impl FilesToSend {
    fn to_send(&self) -> MutexGuard<'_, ToSend> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }

    /// The file's bytes that `slice` stands for, which are the next ones; `None` if it stands for none.
    pub(super) fn stands_for(&self, slice: &[u8]) -> Option<FileRange> {
        let range = PLACEHOLDER.as_ptr_range();
        if slice.is_empty() || !range.contains(&slice.as_ptr()) {
            return None;
        }
        let next = self.to_send().pieces.front()?.clone();
        Some(FileRange { length: next.length.min(slice.len() as u64), ..next })
    }

    /// Notes that this many bytes of the next piece were sent.
    pub(super) fn sent(&self, bytes: usize) {
        let mut to_send = self.to_send();
        if let Some(next) = to_send.pieces.front_mut() {
            next.at += bytes as u64;
            next.length -= bytes as u64;
            if next.length == 0 {
                to_send.pieces.pop_front();
            }
        }
    }

    /// Whether the connection has got all of the body.
    pub(super) fn is_all_sent(&self) -> bool {
        let to_send = self.to_send();
        to_send.is_all && to_send.pieces.is_empty()
    }
}

/// The body.
pub(super) struct FileBody {
    content: VecDeque<Content>,
    remaining: u64,
    to_send: FilesToSend,
    computing: Option<JoinHandle<io::Result<(Bytes, Computed)>>>,
}

impl FileBody {
    pub(super) fn new(content: impl IntoIterator<Item = Content>) -> Self {
        let content: VecDeque<_> = content.into_iter().collect();
        let length = |content: &Content| match content {
            Content::Computed(computed) => computed.length(),
            Content::File(range) => range.length,
        };
        let remaining = content.iter().map(length).sum();
        Self { content, remaining, to_send: FilesToSend::default(), computing: None }
    }

    /// The same body with the bytes of its files, which are read when the connection has taken those before them.
    pub(super) fn without_placeholders(mut self) -> Self {
        for content in &mut self.content {
            if let Content::File(range) = content {
                let length = range.length;
                *content = Content::Computed(Computed::new(Reading(range.clone()), length));
            }
        }
        self
    }

    /// The pieces for the connection, which accompany the body.
    pub(super) fn to_send(&self) -> FilesToSend {
        self.to_send.clone()
    }

    /// The next piece of the first component, which is a file.
    fn next_piece(&mut self) -> Option<FileRange> {
        let Some(Content::File(range)) = self.content.front_mut() else { return None };
        let piece = FileRange { length: range.length.min(PIECE as u64), ..range.clone() };
        range.at += piece.length;
        range.length -= piece.length;
        if range.length == 0 {
            self.content.pop_front();
        }
        Some(piece)
    }

    /// Passes the piece to hyper.
    fn hand_over(&mut self, piece: FileRange) -> Frame<Bytes> {
        let length = piece.length;
        self.remaining -= length;
        self.to_send.to_send().pieces.push_back(piece);
        Frame::data(Bytes::from_static(&PLACEHOLDER[..length as usize]))
    }
}

impl Drop for FileBody {
    fn drop(&mut self) {
        self.to_send.to_send().is_all = true;
    }
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(computing) = &mut self.computing {
                let computed = ready!(Pin::new(computing).poll(cx));
                self.computing = None;
                let computed = computed.map_err(io::Error::other).and_then(|computed| computed);
                return Poll::Ready(Some(computed.map(|(bytes, rest)| {
                    self.remaining -= bytes.len() as u64;
                    self.content.push_front(Content::Computed(rest));
                    Frame::data(bytes)
                })));
            }
            match self.content.front() {
                None => return Poll::Ready(None),
                Some(Content::File(range)) if range.length == 0 => drop(self.content.pop_front()),
                Some(Content::Computed(computed)) if computed.length == 0 => drop(self.content.pop_front()),
                Some(Content::Computed(_)) => {
                    let Some(Content::Computed(computed)) = self.content.pop_front() else { continue };
                    self.computing = Some(tokio::task::spawn_blocking(move || computed.read()));
                }
                Some(Content::File(_)) => {
                    let Some(piece) = self.next_piece() else { continue };
                    return Poll::Ready(Some(Ok(self.hand_over(piece))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
