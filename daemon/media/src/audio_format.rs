//! Facts that a sound decoder needs: AAC-LC's format, and the `AudioSpecificConfig` that carries it.
//!
//! Must not be here: frames and their times (`sample`), containers.

use crate::time::{MediaDuration, MediaTime};

/// Sound coded as AAC-LC (ISO/IEC 14496-3), frames of 1,024 samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    sample_rate: u32,
    /// `channelConfiguration`, 1 to 7.
    channel_configuration: u8,
}

/// Why an `AudioSpecificConfig` or a format was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioFormatError {
    /// It ends before its last field.
    #[error("the AudioSpecificConfig of {0} bytes is too short")]
    TooShort(usize),
    /// Another kind of audio than AAC-LC (audio object type 2).
    #[error("audio object type {0} is not AAC-LC (2)")]
    ObjectType(u32),
    /// A reserved index or a rate outside 7,350 to 96,000 Hz.
    #[error("a sample rate of {0} Hz is not possible in AAC")]
    SampleRate(u32),
    /// A configuration number without channels (Table 1.19).
    #[error("channel configuration {0} is not supported")]
    Channels(u8),
    /// Frames of 960 samples, or a scalable stream.
    #[error("only AAC frames of 1,024 samples without core coder are supported")]
    Frame,
}

/// Sample rates by `samplingFrequencyIndex` (ISO/IEC 14496-3 Table 1.18).
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];
/// `audioObjectType` of AAC-LC.
const AAC_LC: u32 = 2;
/// Index that is followed by the rate itself, in 24 bits.
const EXPLICIT_RATE: u32 = 15;

impl AudioFormat {
    /// Samples per frame in each channel.
    pub const SAMPLES_PER_FRAME: u32 = 1024;

    /// The format of `channels` 1 to 6 or 8, at a rate from 7,350 to 96,000 Hz.
    pub fn new(sample_rate: u32, channels: u8) -> Result<Self, AudioFormatError> {
        let channel_configuration = match channels {
            1..=6 => channels,
            8 => 7,
            _ => return Err(AudioFormatError::Channels(channels)),
        };
        Self::checked(sample_rate, channel_configuration)
    }

    fn checked(sample_rate: u32, channel_configuration: u8) -> Result<Self, AudioFormatError> {
        if !(7350..=96_000).contains(&sample_rate) {
            return Err(AudioFormatError::SampleRate(sample_rate));
        }
        if !(1..=7).contains(&channel_configuration) {
            return Err(AudioFormatError::Channels(channel_configuration));
        }
        Ok(Self { sample_rate, channel_configuration })
    }

    /// Reads the fields of an ADTS header; `index` is `sampling_frequency_index`.
    pub(crate) fn from_header(
        object_type: u32,
        index: u8,
        channel_configuration: u8,
    ) -> Result<Self, AudioFormatError> {
        if object_type != AAC_LC {
            return Err(AudioFormatError::ObjectType(object_type));
        }
        let sample_rate = SAMPLE_RATES.get(usize::from(index)).copied().unwrap_or(0);
        Self::checked(sample_rate, channel_configuration)
    }

    /// Reads an `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1), as RTMP and MP4 carry it. Anything after the
    /// configuration of AAC-LC itself (signalling of SBR that a decoder may ignore) is skipped.
    pub fn from_audio_specific_config(config: &[u8]) -> Result<Self, AudioFormatError> {
        let too_short = AudioFormatError::TooShort(config.len());
        let mut at = 0_usize;
        let mut bits = |count: usize| {
            let mut value = 0;
            for _ in 0..count {
                let byte = config.get(at / 8)?;
                value = value << 1 | u32::from(byte >> (7 - at % 8) & 1);
                at += 1;
            }
            Some(value)
        };
        let mut object_type = bits(5).ok_or(too_short)?;
        if object_type == 31 {
            object_type = 32 + bits(6).ok_or(too_short)?;
        }
        if object_type != AAC_LC {
            return Err(AudioFormatError::ObjectType(object_type));
        }
        let index = bits(4).ok_or(too_short)?;
        let sample_rate = match SAMPLE_RATES.get(index as usize) {
            Some(&rate) => rate,
            None if index == EXPLICIT_RATE => bits(24).ok_or(too_short)?,
            None => return Err(AudioFormatError::SampleRate(0)),
        };
        let channel_configuration = bits(4).ok_or(too_short)? as u8;
        // GASpecificConfig (§4.4.1): frameLengthFlag, dependsOnCoreCoder.
        if bits(2).ok_or(too_short)? != 0 {
            return Err(AudioFormatError::Frame);
        }
        Self::checked(sample_rate, channel_configuration)
    }

    /// The `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1): 2 bytes, or 5 if the rate has no index.
    pub fn audio_specific_config(&self) -> Vec<u8> {
        let channels = u64::from(self.channel_configuration);
        // The last three bits are GASpecificConfig: 1,024 samples, no core coder, no extension.
        if let Some(index) = self.sampling_frequency_index() {
            let bits = u64::from(AAC_LC) << 11 | u64::from(index) << 7 | channels << 3;
            return bits.to_be_bytes()[6..].to_vec();
        }
        let rate = u64::from(self.sample_rate);
        let bits = u64::from(AAC_LC) << 35 | u64::from(EXPLICIT_RATE) << 31 | rate << 7 | channels << 3;
        bits.to_be_bytes()[3..].to_vec()
    }

    /// Samples per second in each channel.
    pub const fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Number of channels (ISO/IEC 14496-3 Table 1.19).
    pub const fn channels(&self) -> u8 {
        if self.channel_configuration == 7 { 8 } else { self.channel_configuration }
    }

    /// `channelConfiguration`, 1 to 7, for ADTS headers.
    pub const fn channel_configuration(&self) -> u8 {
        self.channel_configuration
    }

    /// `samplingFrequencyIndex` (Table 1.18), if the rate has one: ADTS can carry no other rate.
    pub fn sampling_frequency_index(&self) -> Option<u8> {
        SAMPLE_RATES.iter().position(|&rate| rate == self.sample_rate).map(|index| index as u8)
    }

    /// The time from the start of the first frame to the start of frame `number`, in ticks. Frames do not last whole
    /// ticks at every sample rate, so their durations must not be added up.
    pub fn offset(&self, number: u64) -> MediaDuration {
        let ticks = u128::from(number) * u128::from(Self::SAMPLES_PER_FRAME) * MediaTime::HZ as u128
            / u128::from(self.sample_rate());
        MediaDuration::from_ticks(i64::try_from(ticks).unwrap_or(i64::MAX))
    }

    /// Duration of a frame, rounded down to a tick: see [`Self::offset`].
    pub fn frame_duration(&self) -> MediaDuration {
        self.offset(1)
    }

    /// A frame of silence, made by hand from ISO/IEC 14496-3 §4.4.2, for one or two channels; `None` for others. A `single_channel_element` (3 bits 000, tag 0) or
    /// a `channel_pair_element` (001, tag 0, no common window); in each channel a gain of 0, one long window and no bands (`max_sfb` 0, so that nothing
    /// follows); `ID_END` (111), and bits to the end of the byte.
    pub const fn silent_frame(&self) -> Option<&'static [u8]> {
        match self.channel_configuration {
            1 => Some(&[0, 0, 0, 0x07]),
            2 => Some(&[0x20, 0, 0, 0, 0, 0, 0x0e]),
            _ => None,
        }
    }

    /// The value for the CODECS attribute (RFC 6381 §3.3).
    pub const fn codecs(&self) -> &'static str {
        "mp4a.40.2"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[test]
    fn the_configuration_of_48_khz_stereo_is_what_every_encoder_writes() {
        let format = AudioFormat::new(48_000, 2).unwrap();
        assert_eq!(format.audio_specific_config(), [0x11, 0x90]);
        assert_eq!(AudioFormat::new(44_100, 1).unwrap().audio_specific_config(), [0x12, 0x08]);
        // Bytes that ffmpeg writes, with the backward compatible signalling that there is no SBR.
        let ffmpeg = [0x11, 0x90, 0x56, 0xe5, 0x00];
        assert_eq!(AudioFormat::from_audio_specific_config(&ffmpeg), Ok(format));
        assert_eq!((format.channels(), format.codecs()), (2, "mp4a.40.2"));
    }

    #[test]
    fn what_is_not_aac_lc_is_refused_with_its_reason() {
        let read = AudioFormat::from_audio_specific_config;
        assert_eq!(read(&[]), Err(AudioFormatError::TooShort(0)));
        assert_eq!(read(&[0x2b, 0x92]), Err(AudioFormatError::ObjectType(5)), "HE-AAC");
        assert_eq!(read(&[0xf9, 0x40]), Err(AudioFormatError::ObjectType(42)), "xHE-AAC");
        assert_eq!(read(&[0x16, 0x90]), Err(AudioFormatError::SampleRate(0)), "a reserved index");
        assert_eq!(read(&[0x11, 0x80]), Err(AudioFormatError::Channels(0)));
        assert_eq!(read(&[0x11, 0x94]), Err(AudioFormatError::Frame), "960 samples");
        assert_eq!(AudioFormat::new(192_000, 2), Err(AudioFormatError::SampleRate(192_000)));
        assert_eq!(AudioFormat::new(48_000, 7), Err(AudioFormatError::Channels(7)));
    }

    #[test]
    fn ffmpeg_decodes_silent_frames_to_silence() {
        for channels in 1..=2 {
            let format = AudioFormat::new(48_000, channels).unwrap();
            let silent = format.silent_frame().unwrap();
            // ADTS (ISO/IEC 14496-3 §1.A.3.2): AAC-LC, 48 kHz.
            let bytes = (7 + silent.len()) as u8;
            let adts = [0xff, 0xf1, 0x4c, channels << 6, bytes >> 3, bytes << 5 | 0x1f, 0xfc];
            let mut ffmpeg = Command::new("ffmpeg")
                .args(["-v", "warning", "-f", "aac", "-i", "-", "-f", "s16le", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("ffmpeg is installed");
            ffmpeg.stdin.take().unwrap().write_all(&[&adts, silent].concat().repeat(100)).unwrap();
            let output = ffmpeg.wait_with_output().unwrap();
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout.len() >= 99 * 1024 * 2 * usize::from(channels), "{}", output.stdout.len());
            assert!(output.stdout.iter().all(|byte| *byte == 0));
        }
        assert_eq!(AudioFormat::new(48_000, 6).unwrap().silent_frame(), None);
    }

    #[test]
    fn frames_keep_their_time_over_hours() {
        let format = AudioFormat::new(44_100, 2).unwrap();
        assert_eq!(format.frame_duration().ticks(), 2089);
        let day = format.offset(44_100 * 86_400 / 1024);
        assert!((day.as_seconds() - 86_400.0).abs() < 0.03);
    }

    proptest! {
        #[test]
        fn any_format_survives_its_configuration(rate in 7350u32..=96_000, channels in 1u8..=6) {
            let format = AudioFormat::new(rate, channels).unwrap();
            prop_assert_eq!(AudioFormat::from_audio_specific_config(&format.audio_specific_config()), Ok(format));
        }

        #[test]
        fn any_bytes_are_survived(config in prop::collection::vec(any::<u8>(), 0..12)) {
            let _ = AudioFormat::from_audio_specific_config(&config);
        }
    }
}
