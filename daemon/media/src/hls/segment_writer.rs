//! Where a segment's bytes go while it is written.

use bytes::Bytes;

/// Keeps the segments of one stream, one after the other. What it cannot write it has to deal with itself: the stream goes on.
pub trait SegmentWriter {
    /// What is left of a segment that is whole.
    type Whole;

    /// The next bytes of the segment; the first after [`Self::finish`] or [`Self::discard`] begin another one.
    fn write(&mut self, bytes: &[u8]);

    /// The segment is whole. It was written to.
    fn finish(&mut self) -> Self::Whole;

    /// The segment will not become whole: its bytes are wanted no more.
    fn discard(&mut self);
}

/// Into the program's own memory.
#[derive(Debug, Default)]
pub struct InMemory {
    bytes: Vec<u8>,
    /// Length of the segment before.
    last: usize,
}

impl SegmentWriter for InMemory {
    type Whole = Bytes;

    fn write(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            // A little more than last time, so that it seldom grows.
            self.bytes.reserve(self.last + self.last / 8);
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn finish(&mut self) -> Bytes {
        self.last = self.bytes.len();
        let mut whole = std::mem::take(&mut self.bytes);
        whole.shrink_to_fit(); // a window holds it for a minute: no spare room
        whole.into()
    }

    fn discard(&mut self) {
        self.bytes = Vec::new();
    }
}
