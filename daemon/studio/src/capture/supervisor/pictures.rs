//! The pictures of one source, with their sound, from its opening to its closing: assembles and counts them, and
//! explains what cannot be shown.

use super::container::Container;
use super::soundtrack::Soundtrack;
use crate::capture::source::{Output, SourceDescription, SourceError};
use crate::capture::status::CaptureCounters;
use perch_device::CodedPicture;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler, AssemblerCounters, VideoFormat};
use perch_media::sample::{AudioFrame, Sample};
use perch_media::time::MediaTime;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A source that gives pictures but no entry for this long cannot be shown to new viewers: that is a fault.
pub(super) const NO_ENTRY: Duration = Duration::from_secs(20);

/// The state of one source's pictures, from its opening to its closing.
pub(super) struct Pictures {
    assembler: AccessUnitAssembler,
    /// The container of a byte stream.
    container: Container,
    /// What came out of it; reused.
    came: Vec<Sample>,
    /// The sound of a source that gives pictures and sound apart.
    soundtrack: Soundtrack,
    has_sound: bool,
    counted: AssemblerCounters,
    /// Arrival of the newest entry, or the opening of the source.
    last_entry: Duration,
    format: Option<Arc<VideoFormat>>,
    /// Why the sound is left out, in words.
    sound_problem: Option<String>,
    has_news: bool,
}

impl Pictures {
    /// The state for a source that was opened at `now`, has negotiated `frames_per_second`, and gives [`Output::Sound`] if it `has_sound`.
    pub(super) fn new(epoch: u32, frames_per_second: f64, has_sound: bool, now: Duration) -> Self {
        Self {
            assembler: AccessUnitAssembler::with_frame_rate(epoch, Some(frames_per_second)),
            container: Container::new(),
            came: Vec::new(),
            soundtrack: Soundtrack::default(),
            has_sound,
            counted: AssemblerCounters::default(),
            last_entry: now,
            format: None,
            sound_problem: None,
            has_news: false,
        }
    }

    /// Passes the samples in `output` to `publish`, and counts what was dropped.
    pub(super) fn take(
        &mut self,
        output: Output,
        now: Duration,
        counters: &CaptureCounters,
        publish: impl FnMut(Sample),
    ) {
        match output {
            Output::Picture(CodedPicture { data, captured_at, after_loss }) => {
                if after_loss {
                    self.assembler.lost_picture();
                }
                // Errors are counted by the assembler.
                let at = MediaTime::from_monotonic(captured_at);
                if let Ok(Some(unit)) = self.assembler.push_captured(&data, at) {
                    note(&unit, &mut self.format, &mut self.has_news);
                    let now = MediaTime::from_monotonic(now);
                    self.soundtrack.picture(unit, now, self.has_sound, publish);
                }
            }
            // A program's stream has times of its own, to which those of a microphone do not belong.
            Output::Sound(_) if self.carry_times() => return,
            Output::Sound(frame) => {
                let frame = AudioFrame { epoch: self.assembler.epoch(), ..frame };
                self.soundtrack.sound(frame, MediaTime::from_monotonic(now), publish);
            }
            Output::Stream { data, since, read_at } => {
                let came = MediaTime::from_monotonic(since)..=MediaTime::from_monotonic(read_at);
                self.container.take(data, came, &mut self.assembler, |sample| self.came.push(sample));
                self.pass_on(MediaTime::from_monotonic(now), publish);
                let sound_problem = self.container.sound_problem();
                if self.sound_problem != sound_problem {
                    (self.sound_problem, self.has_news) = (sound_problem, true);
                }
            }
            Output::Nothing => return,
        }
        self.count_into(counters, now);
    }

    /// Passes on the rest of a source that ended at `now`.
    pub(super) fn finish(&mut self, now: Duration, mut publish: impl FnMut(Sample)) {
        let now = MediaTime::from_monotonic(now);
        self.container.finish(now, &mut self.assembler, |sample| self.came.push(sample));
        self.pass_on(now, &mut publish);
        self.soundtrack.finish(publish);
    }

    /// Passes on what came out of the byte stream. The pictures of bare H.264 have their sound from elsewhere; those of a transport stream know theirs.
    fn pass_on(&mut self, now: MediaTime, mut publish: impl FnMut(Sample)) {
        let carry_times = self.carry_times();
        for sample in self.came.drain(..) {
            if let Some(unit) = sample.video() {
                note(unit, &mut self.format, &mut self.has_news);
            }
            match sample {
                Sample::Video(unit) if !carry_times => {
                    self.soundtrack.picture(unit, now, self.has_sound, &mut publish);
                }
                sample => publish(sample),
            }
        }
    }

    /// True if the stream carries the times of its pictures.
    pub(super) const fn carry_times(&self) -> bool {
        matches!(self.container, Container::TransportStream(_))
    }

    /// Why a transport stream gives no pictures, in words.
    pub(super) fn stream_problem(&self) -> Option<String> {
        self.container.problem()
    }

    /// True while pictures are being dropped until an entry comes.
    pub(super) fn wants_key_frame(&self) -> bool {
        self.assembler.wants_key_frame()
    }

    /// Number of entries so far.
    pub(super) fn entries(&self) -> u64 {
        self.counted.entries
    }

    /// True if the pictures' format has changed since the last call, B-frames have begun to come, or sound is left out
    /// or no longer.
    pub(super) fn has_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// Writes the pictures' own size into the description of the source. Returns, in words, what keeps some viewers
    /// from seeing them or hearing their sound, or slows them.
    pub(super) fn describe(&self, source: &mut SourceDescription) -> Option<String> {
        let format = self.format.as_ref()?;
        (source.width, source.height) = (format.width, format.height);
        let pictures = self.assembler.reorder_delay();
        let b_frames = (self.counted.b_pictures > 0 && pictures > 0).then(|| {
            format!(
                "B-frames delay the stream by {pictures} pictures: switch them off unless they are wanted"
            )
        });
        let advice = [format.unplayable(), self.sound_problem.clone(), b_frames];
        advice.into_iter().flatten().reduce(|all, one| format!("{all}; {one}"))
    }

    /// Why new viewers cannot be shown this source although it gives pictures; `None` as long as they can.
    pub(super) fn fault(&self, now: Duration) -> Option<SourceError> {
        let has = self.counted;
        if has.unknown_order > 0 {
            let way_out =
                "its order of display (picture order count type 1) is not supported: switch B-frames off";
            return Some(SourceError::Failed(format!("it sends B-frames, and {way_out}")));
        }
        (now.saturating_sub(self.last_entry) > NO_ENTRY).then(|| self.no_entry()).flatten()
    }

    /// The error for pictures without any entry.
    pub(super) fn no_entry(&self) -> Option<SourceError> {
        let has = self.counted;
        if has.gradual_refreshes > 0 {
            return Some(SourceError::Failed(
                "it sends no key frames but refreshes its picture gradually (intra refresh), and browsers cannot start there: \
                 switch intra refresh off and set a key frame every 2 seconds"
                    .to_owned(),
            ));
        }
        (has.entries + has.before_entry > 0).then(|| {
            SourceError::Failed(
                "it sends no key frames, so that nobody can start watching: set a key frame (IDR) every 2 seconds".to_owned(),
            )
        })
    }

    /// Adds what the assembler dropped since the last call, and notes entries.
    fn count_into(&mut self, counters: &CaptureCounters, now: Duration) {
        let (has, had) =
            (self.assembler.counters(), std::mem::replace(&mut self.counted, self.assembler.counters()));
        if has == had {
            return;
        }
        let dropped = |c: AssemblerCounters| {
            c.not_h264 + c.broken_parameter_sets + c.too_large + c.before_entry + c.late + c.unknown_order
        };
        counters.discarded.fetch_add(dropped(has) - dropped(had), Ordering::Relaxed);
        counters.b_pictures.fetch_add(has.b_pictures - had.b_pictures, Ordering::Relaxed);
        self.has_news |= had.b_pictures == 0 && has.b_pictures > 0;
        if has.entries > had.entries {
            self.last_entry = now;
        }
    }
}

/// Notes a format that differs from the previous pictures'.
fn note(unit: &AccessUnit, format: &mut Option<Arc<VideoFormat>>, has_news: &mut bool) {
    if format.as_ref().is_none_or(|known| !unit.format.continues(known)) {
        *format = Some(unit.format.clone());
        *has_news = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::coded_pictures;
    use bytes::Bytes;
    use perch_media::audio_format::AudioFormat;
    use perch_media::mpegts::Muxer;
    use perch_media::time::Times;

    fn sound(milliseconds: u64) -> Output {
        let at = MediaTime::from_monotonic(Duration::from_millis(milliseconds));
        let format = Arc::new(AudioFormat::new(48_000, 2).unwrap());
        Output::Sound(AudioFrame { times: Times::at(at), epoch: 0, data: Bytes::new(), format })
    }

    /// The samples of a source that has a microphone beside its byte stream: for each picture true if sound goes with it, `None` for sound.
    fn published(chunks: &[Bytes]) -> Vec<Option<bool>> {
        let (counters, mut out) = (CaptureCounters::default(), Vec::new());
        let mut pictures = Pictures::new(0, 25.0, true, Duration::ZERO);
        for (at, data) in (0..).step_by(40).zip(chunks) {
            let now = Duration::from_millis(at);
            let stream = Output::Stream { data: data.clone(), since: now, read_at: now };
            for output in [stream, sound(at)] {
                let publish = |sample: Sample| out.push(sample.video().map(|unit| unit.sound.is_some()));
                pictures.take(output, now, &counters, publish);
            }
        }
        out
    }

    #[test]
    fn the_pictures_of_bare_h264_go_with_a_microphones_sound() {
        let found = published(&coded_pictures(6));
        assert!(found.iter().filter(|sample| **sample == Some(true)).count() >= 4, "{found:?}");
        assert!(found.contains(&None) && !found.contains(&Some(false)), "{found:?}");
    }

    #[test]
    fn a_transport_stream_has_times_of_its_own_and_no_microphone() {
        let (mut muxer, mut assembler) = (Muxer::new(), AccessUnitAssembler::new(0));
        let mut chunks = Vec::new();
        for (at, data) in (0..).step_by(3600).zip(coded_pictures(6)) {
            let unit = assembler.push_captured(&data, MediaTime::from_ticks(at)).unwrap().unwrap();
            let mut chunk = Vec::new();
            muxer.write_tables(&mut chunk);
            muxer.write(&unit, &mut chunk);
            chunks.push(Bytes::from(chunk));
        }
        let found = published(&chunks);
        assert!(found.len() >= 4 && found.iter().all(|sample| *sample == Some(false)), "{found:?}");
    }
}
