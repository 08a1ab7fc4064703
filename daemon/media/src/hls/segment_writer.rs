//! Where a segment's bytes go while it is written.

use bytes::Bytes;
use std::convert::Infallible;

/// Keeps the segments of one stream, one after the other.
pub trait SegmentWriter {
    /// What is left of a segment that is whole.
    type Whole;
    /// Why a segment could not be kept; it is lost then, and the stream goes on.
    type Error;

    /// The next bytes of the segment; the first after [`Self::finish`] or [`Self::discard`] begin another one.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// The segment is whole. It was written to.
    fn finish(&mut self) -> Result<Self::Whole, Self::Error>;

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
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        if self.bytes.capacity() == 0 {
            // A little more than last time, so that it seldom grows.
            self.bytes.reserve(self.last + self.last / 8);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<Bytes, Infallible> {
        self.last = self.bytes.len();
        let mut whole = std::mem::take(&mut self.bytes);
        whole.shrink_to_fit(); // a window holds it for a minute: no spare room
        Ok(whole.into())
    }

    fn discard(&mut self) {
        self.bytes = Vec::new();
    }
}
