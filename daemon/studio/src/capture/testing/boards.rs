//! Real boards, made up from the reports of their drivers.

use perch_device::FourCC;
use perch_device::identity::Identity;
use perch_device::memory::ContiguousMemory;
use perch_device::mode::{FormatReport, FrameSizes, SizeReport};
use perch_device::probe::{CameraReport, EncoderReport, ProbeReport};

/// A format with these sizes, each at one rate.
pub fn format(code: [u8; 4], modes: &[(u32, u32, f64)]) -> FormatReport {
    FormatReport {
        fourcc: FourCC::new(&code),
        description: String::new(),
        sizes: modes
            .iter()
            .map(|&(width, height, rate)| SizeReport {
                sizes: FrameSizes::Discrete { width, height },
                frames_per_second: vec![rate],
            })
            .collect(),
    }
}

/// A USB camera.
pub fn camera(path: &str, card: &str, formats: Vec<FormatReport>) -> CameraReport {
    CameraReport {
        path: path.into(),
        identity: Identity {
            by_id: Some(format!("/dev/v4l/by-id/{card}").into()),
            by_path: None,
            bus_info: format!("usb-{card}"),
            card: card.into(),
            driver: "uvcvideo".into(),
            node_index: 0,
        },
        formats,
        needs_libcamera: false,
        interlaced: false,
    }
}

/// A webcam: YUYV is slow in large sizes on USB 2; MJPEG is not.
pub fn webcam() -> CameraReport {
    let yuyv = format(*b"YUYV", &[(640, 480, 30.0), (1280, 720, 10.0), (1920, 1080, 5.0)]);
    let mjpeg = format(*b"MJPG", &[(640, 480, 30.0), (1280, 720, 30.0), (1920, 1080, 30.0)]);
    camera("/dev/video0", "C270", vec![yuyv, mjpeg])
}

/// A sensor that gives Bayer data only.
pub fn csi() -> CameraReport {
    let mut csi = camera("/dev/video0", "unicam", vec![format(*b"RG10", &[])]);
    csi.needs_libcamera = true;
    csi
}

/// The encoder of a Raspberry Pi.
pub fn codec() -> EncoderReport {
    EncoderReport {
        path: "/dev/video11".into(),
        card: "bcm2835-codec-encode".into(),
        driver: "bcm2835-codec".into(),
        multi_planar: true,
        takes: [*b"YU12", *b"NV12", *b"YUYV"].map(|code| FourCC::new(&code)).to_vec(),
        gives: vec![FourCC::new(b"H264")],
        largest: Some((1920, 1920)),
    }
}

/// A board with `cma` bytes of contiguous memory.
pub fn board(cameras: Vec<CameraReport>, encoders: Vec<EncoderReport>, cma: Option<u64>) -> ProbeReport {
    ProbeReport {
        cameras,
        encoders,
        problems: Vec::new(),
        libcamera_program: None,
        contiguous_memory: cma.map(|total| ContiguousMemory { total, free: total / 2 }),
    }
}
