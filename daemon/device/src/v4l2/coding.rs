//! The controls that tell an encoder how to code, and their values.
//!
//! Linux media userspace API, "Codec Control Reference"; levels after ITU-T H.264 Table A-1. Controls belong to the open file that
//! streams (raspberrypi/firmware issue 1612), and none is required: those that an encoder lacks are skipped.

use super::ioctl::VideoDevice;
use v4l::v4l_sys as sys;

/// The target of an encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coding {
    /// Bits per second.
    pub bitrate: u32,
    /// Frames from one IDR to the next.
    pub keyframe_interval: u32,
    /// Frames per second, for rate control and level.
    pub frames_per_second: f64,
}

impl Coding {
    /// bcm2835-codec takes 20 Mb/s and fails at STREAMON with 25 (raspberrypi/linux issue 4938).
    const HIGHEST_BITRATE: u32 = 20_000_000;
    /// An interval of 1 hangs bcm2835-codec (raspberrypi/linux issue 4740).
    const SHORTEST_INTERVAL: u32 = 2;

    /// Sets all controls that `device` has, each to the nearest value it accepts. A refusal costs quality and does not end the stream.
    pub(super) fn apply(&self, device: &VideoDevice, width: u32, height: u32) {
        use sys::{
            V4L2_CID_MPEG_VIDEO_B_FRAMES as B_FRAMES, V4L2_CID_MPEG_VIDEO_BITRATE as BITRATE,
            V4L2_CID_MPEG_VIDEO_BITRATE_MODE as BITRATE_MODE,
            V4L2_CID_MPEG_VIDEO_FRAME_RC_ENABLE as RATE_CONTROL, V4L2_CID_MPEG_VIDEO_GOP_SIZE as GOP_SIZE,
            V4L2_CID_MPEG_VIDEO_H264_I_PERIOD as I_PERIOD, V4L2_CID_MPEG_VIDEO_H264_LEVEL as LEVEL,
            V4L2_CID_MPEG_VIDEO_H264_PROFILE as PROFILE, V4L2_CID_MPEG_VIDEO_HEADER_MODE as HEADER_MODE,
            V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER as REPEAT_SEQ_HEADER,
        };
        const CONSTANT_BITRATE: i32 =
            sys::v4l2_mpeg_video_bitrate_mode_V4L2_MPEG_VIDEO_BITRATE_MODE_CBR.cast_signed();
        const JOINED: i32 =
            sys::v4l2_mpeg_video_header_mode_V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME.cast_signed();
        const HIGH: i32 = sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_HIGH.cast_signed();
        const MAIN: i32 = sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_MAIN.cast_signed();
        const CONSTRAINED_BASELINE: i32 =
            sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE.cast_signed();
        let bitrate = self.bitrate.min(Self::HIGHEST_BITRATE).cast_signed();
        let interval = self.keyframe_interval.clamp(Self::SHORTEST_INTERVAL, i32::MAX as u32).cast_signed();

        set_first(device, RATE_CONTROL, &[1]);
        set_first(device, BITRATE_MODE, &[CONSTANT_BITRATE]);
        set_first(device, BITRATE, &[bitrate]);
        set_first(device, B_FRAMES, &[0]);
        // The key-frame interval is the I period on bcm2835-codec (raspberrypi/linux issue 4917) and the GOP size elsewhere.
        set_first(device, I_PERIOD, &[interval]);
        set_first(device, GOP_SIZE, &[interval]);
        // Repeating headers can stall bcm2835-codec after 20,000 frames (issue 4520): we put them before every IDR ourselves.
        set_first(device, REPEAT_SEQ_HEADER, &[0]);
        set_first(device, HEADER_MODE, &[JOINED]);
        set_first(device, PROFILE, &[HIGH, MAIN, CONSTRAINED_BASELINE]);
        let level = level_for(width, height, self.frames_per_second, bitrate.cast_unsigned());
        set_first(device, LEVEL, &[level]);
    }
}

/// Sets a control to the first of `wishes` that the driver accepts, each clamped to the control's range.
fn set_first(device: &VideoDevice, control: u32, wishes: &[i32]) {
    let Some(range) = device.control_range(control) else { return };
    let taken = wishes.iter().any(|wish| {
        let value = (*wish).min(range.maximum).max(range.minimum);
        device.set_control(control, value).is_ok()
    });
    if !taken {
        tracing::debug!(device = %device.path().display(), control, ?wishes, "the encoder refuses a control");
    }
}

/// The lowest level that can hold this stream, as the kernel's menu entry; the highest level if none can.
fn level_for(width: u32, height: u32, frames_per_second: f64, bitrate: u32) -> i32 {
    /// Macroblocks a picture and a second, kilobits a second (Baseline and Main), menu entry. From level 3 on: lower ones
    /// gain nothing and some encoders lack them.
    const LEVELS: [(u64, u64, u64, u32); 9] = [
        (1_620, 40_500, 10_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_0),
        (3_600, 108_000, 14_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_1),
        (5_120, 216_000, 20_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_2),
        (8_192, 245_760, 20_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_0),
        (8_192, 245_760, 50_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_1),
        (8_704, 522_240, 50_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_2),
        (22_080, 589_824, 135_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_5_0),
        (36_864, 983_040, 240_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_5_1),
        (36_864, 2_073_600, 240_000, sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_5_2),
    ];
    let picture = u64::from(width.div_ceil(16)) * u64::from(height.div_ceil(16));
    let second = (picture as f64 * frames_per_second).ceil() as u64;
    let kilobits = u64::from(bitrate.div_ceil(1000));
    let holds =
        |level: &&(u64, u64, u64, u32)| picture <= level.0 && second <= level.1 && kilobits <= level.2;
    LEVELS.iter().find(holds).unwrap_or(&LEVELS[LEVELS.len() - 1]).3.cast_signed()
}

/// Size of a coded picture's buffer, bytes: 1.5 MB at 1920x1080, in proportion elsewhere, 256 KiB at least. Smaller ones tear large key frames
/// (ustreamer issue 169).
pub(super) fn coded_buffer_bytes(width: u32, height: u32) -> u32 {
    let bytes = u64::from(width) * u64::from(height) / 4 * 3;
    u32::try_from(bytes).unwrap_or(u32::MAX).max(256 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(width: u32, height: u32, frames_per_second: f64, bitrate: u32) -> u32 {
        level_for(width, height, frames_per_second, bitrate).cast_unsigned()
    }

    #[test]
    fn levels_follow_the_standards_table() {
        use sys::{
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_0 as L3_0,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_1 as L3_1,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_2 as L3_2,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_0 as L4_0,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_2 as L4_2,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_5_2 as L5_2,
        };
        assert_eq!(level(640, 480, 30.0, 1_000_000), L3_0);
        assert_eq!(level(1280, 720, 30.0, 2_500_000), L3_1);
        assert_eq!(level(1280, 720, 60.0, 4_000_000), L3_2);
        assert_eq!(level(1920, 1080, 30.0, 8_000_000), L4_0);
        assert_eq!(level(1920, 1080, 60.0, 8_000_000), L4_2);
        assert_eq!(level(8192, 8192, 60.0, 8_000_000), L5_2, "more than the table has");
    }

    #[test]
    fn coded_buffers_hold_large_key_frames() {
        assert!(coded_buffer_bytes(1920, 1080) >= 1_500_000);
        assert_eq!(coded_buffer_bytes(320, 240), 256 * 1024);
        assert_eq!(coded_buffer_bytes(u32::MAX, u32::MAX), u32::MAX);
    }
}
