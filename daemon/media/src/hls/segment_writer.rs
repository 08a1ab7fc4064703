//! Keeps a segment's bytes while it is being written.

use bytes::Bytes;
use std::convert::Infallible;

/// Keeps the segments of one stream, one after the other.
pub trait SegmentWriter {
    /// A finished segment.
    type Whole;
    /// Why a segment could not be kept; it is then lost, and the stream continues.
    type Error;

    /// Writes the next bytes of the segment; the first call after [`Self::finish`] or [`Self::discard`] begins another
    /// one.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Finishes the segment, to which something was written.
    fn finish(&mut self) -> Result<Self::Whole, Self::Error>;

    /// Drops the segment, which will not be finished.
    fn discard(&mut self);
}

/// Keeps segments in the program's own memory.
#[derive(Debug, Default)]
pub struct InMemory {
    bytes: Vec<u8>,
    /// Length of the previous segment.
    last: usize,
}

impl SegmentWriter for InMemory {
    type Whole = Bytes;
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        if self.bytes.capacity() == 0 {
            // A little more than last time, so that it seldom has to grow.
            self.bytes.reserve(self.last + self.last / 8);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<Bytes, Infallible> {
        self.last = self.bytes.len();
        let mut whole = std::mem::take(&mut self.bytes);
        whole.shrink_to_fit(); // a window holds it for a minute, so it should have no spare capacity
        Ok(whole.into())
    }

    fn discard(&mut self) {
        self.bytes = Vec::new();
    }
}
