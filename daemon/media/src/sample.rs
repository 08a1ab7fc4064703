//! Samples: coded units of video or audio on their way from a feed to the readers, and the facts that a decoder of
//! audio needs.
//!
//! Must not be here: decoding, containers, clocks.

use crate::access_unit::{AccessUnit, Entry};
use crate::audio_format::AudioFormat;
use crate::time::{MediaDuration, Times};
use bytes::Bytes;
use std::sync::Arc;

/// One coded unit of either kind.
#[derive(Clone, Debug)]
pub enum Sample {
    /// A coded picture.
    Video(AccessUnit),
    /// A coded frame of sound.
    Audio(AudioFrame),
}

impl Sample {
    /// Presentation and decoding time.
    pub const fn times(&self) -> Times {
        match self {
            Self::Video(unit) => unit.times,
            Self::Audio(frame) => frame.times,
        }
    }

    /// Both times, for the timeline, which shifts them together.
    pub const fn times_mut(&mut self) -> &mut Times {
        match self {
            Self::Video(unit) => &mut unit.times,
            Self::Audio(frame) => &mut frame.times,
        }
    }

    /// Counts the seams before this sample; video and audio of one feed share it.
    pub const fn epoch(&self) -> u32 {
        match self {
            Self::Video(unit) => unit.epoch,
            Self::Audio(frame) => frame.epoch,
        }
    }

    /// The coded bytes: Annex B for video, one raw AAC frame without ADTS header for audio.
    pub const fn data(&self) -> &Bytes {
        match self {
            Self::Video(unit) => &unit.data,
            Self::Audio(frame) => &frame.data,
        }
    }

    /// Duration, rounded down to a tick; `None` for a picture, which lasts until the next one.
    pub fn duration(&self) -> Option<MediaDuration> {
        match self {
            Self::Video(_) => None,
            Self::Audio(frame) => Some(frame.format.frame_duration()),
        }
    }

    /// The kind of entry a picture is. [`Entry::None`] for audio: in a stream with video, readers start at a picture.
    pub const fn entry(&self) -> Entry {
        match self {
            Self::Video(unit) => unit.entry,
            Self::Audio(_) => Entry::None,
        }
    }

    /// The picture, if it is one.
    pub const fn video(&self) -> Option<&AccessUnit> {
        match self {
            Self::Video(unit) => Some(unit),
            Self::Audio(_) => None,
        }
    }

    /// The frame of sound, if it is one.
    pub const fn audio(&self) -> Option<&AudioFrame> {
        match self {
            Self::Video(_) => None,
            Self::Audio(frame) => Some(frame),
        }
    }
}

impl From<AccessUnit> for Sample {
    fn from(unit: AccessUnit) -> Self {
        Self::Video(unit)
    }
}

impl From<AudioFrame> for Sample {
    fn from(frame: AudioFrame) -> Self {
        Self::Audio(frame)
    }
}

/// One AAC-LC frame of [`AudioFormat::SAMPLES_PER_FRAME`] samples in each channel.
#[derive(Clone, Debug)]
pub struct AudioFrame {
    /// Times of its first sample; `dts` equals `pts`, because AAC is presented in decoding order.
    pub times: Times,
    /// Counts the seams before this frame, as an access unit's epoch does.
    pub epoch: u32,
    /// A `raw_data_block` (ISO/IEC 14496-3 §4.4.2.1), without ADTS header.
    pub data: Bytes,
    /// The format that its decoder needs.
    pub format: Arc<AudioFormat>,
}
