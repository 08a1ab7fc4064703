//! Which fragments a file takes, where their bytes are, and how many rows each table of its head has.

use super::runs::Runs;
use crate::cmaf::Description;
use crate::recording::index::IndexError;
use crate::recording::{Fragment, Run, SampleEntry, VIDEO_TIMESCALE};
use std::io;

/// Where the fragments of a recording are read from, as often as needed: all of its parts, in order.
pub trait Fragments {
    /// The fragments, each with the number of its part from 0.
    type Iter: Iterator<Item = Result<(usize, Fragment), IndexError>>;

    /// From the first one on.
    fn read(&self) -> Result<Self::Iter, IndexError>;
}

/// What of a recording is asked for, in ticks of 1/90000 s of the recording's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The first moment that is shown.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// Bytes of a part's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRange {
    /// Number of the part, from 0.
    pub part: usize,
    /// Of the first byte.
    pub from: u64,
    /// After the last byte.
    pub to: u64,
}

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum ProgressiveError {
    /// An index cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// What the head is written to fails.
    #[error("it cannot be written: {0}")]
    Io(#[from] io::Error),
    /// There is no picture in what was asked for.
    #[error("nothing was recorded at that time")]
    Nothing,
}

/// How a file is made.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) parts: Vec<Description>,
    /// Fragments before the first one of the file, and how many it takes.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Of the first fragment, in the recording's time.
    pub(super) begins: u64,
    pub(super) video: TrackPlan,
    pub(super) audio: Option<TrackPlan>,
    /// What players show, in ticks from the first picture's decoding time.
    pub(super) shown: std::ops::Range<u64>,
    pub(super) media: Vec<MediaRange>,
}

/// What is counted of a track before its tables are written.
#[derive(Debug, Default)]
pub(super) struct TrackPlan {
    /// Ticks a second.
    pub(super) timescale: u32,
    pub(super) samples: u32,
    pub(super) chunks: u32,
    pub(super) keys: u32,
    pub(super) time_rows: u32,
    /// 0 where no picture is shown at another time than it is decoded.
    pub(super) composition_rows: u32,
    pub(super) chunk_rows: u32,
    /// When the first sample begins, from the file's beginning, and the last one ends: in the track's timescale.
    pub(super) begins: i64,
    pub(super) ends: i64,
}

/// The samples of one fragment and track.
pub(super) struct Chunk<'a> {
    /// Number of the part, from 0.
    pub(super) part: usize,
    /// Of its first byte in the file's `mdat`.
    pub(super) at: u64,
    /// When its first sample begins, from the file's beginning, in the track's timescale.
    pub(super) begins: i64,
    pub(super) samples: &'a [SampleEntry],
    /// The samples' durations are in this timescale, …
    rate: u32,
    /// … the track in this one.
    timescale: u32,
}

impl Chunk<'_> {
    /// When each sample begins, and its duration, in the track's timescale.
    pub(super) fn times(&self) -> impl Iterator<Item = (i64, i64)> {
        let scaled = |time| scaled(time, self.rate, self.timescale);
        self.samples.iter().scan(0_i64, move |before, sample| {
            let begins = *before;
            *before += i64::from(sample.duration);
            Some((self.begins + scaled(begins), scaled(*before) - scaled(begins)))
        })
    }
}

/// Which track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Video,
    Audio,
}

/// Where the fragments of the file are, as they are gone through.
struct Place {
    part: usize,
    /// Of the fragment, in the recording's time.
    begins: u64,
    /// Of its part, likewise.
    part_begins: u64,
    /// Of the fragment's first byte in the file's `mdat`.
    at: u64,
}

impl Plan {
    /// Plans a file. `parts`: what the heads of all parts say. A clip begins with the last fragment before its beginning that decoding can begin
    /// with, and an edit list has players show it from the moment that was asked for.
    pub(super) fn new(
        parts: Vec<Description>,
        fragments: &impl Fragments,
        clip: Option<Clip>,
    ) -> Result<Self, ProgressiveError> {
        let (first, count) = choose(fragments, clip)?;
        let timescale = parts.iter().find_map(|part| Some(part.audio.as_ref()?.rate));
        let mut plan = Self {
            parts,
            first,
            count,
            begins: 0,
            video: TrackPlan { timescale: VIDEO_TIMESCALE, ..TrackPlan::default() },
            audio: None,
            shown: 0..0,
            media: Vec::new(),
        };
        let first_composition = plan.measure(fragments)?;
        let mut video = Counting::new(VIDEO_TIMESCALE);
        plan.each_chunk(fragments, Track::Video, |chunk| {
            video.take(&chunk);
            Ok(())
        })?;
        plan.video = video.finish();
        if let Some(timescale) = timescale {
            let mut audio = Counting::new(timescale);
            plan.audio = Some(TrackPlan { timescale, ..TrackPlan::default() });
            plan.each_chunk(fragments, Track::Audio, |chunk| {
                audio.take(&chunk);
                Ok(())
            })?;
            plan.audio = Some(audio.finish()).filter(|audio| audio.samples > 0);
        }
        let length = plan.video.ends.unsigned_abs();
        let asked = clip.unwrap_or(Clip { from: plan.begins, to: u64::MAX });
        let from = asked.from.saturating_sub(plan.begins).min(length);
        let to = asked.to.saturating_sub(plan.begins).clamp(from, length);
        plan.shown = from + first_composition..to + first_composition;
        Ok(plan)
    }

    pub(super) fn media_bytes(&self) -> u64 {
        self.media.iter().map(|range| range.to - range.from).sum()
    }

    /// Finds out where the file's bytes are; gives the first picture's composition offset.
    fn measure(&mut self, fragments: &impl Fragments) -> Result<u64, ProgressiveError> {
        let (mut media, mut composition, mut begins) = (Vec::<MediaRange>::new(), None, 0);
        self.each_fragment(fragments, |fragment, place| {
            let end = fragment.at + u64::from(fragment.bytes);
            match media.last_mut() {
                Some(range) if range.part == place.part => range.to = end,
                _ => media.push(MediaRange { part: place.part, from: fragment.at, to: end }),
            }
            if composition.is_none() {
                begins = place.begins;
                composition = fragment.video.samples.first().map(|sample| sample.composition_offset);
            }
            Ok(())
        })?;
        self.begins = begins;
        self.media = media;
        Ok(u64::try_from(composition.ok_or(ProgressiveError::Nothing)?).unwrap_or(0))
    }

    /// Goes through the file's fragments.
    fn each_fragment(
        &self,
        fragments: &impl Fragments,
        mut take: impl FnMut(&Fragment, &Place) -> Result<(), ProgressiveError>,
    ) -> Result<(), ProgressiveError> {
        let mut place = Place { part: 0, begins: 0, part_begins: 0, at: 0 };
        // Bytes of the `mdat` before the part, and where the part's begin in its file.
        let (mut before_part, mut part_from) = (0, None);
        for (number, found) in fragments.read()?.take(self.first + self.count).enumerate() {
            let (part, fragment) = found?;
            if part >= self.parts.len() {
                break;
            }
            if part != place.part {
                (place.part, place.part_begins) = (part, place.begins);
                (before_part, part_from) = (place.at, None);
            }
            if number >= self.first {
                let from = *part_from.get_or_insert(fragment.at);
                let at = before_part + fragment.at - from;
                let here = Place { at, ..place };
                take(&fragment, &here)?;
                place.at = at + u64::from(fragment.bytes);
            }
            place.begins += fragment.video.duration();
        }
        Ok(())
    }

    /// Goes through the chunks of a track: one for each fragment that has samples of it.
    pub(super) fn each_chunk(
        &self,
        fragments: &impl Fragments,
        track: Track,
        mut take: impl FnMut(Chunk<'_>) -> Result<(), ProgressiveError>,
    ) -> Result<(), ProgressiveError> {
        let timescale = match (track, &self.audio) {
            (Track::Audio, Some(audio)) => audio.timescale,
            _ => VIDEO_TIMESCALE,
        };
        self.each_fragment(fragments, |fragment, place| {
            let (run, begins, rate): (&Run, i64, u32) = match (track, &fragment.audio) {
                (Track::Video, _) => (&fragment.video, (place.begins - self.begins).cast_signed(), timescale),
                (Track::Audio, Some(run)) => {
                    let rate = self.parts[place.part].audio.as_ref().map_or(timescale, |audio| audio.rate);
                    let of_part = scaled(
                        place.part_begins.cast_signed() - self.begins.cast_signed(),
                        VIDEO_TIMESCALE,
                        timescale,
                    );
                    (run, of_part + scaled(run.decode_time.cast_signed(), rate, timescale), rate)
                }
                (Track::Audio, None) => return Ok(()),
            };
            let at = place.at + u64::from(run.data_at);
            take(Chunk { part: place.part, at, begins, samples: &run.samples, rate, timescale })
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

/// Which fragments a file takes: how many are before them, and how many they are.
fn choose(fragments: &impl Fragments, clip: Option<Clip>) -> Result<(usize, usize), ProgressiveError> {
    let (mut first, mut end, mut time) = (0, 0, 0);
    for (number, found) in fragments.read()?.enumerate() {
        let (_, fragment) = match found {
            // What lies behind damage is not there.
            Err(IndexError::Torn { .. }) => break,
            found => found?,
        };
        if let Some(Clip { from, to }) = clip {
            if time >= to {
                break;
            }
            if time <= from && fragment.mark.is_independent {
                first = number;
            }
        }
        time += fragment.video.duration();
        end = number + 1;
    }
    if end == first || clip.is_some_and(|clip| clip.from >= time || clip.from >= clip.to) {
        return Err(ProgressiveError::Nothing);
    }
    Ok((first, end - first))
}

/// When samples begin and how long they last: in a track of sound a hole belongs to the sample before it.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// When the sample before began, and would end.
    before: Option<(i64, i64)>,
}

impl Times {
    /// Takes a sample; gives the duration of the one before it.
    pub(super) fn push(&mut self, begins: i64, duration: i64) -> Option<u32> {
        let (begins, ended) = match self.before {
            None => (begins, None),
            // Never backwards: sound may overlap where a part ends.
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
