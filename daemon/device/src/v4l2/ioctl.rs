//! The kernel's V4L2 calls as safe methods over plain values, single- and multi-planar alike.
//!
//! Linux media userspace API, part I, "Function Reference". One memory plane per buffer is supported, which every driver that
//! Perch aims at offers. Must not be here: policy, such as the number of buffers, the format, or retries.

use super::format::Format;
use super::kernel::{KernelStruct, StreamType, zeroed};
use super::queue_type::QueueType;
use crate::error::DeviceError;
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use v4l::FourCC;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

/// Who owns a buffer's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The driver; we map it.
    Mmap,
    /// Another driver, which exported it as a DMABUF file.
    Dmabuf,
}

impl Memory {
    fn raw(self) -> u32 {
        match self {
            Self::Mmap => sys::v4l2_memory_V4L2_MEMORY_MMAP,
            Self::Dmabuf => sys::v4l2_memory_V4L2_MEMORY_DMABUF,
        }
    }
}

/// Names and capabilities of a device (`VIDIOC_QUERYCAP`), the names made printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Name of the driver, e.g. `uvcvideo`.
    pub driver: String,
    /// Product name, for people.
    pub card: String,
    /// The socket it is plugged into, e.g. `usb-0000:01:00.0-1.2`.
    pub bus_info: String,
    /// Capabilities of this node (not of the whole device).
    pub flags: v4l::capability::Flags,
    /// True if a media controller wires its inputs (`V4L2_CAP_IO_MC`), which the flags of the crate `v4l` do not know.
    pub media_controller: bool,
}

/// One entry of a format enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatDescription {
    /// The four-character code.
    pub fourcc: FourCC,
    /// The driver's description.
    pub description: String,
}

/// A buffer as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferInfo {
    /// Index in the queue, from the driver.
    pub index: u32,
    /// Start of the payload, in bytes.
    pub data_offset: u32,
    /// End of the payload, in bytes.
    pub bytes_used: u32,
    /// Size of the memory, in bytes.
    pub length: u32,
    /// `V4L2_BUF_FLAG_…`
    pub flags: u32,
    /// Frame number; lost frames count too.
    pub sequence: u32,
    /// The driver's timestamp or, for an encoder, the frame's own; `None` when negative.
    pub timestamp: Option<Duration>,
    /// Offset for mapping it.
    pub map_offset: u32,
}

/// A buffer to be queued.
#[derive(Clone, Copy, Debug)]
pub struct QueuedBuffer<'a> {
    /// Index in the queue.
    pub index: u32,
    /// Payload, bytes; 0 for capture.
    pub bytes_used: u32,
    /// Size of the imported memory, bytes; 0 for mapped memory.
    pub length: u32,
    /// The imported memory, for [`Memory::Dmabuf`].
    pub dmabuf: Option<BorrowedFd<'a>>,
    /// Timestamp for the driver to copy to the coded picture.
    pub timestamp: Duration,
}

/// The range of an integer control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlRange {
    /// Smallest value.
    pub minimum: i32,
    /// Largest value.
    pub maximum: i32,
    /// Default value.
    pub default: i32,
}

/// An open video node.
#[derive(Debug)]
pub struct VideoDevice {
    file: OwnedFd,
    path: PathBuf,
}

impl VideoDevice {
    /// Opens a node without blocking, and so that child processes do not inherit it.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        use rustix::fs::{Mode, OFlags};
        let file = rustix::fs::open(path, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| DeviceError::opening(path, errno.into()))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn call<T: KernelStruct>(
        &self,
        request: vidioc::_IOC_TYPE,
        argument: &mut T,
    ) -> io::Result<()> {
        loop {
            // SAFETY: every request number used in this folder was made from the size of the structure passed with it, the reference
            // is valid for the call, and pointers inside (planes, controls) point to live arrays of the stated length.
            let result = unsafe {
                v4l::v4l2::ioctl(
                    self.file.as_raw_fd(),
                    request,
                    std::ptr::from_mut(argument).cast::<c_void>(),
                )
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> DeviceError + '_ {
        move |source| DeviceError::working(&self.path, operation, source)
    }

    /// Names and capabilities.
    pub fn capability(&self) -> Result<Capability, DeviceError> {
        let mut raw: sys::v4l2_capability = zeroed();
        self.call(vidioc::VIDIOC_QUERYCAP, &mut raw).map_err(self.failed("asking what it is"))?;
        let flags = if raw.capabilities & sys::V4L2_CAP_DEVICE_CAPS == 0 {
            raw.capabilities
        } else {
            raw.device_caps
        };
        Ok(Capability {
            driver: printable(&raw.driver),
            card: printable(&raw.card),
            bus_info: printable(&raw.bus_info),
            flags: v4l::capability::Flags::from(flags),
            media_controller: flags & sys::V4L2_CAP_IO_MC != 0,
        })
    }

    /// True if it has an input to capture from.
    pub fn has_input(&self) -> bool {
        self.call(vidioc::VIDIOC_ENUMINPUT, &mut zeroed::<sys::v4l2_input>()).is_ok()
    }

    /// The format at an index of the enumeration; `None` after the last.
    pub fn enumerate_format(&self, queue: QueueType, index: u32) -> Option<FormatDescription> {
        let mut raw = sys::v4l2_fmtdesc { index, type_: queue.raw(), ..zeroed() };
        self.call(vidioc::VIDIOC_ENUM_FMT, &mut raw).ok()?;
        Some(FormatDescription { fourcc: raw.pixelformat.into(), description: printable(&raw.description) })
    }

    /// The frame size at an index of the enumeration; `None` after the last, or when the driver does not enumerate.
    pub fn enumerate_size(&self, fourcc: FourCC, index: u32) -> Option<FrameSizeEnum> {
        let mut raw = sys::v4l2_frmsizeenum { index, pixel_format: fourcc.into(), ..zeroed() };
        self.call(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut raw).ok()?;
        FrameSizeEnum::try_from(raw).ok()
    }

    /// The frame interval at an index of the enumeration; `None` after the last, or when the driver does not enumerate.
    pub fn enumerate_interval(
        &self,
        fourcc: FourCC,
        width: u32,
        height: u32,
        index: u32,
    ) -> Option<FrameIntervalEnum> {
        let mut raw = sys::v4l2_frmivalenum { index, pixel_format: fourcc.into(), width, height, ..zeroed() };
        self.call(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut raw).ok()?;
        FrameIntervalEnum::try_from(raw).ok()
    }

    /// The format in force.
    pub fn format(&self, queue: QueueType) -> Result<Format, DeviceError> {
        let mut raw = sys::v4l2_format { type_: queue.raw(), ..zeroed() };
        self.call(vidioc::VIDIOC_G_FMT, &mut raw).map_err(self.failed("reading the format"))?;
        self.understood(queue, &raw)
    }

    /// Sets a format; returns the one that the driver chose.
    pub fn set_format(&self, queue: QueueType, wanted: &Format) -> Result<Format, DeviceError> {
        let mut raw = wanted.to_kernel(queue);
        self.call(vidioc::VIDIOC_S_FMT, &mut raw).map_err(self.failed("setting the format"))?;
        self.understood(queue, &raw)
    }

    /// The format that the driver would choose, without changing anything.
    pub fn try_format(&self, queue: QueueType, wanted: &Format) -> Result<Format, DeviceError> {
        let mut raw = wanted.to_kernel(queue);
        self.call(vidioc::VIDIOC_TRY_FMT, &mut raw).map_err(self.failed("trying the format"))?;
        self.understood(queue, &raw)
    }

    fn understood(&self, queue: QueueType, raw: &sys::v4l2_format) -> Result<Format, DeviceError> {
        Format::from_kernel(queue, raw).map_err(|planes| DeviceError::Unsupported {
            path: self.path.clone(),
            lacks: format!("wants {planes} memory planes a picture; Perch knows formats of one"),
        })
    }

    /// Asks for a frame interval in seconds (`VIDIOC_S_PARM`); returns the one in force, or `None` if the driver has
    /// none.
    pub fn set_frame_interval(&self, queue: QueueType, interval: v4l::Fraction) -> Option<v4l::Fraction> {
        let mut raw = sys::v4l2_streamparm { type_: queue.raw(), ..zeroed() };
        // The capture and the output member have the interval and its flag at the same places (videodev2.h).
        raw.parm.capture = sys::v4l2_captureparm {
            capability: sys::V4L2_CAP_TIMEPERFRAME,
            capturemode: 0,
            timeperframe: interval.into(),
            extendedmode: 0,
            readbuffers: 0,
            reserved: [0; 4],
        };
        self.call(vidioc::VIDIOC_S_PARM, &mut raw).ok()?;
        // SAFETY: capture and output members are both plain integers of one layout.
        let answer = unsafe { raw.parm.capture };
        (answer.timeperframe.denominator != 0).then(|| answer.timeperframe.into())
    }

    /// Sets the visible size of an encoder's input picture, which starts at the top left of its buffer.
    pub fn set_crop(&self, queue: QueueType, width: u32, height: u32) -> Result<(), DeviceError> {
        // The selection interface always takes the single-planar type.
        let type_ = QueueType { multi_planar: false, ..queue }.raw();
        let mut raw = sys::v4l2_selection { type_, target: sys::V4L2_SEL_TGT_CROP, ..zeroed() };
        raw.r.width = width;
        raw.r.height = height;
        self.call(VIDIOC_S_SELECTION, &mut raw).map_err(self.failed("cropping"))
    }

    /// Asks for buffers; returns how many exist now. 0 frees them.
    pub fn request_buffers(&self, queue: QueueType, memory: Memory, count: u32) -> io::Result<u32> {
        let mut raw =
            sys::v4l2_requestbuffers { count, type_: queue.raw(), memory: memory.raw(), ..zeroed() };
        self.call(vidioc::VIDIOC_REQBUFS, &mut raw)?;
        Ok(raw.count)
    }

    /// Size and map offset of a buffer.
    pub fn query_buffer(
        &self,
        queue: QueueType,
        memory: Memory,
        index: u32,
    ) -> Result<BufferInfo, DeviceError> {
        self.with_buffer(queue, memory, index, |_, _| {}, vidioc::VIDIOC_QUERYBUF)
            .map_err(self.failed("looking at a buffer"))
    }

    /// Hands a buffer to the driver.
    pub fn queue_buffer(
        &self,
        queue: QueueType,
        memory: Memory,
        buffer: &QueuedBuffer<'_>,
    ) -> Result<(), DeviceError> {
        let fd = buffer.dmabuf.map(|fd| fd.as_raw_fd());
        let fill = |raw: &mut sys::v4l2_buffer, plane: &mut sys::v4l2_plane| {
            raw.timestamp.tv_sec = buffer.timestamp.as_secs().try_into().unwrap_or(0);
            raw.timestamp.tv_usec = buffer.timestamp.subsec_micros().cast_signed().into();
            raw.field = sys::v4l2_field_V4L2_FIELD_NONE;
            if queue.multi_planar {
                plane.bytesused = buffer.bytes_used;
                plane.length = buffer.length;
                if let Some(fd) = fd {
                    plane.m.fd = fd;
                }
            } else {
                raw.bytesused = buffer.bytes_used;
                raw.length = buffer.length;
                if let Some(fd) = fd {
                    raw.m.fd = fd;
                }
            }
        };
        self.with_buffer(queue, memory, buffer.index, fill, vidioc::VIDIOC_QBUF)
            .map(|_| ())
            .map_err(self.failed("queuing a buffer"))
    }

    /// Dequeues a finished buffer. The error is the kernel's own, because `EAGAIN` and `EPIPE` are no failures.
    pub fn dequeue_buffer(&self, queue: QueueType, memory: Memory) -> io::Result<BufferInfo> {
        self.with_buffer(queue, memory, 0, |_, _| {}, vidioc::VIDIOC_DQBUF)
    }

    fn with_buffer(
        &self,
        queue: QueueType,
        memory: Memory,
        index: u32,
        fill: impl FnOnce(&mut sys::v4l2_buffer, &mut sys::v4l2_plane),
        request: vidioc::_IOC_TYPE,
    ) -> io::Result<BufferInfo> {
        let mut plane: sys::v4l2_plane = zeroed();
        let mut raw = sys::v4l2_buffer { index, type_: queue.raw(), memory: memory.raw(), ..zeroed() };
        fill(&mut raw, &mut plane);
        if queue.multi_planar {
            raw.m.planes = &raw mut plane;
            raw.length = 1;
        }
        self.call(request, &mut raw)?;
        let timestamp = u64::try_from(raw.timestamp.tv_sec).ok().and_then(|seconds| {
            let microseconds = u64::try_from(raw.timestamp.tv_usec).ok()?;
            Some(Duration::from_secs(seconds) + Duration::from_micros(microseconds))
        });
        let (data_offset, bytes_used, length, map_offset) = if queue.multi_planar {
            // SAFETY: all members of the union are integers; the offset is read for mapped buffers only.
            (plane.data_offset, plane.bytesused, plane.length, unsafe { plane.m.mem_offset })
        } else {
            // SAFETY: as above.
            (0, raw.bytesused, raw.length, unsafe { raw.m.offset })
        };
        let (index, flags, sequence) = (raw.index, raw.flags, raw.sequence);
        Ok(BufferInfo { index, data_offset, bytes_used, length, flags, sequence, timestamp, map_offset })
    }

    /// Exports a mapped buffer as a DMABUF file.
    pub fn export_buffer(&self, queue: QueueType, index: u32) -> Result<OwnedFd, DeviceError> {
        let flags = (libc::O_CLOEXEC | libc::O_RDWR) as u32;
        let mut raw = sys::v4l2_exportbuffer { index, type_: queue.raw(), flags, ..zeroed() };
        self.call(vidioc::VIDIOC_EXPBUF, &mut raw).map_err(self.failed("exporting a buffer"))?;
        if raw.fd < 0 {
            return Err(self.lied("exporting a buffer", "a negative file number".into()));
        }
        // SAFETY: the kernel has just made this file for us; nobody else owns its number.
        Ok(unsafe { OwnedFd::from_raw_fd(raw.fd) })
    }

    /// Starts a queue.
    pub fn stream_on(&self, queue: QueueType) -> Result<(), DeviceError> {
        self.stream(queue, vidioc::VIDIOC_STREAMON).map_err(self.failed("starting to stream"))
    }

    /// Stops a queue; all its buffers then belong to us again.
    pub fn stream_off(&self, queue: QueueType) -> Result<(), DeviceError> {
        self.stream(queue, vidioc::VIDIOC_STREAMOFF).map_err(self.failed("stopping"))
    }

    fn stream(&self, queue: QueueType, request: vidioc::_IOC_TYPE) -> io::Result<()> {
        let mut raw = StreamType(queue.raw());
        self.call(request, &mut raw)
    }

    /// The range of a control; `None` when it does not exist or is disabled.
    pub fn control_range(&self, id: u32) -> Option<ControlRange> {
        let mut raw = sys::v4l2_queryctrl { id, ..zeroed() };
        self.call(vidioc::VIDIOC_QUERYCTRL, &mut raw).ok()?;
        let usable = raw.id == id && raw.flags & sys::V4L2_CTRL_FLAG_DISABLED == 0;
        usable.then_some(ControlRange {
            minimum: raw.minimum,
            maximum: raw.maximum,
            default: raw.default_value,
        })
    }

    /// Sets an integer, boolean, menu or button control of this open file.
    pub fn set_control(&self, id: u32, value: i32) -> Result<(), DeviceError> {
        let mut raw = sys::v4l2_control { id, value };
        self.call(vidioc::VIDIOC_S_CTRL, &mut raw).map_err(self.failed("setting a control"))
    }

    /// Reads an integer, boolean or menu control.
    pub fn control(&self, id: u32) -> Result<i32, DeviceError> {
        let mut raw = sys::v4l2_control { id, value: 0 };
        self.call(vidioc::VIDIOC_G_CTRL, &mut raw).map_err(self.failed("reading a control"))?;
        Ok(raw.value)
    }

    /// Begins the drain of a stateful encoder (`V4L2_ENC_CMD_STOP`).
    pub fn stop_encoder(&self) -> Result<(), DeviceError> {
        let mut raw = sys::v4l2_encoder_cmd { cmd: sys::V4L2_ENC_CMD_STOP, ..zeroed() };
        self.call(vidioc::VIDIOC_ENCODER_CMD, &mut raw).map_err(self.failed("draining"))
    }

    pub(super) fn lied(&self, operation: &'static str, detail: String) -> DeviceError {
        DeviceError::Driver { path: self.path.clone(), operation, detail }
    }
}

impl AsFd for VideoDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// `_IOWR('V', 0x5f, struct v4l2_selection)`, which the crate `v4l` lacks.
const VIDIOC_S_SELECTION: vidioc::_IOC_TYPE = {
    let size = size_of::<sys::v4l2_selection>() as vidioc::_IOC_TYPE;
    // Read and write together have the same bits on all of Perch's architectures (asm-generic/ioctl.h).
    (3 << 30) | (size << 16) | ((b'V' as vidioc::_IOC_TYPE) << 8) | 0x5f
};

/// A name from a fixed C array: up to the first zero, with control characters and broken UTF-8 replaced.
pub(super) fn printable(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end])
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect::<String>()
        .trim()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lying_drivers_are_made_printable() {
        assert_eq!(printable(b"uvcvideo\0garbage"), "uvcvideo");
        assert_eq!(printable(b"C920 \xff\x1b[2J"), "C920 \u{fffd}?[2J");
        assert_eq!(printable(b"0123456789abcdef"), "0123456789abcdef");
    }

    #[test]
    fn the_crop_request_is_the_kernels() {
        assert_eq!(VIDIOC_S_SELECTION, 0xc040_565f, "VIDIOC_S_SELECTION of videodev2.h");
    }

    #[test]
    fn opening_what_is_no_device_is_told_in_words() {
        let missing = VideoDevice::open(Path::new("/dev/perch-has-no-such-node")).unwrap_err();
        assert!(matches!(missing, DeviceError::Missing { .. }), "{missing}");
        let null = VideoDevice::open(Path::new("/dev/null")).unwrap();
        assert!(matches!(null.capability(), Err(DeviceError::System { .. })));
    }
}
