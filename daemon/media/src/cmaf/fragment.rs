//! Fragments: the samples of about a second of both tracks, and the tables that describe them (ISO/IEC 14496-12 §8.8, ISO/IEC 23000-19 §7.3.2).
//!
//! Samples are copied once, into the `mdat` being gathered, so that nothing keeps the broadcast's ring. Samples
//! contain no access unit delimiters or parameter sets: the parameter sets of the part's format are in the `moov`. If
//! an encoder changes its parameter sets but not the picture's size and profile, the new ones stand in front of the
//! picture that needs them, and of each entry after it.

use super::boxes::{put, put_full, put_u32, put_u64};
use super::mark::{self, put_mark};
use super::tracks::{AUDIO_TRACK, KEY_SAMPLE, OTHER_SAMPLE, VIDEO_TRACK};
use crate::access_unit::{AccessUnit, VideoFormat};
use crate::audio_format::AudioFormat;
use crate::h264::avcc::{length_prefixed, length_prefixed_len};
use crate::recording::{Fragment, Mark, Run, SampleEntry};
use crate::sample::AudioFrame;
use crate::time::{MediaDuration, MediaTime};
use std::sync::Arc;

/// Sound and pictures may be this far apart before the sound's time is corrected: two frames at 48 kHz, which nobody
/// hears.
const MOST_DRIFT: MediaDuration = MediaDuration::from_millis(40);

/// Gathers the samples of one part, and makes fragments of them.
#[derive(Debug)]
pub struct FragmentBuilder {
    format: Arc<VideoFormat>,
    /// Parameter sets of the previous picture.
    in_force: Arc<VideoFormat>,
    sequence: u32,
    video: Track,
    audio: Option<(AudioFormat, Track)>,
    /// Added to a media time to get the part's time: pictures follow each other without a hole.
    shift: Option<MediaDuration>,
    /// Parameter sets stand in front of every entry.
    repeats_sets: bool,
}

/// The gathered samples of a track.
#[derive(Debug, Default)]
struct Track {
    /// Decoding time of the next sample, in the track's timescale.
    next_time: u64,
    /// Decoding time of the first gathered sample.
    decode_time: u64,
    samples: Vec<SampleEntry>,
    data: Vec<u8>,
}

impl Track {
    fn from(next_time: u64) -> Self {
        Self { next_time, ..Self::default() }
    }

    fn push(&mut self, sample: SampleEntry) {
        if self.samples.is_empty() {
            self.decode_time = self.next_time;
        }
        self.next_time += u64::from(sample.duration);
        self.samples.push(sample);
    }
}

impl FragmentBuilder {
    /// A builder for a part whose head is [`super::init_segment`] of these formats.
    pub fn new(video: Arc<VideoFormat>, audio: Option<AudioFormat>) -> Self {
        Self::going_on(video, audio, 0, 0, 0)
    }

    /// A builder for a part that has fragments already: their number, and where their tracks end, in each track's
    /// timescale.
    pub fn going_on(
        video: Arc<VideoFormat>,
        audio: Option<AudioFormat>,
        fragments: u32,
        video_end: u64,
        audio_end: u64,
    ) -> Self {
        Self {
            in_force: Arc::clone(&video),
            format: video,
            sequence: fragments,
            video: Track::from(video_end),
            audio: audio.map(|format| (format, Track::from(audio_end))),
            shift: None,
            repeats_sets: false,
        }
    }

    /// From now on the parameter sets stand in front of every entry, although the part's `moov` has them: ffmpeg's HLS demuxer reads only the first
    /// `moov` of a playlist, and so can decode a recording's further parts.
    #[must_use]
    pub fn repeating_sets(self) -> Self {
        Self { repeats_sets: true, ..self }
    }

    /// True if the part's `moov` describes pictures of this format, so that they can continue it.
    pub fn takes(&self, format: &VideoFormat) -> bool {
        format.continues(&self.format)
    }

    /// True if the part's `moov` describes sound of this format, or none, so that it can continue the part.
    pub fn takes_sound(&self, format: Option<AudioFormat>) -> bool {
        self.audio.as_ref().map(|(ours, _)| *ours) == format
    }

    /// Appends a picture that lasts until the next one. At a seam the time continues without a hole.
    pub fn push_video(&mut self, unit: &AccessUnit, duration: MediaDuration) {
        let begins = MediaTime::from_ticks(self.video.next_time.cast_signed());
        self.shift = Some(begins - unit.times.dts);
        let before = self.video.data.len();
        let is_changed = !same_sets(&unit.format, &self.in_force);
        let is_repeated = self.repeats_sets || !same_sets(&unit.format, &self.format);
        if is_changed || (unit.is_entry() && is_repeated) {
            for set in unit.format.parameter_sets() {
                put_u32(&mut self.video.data, set.len() as u32);
                self.video.data.extend_from_slice(set);
            }
            self.in_force = Arc::clone(&unit.format);
        }
        self.video.data.reserve(length_prefixed_len(&unit.data));
        for (length, nal_unit) in length_prefixed(&unit.data) {
            self.video.data.extend_from_slice(&length);
            self.video.data.extend_from_slice(nal_unit);
        }
        self.video.push(SampleEntry {
            bytes: (self.video.data.len() - before) as u32,
            duration: u32::try_from(duration.ticks().max(1)).unwrap_or(u32::MAX),
            composition_offset: i32::try_from((unit.times.pts - unit.times.dts).ticks()).unwrap_or(0),
            is_key: unit.is_entry(),
        });
    }

    /// Appends a frame of sound, in step with the pictures. A frame that would begin before the end of the previous
    /// one, or before the first picture, is left out.
    pub fn push_audio(&mut self, frame: &AudioFrame) {
        let (Some((format, track)), Some(shift)) = (&mut self.audio, self.shift) else { return };
        let rate = i64::from(format.sample_rate());
        let time = frame.times.pts + shift;
        let begins = (time.ticks() * rate + MediaTime::HZ / 2) / MediaTime::HZ;
        let drift = begins - track.next_time.cast_signed();
        if drift.abs() * MediaTime::HZ > MOST_DRIFT.ticks() * rate {
            if drift < 0 {
                return;
            }
            let hole = u32::try_from(drift).unwrap_or(u32::MAX);
            if let Some(last) = track.samples.last_mut() {
                last.duration = last.duration.saturating_add(hole);
            }
            track.next_time += u64::from(hole);
        }
        track.data.extend_from_slice(&frame.data);
        track.push(SampleEntry {
            bytes: frame.data.len() as u32,
            duration: AudioFormat::SAMPLES_PER_FRAME,
            composition_offset: 0,
            is_key: true,
        });
    }

    /// Bytes of the gathered samples.
    pub fn bytes(&self) -> usize {
        self.video.data.len() + self.audio.as_ref().map_or(0, |(_, track)| track.data.len())
    }

    /// True if no picture has been gathered.
    pub fn is_empty(&self) -> bool {
        self.video.samples.is_empty()
    }

    /// End of the gathered pictures in the part, in ticks of 1/90000 s.
    pub const fn video_end(&self) -> u64 {
        self.video.next_time
    }

    /// Appends the gathered samples to `out` as a fragment that begins at byte `at` of the file. `None`: there is no
    /// picture.
    pub fn finish(&mut self, mark: Mark, at: u64, out: &mut Vec<u8>) -> Option<Fragment> {
        if self.is_empty() {
            return None;
        }
        self.sequence += 1;
        let audio = self.audio.as_ref().map(|(_, track)| track).filter(|track| !track.samples.is_empty());
        let audio_data = audio.map_or(&[][..], |track| &track.data);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.video.data);
        crc.update(audio_data);

        let begins = out.len();
        put_mark(out, &mark, crc.finalize());
        // The tables contain the positions of the samples, so they are made twice: the first time to learn their
        // length.
        let tables = |video_at: u32, out: &mut Vec<u8>| {
            put(out, *b"moof", |out| {
                put_full(out, *b"mfhd", 0, 0, |out| put_u32(out, self.sequence));
                put_track(out, VIDEO_TRACK, &self.video, video_at);
                if let Some(audio) = audio {
                    put_track(out, AUDIO_TRACK, audio, video_at + self.video.data.len() as u32);
                }
            });
        };
        let before = out.len();
        tables(0, out);
        let length = out.len() - before;
        out.truncate(before);
        tables((length + 8) as u32, out);
        put_u32(out, (8 + self.video.data.len() + audio_data.len()) as u32);
        out.extend_from_slice(b"mdat");
        let video_at = (out.len() - begins) as u32;
        out.extend_from_slice(&self.video.data);
        out.extend_from_slice(audio_data);

        let audio_at = video_at + self.video.data.len() as u32;
        let bytes = (out.len() - begins) as u32;
        let video = self.video.take_run(video_at);
        let audio = self.audio.as_mut().map(|(_, track)| track.take_run(audio_at));
        let audio = audio.filter(|run| !run.samples.is_empty());
        Some(Fragment { at, bytes, mark, video, audio })
    }
}

impl Track {
    /// Takes the gathered samples, whose data begin at `data_at` of the fragment. The allocation for data is freed: a recorder needs
    /// it for a moment each second.
    fn take_run(&mut self, data_at: u32) -> Run {
        self.data = Vec::new();
        Run { decode_time: self.decode_time, data_at, samples: std::mem::take(&mut self.samples) }
    }
}

fn same_sets(one: &Arc<VideoFormat>, other: &Arc<VideoFormat>) -> bool {
    Arc::ptr_eq(one, other) || one.parameter_sets().eq(other.parameter_sets())
}

// tfhd (§8.8.7) …
const DEFAULT_DURATION: u32 = 0x08;
const BASE_IS_MOOF: u32 = 0x02_0000;
// … and trun (§8.8.8).
const DATA_OFFSET: u32 = 0x01;
const FIRST_SAMPLE_FLAGS: u32 = 0x04;
const DURATIONS: u32 = 0x0100;
const SIZES: u32 = 0x0200;
const FLAGS: u32 = 0x0400;
const COMPOSITION_OFFSETS: u32 = 0x0800;

fn put_track(out: &mut Vec<u8>, id: u32, track: &Track, data_at: u32) {
    let samples = &track.samples;
    let one_duration =
        samples.iter().all(|sample| sample.duration == samples[0].duration).then_some(samples[0].duration);
    // `trex` describes most samples: pictures that depend on others, frames of sound that do not.
    let is_usual = |sample: &SampleEntry| sample.is_key == (id == AUDIO_TRACK);
    let is_first_alone = !is_usual(&samples[0]) && samples[1..].iter().all(is_usual);
    let mut present = DATA_OFFSET | SIZES;
    if one_duration.is_none() {
        present |= DURATIONS;
    }
    if is_first_alone {
        present |= FIRST_SAMPLE_FLAGS;
    } else if !samples.iter().all(is_usual) {
        present |= FLAGS;
    }
    if samples.iter().any(|sample| sample.composition_offset != 0) {
        present |= COMPOSITION_OFFSETS;
    }
    let flags_of = |sample: &SampleEntry| if sample.is_key { KEY_SAMPLE } else { OTHER_SAMPLE };
    put(out, *b"traf", |out| {
        let defaults = if one_duration.is_some() { DEFAULT_DURATION } else { 0 };
        put_full(out, *b"tfhd", 0, BASE_IS_MOOF | defaults, |out| {
            put_u32(out, id);
            if let Some(duration) = one_duration {
                put_u32(out, duration);
            }
        });
        put_full(out, *b"tfdt", 1, 0, |out| put_u64(out, track.decode_time));
        // Version 1 has signed composition offsets.
        put_full(out, *b"trun", 1, present, |out| {
            put_u32(out, samples.len() as u32);
            put_u32(out, data_at);
            if present & FIRST_SAMPLE_FLAGS != 0 {
                put_u32(out, flags_of(&samples[0]));
            }
            for sample in samples {
                if present & DURATIONS != 0 {
                    put_u32(out, sample.duration);
                }
                put_u32(out, sample.bytes);
                if present & FLAGS != 0 {
                    put_u32(out, flags_of(sample));
                }
                if present & COMPOSITION_OFFSETS != 0 {
                    put_u32(out, sample.composition_offset.cast_unsigned());
                }
            }
        });
    });
}

/// Offset of a fragment's `moof` from the fragment's first byte.
pub(super) const TABLES_AT: usize = mark::BYTES;

/// Reads a `traf`: the track's id and its run. `data_at` counts from the `moof`'s first byte.
pub(super) fn read_track(fields: super::boxes::Fields<'_>) -> Option<(u32, Run)> {
    let mut header = fields.find(*b"tfhd")?;
    let header_flags = header.u32()?;
    let id = header.u32()?;
    // Accepts only the flags that the code above writes.
    if header_flags & !(BASE_IS_MOOF | DEFAULT_DURATION) != 0 {
        return None;
    }
    let one_duration = if header_flags & DEFAULT_DURATION != 0 { Some(header.u32()?) } else { None };
    let mut time = fields.find(*b"tfdt")?;
    if time.u32()? >> 24 != 1 {
        return None;
    }
    let decode_time = time.u64()?;
    let mut run = fields.find(*b"trun")?;
    let present = run.u32()? & 0x00ff_ffff;
    let count = run.u32()? as usize;
    let data_at = if present & DATA_OFFSET != 0 { run.u32()? } else { return None };
    let mut first_flags = if present & FIRST_SAMPLE_FLAGS != 0 { Some(run.u32()?) } else { None };
    // A sample takes at least four bytes.
    let mut samples = Vec::with_capacity(count.min(run.0.len() / 4));
    for _ in 0..count {
        let duration = if present & DURATIONS != 0 { run.u32()? } else { one_duration? };
        let bytes = if present & SIZES != 0 { run.u32()? } else { return None };
        let own = if present & FLAGS != 0 { Some(run.u32()?) } else { None };
        let composition_offset =
            if present & COMPOSITION_OFFSETS != 0 { run.u32()?.cast_signed() } else { 0 };
        let is_key = own.or(first_flags.take()).map_or(id == AUDIO_TRACK, |flags| flags & 0x0001_0000 == 0);
        samples.push(SampleEntry { bytes, duration, composition_offset, is_key });
    }
    Some((id, Run { decode_time, data_at, samples }))
}
