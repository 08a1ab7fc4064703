//! Made-up access units, pictures and boards for tests.

pub mod boards;

use super::i420::I420Buffer;
use super::software::{SoftwareEncoder, SoftwareSettings};
use super::source::FrameEncoder;
use crate::config;
use bytes::Bytes;
use perch_media::access_unit::{AccessUnit, Entry, VideoFormat};
use perch_media::h264::sps::Chroma;
use perch_media::time::{MediaTime, Times};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// An access unit of `bytes` bytes that cannot be decoded.
pub fn access_unit(ticks: i64, is_idr: bool, bytes: usize) -> AccessUnit {
    static FORMAT: OnceLock<Arc<VideoFormat>> = OnceLock::new();
    let format = FORMAT.get_or_init(|| {
        Arc::new(VideoFormat {
            sps: [0x67, 66, 0xC0, 30].as_slice().into(),
            pps: [0x68, 0xCE].as_slice().into(),
            further_pps: Vec::new(),
            width: 640,
            height: 360,
            profile: 66,
            constraints: 0xC0,
            level: 30,
            frames_per_second: None,
            chroma: Chroma::Yuv420,
            bit_depth: 8,
            may_be_interlaced: false,
        })
    });
    let at = MediaTime::from_ticks(ticks);
    let mut data = vec![0x55; bytes.max(5)];
    data[..5].copy_from_slice(&[0, 0, 0, 1, if is_idr { 0x65 } else { 0x41 }]);
    let entry = if is_idr { Entry::Idr } else { Entry::None };
    AccessUnit {
        times: Times::at(at),
        entry,
        data: data.into(),
        format: format.clone(),
        epoch: 0,
        sound: None,
    }
}

/// A camera's configuration.
pub fn camera() -> config::Camera {
    config::Camera {
        name: "front".to_owned(),
        source: config::SourceKind::TestPattern,
        device: None,
        command: Vec::new(),
        encoder: config::EncoderKind::Auto,
        width: 320,
        height: 240,
        frames_per_second: 10.0,
        bitrate_kbps: 500,
        keyframe_interval_seconds: 2.0,
        tone: false,
        microphone: config::MicrophoneChoice::Auto,
        microphone_muted: false,
        microphone_gain_db: 0,
        relays: Vec::new(),
    }
}

/// `count` pictures of 32x32 in the form that a camera with its own encoder delivers; the first is an IDR with its
/// parameter sets.
pub fn coded_pictures(count: usize) -> Vec<Bytes> {
    let settings = SoftwareSettings {
        width: 32,
        height: 32,
        frames_per_second: 25.0,
        bitrate_kbps: 100,
        keyframe_interval_seconds: 1000.0,
    };
    let mut encoder = SoftwareEncoder::new(settings).expect("a size that can be coded");
    let frame = I420Buffer::new(32, 32);
    let mut coded = Vec::new();
    for _ in 0..count {
        encoder.encode(&frame.frame(Duration::ZERO), false, &mut coded).expect("it codes");
    }
    coded.into_iter().map(|picture| picture.data).collect()
}

/// A picture of this size in limited range, its upper half white and its lower half black, as an IDR.
pub fn white_over_black(width: u32, height: u32) -> Bytes {
    let settings = SoftwareSettings {
        width,
        height,
        frames_per_second: 25.0,
        bitrate_kbps: 1000,
        keyframe_interval_seconds: 2.0,
    };
    let mut frame = I420Buffer::new(width, height);
    frame.planes_mut().y[..(width * height / 2) as usize].fill(235);
    let mut encoder = SoftwareEncoder::new(settings).expect("a size that can be coded");
    let mut coded = Vec::new();
    encoder.encode(&frame.frame(Duration::ZERO), true, &mut coded).expect("it codes");
    coded.remove(0).data
}

/// A picture of one brightness (luma, 16 to 235 of limited range), as an IDR.
pub fn grey(width: u32, height: u32, luma: u8) -> Bytes {
    let settings = SoftwareSettings {
        width,
        height,
        frames_per_second: 25.0,
        bitrate_kbps: 1000,
        keyframe_interval_seconds: 2.0,
    };
    let mut frame = I420Buffer::new(width, height);
    let planes = frame.planes_mut();
    planes.y.fill(luma);
    planes.u.fill(128);
    planes.v.fill(128);
    let mut encoder = SoftwareEncoder::new(settings).expect("a size that can be coded");
    let mut coded = Vec::new();
    encoder.encode(&frame.frame(Duration::ZERO), true, &mut coded).expect("it codes");
    coded.remove(0).data
}
