//! Makes fragmented MP4 (ISO/IEC 14496-12, 14496-15) of pieces: a part's header, and each fragment as a head and the coded bytes, which are not
//! copied.

use super::packer::Piece;
use bytes::Bytes;
use perch_media::access_unit::{AccessUnit, VideoFormat};
use perch_media::h264::annex_b::nal_units;
use perch_media::h264::sps::Chroma;
use perch_media::recording::{Break, Fragment, Mark, Run, SampleEntry, VIDEO_TIMESCALE};
use std::io::IoSlice;

/// The type of the box that a fragment begins with: its mark. Players skip what they do not know.
pub(super) const MARK: [u8; 16] = *b"perch fragment 1";
const VIDEO_TRACK: u32 = 1;
/// `sample_flags` (§8.8.3.1): depends on no other sample …
pub(super) const KEY: u32 = 0x0200_0000;
/// … or does, and is no sync sample.
const NOT_KEY: u32 = 0x0101_0000;

/// Makes the fragments of one part.
#[derive(Debug)]
pub(super) struct Fragmenter {
    /// Decoding time of the next sample, in the part.
    decode_time: u64,
    /// Fragments so far.
    sequence: u32,
}

/// A fragment, ready to be written.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) fragment: Fragment,
    head: Vec<u8>,
    /// NAL units, with their lengths before them.
    nal_units: Vec<([u8; 4], Bytes)>,
}

impl Made {
    /// Its bytes in their order.
    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = vec![IoSlice::new(&self.head)];
        for (length, bytes) in &self.nal_units {
            slices.extend([IoSlice::new(length), IoSlice::new(bytes)]);
        }
        slices
    }
}

impl Fragmenter {
    /// Goes on after so many ticks and fragments of the part.
    pub(super) const fn new(decode_time: u64, sequence: u32) -> Self {
        Self { decode_time, sequence }
    }

    /// The part's length so far, in ticks of the video's timescale.
    pub(super) const fn ticks(&self) -> u64 {
        self.decode_time
    }

    /// `ftyp` and `moov` of a part with this format.
    pub(super) fn init(format: &VideoFormat) -> Bytes {
        let mut out = Vec::with_capacity(1024);
        put(&mut out, b"ftyp", |out| {
            out.extend_from_slice(b"iso6\0\0\0\0iso6cmfcmp41");
        });
        put(&mut out, b"moov", |out| {
            full(out, b"mvhd", 0, 0, |out| {
                words(out, &[0, 0, VIDEO_TIMESCALE, 0, 0x0001_0000]);
                out.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                words(out, &MATRIX);
                words(out, &[0, 0, 0, 0, 0, 0, VIDEO_TRACK + 1]);
            });
            put(out, b"trak", |out| track(out, format));
            put(out, b"mvex", |out| {
                full(out, b"trex", 0, 0, |out| words(out, &[VIDEO_TRACK, 1, 0, 0, 0]));
            });
        });
        out.into()
    }

    /// Makes the fragment that begins at byte `at` of the part.
    pub(super) fn make(&mut self, piece: &Piece, mark: Mark, at: u64) -> Made {
        let mut made_units = Vec::new();
        let samples: Vec<SampleEntry> = piece
            .pictures
            .iter()
            .enumerate()
            .map(|(number, unit)| {
                let next = piece.pictures.get(number + 1).map_or(piece.end, |next| next.times.dts);
                let ticks = (next - unit.times.dts).ticks().max(1);
                sample(unit, u32::try_from(ticks).unwrap_or(u32::MAX), &mut made_units)
            })
            .collect();
        let mut video = Run { decode_time: self.decode_time, data_at: 0, samples };
        self.sequence += 1;
        let mut head = Vec::with_capacity(160 + video.samples.len() * 16);
        put(&mut head, b"uuid", |out| {
            out.extend_from_slice(&MARK);
            let flags = [
                mark.begins_segment,
                mark.is_independent,
                mark.before == Break::Seam,
                mark.before == Break::Gap,
            ];
            out.push(flags.iter().enumerate().map(|(bit, flag)| u8::from(*flag) << bit).sum());
            out.extend_from_slice(&mark.stream_offset_ms.to_be_bytes());
            out.extend_from_slice(&mark.wall_ms.to_be_bytes());
        });
        let moof_at = head.len();
        let mut data_offset_at = 0;
        put(&mut head, b"moof", |out| {
            full(out, b"mfhd", 0, 0, |out| words(out, &[self.sequence]));
            put(out, b"traf", |out| {
                full(out, b"tfhd", 0, 0x02_0000, |out| words(out, &[VIDEO_TRACK]));
                full(out, b"tfdt", 1, 0, |out| out.extend_from_slice(&video.decode_time.to_be_bytes()));
                full(out, b"trun", 1, 0xf01, |out| {
                    words(out, &[video.samples.len() as u32]);
                    data_offset_at = out.len();
                    words(out, &[0]);
                    for sample in &video.samples {
                        let flags = if sample.is_key { KEY } else { NOT_KEY };
                        words(out, &[sample.duration, sample.bytes, flags]);
                        out.extend_from_slice(&sample.composition_offset.to_be_bytes());
                    }
                });
            });
        });
        let data_bytes = video.bytes();
        video.data_at = head.len() as u32 + 8;
        let data_offset = video.data_at - moof_at as u32;
        head[data_offset_at..data_offset_at + 4].copy_from_slice(&data_offset.to_be_bytes());
        words(&mut head, &[data_bytes as u32 + 8]);
        head.extend_from_slice(b"mdat");
        let bytes = head.len() as u32 + data_bytes as u32;
        self.decode_time += video.duration();
        let fragment = Fragment { at, bytes, mark, video, audio: None };
        Made { fragment, head, nal_units: made_units }
    }
}

fn sample(unit: &AccessUnit, duration: u32, made: &mut Vec<([u8; 4], Bytes)>) -> SampleEntry {
    let mut bytes = 0;
    for nal_unit in nal_units(&unit.data) {
        let length = nal_unit.bytes.len() as u32;
        made.push((length.to_be_bytes(), unit.data.slice_ref(nal_unit.bytes)));
        bytes += 4 + length;
    }
    let offset = (unit.times.pts - unit.times.dts).ticks();
    SampleEntry {
        bytes,
        duration,
        composition_offset: i32::try_from(offset).unwrap_or_default(),
        is_key: unit.is_entry(),
    }
}

/// No rotation (§8.2.2.2).
const MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

fn track(out: &mut Vec<u8>, format: &VideoFormat) {
    full(out, b"tkhd", 0, 3, |out| {
        words(out, &[0, 0, VIDEO_TRACK, 0, 0, 0, 0, 0, 0]);
        words(out, &MATRIX);
        words(out, &[format.width << 16, format.height << 16]);
    });
    put(out, b"mdia", |out| {
        // Language: undetermined.
        full(out, b"mdhd", 0, 0, |out| words(out, &[0, 0, VIDEO_TIMESCALE, 0, 0x55c4_0000]));
        full(out, b"hdlr", 0, 0, |out| out.extend_from_slice(b"\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0Video\0"));
        put(out, b"minf", |out| {
            full(out, b"vmhd", 0, 1, |out| words(out, &[0, 0]));
            put(out, b"dinf", |out| {
                full(out, b"dref", 0, 0, |out| {
                    words(out, &[1]);
                    full(out, b"url ", 0, 1, |_| ());
                });
            });
            put(out, b"stbl", |out| {
                full(out, b"stsd", 0, 0, |out| {
                    words(out, &[1]);
                    put(out, b"avc1", |out| sample_entry(out, format));
                });
                full(out, b"stts", 0, 0, |out| words(out, &[0]));
                full(out, b"stsc", 0, 0, |out| words(out, &[0]));
                full(out, b"stsz", 0, 0, |out| words(out, &[0, 0]));
                full(out, b"stco", 0, 0, |out| words(out, &[0]));
            });
        });
    });
}

/// `AVCSampleEntry` (14496-15 §5.4.2.1).
fn sample_entry(out: &mut Vec<u8>, format: &VideoFormat) {
    words(out, &[0, 1, 0, 0, 0, 0, format.width << 16 | format.height & 0xffff, 0x0048_0000, 0x0048_0000, 0]);
    out.extend_from_slice(&1_u16.to_be_bytes());
    out.extend_from_slice(&[0; 32]);
    out.extend_from_slice(&[0, 0x18, 0xff, 0xff]);
    put(out, b"avcC", |out| {
        let mut parameter_set = |out: &mut Vec<u8>, bytes: &Bytes| {
            out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
            out.extend_from_slice(bytes);
        };
        out.extend_from_slice(&[1, format.profile, format.constraints, format.level, 0xff, 0xe1]);
        parameter_set(out, &format.sps);
        out.push(1 + format.further_pps.len() as u8);
        for pps in format.parameter_sets().skip(1) {
            parameter_set(out, pps);
        }
        if matches!(format.profile, 100 | 110 | 122 | 144) {
            let chroma = match format.chroma {
                Chroma::Monochrome => 0,
                Chroma::Yuv420 => 1,
                Chroma::Yuv422 => 2,
                Chroma::Yuv444 => 3,
            };
            let depth = 0xf8 | format.bit_depth.saturating_sub(8);
            out.extend_from_slice(&[0xfc | chroma, depth, depth, 0]);
        }
    });
}

/// A box (§4.2).
fn put(out: &mut Vec<u8>, kind: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    content(out);
    let bytes = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&bytes.to_be_bytes());
}

/// A box with version and flags.
fn full(out: &mut Vec<u8>, kind: &[u8; 4], version: u32, flags: u32, content: impl FnOnce(&mut Vec<u8>)) {
    put(out, kind, |out| {
        words(out, &[version << 24 | flags]);
        content(out);
    });
}

fn words(out: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}
