//! One buffer queue of a video device and its buffers, from REQBUFS over QBUF and DQBUF to their release.
//!
//! Linux media userspace API, "Input/Output". No answer of a driver makes it panic; dropping it stops the stream, unmaps and
//! frees the buffers. `capture` and `encoder` know their content.

use super::ioctl::{BufferInfo, Memory, QueuedBuffer, VideoDevice};
use super::queue_type::QueueType;
use crate::error::DeviceError;
use std::ffi::c_void;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// The result of a dequeue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dequeued {
    /// A finished buffer; it belongs to us again.
    Buffer(BufferInfo),
    /// No buffer is finished.
    Nothing,
    /// The last buffer of a drain was dequeued before (`EPIPE`).
    Drained,
}

/// A queue with its buffers.
#[derive(Debug)]
pub struct Queue {
    device: Arc<VideoDevice>,
    kind: QueueType,
    memory: Memory,
    buffers: Vec<Buffer>,
    streaming: bool,
}

#[derive(Debug)]
struct Buffer {
    /// `None` for imported memory.
    mapping: Option<Mapping>,
    length: u32,
    /// True while the driver owns it; its memory must not be read then.
    queued: bool,
}

impl Queue {
    /// Allocates buffers for the format in force: `wanted`, or as many as the kernel has memory for, but at least `needed`.
    pub fn allocate(
        device: &Arc<VideoDevice>,
        kind: QueueType,
        memory: Memory,
        wanted: u32,
        needed: u32,
        buffer_bytes: u32,
    ) -> Result<Self, DeviceError> {
        let mut queue =
            Self { device: Arc::clone(device), kind, memory, buffers: Vec::new(), streaming: false };
        let mut count = wanted;
        let granted = loop {
            match device.request_buffers(kind, memory, count) {
                Ok(granted) if granted >= needed => break granted,
                Ok(granted) => return Err(queue.out_of_memory(needed, buffer_bytes, granted)),
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && count > needed => count -= 1,
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                    return Err(queue.out_of_memory(needed, buffer_bytes, 0));
                }
                Err(error) => return Err(DeviceError::working(device.path(), "asking for buffers", error)),
            }
        };
        // VIDEO_MAX_FRAME is 32. Later kernels allow more; this bounds a driver that grants more than requested.
        for index in 0..granted.min(wanted.max(needed).max(32)) {
            let buffer = match memory {
                Memory::Mmap => {
                    let info = device.query_buffer(kind, memory, index)?;
                    let mapping = Mapping::new(device, &info)?;
                    Buffer { mapping: Some(mapping), length: info.length, queued: false }
                }
                Memory::Dmabuf => Buffer { mapping: None, length: buffer_bytes, queued: false },
            };
            queue.buffers.push(buffer);
        }
        Ok(queue)
    }

    fn out_of_memory(&self, needed: u32, buffer_bytes: u32, got: u32) -> DeviceError {
        DeviceError::OutOfMemory { path: self.device.path().into(), needed, buffer_bytes, got }
    }

    /// Number of buffers.
    pub fn len(&self) -> usize {
        self.buffers.len()
    }

    /// A queue is never empty; `is_empty` exists because clippy wants it beside `len`.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Who owns the buffers' memory.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// The number of buffers that the driver owns.
    pub fn queued(&self) -> usize {
        self.buffers.iter().filter(|buffer| buffer.queued).count()
    }

    /// The index of a buffer that we own.
    pub fn free(&self) -> Option<u32> {
        self.buffers.iter().position(|buffer| !buffer.queued).map(|index| index as u32)
    }

    /// The size of a buffer's memory, in bytes.
    pub fn capacity(&self, index: u32) -> usize {
        self.buffers.get(index as usize).map_or(0, |buffer| buffer.length as usize)
    }

    /// The memory of a buffer that we own; empty while the driver owns it, and for imported memory.
    pub fn bytes(&self, index: u32) -> &[u8] {
        match self.buffers.get(index as usize) {
            Some(Buffer { mapping: Some(mapping), queued: false, .. }) => mapping.bytes(),
            _ => &[],
        }
    }

    /// Like [`Queue::bytes`], for writing.
    pub fn bytes_mut(&mut self, index: u32) -> &mut [u8] {
        match self.buffers.get_mut(index as usize) {
            Some(Buffer { mapping: Some(mapping), queued: false, .. }) => mapping.bytes_mut(),
            _ => &mut [],
        }
    }

    /// Hands a buffer to the driver; `bytes_used` is 0 for capture.
    pub fn enqueue(&mut self, index: u32, bytes_used: u32, timestamp: Duration) -> Result<(), DeviceError> {
        self.enqueue_as(QueuedBuffer { index, bytes_used, length: 0, dmabuf: None, timestamp })
    }

    /// Hands another driver's exported memory of `length` bytes to this driver.
    pub fn enqueue_import(
        &mut self,
        index: u32,
        dmabuf: BorrowedFd<'_>,
        bytes_used: u32,
        length: u32,
        timestamp: Duration,
    ) -> Result<(), DeviceError> {
        self.enqueue_as(QueuedBuffer { index, bytes_used, length, dmabuf: Some(dmabuf), timestamp })
    }

    fn enqueue_as(&mut self, queued: QueuedBuffer<'_>) -> Result<(), DeviceError> {
        let buffer = self.buffers.get_mut(queued.index as usize).filter(|buffer| !buffer.queued);
        let Some(buffer) = buffer else {
            return Err(self.device.lied("queuing a buffer", format!("buffer {} is not ours", queued.index)));
        };
        self.device.queue_buffer(self.kind, self.memory, &queued)?;
        buffer.queued = true;
        Ok(())
    }

    /// Hands all buffers that we own to the driver.
    pub fn enqueue_all(&mut self) -> Result<(), DeviceError> {
        while let Some(index) = self.free() {
            self.enqueue(index, 0, Duration::ZERO)?;
        }
        Ok(())
    }

    /// Dequeues a finished buffer, without waiting.
    pub fn dequeue(&mut self) -> Result<Dequeued, DeviceError> {
        let info = match self.device.dequeue_buffer(self.kind, self.memory) {
            Ok(info) => info,
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(Dequeued::Nothing),
                Some(libc::EPIPE) => return Ok(Dequeued::Drained),
                _ => return Err(DeviceError::working(self.device.path(), "waiting for a picture", error)),
            },
        };
        let buffer = self.buffers.get_mut(info.index as usize).filter(|buffer| buffer.queued);
        let Some(buffer) = buffer else {
            return Err(self.device.lied(
                "waiting for a picture",
                format!("gave buffer {}, which it did not have", info.index),
            ));
        };
        buffer.queued = false;
        Ok(Dequeued::Buffer(info))
    }

    /// Exports a buffer for another driver to import.
    pub fn export(&self, index: u32) -> Result<OwnedFd, DeviceError> {
        self.device.export_buffer(self.kind, index)
    }

    /// Starts streaming.
    pub fn start(&mut self) -> Result<(), DeviceError> {
        self.device.stream_on(self.kind)?;
        self.streaming = true;
        Ok(())
    }

    /// Stops streaming; we own all buffers then.
    pub fn stop(&mut self) -> Result<(), DeviceError> {
        self.streaming = false;
        self.buffers.iter_mut().for_each(|buffer| buffer.queued = false);
        self.device.stream_off(self.kind)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Errors are ignored: the device may be gone, and closing the file frees what is left.
        if self.streaming {
            let _ = self.stop();
        }
        self.buffers.clear(); // unmap first: mapped buffers cannot be freed
        let _ = self.device.request_buffers(self.kind, self.memory, 0);
    }
}

/// A driver's buffer, mapped into our address space.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is owned by this value alone.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(device: &VideoDevice, info: &BufferInfo) -> Result<Self, DeviceError> {
        use rustix::mm::{MapFlags, ProtFlags};
        let length = info.length as usize;
        // SAFETY: a new mapping at a place of the kernel's choice; nothing of ours is there.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                device,
                u64::from(info.map_offset),
            )
        };
        let start =
            start.map_err(|errno| DeviceError::working(device.path(), "mapping a buffer", errno.into()))?;
        NonNull::new(start.cast::<u8>())
            .map(|start| Self { start, length })
            .ok_or_else(|| device.lied("mapping a buffer", "an address of zero".into()))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for this length until drop. `Queue` calls this only for buffers that the driver has given
        // back; if a driver writes to them regardless, it changes bytes that are valid with any value.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, mapped writable, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this address and length; the slices' lifetimes have ended.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast::<c_void>(), self.length) };
    }
}
