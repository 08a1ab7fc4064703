//! Plans a file: its fragments, the places of their bytes, and the number of rows in each table of its head.

use super::placed::{Place, Placed, Walk};
use super::runs::Runs;
use crate::cmaf::Description;
use crate::recording::index::IndexError;
use crate::recording::{Fragment, Run, SampleEntry, VIDEO_TIMESCALE};
use std::io;

/// A source of a recording's fragments, of all parts in order, that can be read repeatedly.
pub trait Fragments {
    /// The fragments, each with the number of its part, from 0.
    type Iter: Iterator<Item = Result<(usize, Fragment), IndexError>>;

    /// Reads from the first fragment on.
    fn read(&self) -> Result<Self::Iter, IndexError>;
}

impl<F: Fragments> Fragments for &F {
    type Iter = F::Iter;

    fn read(&self) -> Result<Self::Iter, IndexError> {
        (*self).read()
    }
}

/// The requested time of a recording, in ticks of 1/90000 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The first moment that is shown.
    pub from: u64,
    /// The last moment that is shown.
    pub to: u64,
}

/// A byte range of a part's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRange {
    /// Number of the part, from 0.
    pub part: usize,
    /// The first byte.
    pub from: u64,
    /// The byte after the last one.
    pub to: u64,
}

/// Why a file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProgressiveError {
    /// An index cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The head cannot be written.
    #[error("it cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The requested time contains no picture.
    #[error("nothing was recorded at that time")]
    Nothing,
}

/// The plan of a file.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) parts: Vec<Description>,
    /// Fragments of the recording before the first one of the file, and up to its end.
    first: usize,
    pub(super) fragments: usize,
    /// The requested time, if it is a clip.
    end: Option<End>,
    /// A check sum over the places of the fragments and the times of their recording: it distinguishes files of equal length.
    pub(super) check_sum: u32,
    /// Beginning of the first fragment, in the recording's time.
    pub(super) begins: u64,
    pub(super) video: TrackPlan,
    pub(super) audio: Option<TrackPlan>,
    /// The range that players show, in ticks from the first picture's decoding time.
    pub(super) shown: std::ops::Range<u64>,
    pub(super) media: Vec<MediaRange>,
}

/// Counts of a track, needed before its tables are written.
#[derive(Debug, Default)]
pub(super) struct TrackPlan {
    /// Ticks per second.
    pub(super) timescale: u32,
    pub(super) samples: u32,
    pub(super) chunks: u32,
    pub(super) keys: u32,
    pub(super) time_rows: u32,
    /// 0 if every picture is shown at its decoding time.
    pub(super) composition_rows: u32,
    pub(super) chunk_rows: u32,
    /// Beginning of the first sample and end of the last one, from the file's beginning, in the track's timescale.
    pub(super) begins: i64,
    pub(super) ends: i64,
}

/// The samples of one fragment and track.
pub(super) struct Chunk<'a> {
    /// Number of the part, from 0.
    pub(super) part: usize,
    /// Offset of its first byte in the file's `mdat`.
    pub(super) at: u64,
    /// Beginning of its first sample, from the file's beginning, in the track's timescale.
    pub(super) begins: i64,
    pub(super) samples: &'a [SampleEntry],
    /// The samples' durations are in this timescale, …
    rate: u32,
    /// … the track in this one.
    timescale: u32,
}

impl Chunk<'_> {
    /// Beginning and duration of each sample, in the track's timescale.
    pub(super) fn times(&self) -> impl Iterator<Item = (i64, i64)> {
        let scaled = |time| scaled(time, self.rate, self.timescale);
        self.samples.iter().scan(0_i64, move |before, sample| {
            let begins = *before;
            *before += i64::from(sample.duration);
            Some((self.begins + scaled(begins), scaled(*before) - scaled(begins)))
        })
    }
}

/// A track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Video,
    Audio,
}

/// The end of a clip, in ticks of the recording's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Fragments that begin later are left out of the file.
    decoded: u64,
    /// Pictures that are shown later are in the file's bytes but not in its tables, because Chromium would play them despite the edit list.
    shown: u64,
}

impl End {
    fn new(clip: Clip, first_composition: u64) -> Self {
        // Far beyond any recording, and far below the overflow of signed times.
        let to = clip.to.min(u64::MAX >> 4);
        Self { decoded: to, shown: to + first_composition }
    }

    /// Number of a fragment's pictures in the tables: up to the last one that is shown before the end.
    fn pictures(self, fragment: &Fragment, begins: u64) -> usize {
        let samples = &fragment.video.samples;
        let is_last = begins.saturating_add(fragment.video.duration()) >= self.decoded;
        if !is_last {
            return samples.len();
        }
        let mut time = begins;
        let mut named = 0;
        for (number, sample) in samples.iter().enumerate() {
            if time.saturating_add_signed(sample.composition_offset.into()) < self.shown {
                named = number + 1;
            }
            time = time.saturating_add(sample.duration.into());
        }
        named
    }
}

impl Track {
    /// The fragment's samples of this track, whose timescale is given.
    pub(super) fn chunk<'a>(
        self,
        parts: &[Description],
        timescale: u32,
        fragment: &'a Fragment,
        place: &Place,
        end: Option<End>,
    ) -> Option<Chunk<'a>> {
        let since_file = |time: u64| time.cast_signed() - place.file_begins.cast_signed();
        let (run, begins, rate): (&Run, i64, u32) = match self {
            Self::Video => (&fragment.video, since_file(place.begins), timescale),
            Self::Audio => {
                let run = fragment.audio.as_ref()?;
                let rate = parts[place.part].audio.as_ref().map_or(timescale, |audio| audio.rate);
                let of_part = scaled(since_file(place.part_begins), VIDEO_TIMESCALE, timescale);
                (run, of_part + scaled(run.decode_time.cast_signed(), rate, timescale), rate)
            }
        };
        let at = place.at + u64::from(run.data_at);
        let mut chunk = Chunk { part: place.part, at, begins, samples: &run.samples, rate, timescale };
        if let Some(end) = end {
            let named = match self {
                Self::Video => end.pictures(fragment, place.begins),
                Self::Audio => {
                    let until = scaled(since_file(end.decoded), VIDEO_TIMESCALE, timescale);
                    chunk.times().take_while(|(begins, _)| *begins < until).count()
                }
            };
            chunk.samples = &run.samples[..named];
        }
        // A fragment without a sample in the tables has no chunk.
        (end.is_none() || !chunk.samples.is_empty()).then_some(chunk)
    }
}

impl Plan {
    /// Plans a file in one pass over the indexes. `parts`: what the heads of all parts say. A clip begins with the last fragment before its
    /// beginning that decoding can begin with, and an edit list has players show it from the moment that was asked for.
    pub(super) fn new(
        parts: Vec<Description>,
        fragments: &impl Fragments,
        clip: Option<Clip>,
    ) -> Result<Self, ProgressiveError> {
        let sound = parts.iter().find_map(|part| Some(part.audio.as_ref()?.rate));
        let mut walk = Walk::default();
        let mut measured = Measured::new(0, sound);
        for (number, found) in fragments.read()?.enumerate() {
            let (part, fragment) = match found {
                // Fragments after damage are ignored.
                Err(IndexError::Torn { .. }) => break,
                found => found?,
            };
            if part >= parts.len() {
                break;
            }
            walk.enter(part);
            if let Some(Clip { from, to }) = clip {
                if walk.next.begins >= to {
                    break;
                }
                if walk.next.begins <= from && fragment.mark.is_independent {
                    walk.begin_file();
                    measured = Measured::new(number, sound);
                }
            }
            let place = walk.pass(&fragment);
            measured.take(&parts, &fragment, &place, clip);
        }
        if clip.is_some_and(|clip| clip.from >= walk.next.begins || clip.from >= clip.to) {
            return Err(ProgressiveError::Nothing);
        }
        measured.plan(parts, walk.next.file_begins, clip)
    }

    pub(super) fn media_bytes(&self) -> u64 {
        self.media.iter().map(|range| range.to - range.from).sum()
    }

    /// Reads the file's fragments.
    pub(super) fn placed<F: Fragments>(&self, fragments: &F) -> Result<Placed<F::Iter>, IndexError> {
        let fragments = fragments.read()?.take(self.fragments);
        Ok(Placed::new(fragments, self.first))
    }

    /// What was counted of a track.
    pub(super) fn track(&self, track: Track) -> &TrackPlan {
        match (track, &self.audio) {
            (Track::Audio, Some(audio)) => audio,
            _ => &self.video,
        }
    }

    /// A track's samples in a fragment of the file.
    pub(super) fn chunk<'a>(&self, track: Track, fragment: &'a Fragment, place: &Place) -> Option<Chunk<'a>> {
        track.chunk(&self.parts, self.track(track).timescale, fragment, place, self.end)
    }
}

/// Measurements made while the fragments are read.
struct Measured {
    first: usize,
    fragments: usize,
    check_sum: crc32fast::Hasher,
    /// The first picture's composition offset.
    composition: Option<i32>,
    video: Counting,
    audio: Option<Counting>,
    media: Vec<MediaRange>,
}

impl Measured {
    /// `first`: number of fragments before the file. `sound`: the timescale of its sound, if it may have any.
    fn new(first: usize, sound: Option<u32>) -> Self {
        Self {
            first,
            fragments: first,
            check_sum: crc32fast::Hasher::new(),
            composition: None,
            video: Counting::new(VIDEO_TIMESCALE),
            audio: sound.map(Counting::new),
            media: Vec::new(),
        }
    }

    fn take(&mut self, parts: &[Description], fragment: &Fragment, place: &Place, clip: Option<Clip>) {
        self.fragments += 1;
        for number in [fragment.at, fragment.bytes.into(), fragment.mark.wall_ms.cast_unsigned()] {
            self.check_sum.update(&number.to_be_bytes());
        }
        let end = fragment.at + u64::from(fragment.bytes);
        match self.media.last_mut() {
            Some(range) if range.part == place.part => range.to = end,
            _ => self.media.push(MediaRange { part: place.part, from: fragment.at, to: end }),
        }
        if self.composition.is_none() {
            self.composition = fragment.video.samples.first().map(|sample| sample.composition_offset);
        }
        let end = self.end(clip);
        let tracks = [(Track::Video, Some(&mut self.video)), (Track::Audio, self.audio.as_mut())];
        for (track, counting) in tracks {
            let Some(counting) = counting else { continue };
            if let Some(chunk) = track.chunk(parts, counting.plan.timescale, fragment, place, end) {
                counting.take(&chunk);
            }
        }
    }

    fn end(&self, clip: Option<Clip>) -> Option<End> {
        clip.map(|clip| End::new(clip, u64::try_from(self.composition.unwrap_or(0)).unwrap_or(0)))
    }

    fn plan(
        self,
        parts: Vec<Description>,
        begins: u64,
        clip: Option<Clip>,
    ) -> Result<Plan, ProgressiveError> {
        let composition = self.composition.ok_or(ProgressiveError::Nothing)?;
        let end = self.end(clip);
        let first_composition = u64::try_from(composition).unwrap_or(0);
        let video = self.video.finish();
        let length = video.ends.unsigned_abs();
        let asked = clip.unwrap_or(Clip { from: begins, to: u64::MAX });
        let from = asked.from.saturating_sub(begins).min(length);
        let to = asked.to.saturating_sub(begins).clamp(from, length);
        Ok(Plan {
            parts,
            first: self.first,
            fragments: self.fragments,
            end,
            check_sum: self.check_sum.finalize(),
            begins,
            video,
            audio: self.audio.map(Counting::finish).filter(|audio| audio.samples > 0),
            shown: from + first_composition..to + first_composition,
            media: self.media,
        })
    }
}

/// A time in another timescale, rounded.
pub(super) fn scaled(time: i64, from: u32, to: u32) -> i64 {
    if from == to {
        return time;
    }
    let (from, to) = (i128::from(from), i128::from(to));
    ((i128::from(time) * to + from / 2).div_euclid(from)) as i64
}

/// Computes beginnings and durations of samples. In a sound track a hole belongs to the sample before it.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Beginning of the previous sample, and its end without a hole.
    before: Option<(i64, i64)>,
}

impl Times {
    /// Takes a sample; returns the duration of the one before it.
    pub(super) fn push(&mut self, begins: i64, duration: i64) -> Option<u32> {
        let (begins, ended) = match self.before {
            None => (begins, None),
            // Never backwards: sound may overlap at the end of a part.
            Some((before, _)) => (begins.max(before + 1), Some(before)),
        };
        self.before = Some((begins, begins + duration));
        ended.map(|before| u32::try_from(begins - before).unwrap_or(u32::MAX))
    }

    /// The duration of the last sample, and its end.
    pub(super) fn finish(&self) -> Option<(u32, i64)> {
        self.before.map(|(begins, ends)| (u32::try_from((ends - begins).max(1)).unwrap_or(u32::MAX), ends))
    }
}

/// Counts the rows of a track's tables.
struct Counting {
    plan: TrackPlan,
    has_begun: bool,
    times: Times,
    durations: Runs<u32>,
    compositions: Runs<i32>,
    chunks: Runs<(u32, usize)>,
}

impl Counting {
    fn new(timescale: u32) -> Self {
        Self {
            plan: TrackPlan { timescale, ..TrackPlan::default() },
            has_begun: false,
            times: Times::default(),
            durations: Runs::default(),
            compositions: Runs::default(),
            chunks: Runs::default(),
        }
    }

    fn take(&mut self, chunk: &Chunk<'_>) {
        if !self.has_begun {
            self.has_begun = true;
            self.plan.begins = chunk.begins;
        }
        self.plan.chunks += 1;
        self.plan.samples += chunk.samples.len() as u32;
        self.chunks.push((chunk.samples.len() as u32, chunk.part));
        for (sample, (begins, duration)) in chunk.samples.iter().zip(chunk.times()) {
            self.plan.keys += u32::from(sample.is_key);
            self.compositions.push(sample.composition_offset);
            if let Some(duration) = self.times.push(begins, duration) {
                self.durations.push(duration);
            }
        }
    }

    fn finish(mut self) -> TrackPlan {
        if let Some((duration, ends)) = self.times.finish() {
            self.durations.push(duration);
            self.plan.ends = ends;
        }
        self.plan.time_rows = self.durations.rows();
        let is_plain =
            self.compositions.rows() == 1 && self.compositions.finish() == Some((self.plan.samples, 0));
        self.plan.composition_rows = if is_plain { 0 } else { self.compositions.rows() };
        self.plan.chunk_rows = self.chunks.rows();
        self.plan
    }
}
