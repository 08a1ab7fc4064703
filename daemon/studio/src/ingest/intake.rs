//! From the messages of a publication to samples: tags are read, times are put on one line over all its connections, and what cannot be shown is told apart in
//! words. A value: the time comes in.
//!
//! Bytes stay as they are: a picture's NAL units get start codes in place of lengths.

use super::facts::Facts;
use super::pace::{Bucket, Most};
use super::times::Times;
use crate::capture::status::CaptureCounters;
use crate::capture::supervisor::soundtrack::Soundtrack;
use perch_media::access_unit::{AccessUnitAssembler, AssemblerCounters, VideoFormat};
use perch_media::flv::{TagError, TagReader, Video};
use perch_media::sample::{AudioFrame, Sample};
use perch_media::time::{self, MediaDuration, MediaTime};
use perch_media::timeline::{Timeline, Track};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A publication without an entry for this long cannot be shown to new viewers: the same as for cameras.
const NO_ENTRY: Duration = Duration::from_secs(20);
/// Key frames further apart are a setting that nobody wants: viewers are as far behind.
const FAR_APART: MediaDuration = MediaDuration::from_millis(4500);
/// Messages per second. The fastest programs send 300 pictures and frames of sound.
const MESSAGES: f64 = 1000.0;
/// What a publication may have above the permitted bitrate: encoders do not keep theirs to the letter.
const TOLERANCE: f64 = 1.25;

/// Why a publication is ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A codec or a format.
    #[error("{0}")]
    Unsupported(#[from] TagError),
    /// Above the configured bitrate.
    #[error("it sends more than {0} kb/s, the most that is taken here: lower the bitrate")]
    Bitrate(u32),
    /// Messages without end.
    #[error("it sends more than {MESSAGES} messages a second")]
    Flood,
    /// Sound alone, or nothing.
    #[error("no picture came within {} s: a stream needs H.264 video", NO_ENTRY.as_secs())]
    NoPicture,
    /// Nobody could start watching.
    #[error("no key frame came within {} s: set a key frame every 2 seconds", NO_ENTRY.as_secs())]
    NoKeyFrame,
    /// Pictures whose parameter sets cannot be read.
    #[error("the headers (SPS and PPS) of its H.264 cannot be read")]
    Headers,
}

/// The media of one publication.
pub(super) struct Intake {
    most: Most,
    facts: Facts,
    tags: TagReader,
    times: Times,
    assembler: AccessUnitAssembler,
    counted: AssemblerCounters,
    soundtrack: Soundtrack,
    timeline: Timeline,
    bytes: Bucket,
    messages: Bucket,
    /// Arrival of the newest entry, or the beginning of the connection.
    last_entry: Duration,
    format: Option<Arc<VideoFormat>>,
    counters: Arc<CaptureCounters>,
    /// Decoding time of the newest entry of this connection, and the longest interval between two.
    entry: Option<MediaTime>,
    interval: MediaDuration,
    advice: Option<String>,
    /// Epoch of the newest sample.
    epoch: Option<u32>,
    ready: Vec<Sample>,
}

impl Intake {
    /// A publication whose first connection begins at `now`.
    pub(super) fn new(most: Most, counters: Arc<CaptureCounters>, now: Duration) -> Self {
        Self {
            most,
            facts: Facts::default(),
            tags: TagReader::default(),
            times: Times::default(),
            assembler: AccessUnitAssembler::new(0),
            counted: AssemblerCounters::default(),
            soundtrack: Soundtrack::default(),
            timeline: Timeline::new(),
            bytes: Bucket::new(f64::from(most.kbps) * 125.0 * TOLERANCE),
            messages: Bucket::new(MESSAGES),
            last_entry: now,
            format: None,
            entry: None,
            interval: MediaDuration::ZERO,
            advice: None,
            counters,
            epoch: None,
            ready: Vec::new(),
        }
    }

    /// Another connection of the same publisher begins: what it sends is another source, after a seam.
    pub(super) fn begin(&mut self, now: Duration) {
        self.finish(now);
        self.facts = Facts::default();
        self.tags = TagReader::default();
        self.times = Times::default();
        let epoch = self.epoch.map_or(0, |epoch| epoch + 1);
        self.assembler = AccessUnitAssembler::new(epoch);
        self.counted = AssemblerCounters::default();
        self.soundtrack = Soundtrack::default();
        self.timeline.begin_source();
        self.last_entry = now;
        (self.entry, self.interval) = (None, MediaDuration::ZERO);
    }

    /// Gives out the pictures that wait for sound, because a connection has ended.
    pub(super) fn finish(&mut self, now: Duration) {
        let Self { soundtrack, timeline, ready, .. } = self;
        soundtrack.finish(|sample| ready.push(mended(timeline, sample, now)));
    }

    /// The samples that are complete, in their order.
    pub(super) fn take(&mut self) -> Vec<Sample> {
        let ready = std::mem::take(&mut self.ready);
        let add = |counter: &std::sync::atomic::AtomicU64, by: u64| counter.fetch_add(by, Ordering::Relaxed);
        for sample in &ready {
            add(&self.counters.bytes, sample.data().len() as u64);
            let Some(unit) = sample.video() else { continue };
            add(&self.counters.access_units, 1);
            add(&self.counters.key_frames, u64::from(unit.is_entry()));
            if self.epoch.replace(unit.epoch).is_some_and(|before| before != unit.epoch) {
                add(&self.counters.seams, 1);
            }
        }
        ready
    }

    /// True if samples are complete: a stream can begin, since the first of them is an entry.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// What the publisher says.
    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The format of the newest picture.
    pub(super) const fn format(&self) -> Option<&Arc<VideoFormat>> {
        self.format.as_ref()
    }

    /// What keeps some viewers from seeing it, or slows it, in words with the remedy.
    pub(super) const fn advice(&self) -> Option<&String> {
        self.advice.as_ref()
    }

    /// How far the newest sample's time is ahead of `now`: a publisher that sends faster than real time gets ahead.
    pub(super) fn ahead(&self, now: Duration) -> Duration {
        let latest = self.timeline.latest();
        latest.map_or(Duration::ZERO, |latest| (latest - MediaTime::from_monotonic(now)).into())
    }

    /// Takes what the publisher says of its stream.
    pub(super) fn take_facts(&mut self, facts: Facts) -> Result<(), Refusal> {
        // The tolerance is for what is sent; what is announced is a setting.
        if facts.kbps > self.most.kbps && facts.kbps != u32::MAX {
            return Err(Refusal::Bitrate(self.most.kbps));
        }
        self.facts = facts;
        Ok(())
    }

    /// Takes the body of a tag of video, with its time in milliseconds.
    pub(super) fn video(&mut self, timestamp: u32, body: Vec<u8>, now: Duration) -> Result<(), Refusal> {
        self.count(body.len(), now)?;
        match self.tags.video(body) {
            Ok(None) => {}
            Ok(Some(Video::ParameterSets(sets))) => {
                // Parameter sets alone give no picture; errors are counted by the assembler.
                let _ = self.assembler.push_picture(&sets, time::Times::default());
                if self.assembler.counters().broken_parameter_sets > self.counted.broken_parameter_sets {
                    return Err(Refusal::Headers);
                }
            }
            Ok(Some(Video::Picture { data, composition })) => {
                let dts = self.times.picture(timestamp);
                let pts = dts + composition.max(MediaDuration::ZERO);
                if let Ok(Some(unit)) = self.assembler.push_picture(&data, time::Times { pts, dts }) {
                    if unit.is_entry() {
                        self.note_entry(&unit.format, dts, now);
                    }
                    let has_sound = self.facts.has_sound || self.tags.sound_format().is_some();
                    let Self { soundtrack, timeline, ready, .. } = self;
                    let at = MediaTime::from_monotonic(now);
                    soundtrack
                        .picture(unit, at, has_sound, |sample| ready.push(mended(timeline, sample, now)));
                }
            }
            Err(error) if error.is_unsupported() => return Err(error.into()),
            Err(_) => {
                self.counters.discarded.fetch_add(1, Ordering::Relaxed);
                self.assembler.lost_picture();
            }
        }
        self.look(now)
    }

    /// Takes the body of a tag of sound, with its time in milliseconds.
    pub(super) fn sound(&mut self, timestamp: u32, body: Vec<u8>, now: Duration) -> Result<(), Refusal> {
        self.count(body.len(), now)?;
        match self.tags.sound(body) {
            Ok(None) => {}
            Ok(Some(sound)) => {
                let at = self.times.sound(timestamp, &sound.format);
                let times = time::Times::at(at);
                let epoch = self.assembler.epoch();
                let frame = AudioFrame { times, epoch, data: sound.data, format: sound.format };
                let Self { soundtrack, timeline, ready, .. } = self;
                let at = MediaTime::from_monotonic(now);
                soundtrack.sound(frame, at, |sample| ready.push(mended(timeline, sample, now)));
            }
            Err(error) if error.is_unsupported() => return Err(error.into()),
            Err(_) => _ = self.counters.discarded.fetch_add(1, Ordering::Relaxed),
        }
        self.look(now)
    }

    fn note_entry(&mut self, format: &Arc<VideoFormat>, dts: MediaTime, now: Duration) {
        self.last_entry = now;
        self.interval =
            self.interval.max(self.entry.replace(dts).map_or(MediaDuration::ZERO, |last| dts - last));
        let is_far = self.interval > FAR_APART;
        let far = is_far.then(|| {
            let seconds = self.interval.as_seconds().round();
            format!("its key frames are up to {seconds} s apart: set a key frame every 2 seconds, or viewers are as far behind")
        });
        self.advice =
            [format.unplayable(), far].into_iter().flatten().reduce(|all, one| format!("{all}; {one}"));
        self.format = Some(format.clone());
    }

    fn count(&mut self, bytes: usize, now: Duration) -> Result<(), Refusal> {
        if !self.messages.add(1.0, now) {
            return Err(Refusal::Flood);
        }
        if self.bytes.add(bytes as f64, now) { Ok(()) } else { Err(Refusal::Bitrate(self.most.kbps)) }
    }

    /// Counts what was dropped, and looks whether the stream can be shown.
    fn look(&mut self, now: Duration) -> Result<(), Refusal> {
        let (has, had) =
            (self.assembler.counters(), std::mem::replace(&mut self.counted, self.assembler.counters()));
        let dropped =
            |c: AssemblerCounters| c.not_h264 + c.broken_parameter_sets + c.too_large + c.before_entry;
        self.counters.discarded.fetch_add(dropped(has) - dropped(had), Ordering::Relaxed);
        self.counters.b_pictures.fetch_add(has.b_pictures - had.b_pictures, Ordering::Relaxed);
        self.counters.times_changed.store(self.timeline.changed(), Ordering::Relaxed);
        if now.saturating_sub(self.last_entry) <= NO_ENTRY {
            return Ok(());
        }
        let has_pictures = has.entries + has.before_entry > 0;
        Err(if has_pictures { Refusal::NoKeyFrame } else { Refusal::NoPicture })
    }
}

/// The sample on the stream's line.
fn mended(timeline: &mut Timeline, mut sample: Sample, now: Duration) -> Sample {
    let track = if sample.video().is_some() { Track::Video } else { Track::Audio };
    *sample.times_mut() = timeline.mend(track, sample.times(), MediaTime::from_monotonic(now));
    sample
}

#[cfg(test)]
mod tests;
