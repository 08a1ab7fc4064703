//! Writes segments into kernel memory as they are made, from which they are sent to every viewer without a copy.
//!
//! If the kernel gives no memory, a segment is kept in the daemon's own memory, and sending it costs a copy for each viewer.

use super::SegmentBytes;
use bytes::Bytes;
use perch_device::memory::{KernelMemory, KernelMemoryWriter};
use perch_media::hls::SegmentWriter;
use std::io;
use std::sync::Arc;

/// The writer of one stream.
#[derive(Debug, Default)]
pub(super) struct InKernel {
    begun: Option<Begun>,
    /// True once the log says why a segment of this stream is in the daemon's own memory.
    has_warned: bool,
}

#[derive(Debug)]
enum Begun {
    Kernel(KernelMemoryWriter),
    Own(Vec<u8>),
}

/// Owner of the bytes in a `Bytes`.
struct Lender(Arc<KernelMemory>);

impl AsRef<[u8]> for Lender {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl SegmentWriter for InKernel {
    type Whole = SegmentBytes;
    /// The kernel memory could not be read back, so the segment is lost.
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let begun = match self.begun.take() {
            Some(begun) => begun,
            None => match KernelMemoryWriter::new() {
                Ok(writer) => Begun::Kernel(writer),
                Err(error) => Begun::Own(self.own(&error, Vec::new())),
            },
        };
        self.begun = Some(match begun {
            Begun::Kernel(mut writer) => match writer.write(bytes) {
                Ok(()) => Begun::Kernel(writer),
                Err(error) => Begun::Own([&self.own(&error, writer.read_back()?), bytes].concat()),
            },
            Begun::Own(mut own) => {
                own.extend_from_slice(bytes);
                Begun::Own(own)
            }
        });
        Ok(())
    }

    fn finish(&mut self) -> io::Result<SegmentBytes> {
        let own = match self.begun.take() {
            Some(Begun::Kernel(writer)) => match writer.finish() {
                Ok(memory) => {
                    let memory = Arc::new(memory);
                    let data = Bytes::from_owner(Lender(memory.clone()));
                    return Ok(SegmentBytes { data, memory: Some(memory) });
                }
                Err((writer, error)) => self.own(&error, writer.read_back()?),
            },
            Some(Begun::Own(own)) => own,
            None => Vec::new(),
        };
        Ok(SegmentBytes { data: own.into(), memory: None })
    }

    fn discard(&mut self) {
        self.begun = None;
    }
}

impl InKernel {
    /// Logs why the segment is kept in the daemon's own memory, once; returns its bytes so far.
    fn own(&mut self, error: &io::Error, bytes: Vec<u8>) -> Vec<u8> {
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                "the kernel gives no memory for segments (memfd_create): they are kept in the daemon's own memory, and each \
                 viewer costs a copy: {error}"
            );
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Vec<u8> {
        (0..300_000_u32).map(|number| (number / 7) as u8).collect()
    }

    #[test]
    fn a_segment_lies_in_the_kernels_memory() {
        let mut writer = InKernel::default();
        for _ in 0..2 {
            segment().chunks(65_536).for_each(|part| writer.write(part).unwrap());
            let whole = writer.finish().unwrap();
            assert_eq!(whole.data, segment());
            assert_eq!(whole.memory.expect("in the kernel").offset_of(&whole.data), Some(0));
        }
    }

    #[test]
    fn without_room_in_the_kernel_it_goes_on_in_our_own() {
        let data = segment();
        let mut writer = InKernel::default();
        writer.write(&data[..100_000]).unwrap();
        let Some(Begun::Kernel(begun)) = writer.begun.take() else { panic!("not in the kernel") };
        let begun = begun.read_back().unwrap();
        writer.begun = Some(Begun::Own(writer.own(&io::ErrorKind::OutOfMemory.into(), begun)));
        writer.write(&data[100_000..]).unwrap();
        let whole = writer.finish().unwrap();
        assert!(whole.memory.is_none() && writer.has_warned);
        assert_eq!(whole.data, data);
    }

    #[test]
    fn nothing_of_a_discarded_segment_is_in_the_next() {
        let mut writer = InKernel::default();
        writer.write(b"lost").unwrap();
        writer.discard();
        writer.write(b"kept").unwrap();
        assert_eq!(writer.finish().unwrap().data, &b"kept"[..]);
    }
}
