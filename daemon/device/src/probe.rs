//! The abilities of a board: its cameras with their modes, its encoders, and nodes that could not be queried. It asks
//! the hardware and ignores the board's name.
//!
//! Every enumeration is bounded, so that no driver can make it loop. Must not be here: deciding what to use.

use crate::error::DeviceError;
use crate::identity::{self, Identity};
use crate::memory::{ContiguousMemory, contiguous_memory};
use crate::mode::{FormatReport, FrameSizes, PixelFormat, SizeReport};
use crate::v4l2::capture::{capture_queue, rate_of};
use crate::v4l2::format::{Field, Format};
use crate::v4l2::ioctl::{Capability, FormatDescription, VideoDevice};
use crate::v4l2::queue_type::{Direction, QueueType};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use v4l::FourCC;
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;

/// More video nodes than any board has.
const MOST_NODES: usize = 64;
/// More formats, sizes and rates than any honest driver lists.
const MOST_FORMATS: u32 = 64;
const MOST_SIZES: u32 = 64;
const MOST_RATES: u32 = 32;

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct ProbeReport {
    /// Nodes that capture pictures, in the order of their numbers.
    pub cameras: Vec<CameraReport>,
    /// Memory-to-memory nodes that turn raw frames into a coded format.
    pub encoders: Vec<EncoderReport>,
    /// Nodes that could not be queried.
    pub problems: Vec<ProbeProblem>,
    /// The memory that encoders share; `None` if the kernel has no such allocator.
    pub contiguous_memory: Option<ContiguousMemory>,
    /// Path of `rpicam-vid`, if it is installed; cameras that need libcamera are read through it.
    pub libcamera_program: Option<PathBuf>,
}

/// A camera and its modes.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraReport {
    /// The node, e.g. `/dev/video0`.
    pub path: PathBuf,
    /// Identifies the camera when its number changes.
    pub identity: Identity,
    /// All its formats, including those that Perch cannot use.
    pub formats: Vec<FormatReport>,
    /// True for a CSI sensor that gives raw Bayer data only: its pictures come through libcamera.
    pub needs_libcamera: bool,
    /// True if it answers with interlaced pictures when asked for progressive ones (grabbers of analogue video).
    pub interlaced: bool,
}

impl CameraReport {
    /// Product and node, for people.
    pub fn name(&self) -> String {
        format!("{} ({})", self.identity.card, self.path.display())
    }

    /// True if it has this format in any size.
    pub fn gives(&self, format: PixelFormat) -> bool {
        self.formats.iter().any(|report| report.pixel_format() == Some(format))
    }
}

/// An encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderReport {
    /// The node, e.g. `/dev/video11`.
    pub path: PathBuf,
    /// Product name.
    pub card: String,
    /// Driver.
    pub driver: String,
    /// True if it has the multi-planar interface, false if it has the single-planar one.
    pub multi_planar: bool,
    /// Raw formats that it takes.
    pub takes: Vec<FourCC>,
    /// Coded formats that it gives.
    pub gives: Vec<FourCC>,
    /// Largest picture, pixels; `None` when the driver does not say.
    pub largest: Option<(u32, u32)>,
}

impl EncoderReport {
    /// True if it gives H.264.
    pub fn codes_h264(&self) -> bool {
        self.gives.contains(&PixelFormat::H264.fourcc())
    }

    /// True if it takes frames of this format.
    pub fn takes(&self, format: PixelFormat) -> bool {
        self.takes.contains(&format.fourcc())
    }
}

/// A node that could not be queried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeProblem {
    /// The node.
    pub path: PathBuf,
    /// The kind of trouble.
    pub kind: ProblemKind,
    /// Explanation for people, with the remedy.
    pub detail: String,
}

/// The kind of trouble with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// We may not open it.
    Permission,
    /// Another program holds it.
    Busy,
    /// Anything else.
    Other,
}

/// Queries all video nodes.
pub fn probe() -> ProbeReport {
    let mut report = ProbeReport {
        contiguous_memory: contiguous_memory(),
        libcamera_program: std::env::var_os("PATH").and_then(|path| find_program("rpicam-vid", &path)),
        ..ProbeReport::default()
    };
    let links = Links::read();
    for path in video_nodes() {
        match look_at(&path, &links) {
            Ok(Node::Camera(camera)) => {
                // A CSI receiver has a node for each virtual channel; one is enough to show that there is a sensor.
                let same_receiver = |known: &CameraReport| {
                    known.needs_libcamera && known.identity.bus_info == camera.identity.bus_info
                };
                if !(camera.needs_libcamera && report.cameras.iter().any(same_receiver)) {
                    report.cameras.push(camera);
                }
            }
            Ok(Node::Encoder(encoder)) => report.encoders.push(encoder),
            Ok(Node::Other) | Err(DeviceError::Missing { .. } | DeviceError::Gone { .. }) => {}
            Err(error) => report.problems.push(ProbeProblem {
                path,
                kind: match error {
                    DeviceError::Permission { .. } => ProblemKind::Permission,
                    DeviceError::Busy { .. } => ProblemKind::Busy,
                    _ => ProblemKind::Other,
                },
                detail: error.to_string(),
            }),
        }
    }
    report
}

/// The first executable file of this name in the folders of a `PATH`.
fn find_program(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| {
        std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

enum Node {
    Camera(CameraReport),
    Encoder(EncoderReport),
    Other,
}

fn look_at(path: &Path, links: &Links) -> Result<Node, DeviceError> {
    let device = VideoDevice::open(path)?;
    let capability = device.capability()?;
    if let Some(queue) = capture_queue(capability.flags) {
        // Image processors have capture nodes for what was written to their output nodes. Those have no input (`VIDIOC_ENUMINPUT`), which a
        // camera must have unless a media controller wires it.
        if !capability.media_controller && !device.has_input() {
            return Ok(Node::Other);
        }
        let formats = formats_of(&device, queue);
        let needs_libcamera = needs_libcamera(&capability, &formats);
        let identity = links.identity(path, &capability);
        // v4l2loopback lists no format until it has a writer; until then it is no camera.
        let is_camera = needs_libcamera || !(capability.media_controller || formats.is_empty());
        let interlaced = is_interlaced(&device, queue, &formats);
        let camera = CameraReport { path: path.into(), identity, formats, needs_libcamera, interlaced };
        return Ok(if is_camera { Node::Camera(camera) } else { Node::Other });
    }
    let Some(multi_planar) = memory_to_memory(capability.flags) else { return Ok(Node::Other) };
    let list = |direction| formats(&device, QueueType { direction, multi_planar });
    let (takes, gives) = (list(Direction::Output), list(Direction::Capture));
    // A decoder takes coded and gives raw pictures; a scaler has no coded side.
    let coded: Vec<_> =
        gives.iter().map(|format| format.fourcc).filter(|fourcc| is_video_codec(*fourcc)).collect();
    let raw: Vec<_> =
        takes.iter().map(|format| format.fourcc).filter(|fourcc| !is_video_codec(*fourcc)).collect();
    if coded.is_empty() || raw.is_empty() {
        return Ok(Node::Other);
    }
    let largest = largest_size(&device, coded[0]).or_else(|| largest_size(&device, raw[0]));
    let Capability { card, driver, .. } = capability;
    Ok(Node::Encoder(EncoderReport {
        path: path.into(),
        card,
        driver,
        multi_planar,
        takes: raw,
        gives: coded,
        largest,
    }))
}

/// The memory-to-memory interface of a node; `Some(true)` is the multi-planar one.
pub(crate) fn memory_to_memory(flags: Flags) -> Option<bool> {
    let (single, multi) = (flags.contains(Flags::VIDEO_M2M), flags.contains(Flags::VIDEO_M2M_MPLANE));
    if !flags.contains(Flags::STREAMING) {
        None
    } else if multi {
        Some(true)
    } else {
        single.then_some(false)
    }
}

/// True if it is a video codec. JPEG encoders are memory-to-memory devices too, but code no video.
fn is_video_codec(fourcc: FourCC) -> bool {
    const CODECS: [&[u8; 4]; 10] =
        [b"H264", b"HEVC", b"MPG1", b"MPG2", b"MPG4", b"H263", b"VP80", b"VP90", b"AV01", b"FWHT"];
    CODECS.contains(&&fourcc.repr)
}

fn formats(device: &VideoDevice, queue: QueueType) -> Vec<FormatDescription> {
    let mut list: Vec<FormatDescription> = Vec::new();
    for format in (0..MOST_FORMATS).map_while(|index| device.enumerate_format(queue, index)) {
        if list.iter().all(|known| known.fourcc != format.fourcc) {
            list.push(format);
        }
    }
    list
}

fn formats_of(device: &VideoDevice, queue: QueueType) -> Vec<FormatReport> {
    let describe = |format: FormatDescription| FormatReport {
        // Listing sizes takes time, and those of formats that Perch cannot use do not matter.
        sizes: if PixelFormat::from_fourcc(format.fourcc).is_some() {
            sizes_of(device, format.fourcc)
        } else {
            Vec::new()
        },
        fourcc: format.fourcc,
        description: format.description,
    };
    formats(device, queue).into_iter().map(describe).collect()
}

fn sizes_of(device: &VideoDevice, fourcc: FourCC) -> Vec<SizeReport> {
    (0..MOST_SIZES)
        .map_while(|index| device.enumerate_size(fourcc, index))
        .map(|size| {
            let sizes = match size {
                FrameSizeEnum::Discrete(size) => {
                    FrameSizes::Discrete { width: size.width, height: size.height }
                }
                FrameSizeEnum::Stepwise(range) => FrameSizes::Stepwise {
                    width: (range.min_width, range.max_width, range.step_width),
                    height: (range.min_height, range.max_height, range.step_height),
                },
            };
            // The rates of a range are queried at its largest size, where they are lowest.
            let (width, height) = sizes.nearest(u32::MAX, u32::MAX);
            SizeReport { sizes, frames_per_second: rates_of(device, fourcc, width, height) }
        })
        .collect()
}

fn rates_of(device: &VideoDevice, fourcc: FourCC, width: u32, height: u32) -> Vec<f64> {
    let mut rates: Vec<f64> = (0..MOST_RATES)
        .map_while(|index| device.enumerate_interval(fourcc, width, height, index))
        .flat_map(|interval| match interval {
            FrameIntervalEnum::Discrete(interval) => vec![rate_of(interval)],
            FrameIntervalEnum::Stepwise(range) => vec![rate_of(range.min), rate_of(range.max)],
        })
        .flatten()
        .collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    rates.dedup();
    rates
}

fn largest_size(device: &VideoDevice, fourcc: FourCC) -> Option<(u32, u32)> {
    sizes_of(device, fourcc)
        .iter()
        .map(|entry| entry.sizes.nearest(u32::MAX, u32::MAX))
        .max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

/// True if a capture node is a CSI receiver that passes on the sensor's Bayer data.
fn needs_libcamera(capability: &Capability, formats: &[FormatReport]) -> bool {
    let bayer = formats.iter().any(|report| is_bayer(report.fourcc));
    let usable = formats.iter().any(|report| report.pixel_format().is_some());
    // unicam without a media controller lists YUYV too, for sensors with an image processor of their own; with Bayer beside it
    // there is none. A media controller's node lists what it could pass on, and libcamera sets it up.
    bayer && (!usable || capability.media_controller || capability.driver == "unicam")
}

/// True if pictures in the first format that Perch can use are interlaced. `VIDIOC_TRY_FMT` changes nothing at the
/// device.
fn is_interlaced(device: &VideoDevice, queue: QueueType, formats: &[FormatReport]) -> bool {
    let Some(report) = formats.iter().find(|report| report.pixel_format().is_some()) else { return false };
    let (width, height) = report.sizes.first().map_or((640, 480), |entry| entry.sizes.nearest(640, 480));
    let wanted = report.pixel_format().map(|format| Format::new(format, width, height));
    wanted
        .and_then(|wanted| device.try_format(queue, &wanted).ok())
        .is_some_and(|answer| answer.field != Field::Progressive)
}

/// Raw Bayer codes: `RGGB`, `BA81`, `pRAA`, `pgCC`, `BG10` and their kin.
fn is_bayer(fourcc: FourCC) -> bool {
    let [a, b, c, d] = fourcc.repr;
    let colours = |x: u8, y: u8| {
        matches!(
            &[x.to_ascii_uppercase(), y.to_ascii_uppercase()],
            b"BA" | b"BG" | b"GB" | b"GR" | b"RG" | b"BY"
        )
    };
    let plain = colours(a, b)
        && (matches!(
            &[c, d],
            b"81" | b"10" | b"12" | b"14" | b"16" | b"GR" | b"RG" | b"GB" | b"BG" | b"R2" | b"B2"
        ));
    let packed = a == b'p'
        && matches!(b, b'B' | b'b' | b'G' | b'g' | b'R' | b'r')
        && c == d
        && c.is_ascii_uppercase()
        || a == b'p'
            && matches!(&[b, c, d], b"BAA" | b"GAA" | b"gAA" | b"RAA" | b"BCC" | b"GCC" | b"gCC" | b"RCC");
    let pisp = matches!(&[a, b], b"PC"); // Raspberry Pi's compressed Bayer
    plain || packed || pisp
}

/// All `/dev/videoN`, ordered by number.
fn video_nodes() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/dev") else { return Vec::new() };
    let mut nodes: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse::<u32>().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes.into_iter().take(MOST_NODES).map(|(_, path)| path).collect()
}

/// udev's links, read once for each probe.
struct Links {
    by_id: Vec<(PathBuf, PathBuf)>,
    by_path: Vec<(PathBuf, PathBuf)>,
}

impl Links {
    fn read() -> Self {
        Self {
            by_id: identity::links(Path::new("/dev/v4l/by-id")),
            by_path: identity::links(Path::new("/dev/v4l/by-path")),
        }
    }

    fn identity(&self, node: &Path, capability: &Capability) -> Identity {
        let link = |links: &[(PathBuf, PathBuf)]| {
            links.iter().find(|(_, target)| target == node).map(|(link, _)| link.clone())
        };
        Identity {
            by_id: link(&self.by_id),
            by_path: link(&self.by_path),
            bus_info: capability.bus_info.clone(),
            card: capability.card.clone(),
            driver: capability.driver.clone(),
            node_index: node_index(node),
        }
    }
}

/// The node's index on its device, as the kernel numbers them; 0 if the kernel does not say.
fn node_index(node: &Path) -> u32 {
    let name = node.file_name().unwrap_or_default();
    let file = Path::new("/sys/class/video4linux").join(name).join("index");
    std::fs::read_to_string(file).ok().and_then(|index| index.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(driver: &str) -> Capability {
        let flags = Flags::VIDEO_CAPTURE | Flags::STREAMING;
        let (card, bus_info) = (driver.into(), "platform:x".into());
        Capability { driver: driver.into(), card, bus_info, flags, media_controller: false }
    }

    fn formats(codes: &[&[u8; 4]]) -> Vec<FormatReport> {
        codes
            .iter()
            .map(|code| FormatReport { fourcc: FourCC::new(code), description: String::new(), sizes: vec![] })
            .collect()
    }

    #[test]
    fn a_program_is_the_first_file_on_the_path_that_may_be_run() {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let path = std::env::join_paths(folders.iter().map(tempfile::TempDir::path)).unwrap();
        assert_eq!(find_program("rpicam-vid", &path), None);
        std::fs::create_dir(folders[0].path().join("rpicam-vid")).unwrap();
        for (folder, mode) in [(1, 0o644), (2, 0o755)] {
            let file = folders[folder].path().join("rpicam-vid");
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        assert_eq!(find_program("rpicam-vid", &path), Some(folders[2].path().join("rpicam-vid")));
    }

    #[test]
    fn a_sensor_that_gives_bayer_only_needs_libcamera() {
        assert!(needs_libcamera(&capability("unicam"), &formats(&[b"YUYV", b"pRAA", b"RG10"])));
        let wired = Capability { media_controller: true, ..capability("rp1-cfe") };
        assert!(needs_libcamera(&wired, &formats(&[b"YUYV", b"BA81", b"pgCC"])));
        assert!(!needs_libcamera(&wired, &formats(&[b"YUYV", b"NV12"])), "pispbe's output is no sensor");
        assert!(needs_libcamera(&capability("imx7-csi"), &formats(&[b"RGGB"])));
        assert!(!needs_libcamera(&capability("uvcvideo"), &formats(&[b"YUYV", b"MJPG"])));
        assert!(
            !needs_libcamera(&capability("unicam"), &formats(&[b"YUYV", b"UYVY"])),
            "an HDMI bridge such as tc358743"
        );
        assert!(!needs_libcamera(&capability("vivid"), &formats(&[b"YUYV", b"BA81", b"NV12"])));
    }

    #[test]
    fn bayer_codes_are_told_from_others() {
        for code in [
            b"BA81", b"GBRG", b"GRBG", b"RGGB", b"BG10", b"GB12", b"BA10", b"RG16", b"BYR2", b"pBAA",
            b"pgCC", b"pREE",
        ] {
            assert!(is_bayer(FourCC::new(code)), "{code:?}");
        }
        for code in [b"YUYV", b"NV12", b"YU12", b"MJPG", b"H264", b"RGBP", b"RGB3", b"BGR3", b"GREY", b"BGR4"]
        {
            assert!(!is_bayer(FourCC::new(code)), "{code:?}");
        }
    }

    #[test]
    fn both_memory_to_memory_interfaces_are_seen() {
        assert_eq!(memory_to_memory(Flags::VIDEO_M2M | Flags::STREAMING), Some(false));
        assert_eq!(memory_to_memory(Flags::VIDEO_M2M_MPLANE | Flags::STREAMING), Some(true));
        assert_eq!(memory_to_memory(Flags::VIDEO_CAPTURE | Flags::STREAMING), None);
        assert_eq!(memory_to_memory(Flags::VIDEO_M2M), None, "no streaming");
    }

    #[test]
    fn a_board_without_video_nodes_gives_an_empty_report() {
        // This runs on machines with and without cameras: it must not fail nor take long on either.
        let report = probe();
        assert!(report.cameras.len() + report.encoders.len() + report.problems.len() <= MOST_NODES);
    }
}
