//! The way from tags to samples: what publishers send by RTMP, H.264 and AAC in any of the forms that FLV has for them (§E.4.2, §E.4.3, and "Enhanced RTMP" version 2).
//!
//! What is not understood is told apart from what is broken: the first needs another setting in the publisher's program, the second costs a picture.

use crate::audio_format::{AudioFormat, AudioFormatError};
use crate::h264::annex_b::START_CODE;
use crate::h264::avcc::{LENGTH_BYTES, into_annex_b};
use crate::time::MediaDuration;
use bytes::Bytes;
use std::sync::Arc;

/// What a tag of video holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Video {
    /// SPS and PPS for the pictures to come, in Annex B.
    ParameterSets(Bytes),
    /// A picture in Annex B.
    Picture {
        /// Its NAL units.
        data: Bytes,
        /// From its decoding to its presentation. Negative in some programs' tags.
        composition: MediaDuration,
    },
}

/// A frame of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// As its decoder gets it, without ADTS header.
    pub data: Bytes,
    /// Of its decoder.
    pub format: Arc<AudioFormat>,
}

/// Why a tag was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Pictures of another codec.
    #[error("{0} is not supported: send H.264 (AVC)")]
    VideoCodec(&'static str),
    /// Sound of another codec.
    #[error("sound in {0} is not supported: send AAC")]
    AudioCodec(&'static str),
    /// AAC of a kind that browsers do not play.
    #[error("this kind of AAC is not supported ({0}): send AAC-LC")]
    AudioFormat(AudioFormatError),
    /// Cut off, or lengths that do not fit.
    #[error("a tag is broken")]
    Broken,
}

impl TagError {
    /// True if the publisher would have to change a setting.
    pub const fn is_unsupported(self) -> bool {
        !matches!(self, Self::Broken)
    }
}

/// `FrameType` of a tag without a picture, for the player's eyes only.
const COMMAND_FRAME: u8 = 5;
/// `CodecID` of H.264; `SoundFormat` of AAC and of a header with a `FourCC`.
const AVC: u8 = 7;
const AAC: u8 = 10;
const SOUND_WITH_FOURCC: u8 = 9;
/// Set in the first byte of a video tag that names its codec by four characters.
const VIDEO_WITH_FOURCC: u8 = 0x80;
/// Packet types of H.264 and AAC, with and without `FourCC`.
const SEQUENCE_START: u8 = 0;
const CODED: u8 = 1;
/// Only with `FourCC`: a picture without composition time, that is zero.
const CODED_WITHOUT_COMPOSITION: u8 = 3;
/// Only with `FourCC`: several tracks in one tag.
const MULTITRACK_VIDEO: u8 = 6;
const MULTITRACK_AUDIO: u8 = 5;
/// Bytes in front of a picture: frame type and codec, packet type, composition time.
const BEFORE_PICTURE: usize = 5;

/// Reads the tags of one publication.
#[derive(Clone, Debug)]
pub struct TagReader {
    /// Bytes of the length in front of a NAL unit.
    length_bytes: usize,
    sound: Option<Arc<AudioFormat>>,
}

impl Default for TagReader {
    fn default() -> Self {
        Self { length_bytes: LENGTH_BYTES, sound: None }
    }
}

impl TagReader {
    /// The format of the frames of sound to come; `None` before it was told.
    pub const fn sound_format(&self) -> Option<&Arc<AudioFormat>> {
        self.sound.as_ref()
    }

    /// Reads the body of a tag of video; `None` if it holds nothing for a decoder.
    pub fn video(&mut self, body: Vec<u8>) -> Result<Option<Video>, TagError> {
        let Some(&first) = body.first() else { return Ok(None) };
        if first & VIDEO_WITH_FOURCC != 0 {
            return self.video_with_fourcc(body);
        }
        if first >> 4 == COMMAND_FRAME {
            return Ok(None);
        }
        match first & 0x0f {
            AVC => {}
            2 => return Err(TagError::VideoCodec("Sorenson H.263")),
            3 | 6 => return Err(TagError::VideoCodec("screen video")),
            4 | 5 => return Err(TagError::VideoCodec("VP6")),
            12 => return Err(TagError::VideoCodec("H.265 (HEVC)")),
            13 => return Err(TagError::VideoCodec("AV1")),
            _ => return Err(TagError::VideoCodec("this video codec")),
        }
        self.avc(body, BEFORE_PICTURE, 1)
    }

    fn video_with_fourcc(&mut self, body: Vec<u8>) -> Result<Option<Video>, TagError> {
        let kind = body[0] & 0x0f;
        if kind == MULTITRACK_VIDEO {
            return Err(TagError::VideoCodec("a stream with several tracks of video"));
        }
        let codec: &[u8; 4] = body.get(1..).and_then(<[u8]>::first_chunk).ok_or(TagError::Broken)?;
        match codec {
            b"avc1" => {}
            b"hvc1" | b"hev1" => return Err(TagError::VideoCodec("H.265 (HEVC)")),
            b"av01" => return Err(TagError::VideoCodec("AV1")),
            b"vp08" | b"vp09" => return Err(TagError::VideoCodec("VP8 or VP9")),
            b"vvc1" => return Err(TagError::VideoCodec("H.266 (VVC)")),
            _ => return Err(TagError::VideoCodec("this video codec")),
        }
        match kind {
            SEQUENCE_START | CODED_WITHOUT_COMPOSITION => self.avc(body, 5, 0),
            // The composition time follows the FourCC.
            CODED => self.avc(body, 8, 0),
            _ => Ok(None),
        }
    }

    /// Reads H.264. The packet type is in byte `kind_at`, the picture begins at `begins`, and the composition time, if there is one, ends there.
    fn avc(&mut self, mut body: Vec<u8>, begins: usize, kind_at: usize) -> Result<Option<Video>, TagError> {
        let kind = *body.get(kind_at).ok_or(TagError::Broken)? & 0x0f;
        if body.len() < begins {
            // An end of sequence may be told without a composition time.
            return if kind <= CODED { Err(TagError::Broken) } else { Ok(None) };
        }
        match kind {
            SEQUENCE_START => {
                self.configuration(&body[begins..]).map(|sets| Some(Video::ParameterSets(sets)))
            }
            CODED | CODED_WITHOUT_COMPOSITION => {
                let composition = if kind == CODED {
                    // 24 bits with a sign.
                    let bytes = [body[begins - 3], body[begins - 2], body[begins - 1], 0];
                    MediaDuration::from_millis(i64::from(i32::from_be_bytes(bytes) >> 8))
                } else {
                    MediaDuration::ZERO
                };
                let data = if self.length_bytes == LENGTH_BYTES {
                    if !into_annex_b(&mut body[begins..]) {
                        return Err(TagError::Broken);
                    }
                    Bytes::from(body).slice(begins..)
                } else {
                    annex_b_of(&body[begins..], self.length_bytes)?
                };
                Ok(Some(Video::Picture { data, composition }))
            }
            _ => Ok(None),
        }
    }

    /// Reads an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §5.3.3.1).
    fn configuration(&mut self, record: &[u8]) -> Result<Bytes, TagError> {
        let broken = TagError::Broken;
        let (head, mut rest) = record.split_first_chunk::<5>().ok_or(broken)?;
        let length_bytes = usize::from(head[4] & 3) + 1;
        if head[0] != 1 || length_bytes == 3 {
            return Err(broken);
        }
        let mut sets = Vec::with_capacity(record.len() + 8);
        for mask in [0x1f, 0xff] {
            let (count, after) = rest.split_first().ok_or(broken)?;
            rest = after;
            for _ in 0..count & mask {
                let (length, after) = rest.split_first_chunk().ok_or(broken)?;
                let length = u16::from_be_bytes(*length).into();
                let (set, after) = after.split_at_checked(length).ok_or(broken)?;
                sets.extend_from_slice(&START_CODE);
                sets.extend_from_slice(set);
                rest = after;
            }
        }
        self.length_bytes = length_bytes;
        Ok(sets.into())
    }

    /// Reads the body of a tag of sound; `None` if it holds no frame.
    pub fn sound(&mut self, body: Vec<u8>) -> Result<Option<Sound>, TagError> {
        let Some(&first) = body.first() else { return Ok(None) };
        let (kind, begins) = match first >> 4 {
            AAC => (*body.get(1).ok_or(TagError::Broken)?, 2),
            SOUND_WITH_FOURCC => (Self::kind_with_fourcc(&body)?, 5),
            0 | 3 => return Err(TagError::AudioCodec("PCM")),
            1 => return Err(TagError::AudioCodec("ADPCM")),
            2 | 14 => return Err(TagError::AudioCodec("MP3")),
            4..=6 => return Err(TagError::AudioCodec("Nellymoser")),
            7 | 8 => return Err(TagError::AudioCodec("G.711")),
            11 => return Err(TagError::AudioCodec("Speex")),
            13 => return Err(TagError::AudioCodec("Opus")),
            _ => return Err(TagError::AudioCodec("this codec")),
        };
        match kind {
            SEQUENCE_START => {
                let format = AudioFormat::from_audio_specific_config(&body[begins..]);
                let format = format.map_err(TagError::AudioFormat)?;
                if self.sound.as_deref() != Some(&format) {
                    self.sound = Some(Arc::new(format));
                }
                Ok(None)
            }
            CODED if body.len() > begins => {
                // Frames before their format cannot be decoded.
                let Some(format) = self.sound.clone() else { return Ok(None) };
                Ok(Some(Sound { data: Bytes::from(body).slice(begins..), format }))
            }
            _ => Ok(None),
        }
    }

    fn kind_with_fourcc(body: &[u8]) -> Result<u8, TagError> {
        let kind = body[0] & 0x0f;
        if kind == MULTITRACK_AUDIO {
            return Err(TagError::AudioCodec("several tracks"));
        }
        let codec: &[u8; 4] = body.get(1..).and_then(<[u8]>::first_chunk).ok_or(TagError::Broken)?;
        match codec {
            b"mp4a" => Ok(kind),
            b"Opus" => Err(TagError::AudioCodec("Opus")),
            b"fLaC" => Err(TagError::AudioCodec("FLAC")),
            b".mp3" => Err(TagError::AudioCodec("MP3")),
            b"ac-3" | b"ec-3" => Err(TagError::AudioCodec("AC-3")),
            _ => Err(TagError::AudioCodec("this codec")),
        }
    }
}

/// NAL units after lengths of 1 or 2 bytes, which leave no room for start codes.
fn annex_b_of(mut avcc: &[u8], length_bytes: usize) -> Result<Bytes, TagError> {
    let mut out = Vec::with_capacity(avcc.len() + 64);
    while !avcc.is_empty() {
        let (length, rest) = avcc.split_at_checked(length_bytes).ok_or(TagError::Broken)?;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (unit, rest) = rest.split_at_checked(length).ok_or(TagError::Broken)?;
        out.extend_from_slice(&START_CODE);
        out.extend_from_slice(unit);
        avcc = rest;
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(video: Result<Option<Video>, TagError>) -> (Vec<u8>, i64) {
        match video {
            Ok(Some(Video::Picture { data, composition })) => (data.to_vec(), composition.ticks() / 90),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pictures_of_every_form_become_annex_b_with_their_composition_time() {
        let mut reader = TagReader::default();
        let expected = [0, 0, 0, 1, 0x65, 7, 0, 0, 0, 1, 0x06];
        let units = [0, 0, 0, 2, 0x65, 7, 0, 0, 0, 1, 0x06];
        let read = |reader: &mut TagReader, head: &[u8]| picture(reader.video([head, &units].concat()));
        assert_eq!(read(&mut reader, &[0x17, 1, 0, 0, 80]), (expected.to_vec(), 80));
        assert_eq!(read(&mut reader, &[0x27, 1, 0xff, 0xff, 0xfe]), (expected.to_vec(), -2));
        assert_eq!(read(&mut reader, b"\x91avc1\0\0\x28"), (expected.to_vec(), 40));
        assert_eq!(read(&mut reader, b"\xa3avc1"), (expected.to_vec(), 0));
    }

    #[test]
    fn a_configuration_gives_the_parameter_sets_and_the_length_of_lengths() {
        let mut reader = TagReader::default();
        for (length_bytes, head) in [(4, &b"\x17\0\0\0\0"[..]), (2, b"\x90avc1"), (1, b"\x17\0\0\0\0")] {
            let record = [1, 100, 0, 31, 0xfc | (length_bytes - 1), 0xe1, 0, 2, 0x67, 1, 1, 0, 1, 0x68];
            let sets = reader.video([head, &record].concat());
            let expected = Bytes::from_static(&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68]);
            assert_eq!(sets, Ok(Some(Video::ParameterSets(expected))));
            let length = [0, 0, 0, 2];
            let body =
                [&[0x17, 1, 0, 0, 0][..], &length[4 - usize::from(length_bytes)..], &[0x65, 9]].concat();
            assert_eq!(picture(reader.video(body)).0, [0, 0, 0, 1, 0x65, 9]);
        }
    }

    #[test]
    fn sound_needs_its_format_first() {
        let mut reader = TagReader::default();
        assert_eq!(reader.sound(vec![0xaf, 1, 7]), Ok(None));
        assert_eq!(reader.sound(vec![0xaf, 0, 0x11, 0x90]), Ok(None));
        let format = AudioFormat::new(48_000, 2).unwrap();
        let frame = reader.sound(vec![0xaf, 1, 7]).unwrap().unwrap();
        assert_eq!((&frame.data[..], *frame.format), (&[7][..], format));
        assert_eq!(reader.sound(b"\x90mp4a\x13\x90".to_vec()), Ok(None));
        let frame = reader.sound(b"\x91mp4a\x08".to_vec()).unwrap().unwrap();
        assert_eq!((&frame.data[..], frame.format.sample_rate()), (&[8][..], 22_050));
        assert_eq!(reader.sound(vec![0xaf, 0, 0x11, 0xb0]), Ok(None), "5.1");
        assert_eq!(reader.sound_format().unwrap().channels(), 6);
        for empty in [&[][..], &[0xaf, 1], &[0xaf, 9, 1], b"\x92mp4a"] {
            assert_eq!(reader.sound(empty.to_vec()), Ok(None));
        }
    }

    #[test]
    fn other_codecs_are_named() {
        let mut reader = TagReader::default();
        for (body, name) in [
            (&b"\x90hvc1\x01"[..], "H.265 (HEVC)"),
            (b"\x1c\x00\0\0\0", "H.265 (HEVC)"),
            (b"\x90av01\x81", "AV1"),
            (b"\x91vp09\0", "VP8 or VP9"),
            (b"\x12\0", "Sorenson H.263"),
            (b"\x96\x11avc1\0", "a stream with several tracks of video"),
        ] {
            assert_eq!(reader.video(body.to_vec()), Err(TagError::VideoCodec(name)));
        }
        for (body, name) in [
            (&b"\x2f\xff\xfb"[..], "MP3"),
            (b"\xb2\x00", "Speex"),
            (b"\x90Opus", "Opus"),
            (b"\x95\0mp4a\0", "several tracks"),
            (b"\x76\0", "G.711"),
        ] {
            assert_eq!(reader.sound(body.to_vec()), Err(TagError::AudioCodec(name)));
        }
        let words = reader.sound(vec![0xaf, 0, 0x2b, 0x92]).unwrap_err().to_string();
        assert_eq!(
            words,
            "this kind of AAC is not supported (audio object type 5 is not AAC-LC (2)): send AAC-LC"
        );
    }

    #[test]
    fn what_is_broken_is_no_other_codec_and_what_is_empty_is_nothing() {
        let mut reader = TagReader::default();
        for broken in [
            &[0x17][..],
            &[0x17, 1, 0, 0],
            &[0x17, 1, 0, 0, 0, 0, 0, 0, 9, 1],
            &[0x17, 0, 0, 0, 0, 1, 2],
            b"\x91avc1",
            b"\x91av",
        ] {
            let error = reader.video(broken.to_vec()).unwrap_err();
            assert!(!error.is_unsupported(), "{broken:?}");
        }
        for nothing in [&[][..], &[0x57, 0], &[0x17, 2], &[0x17, 2, 0, 0, 0], b"\x92avc1", b"\x94avc1"] {
            assert_eq!(reader.video(nothing.to_vec()), Ok(None), "{nothing:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(tags in prop::collection::vec((any::<bool>(), prop::collection::vec(prop_oneof![0u8..32, any::<u8>()], 0..60)), 0..8)) {
            let mut reader = TagReader::default();
            for (is_video, body) in tags {
                if is_video {
                    let _ = reader.video(body);
                } else {
                    let _ = reader.sound(body);
                }
            }
        }
    }
}
