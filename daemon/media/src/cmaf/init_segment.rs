//! The header of a part: `ftyp`, and a `moov` that describes the tracks and contains no sample (ISO/IEC 23000-19 §7.3.1).

use super::boxes::{put, put_full, put_u16, put_u32};
use super::tracks::{AUDIO_TRACK, KEY_SAMPLE, OTHER_SAMPLE, VIDEO_TRACK};
use crate::access_unit::VideoFormat;
use crate::audio_format::AudioFormat;
use crate::recording::VIDEO_TIMESCALE;

/// The transformation of a picture that is shown unchanged (ISO/IEC 14496-12 §8.2.2.2).
const UNITY_MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];
/// Timescale of the movie's own header; the tracks have theirs.
const MOVIE_TIMESCALE: u32 = 1000;
/// "und": the language is unknown (ISO/IEC 14496-12 §8.4.2.3).
const UNDETERMINED: u16 = 0x55c4;

/// The header of a file with these tracks.
pub fn init_segment(video: &VideoFormat, audio: Option<AudioFormat>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    put(&mut out, *b"ftyp", |out| {
        out.extend_from_slice(b"iso6\0\0\0\0iso6cmfcavc1mp41");
    });
    put(&mut out, *b"moov", |out| {
        put_full(out, *b"mvhd", 0, 0, |out| {
            // Creation and modification time are 0, since the clock may not be set. The fragments determine the
            // duration.
            put_u32s(out, &[0, 0, MOVIE_TIMESCALE, 0, 0x0001_0000]);
            put_u16(out, 0x0100);
            out.extend_from_slice(&[0; 10]);
            put_u32s(out, &UNITY_MATRIX);
            out.extend_from_slice(&[0; 24]);
            put_u32(out, AUDIO_TRACK + 1);
        });
        put(out, *b"trak", |out| {
            put_track_header(out, VIDEO_TRACK, 0, (video.width, video.height));
            put_media(out, VIDEO_TIMESCALE, *b"vide", |out| put_avc1(out, video));
        });
        if let Some(audio) = audio {
            put(out, *b"trak", |out| {
                put_track_header(out, AUDIO_TRACK, 0x0100, (0, 0));
                put_media(out, audio.sample_rate(), *b"soun", |out| put_mp4a(out, audio));
            });
        }
        put(out, *b"mvex", |out| {
            put_extends(out, VIDEO_TRACK, OTHER_SAMPLE);
            if audio.is_some() {
                put_extends(out, AUDIO_TRACK, KEY_SAMPLE);
            }
        });
    });
    out
}

fn put_u32s(out: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        put_u32(out, *number);
    }
}

fn put_track_header(out: &mut Vec<u8>, track: u32, volume: u16, (width, height): (u32, u32)) {
    // Flags: enabled, in the movie, in the preview.
    put_full(out, *b"tkhd", 0, 7, |out| {
        put_u32s(out, &[0, 0, track, 0, 0, 0, 0]);
        put_u32(out, 0); // layer, alternate group
        put_u16(out, volume);
        put_u16(out, 0);
        put_u32s(out, &UNITY_MATRIX);
        put_u32(out, width << 16);
        put_u32(out, height << 16);
    });
}

fn put_media(out: &mut Vec<u8>, timescale: u32, handler: [u8; 4], put_entry: impl FnOnce(&mut Vec<u8>)) {
    put(out, *b"mdia", |out| {
        put_full(out, *b"mdhd", 0, 0, |out| {
            put_u32s(out, &[0, 0, timescale, 0]);
            put_u16(out, UNDETERMINED);
            put_u16(out, 0);
        });
        put_full(out, *b"hdlr", 0, 0, |out| {
            put_u32(out, 0);
            out.extend_from_slice(&handler);
            out.extend_from_slice(&[0; 12]);
            out.extend_from_slice(b"Perch\0");
        });
        put(out, *b"minf", |out| {
            match &handler {
                b"vide" => put_full(out, *b"vmhd", 0, 1, |out| out.extend_from_slice(&[0; 8])),
                _ => put_full(out, *b"smhd", 0, 0, |out| put_u32(out, 0)),
            }
            put(out, *b"dinf", |out| {
                put_full(out, *b"dref", 0, 0, |out| {
                    put_u32(out, 1);
                    put_full(out, *b"url ", 0, 1, |_| ()); // flag: the samples are in this file
                });
            });
            put(out, *b"stbl", |out| {
                put_full(out, *b"stsd", 0, 0, |out| {
                    put_u32(out, 1);
                    put_entry(out);
                });
                for kind in [*b"stts", *b"stsc", *b"stco"] {
                    put_full(out, kind, 0, 0, |out| put_u32(out, 0));
                }
                put_full(out, *b"stsz", 0, 0, |out| {
                    put_u32(out, 0);
                    put_u32(out, 0);
                });
            });
        });
    });
}

fn put_extends(out: &mut Vec<u8>, track: u32, flags: u32) {
    put_full(out, *b"trex", 0, 0, |out| {
        put_u32s(out, &[track, 1, 0, 0, flags]);
    });
}

/// `avc1` with its decoder's configuration (ISO/IEC 14496-15 §5.4.2.1, §5.3.3.1).
pub(crate) fn put_avc1(out: &mut Vec<u8>, format: &VideoFormat) {
    put(out, *b"avc1", |out| {
        out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        out.extend_from_slice(&[0; 16]);
        put_u16(out, format.width as u16);
        put_u16(out, format.height as u16);
        put_u32(out, 0x0048_0000); // 72 dots per inch, as the format requires
        put_u32(out, 0x0048_0000);
        put_u32(out, 0);
        put_u16(out, 1);
        out.extend_from_slice(&[0; 32]);
        put_u16(out, 0x0018);
        put_u16(out, 0xffff);
        put(out, *b"avcC", |out| {
            out.extend_from_slice(&format.decoder_configuration());
        });
    });
}

/// `mp4a` with its decoder's configuration (ISO/IEC 14496-14 §5.6, ISO/IEC 14496-1 §7.2.6).
pub(crate) fn put_mp4a(out: &mut Vec<u8>, format: AudioFormat) {
    put(out, *b"mp4a", |out| {
        out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        out.extend_from_slice(&[0; 8]);
        put_u16(out, format.channels().into());
        put_u16(out, 16);
        put_u32(out, 0);
        // 16.16: rates above 65,535 Hz do not fit, and readers take the rate of the configuration below.
        put_u32(out, u32::from(u16::try_from(format.sample_rate()).unwrap_or(0)) << 16);
        put_full(out, *b"esds", 0, 0, |out| {
            put_descriptor(out, 3, |out| {
                out.extend_from_slice(&[0, 0, 0]);
                put_descriptor(out, 4, |out| {
                    // Audio (ISO/IEC 14496-3); an audio stream; buffer size and bit rates are 0, unknown.
                    out.extend_from_slice(&[0x40, 0x15]);
                    out.extend_from_slice(&[0; 11]);
                    put_descriptor(out, 5, |out| out.extend_from_slice(&format.audio_specific_config()));
                });
                put_descriptor(out, 6, |out| out.push(2));
            });
        });
    });
}

/// Appends a descriptor with less than 128 bytes of content.
fn put_descriptor(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0]);
    let at = out.len();
    fill(out);
    out[at - 1] = (out.len() - at) as u8;
}
