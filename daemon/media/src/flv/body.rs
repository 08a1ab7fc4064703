//! What the tags hold: H.264 and AAC with their decoders' configurations, and `onMetaData`.

use super::amf0::{self, Value};
use crate::access_unit::{AccessUnit, VideoFormat};
use crate::audio_format::AudioFormat;
use crate::h264::avcc::length_prefixed;

/// `CodecID` 7 (§E.4.3.1).
const AVC: u8 = 7;
/// `FrameType` of a picture from which decoding can start, and of every other.
const KEY_FRAME: u8 = 1 << 4;
const INTER_FRAME: u8 = 2 << 4;
/// `SoundFormat` 10, and what §E.4.2.1 asks of every AAC tag, whatever its rate and channels: 44 kHz, 16 bits, stereo.
const AAC: u8 = 0xaf;
/// `AVCPacketType`, `AACPacketType`: the decoder's configuration, or coded media.
const SEQUENCE_HEADER: u8 = 0;
const CODED: u8 = 1;
/// `VideoCodecID` and `AudioCodecID` in `onMetaData` (§E.5).
const AVC_ID: f64 = 7.0;
const AAC_ID: f64 = 10.0;

/// Goes before the first picture, and before one whose parameter sets are others.
pub fn avc_sequence_header(format: &VideoFormat) -> Vec<u8> {
    [&[KEY_FRAME | AVC, SEQUENCE_HEADER, 0, 0, 0][..], &format.decoder_configuration()].concat()
}

/// A picture; `composition` in milliseconds, as [`super::Line::stamp`] gives it.
pub fn avc_picture(unit: &AccessUnit, composition: i32) -> Vec<u8> {
    // Start codes of 3 bytes become lengths of 4: a picture has few NAL units as a rule.
    let mut out = Vec::with_capacity(unit.data.len() + 32);
    out.extend_from_slice(&[if unit.is_entry() { KEY_FRAME } else { INTER_FRAME } | AVC, CODED]);
    out.extend_from_slice(&composition.to_be_bytes()[1..]);
    for (length, nal_unit) in length_prefixed(&unit.data) {
        out.extend_from_slice(&length);
        out.extend_from_slice(nal_unit);
    }
    out
}

/// Goes before the first frame of sound, and before one of another format.
pub fn aac_sequence_header(format: &AudioFormat) -> Vec<u8> {
    [&[AAC, SEQUENCE_HEADER][..], &format.audio_specific_config()].concat()
}

/// A frame of sound, without ADTS header.
pub fn raw_aac_frame(frame: &[u8]) -> Vec<u8> {
    [&[AAC, CODED][..], frame].concat()
}

/// What `onMetaData` says of a stream (§E.5).
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    /// Of the pictures.
    pub video: &'a VideoFormat,
    /// Frames per second; 0 where nobody knows.
    pub frames_per_second: f64,
    /// Kilobits (1000 bits) per second of the pictures; 0 where nobody knows.
    pub video_kbps: u32,
    /// Of the sound.
    pub audio: AudioFormat,
}

impl Metadata<'_> {
    /// The body of the data tag. RTMP's publishers put `@setDataFrame` before it.
    pub fn body(&self) -> Vec<u8> {
        let number = |name: &str, value: f64| (name.to_owned(), Value::Number(value));
        let mut facts = vec![
            number("width", f64::from(self.video.width)),
            number("height", f64::from(self.video.height)),
            number("videocodecid", AVC_ID),
        ];
        // What nobody knows is left out: some services show a 0.
        if self.frames_per_second > 0.0 {
            facts.push(number("framerate", self.frames_per_second));
        }
        if self.video_kbps > 0 {
            facts.push(number("videodatarate", f64::from(self.video_kbps)));
        }
        facts.extend([
            number("audiocodecid", AAC_ID),
            number("audiosamplerate", f64::from(self.audio.sample_rate())),
            number("audiosamplesize", 16.0),
            number("audiochannels", f64::from(self.audio.channels())),
            ("stereo".to_owned(), Value::Boolean(self.audio.channels() > 1)),
            ("encoder".to_owned(), Value::from("Perch")),
        ]);
        amf0::write(&[Value::from("onMetaData"), Value::EcmaArray(facts)])
    }
}
