//! H.264 on the CPU, for boards without an encoder: `OpenH264`, set up for a live camera.

use super::i420::{I420Buffer, check_planes};
use super::source::{FrameEncoder, RawFrame, SourceError};
use bytes::Bytes;
use openh264::encoder::{
    BitRate, ColorPrimaries, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
    MatrixCoefficients, RateControlMode, SpsPpsStrategy, TransferCharacteristics, UsageType, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use perch_device::{CodedPicture, Picture, PixelFormat};

/// The largest picture, pixels of the longer and the shorter side.
pub(super) const LARGEST: (u32, u32) = (3840, 2160);
/// The smallest length of a side, pixels.
const SMALLEST: u32 = 16;

/// True if the encoder codes pictures of this size, pixels.
pub(super) fn can_code(width: u32, height: u32) -> bool {
    width.is_multiple_of(2)
        && height.is_multiple_of(2)
        && width.min(height) >= SMALLEST
        && width.max(height) <= LARGEST.0
        && width.min(height) <= LARGEST.1
}

/// Settings of the encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct SoftwareSettings {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames per second.
    pub frames_per_second: f64,
    /// Kilobits (1000 bits) per second.
    pub bitrate_kbps: u32,
    /// Seconds between IDRs.
    pub keyframe_interval_seconds: f64,
}

/// Codes I420, NV12 and YUYV frames of one size.
pub(super) struct SoftwareEncoder {
    encoder: Encoder,
    settings: SoftwareSettings,
    /// Used only if frames are not in I420.
    converted: Option<I420Buffer>,
}

impl SoftwareEncoder {
    /// Opens an encoder.
    pub(super) fn new(settings: SoftwareSettings) -> Result<Self, SourceError> {
        let SoftwareSettings { width, height, .. } = settings;
        if !can_code(width, height) {
            return Err(SourceError::Mode(format!(
                "the software encoder codes even sizes from {SMALLEST}x{SMALLEST} to {}x{}, not {width}x{height}",
                LARGEST.0, LARGEST.1
            )));
        }
        let interval = (settings.keyframe_interval_seconds * settings.frames_per_second).round().max(1.0);
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(settings.bitrate_kbps.saturating_mul(1000)))
            .max_frame_rate(FrameRate::from_hz(settings.frames_per_second as f32))
            .intra_frame_period(IntraFramePeriod::from_num_frames(interval as u32))
            .rate_control_mode(RateControlMode::Bitrate)
            // Viewers notice a missing picture more than a coarser one.
            .skip_frames(false)
            // Segments are cut at IDRs, so extra ones would make segments of uneven length.
            .scene_change_detect(false)
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            // With one slice per picture, further threads would be idle and take memory.
            .num_threads(1)
            .vui(
                VuiConfig::new()
                    .color_primaries(ColorPrimaries::Bt709)
                    .transfer_characteristics(TransferCharacteristics::Bt709)
                    .matrix_coefficients(MatrixCoefficients::Smpte170M),
            );
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| SourceError::Failed(format!("the software encoder does not start: {error}")))?;
        perch_device::openh264::write_errors_only(&mut encoder);
        Ok(Self { encoder, settings, converted: None })
    }
}

impl FrameEncoder for SoftwareEncoder {
    fn encode(
        &mut self,
        frame: &RawFrame<'_>,
        force_key_frame: bool,
        out: &mut Vec<CodedPicture>,
    ) -> Result<(), SourceError> {
        let SoftwareSettings { width, height, .. } = self.settings;
        let torn = |error: super::i420::ConvertError| SourceError::Failed(error.to_string());
        let captured_at = frame.captured_at;
        let picture = if frame.picture.format == PixelFormat::I420 {
            check_planes(&frame.picture).map_err(torn)?;
            frame.picture
        } else {
            let buffer = self.converted.get_or_insert_with(|| I420Buffer::new(width, height));
            buffer.convert(&frame.picture).map_err(torn)?;
            buffer.frame(captured_at).picture
        };
        if (picture.width, picture.height) != (width, height) {
            let (got_width, got_height) = (picture.width, picture.height);
            return Err(SourceError::Failed(format!(
                "frames of {got_width}x{got_height} came where {width}x{height} was agreed"
            )));
        }
        if force_key_frame {
            self.encoder.force_intra_frame();
        }
        let coded = self
            .encoder
            .encode_at(&Planes(&picture), Timestamp::from_millis(captured_at.as_millis() as u64))
            .map_err(|error| SourceError::Failed(format!("the software encoder failed: {error}")))?;
        if matches!(coded.frame_type(), FrameType::Skip | FrameType::Invalid) {
            return Ok(());
        }
        let layers = || (0..coded.num_layers()).filter_map(|layer| coded.layer(layer));
        let mut bytes = 0;
        for layer in layers() {
            bytes += (0..layer.nal_count()).filter_map(|i| layer.nal_unit(i)).map(<[u8]>::len).sum::<usize>();
        }
        let mut data = Vec::with_capacity(bytes); // exactly, because these bytes stay in the ring
        coded.write_vec(&mut data);
        out.push(CodedPicture { data: Bytes::from(data), captured_at, after_loss: false });
        Ok(())
    }

    fn describe(&self) -> String {
        "software (OpenH264)".to_owned()
    }
}

/// A checked I420 picture in the form that the encoder expects.
struct Planes<'a>(&'a Picture<'a>);

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width as usize, self.0.height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let [y, u, v] = self.0.planes;
        (y.stride, u.stride, v.stride)
    }

    fn y(&self) -> &[u8] {
        self.0.planes[0].data
    }

    fn u(&self) -> &[u8] {
        self.0.planes[1].data
    }

    fn v(&self) -> &[u8] {
        self.0.planes[2].data
    }
}
